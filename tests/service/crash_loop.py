#!/usr/bin/env python3
"""`millrace serve` is killed with SIGKILL at random moments, also while it starts, under clients that remember what it
acknowledged. In the end every acknowledged execution has ended once, with the right output and a sound history; every
acknowledged answer of a task and every acknowledged stop is in it; nothing was done again that was recorded as done.

Usage: crash_loop.py MILLRACE [--rounds 15] [--executions 900] [--seed N] [--keep]

The short form is a test; the long one is `--rounds 200 --executions 20000` and takes some six minutes.
"""

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import crash_workflows as workflows  # noqa: E402
import history  # noqa: E402
import program  # noqa: E402
from clients import Client, Ledger, Refused, answer_tokens, poll_activity, start_executions, stop_executions  # noqa: E402
from server import Server  # noqa: E402

SETTLE_SECONDS = 120
ROLE = "arn:aws:iam::123456789012:role/any"


class Run:
    def __init__(self, home, seed, log=None):
        self.home, self.log = home, log or home.parent / "effects.jsonl"
        self.server_log = f"{self.log}.server"
        self.ledger = Ledger(seed)
        self.server, self.arns, self.activity = None, {}, None
        self.how = {}  # the server is started, beside what is usual
        self.ready_seconds, self.read = [], 0
        workflows.put_function(home, self.log)

    # -- the server

    def start(self):
        begin = time.monotonic()
        self.server = Server(self.home, log=self.server_log, **self.how)
        self.ready_seconds.append(time.monotonic() - begin)
        self.ledger.port_now = self.server.port
        self.ledger.up.set()

    def kill(self):
        self.ledger.up.clear()
        self.server.kill()

    def start_and_kill_early(self, seconds):
        """Killed while it starts, perhaps before it is ready."""
        process = Server.launch(self.home, log=self.server_log)
        time.sleep(seconds)
        process.kill()
        process.wait()
        process.stdout.close()

    # -- the clients

    def create(self):
        client = Client(self.ledger.port)
        self.activity = client.call("CreateActivity", name="work")["activityArn"]
        for name, definition in workflows.machines(self.activity).items():
            self.arns[name] = client.call("CreateStateMachine", name=name, roleArn=ROLE,
                                          definition=json.dumps(definition))["stateMachineArn"]

    def begin_clients(self, starters=6):
        jobs = [(start_executions, (self.ledger, self.arns, workflows.pick))] * starters
        jobs += [(answer_tokens, (self.ledger,))] * 2 + [(poll_activity, (self.ledger, self.activity))] * 2
        jobs += [(stop_executions, (self.ledger,)), (self.watch_effects, ())]
        for function, arguments in jobs:
            threading.Thread(target=function, args=arguments, daemon=True).start()

    def effects(self):
        """Lines that came since the last call."""
        if not self.log.exists():
            return []
        with open(self.log, "rb") as log:
            log.seek(self.read)
            data = log.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def watch_effects(self):
        while not self.ledger.finished:
            for _, name, _, _, _, token in self.effects():
                if token:
                    self.ledger.tokens.put((name, token, False))
            time.sleep(0.01)

    # -- rounds

    def round(self, starts):
        """Lets clients work, and kills the server: after so many acknowledgements, or after some time."""
        ledger, random = self.ledger, self.ledger.random
        before = len(ledger.acknowledged)
        with ledger.lock:
            ledger.allowed += starts
        until = time.monotonic() + random.uniform(0.05, 1.2)
        enough = random.randint(1, starts) if random.random() < 0.5 else starts * 10
        while time.monotonic() < until and len(ledger.acknowledged) - before < enough:
            time.sleep(0.001)
        time.sleep(random.random() * 0.02)
        self.kill()
        if random.random() < 0.2:
            self.start_and_kill_early(random.uniform(0.005, 0.4))
        self.start()

    def settle(self):
        """Waits until nothing runs any more."""
        while self.ledger.allowed > 0:
            time.sleep(0.1)
        client, until = Client(self.ledger.port), time.monotonic() + SETTLE_SECONDS
        while True:
            running = sum(len(client.call("ListExecutions", stateMachineArn=arn, statusFilter="RUNNING")["executions"])
                          for arn in self.arns.values())
            waits = not self.ledger.to_stop.empty()
            lost = [n for n, (m, _) in list(self.ledger.asked.items()) if m == "long" and n not in self.ledger.stopping]
            for name in lost:  # those whose start was never answered, if they are there
                arn = f"{self.arns['long'].replace(':stateMachine:', ':execution:')}:{name}"
                self.ledger.stopping.add(name)
                try:
                    client.call("StopExecution", executionArn=arn)
                except Refused:
                    pass
            if running == 0 and not waits:
                return
            if time.monotonic() > until:
                self.ledger.wrong(f"{running} executions still run after {SETTLE_SECONDS} s")
                return
            time.sleep(0.2)


