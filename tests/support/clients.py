"""Clients that remember what was acknowledged, over a server that is killed and started again under them."""

import http.client
import json
import queue
import random
import socket
import threading
import time

LOST = (OSError, http.client.HTTPException, ValueError)  # the connection went, or the answer was cut


class Failed(OSError):
    """The server says that it could not: nothing was acknowledged."""


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Client:
    """One connection to whichever server runs now; `port()` waits for one. Raises one of LOST when it is killed or fails."""

    failures = 0  # of all clients: answers that the server could not

    def __init__(self, port):
        self.port, self.connection = port, None

    def call(self, operation, **parameters):
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=90)
        try:
            self.connection.request("POST", "/", json.dumps(parameters), {
                "X-Amz-Target": "AWSStepFunctions." + operation, "Content-Type": "application/x-amz-json-1.0"})
            response = self.connection.getresponse()
            status, answer = response.status, json.loads(response.read())
        except LOST:
            self.connection.close()
            self.connection = None
            raise
        if status >= 500:
            Client.failures += 1
            time.sleep(0.01)
            raise Failed(f"{answer['__type']}: {answer['message']}")
        if status != 200:
            raise Refused(answer["__type"], answer["message"])
        return answer


class Ledger:
    """What the clients did, and what they were told. Any thread."""

    def __init__(self, seed):
        self.lock = threading.Lock()
        self.random = random.Random(seed)
        self.port_now, self.up = 0, threading.Event()
        self.asked = {}         # execution name -> (machine, input), of every StartExecution sent
        self.acknowledged = {}  # execution name -> ARN
        self.answered = {}      # execution name -> number of the acknowledged SendTaskSuccess
        self.answers = {}       # execution name -> numbers of all that were sent
        self.stopped = set()    # execution names whose StopExecution was acknowledged
        self.stopping = set()   # or was sent
        self.violations = []
        self.tokens = queue.Queue()  # (execution, token, of an activity?)
        self.to_stop = queue.Queue()
        self.allowed = 0        # StartExecution calls that may still be made
        self.finished = False
        self.pollers = []       # clients that may wait for an answer for a minute

    def port(self):
        self.up.wait()
        return self.port_now

    def finish(self):
        self.finished = True
        for client in self.pollers:
            if client.connection and client.connection.sock:
                client.connection.sock.shutdown(socket.SHUT_RDWR)

    def wrong(self, text):
        with self.lock:
            self.violations.append(text)
        print("VIOLATION", text, flush=True)


def start_executions(ledger, arns, pick):
    """Starts one after the other, each under a name of its own. When the answer is lost, asks again under the same name
    half of the time: then it must be told of the same execution, or that it is there."""
    client = Client(ledger.port)
    while not ledger.finished:
        with ledger.lock:
            if ledger.allowed > 0:
                ledger.allowed -= 1
                machine, given = pick(ledger.random)
                name = f"{machine}-{len(ledger.asked)}"
                ledger.asked[name] = (machine, given)
            else:
                name = None
        if name is None:
            time.sleep(0.005)
            continue
        for attempt in range(100):
            try:
                arn = client.call("StartExecution", stateMachineArn=arns[machine], name=name,
                                  input=json.dumps(given))["executionArn"]
            except LOST:
                if ledger.random.random() < 0.5:
                    break
                continue
            except Refused as refused:
                if refused.code == "ExecutionAlreadyExists" and attempt > 0:
                    with ledger.lock:  # it has ended meanwhile: that it is there was told, too
                        ledger.acknowledged[name] = f"{arns[machine].replace(':stateMachine:', ':execution:')}:{name}"
                else:
                    ledger.wrong(f"StartExecution {name}, attempt {attempt}: {refused}")
                break
            with ledger.lock:
                ledger.acknowledged[name] = arn
            if machine == "long":
                ledger.to_stop.put(name)
            break


def answer_tokens(ledger):
    """SendTaskSuccess for the tokens that come, again until the server answers."""
    client, number, thread = Client(ledger.port), 0, threading.get_ident()
    while not ledger.finished:
        try:
            name, token, activity = ledger.tokens.get(timeout=0.2)
        except queue.Empty:
            continue
        number += 1
        mine = f"{thread}-{number}"
        with ledger.lock:
            first = name not in ledger.answers
            ledger.answers.setdefault(name, set()).add(mine)
        try:
            client.call("SendTaskSuccess", taskToken=token, output=json.dumps({"by": "hand", "n": mine}))
        except LOST:
            ledger.tokens.put((name, token, activity))
            continue
        except Refused as refused:
            # An activity's attempt may have missed its heartbeat while the server was away.
            if refused.code != "TaskTimedOut" or (first and not activity):
                ledger.wrong(f"SendTaskSuccess for {name}: {refused}")
            continue
        with ledger.lock:
            if name in ledger.answered:
                ledger.violations.append(f"two answers were accepted for {name}")
            ledger.answered[name] = mine


def poll_activity(ledger, arn):
    client = Client(ledger.port)
    ledger.pollers.append(client)
    while not ledger.finished:
        try:
            task = client.call("GetActivityTask", activityArn=arn)
        except LOST:
            continue
        if task.get("taskToken"):
            time.sleep(ledger.random.random() * 0.03)
            ledger.tokens.put((json.loads(task["input"])["name"], task["taskToken"], True))


def stop_executions(ledger):
    client = Client(ledger.port)
    while not ledger.finished:
        try:
            name = ledger.to_stop.get(timeout=0.2)
        except queue.Empty:
            continue
        ledger.stopping.add(name)
        try:
            client.call("StopExecution", executionArn=ledger.acknowledged[name], error="by.hand", cause="stopped")
        except LOST:
            ledger.to_stop.put(name)
            continue
        except Refused as refused:
            ledger.wrong(f"StopExecution {name}: {refused}")
            continue
        ledger.stopped.add(name)