class Check:
    """Every execution, acknowledged or not, against what was asked and done."""

    def __init__(self, run):
        self.run, self.ledger, self.client = run, run.ledger, Client(run.ledger.port)
        self.done = {}  # execution -> [(time, state, item, retry)]
        self.repeated = 0
        run.read = 0
        for when, name, state, item, retry, _ in run.effects():
            self.done.setdefault(name, []).append((when, state, item, retry))

    def all(self):
        for name, (machine, given) in self.ledger.asked.items():
            arn = f"{self.run.arns[machine].replace(':stateMachine:', ':execution:')}:{name}"
            try:
                self.one(name, machine, given, arn)
            except Refused as refused:
                if name in self.ledger.acknowledged or refused.code != "ExecutionDoesNotExist":
                    self.ledger.wrong(f"{name}: {refused}")
                elif name in self.done:
                    self.ledger.wrong(f"{name} does not exist, and had effects")
        self.counts()

    def events(self, arn):
        events, token = [], {}
        while True:
            page = self.client.call("GetExecutionHistory", executionArn=arn, maxResults=1000, **token)
            events += page["events"]
            if "nextToken" not in page:
                return events
            token = {"nextToken": page["nextToken"]}

    def one(self, name, machine, given, arn):
        told = self.client.call("DescribeExecution", executionArn=arn)
        events, wrong = self.events(arn), lambda text: self.ledger.wrong(f"{name}: {text}")
        for problem in history.problems(events, told["status"]):
            wrong(problem)
        if json.loads(told["input"]) != given:
            wrong(f"its input is {told['input']}")
        wanted = "ABORTED" if machine == "long" else "SUCCEEDED"
        if told["status"] != wanted:
            return wrong(f"{told['status']} {told.get('error')} {told.get('cause')}, not {wanted}")
        if name in self.ledger.stopped and told.get("error") not in ("by.hand", None):
            wrong(f"was stopped, and says {told.get('error')}")
        if machine != "long":
            self.output(name, machine, given, json.loads(told["output"]), events, wrong)
        return None

    def output(self, name, machine, given, output, events, wrong):
        if machine in ("callback", "activity"):
            number = output.get("answer", {}).pop("n", None)
            known = self.ledger.answered.get(name)
            if number not in self.ledger.answers.get(name, ()) or (known and known != number):
                wrong(f"the answer recorded is {number}, the one acknowledged {known}")
        if output != workflows.expected(machine, given):
            wrong(f"its output is {json.dumps(output)[:300]}")
        done, wanted = self.done.get(name, []), workflows.effects_of(machine, given)
        if {effect[1:] for effect in done} != wanted:
            wrong(f"its effects are {sorted(map(str, done))}, not {sorted(map(str, wanted))}")
        self.repeated += len(done) - len(wanted)
        if machine == "task":
            if history.count(events, "LambdaFunctionFailed") != given["fails"]:
                wrong(f"{history.count(events, 'LambdaFunctionFailed')} failed attempts are recorded, not {given['fails']}")
            self.not_after_the_record(done, events, wrong)

    @staticmethod
    def not_after_the_record(done, events, wrong):
        """What was recorded as done was not done again."""
        ends = [e["timestamp"] for e in events if e["type"] in ("LambdaFunctionFailed", "LambdaFunctionSucceeded")]
        order = sorted({effect[1:] for effect in done}, key=lambda e: (e[0] == "Second", e[2]))
        for end, key in zip(ends, order):
            late = [effect[0] for effect in done if effect[1:] == key and effect[0] > end + 0.002]
            if late:
                wrong(f"{key} was done again at {late}, recorded at {end}")

    def counts(self):
        """As many executions as were asked for and are there, each once."""
        for machine, arn in self.run.arns.items():
            names, token = [], {}
            while True:
                page = self.client.call("ListExecutions", stateMachineArn=arn, maxResults=1000, **token)
                names += [item["name"] for item in page["executions"]]
                if "nextToken" not in page:
                    break
                token = {"nextToken": page["nextToken"]}
            if len(names) != len(set(names)):
                self.ledger.wrong(f"{machine}: an execution is listed twice")
            for name in set(names) - set(self.ledger.asked):
                self.ledger.wrong(f"{machine}: nobody asked for {name}")


def check_database(home, wrong):
    with contextlib.closing(sqlite3.connect(f"file:{home}/millrace.db?mode=ro", uri=True)) as database:
        sound = database.execute("PRAGMA integrity_check").fetchall()
        if sound != [("ok",)]:
            wrong(f"integrity check: {sound[:5]}")
        for what, query in (
                ("executions twice", "SELECT count(*) FROM (SELECT 1 FROM executions GROUP BY family, name HAVING count(*)>1)"),
                ("executions that still run", "SELECT count(*) FROM executions WHERE status=0"),
                ("history rows of no execution", "SELECT count(*) FROM history WHERE execution NOT IN (SELECT id FROM executions)"),
                ("histories with another length", "SELECT count(*) FROM executions e WHERE events<>(SELECT max(last) FROM history "
                                                  "WHERE execution=e.id)"),
                ("history rows twice", "SELECT count(*) FROM (SELECT 1 FROM history GROUP BY execution, last HAVING count(*)>1)")):
            number = database.execute(query).fetchone()[0]
            if number:
                wrong(f"{number} {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millrace")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--executions", type=int, default=900)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep the home, and say where it is")
    options = parser.parse_args()
    program.MILLRACE = os.path.abspath(options.millrace)
    folder = Path(tempfile.mkdtemp(prefix="millrace-crash-"))
    print(f"seed {options.seed}, {folder}", flush=True)
    begin = time.monotonic()
    run = Run(folder / "home", options.seed)
    ledger = run.ledger
    run.start()
    run.create()
    run.begin_clients()
    for number in range(options.rounds):
        run.round(max(1, options.executions // options.rounds))
        if number % 20 == 19:
            print(f"{number + 1} kills, {len(ledger.acknowledged)} acknowledged, {time.monotonic() - begin:.0f} s", flush=True)
    run.settle()
    settled = time.monotonic()
    ledger.finish()
    check = Check(run)
    check.all()
    code = run.server.stop()
    if code != 0:
        ledger.wrong(f"the server ended with {code}")
    check_database(run.home, ledger.wrong)
    if Client.failures:  # a server that is killed answers nothing more; one that lives has no reason to fail
        ledger.wrong(f"{Client.failures} calls were answered with a failure")
    ready = sorted(run.ready_seconds)
    print(json.dumps({"kills": options.rounds, "asked": len(ledger.asked), "acknowledged": len(ledger.acknowledged),
                      "answers": len(ledger.answered), "stops": len(ledger.stopped), "effects_repeated": check.repeated,
                      "ready_p50_s": round(ready[len(ready) // 2], 3), "ready_max_s": round(ready[-1], 3),
                      "seconds": round(settled - begin), "check_seconds": round(time.monotonic() - settled),
                      "violations": len(ledger.violations)}), flush=True)
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1 if ledger.violations else 0)  # threads may still wait for a server that is gone


if __name__ == "__main__":
    main()
