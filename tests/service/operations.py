#!/usr/bin/env python3
"""What a team needs to run a server for years: metrics, streams of events, retention, backup, doctor, logs.

Usage: operations.py MILLRACE [CASE...]
"""

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import ApiError, Server  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/millrace"
PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}}
FAIL = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken", "Cause": "as told"}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "D"}, "D": {"Type": "Pass", "End": True}}}
TOKEN = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:work",
                                          "Next": "D"}, "D": {"Type": "Pass", "End": True}}}


class Served(Case):
    options = ()

    def setUp(self):
        super().setUp()
        self.server = None
        self.start()
        self.addCleanup(lambda: self.server and self.server.stop())

    def start(self, *options):
        self.server = Server(self.home, *(options or self.options))

    def restart(self, *options, number=signal.SIGTERM):
        self.server.stop(number)
        self.start(*options)

    def create(self, name, definition):
        return self.server.call("CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]

    def run_to_end(self, machine, name, **parameters):
        arn = self.server.call("StartExecution", stateMachineArn=machine, name=name, **parameters)["executionArn"]
        self.wait_for(lambda: self.status(arn) != "RUNNING", arn)
        return arn

    def status(self, arn):
        return self.server.call("DescribeExecution", executionArn=arn)["status"]

    def get(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()


SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')


def parse_metrics(text):
    """The rules of text format 0.0.4, as promtool checks them; {(name, labels): value}."""
    found, kinds, helped, family = {}, {}, set(), None
    assert text.endswith("\n"), "the last line has no end"
    for line in text.splitlines():
        assert line == line.strip() and line, f"blanks: {line!r}"
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert word in ("HELP", "TYPE"), line
            if word == "HELP":
                assert name not in helped, f"{name}: two helps"
                helped.add(name)
                assert not rest.endswith("."), line
            else:
                assert name not in kinds and name in helped, f"{name}: TYPE without HELP, or twice"
                assert rest in ("counter", "gauge", "histogram"), line
                assert (rest == "counter") == name.endswith("_total"), f"{name}: counters end in _total"
                kinds[name], family = rest, name
            continue
        match = SERIES.match(line)
        assert match, f"no series: {line!r}"
        name, labels, value = match.groups()
        labels = tuple(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', labels or ""))
        suffixes = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
        assert any(name == family + suffix for suffix in suffixes), f"{name} stands among {family}"
        assert len(dict(labels)) == len(labels), f"a label twice: {line}"
        assert (name, labels) not in found, f"twice: {line}"
        found[name, labels] = float(value)
    for (name, labels), count in [item for item in found.items() if item[0][0].endswith("_count")]:
        family = name[:-len("_count")]
        if kinds.get(family) != "histogram":
            continue
        buckets = [(float(dict(own)["le"]), value) for (own_name, own), value in found.items()
                   if own_name == family + "_bucket" and tuple(pair for pair in own if pair[0] != "le") == labels]
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), family
        assert [v for _, v in buckets] == sorted(v for _, v in buckets), f"{family}: buckets are not cumulative"
        assert buckets[-1][1] == count and (family + "_sum", labels) in found, family
    return found


class Metrics(Served):
    options = ("--set", "metrics.machines_max=2")

    def scrape(self):
        response, body = self.get("/metrics")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse_metrics(body.decode())

    def test_what_is_counted(self):
        passing, failing, third = (self.create(name, definition) for name, definition in
                                   (("passing", PASS), ("failing", FAIL), ("third \"one\\"[:5], PASS)))
        for i in range(3):
            self.run_to_end(passing, f"p{i}")
        self.run_to_end(failing, "f")
        self.run_to_end(third, "t")
        waiting = self.create("waiting", WAIT)
        self.server.call("StartExecution", stateMachineArn=waiting, input='{"seconds":1000}')
        with self.assertRaises(ApiError):
            self.server.call("DescribeExecution", executionArn="arn:aws:states:us-east-1:123456789012:execution:no:no")
        seen = self.scrape()
        machine = lambda name, **more: (("machine", name), *more.items())  # noqa: E731
        self.assertEqual(seen["millrace_executions_started_total", machine("passing")], 3)
        self.assertEqual(seen["millrace_executions_ended_total", machine("passing", status="succeeded")], 3)
        self.assertEqual(seen["millrace_executions_ended_total", machine("failing", status="failed")], 1)
        self.assertEqual(seen["millrace_executions_started_total", machine("other")], 2)
        self.assertNotIn(("millrace_executions_started_total", machine("third")), seen)
        self.assertEqual(seen["millrace_state_transitions_total", machine("passing")], 6)
        self.assertEqual(seen["millrace_execution_seconds_count", machine("passing")], 3)
        self.assertEqual(seen["millrace_executions_running", ()], 1)
        target = ("operation", "AWSStepFunctions.StartExecution")
        self.assertEqual(seen["millrace_http_requests_total", (target, ("code", "200"))], 6)
        self.assertEqual(seen["millrace_http_requests_total",
                              (("operation", "AWSStepFunctions.DescribeExecution"), ("code", "400"))], 1)
        self.assertGreaterEqual(seen["millrace_commit_seconds_count", ()], 6)
        self.assertEqual(seen["millrace_appends_submitted_total", ()], seen["millrace_appends_committed_total", ()])
        self.assertGreaterEqual(seen["millrace_commit_seconds_sum", ()], seen["millrace_commit_sync_seconds_sum", ()])
        self.assertGreater(seen["process_resident_memory_bytes", ()], 1e6)
        self.assertGreater(seen["millrace_store_bytes", (("database", "millrace"),)], 4096)
        self.assertGreaterEqual(seen["millrace_http_connections", ()], 1)

    def test_tasks_and_timers(self):
        self.server.call("CreateActivity", name="work")
        arn = self.server.call("StartExecution", stateMachineArn=self.create("work", TOKEN))["executionArn"]
        self.wait_for(lambda: self.scrape()["millrace_activity_tasks_waiting", ()] == 1, "the task waits")
        task = self.server.call("GetActivityTask", activityArn="arn:aws:states:us-east-1:123456789012:activity:work")
        self.server.call("SendTaskSuccess", taskToken=task["taskToken"], output="{}")
        self.wait_for(lambda: self.status(arn) == "SUCCEEDED", arn)
        self.run_to_end(self.create("waits", WAIT), "w", input='{"seconds":1}')
        seen = self.scrape()
        self.assertEqual(seen["millrace_tasks_started_total", (("resource", "activity"),)], 1)
        self.assertEqual(seen["millrace_tasks_ended_total", (("resource", "activity"), ("outcome", "succeeded"))], 1)
        self.assertEqual(seen["millrace_task_seconds_count", (("resource", "activity"),)], 1)
        self.assertEqual(seen["millrace_tasks_out", ()], 0)
        self.assertGreaterEqual(seen["millrace_timer_lateness_seconds_count", ()], 1)
        self.restart("--set", "metrics.enabled=false")
        self.assertEqual(self.get("/metrics")[0].status, 404)


class Stream:
    """A reader of server-sent events."""

    def __init__(self, case, query, last=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", case.server.port, timeout=20)
        case.addCleanup(self.connection.close)
        self.connection.request("GET", "/v1/events" + query, headers={"Last-Event-ID": last} if last else {})
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def messages(self, types=None):
        """Messages as (event, id, data) until the stream ends; comments are (":", …)."""
        message = {}
        for line in self.response:
            line = line.decode().rstrip("\n")
            if line:
                name, value = line.split(":", 1)
                message[name or ":"] = value.strip()
                continue
            if "data" in message and (types is None or message["event"] in types):
                yield message["event"], message.get("id"), json.loads(message["data"])
            elif ":" in message and types is None:
                yield ":", None, None
            message = {}

    def close(self):
        self.connection.close()


class Events(Served):
    options = ("--set", "events.heartbeat=200ms", "--set", "events.clients_max=3", "--set", "events.recent_max=100")

    def history(self, arn):
        return self.server.call("GetExecutionHistory", executionArn=arn, maxResults=1000)["events"]

    def test_one_execution_from_its_beginning_to_its_end(self):
        machine = self.create("waits", WAIT)
        arn = self.server.call("StartExecution", stateMachineArn=machine, input='{"seconds":1}')["executionArn"]
        stream = Stream(self, "?executionArn=" + arn)
        self.assertEqual((stream.status, stream.response.headers["Content-Type"]), (200, "text/event-stream"))
        seen = list(stream.messages())
        self.assertEqual([data for kind, _, data in seen if kind == "history"], self.history(arn))
        self.assertEqual([int(id) for kind, id, _ in seen if kind == "history"],
                         [event["id"] for event in self.history(arn)])
        statuses = [data["status"] for kind, _, data in seen if kind == "status"]
        self.assertEqual((statuses[0], statuses[-1]), ("RUNNING", "SUCCEEDED"))
        self.assertIn(":", [kind for kind, _, _ in seen])  # a heartbeat in the second of waiting
        # Who had everything is told to stay away; who had a part gets the rest.
        last = seen[-2][1] if seen[-1][1] is None else seen[-1][1]
        self.assertEqual(Stream(self, "?executionArn=" + arn, last).status, 204)
        rest = [int(id) for _, id, _ in Stream(self, "?executionArn=" + arn, "2").messages({"history"})]
        self.assertEqual(rest, list(range(3, len(self.history(arn)) + 1)))
        bare = list(Stream(self, "?includeExecutionData=false&executionArn=" + arn).messages({"history"}))
        self.assertNotIn("input", bare[0][2]["executionStartedEventDetails"])

    def test_resumed_again_and_again_and_over_a_kill_nothing_is_missing_or_twice(self):
        self.server.call("CreateActivity", name="work")
        loop = {"StartAt": "T", "States": {
            "T": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:work", "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.more", "BooleanEquals": True, "Next": "T"}], "Default": "E"},
            "E": {"Type": "Succeed"}}}
        arn = self.server.call("StartExecution", stateMachineArn=self.create("loop", loop))["executionArn"]
        activity = "arn:aws:states:us-east-1:123456789012:activity:work"
        seen, last = [], None
        for turn in range(12):
            stream = Stream(self, "?executionArn=" + arn, last)
            messages = stream.messages({"history"})
            task = self.server.call("GetActivityTask", activityArn=activity)
            self.server.call("SendTaskSuccess", taskToken=task["taskToken"], output=json.dumps({"more": turn < 11}))
            for _ in range(3 + turn % 5):  # some of what there is, then the line is cut
                message = next(messages, None)
                if message is None:
                    break
                seen.append(int(message[1]))
                last = message[1]
            stream.close()
            if turn == 6:
                self.restart(number=signal.SIGKILL)
        self.wait_for(lambda: self.status(arn) == "SUCCEEDED", arn)
        seen += [int(id) for _, id, _ in Stream(self, "?executionArn=" + arn, last).messages({"history"})]
        self.assertEqual(seen, list(range(1, len(self.history(arn)) + 1)))

    def test_status_changes_of_a_state_machine_and_of_all(self):
        one, other = self.create("one", PASS), self.create("other", FAIL)
        mine, all_ = Stream(self, "?stateMachineArn=" + one), Stream(self, "")
        mine_messages, all_messages = mine.messages({"status"}), all_.messages({"status"})
        self.run_to_end(other, "f")
        self.run_to_end(one, "a")
        first = next(mine_messages)
        self.assertEqual((first[2]["name"], first[2]["stateMachineArn"]), ("a", one))
        got = [next(all_messages) for _ in range(2)]
        self.assertEqual([(m[2]["name"], m[2]["status"], m[2].get("error")) for m in got],
                         [("f", "FAILED", "Broken"), ("a", "SUCCEEDED", None)])
        all_.close()
        self.run_to_end(one, "b")
        resumed = Stream(self, "", got[0][1]).messages()
        self.assertEqual([next(resumed)[2]["name"] for _ in range(2)], ["a", "b"])
        # After a restart the place is lost, and it says so.
        self.restart(*self.options)
        self.assertEqual(next(Stream(self, "", got[0][1]).messages())[0], "resync")

    def test_what_is_refused(self):
        for query, status in (("?executionArn=x", 400), ("?stateMachineArn=x", 400), ("?executionArn=a&stateMachineArn=b", 400),
                              ("?executionArn=arn:aws:states:us-east-1:123456789012:execution:no:no", 404),
                              ("?executionArn=arn:aws:states:us-east-1:123456789012:express:no:no:no", 400)):
            response, body = self.get("/v1/events" + query)
            self.assertEqual((response.status, bool(json.loads(body)["message"])), (status, True), query)
        streams = [Stream(self, "") for _ in range(3)]
        response, body = self.get("/v1/events")
        self.assertEqual((response.status, response.headers["Retry-After"]), (503, "5"))
        self.assertIn("events.clients_max", json.loads(body)["message"])
        streams[0].close()
        self.wait_for(lambda: Stream(self, "").status == 200, "a place that is free")

    def test_who_reads_too_slowly_is_dropped_with_a_reason(self):
        slow = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        self.addCleanup(slow.close)
        slow.connect()
        import socket
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.request("GET", "/v1/events")
        machine = self.create("failing", {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "x" * 32000}}})
        for i in range(400):
            self.server.call("StartExecution", stateMachineArn=machine, name=f"e{i}")
        text = slow.getresponse().read().decode()
        self.assertIn("event: dropped", text[-300:])
        self.assertIn("events.recent_max", text[-300:])

    def test_pipelined_requests_wait_for_the_end_and_http_1_0_gets_no_chunks(self):
        import socket
        arn = self.run_to_end(self.create("passing", PASS), "p")
        sent = socket.create_connection(("127.0.0.1", self.server.port), timeout=20)
        sent.sendall(f"GET /v1/events?executionArn={arn} HTTP/1.1\r\nHost: x\r\n\r\n".encode() +
                     b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: sent.recv(65536), b"")).decode()
        stream, health = text.split("0\r\n\r\n", 1)
        self.assertIn("Transfer-Encoding: chunked", stream)
        self.assertTrue(health.startswith("HTTP/1.1 200 OK\r\n") and health.endswith('{"status":"ok"}'), health)
        old = socket.create_connection(("127.0.0.1", self.server.port), timeout=20)
        old.sendall(f"GET /v1/events?executionArn={arn} HTTP/1.0\r\n\r\n".encode())
        text = b"".join(iter(lambda: old.recv(65536), b"")).decode()
        head, body = text.split("\r\n\r\n", 1)
        self.assertNotIn("chunked", head)
        self.assertIn("Connection: close", head)
        self.assertTrue(body.startswith("retry: 1000\n\n") and body.endswith("}\n\n"), body)
        sent.close()
        old.close()

    def test_streams_do_not_hold_up_a_stop(self):
        stream = Stream(self, "")
        begun = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(list(stream.messages({"status"})), [])
        self.start()


class Retention(Served):
    options = ("--set", "retention.interval=1s", "--set", "retention.batch=10", "--set", "retention.pause=1ms")

    def test_what_ended_long_ago_is_removed_and_its_name_is_free(self):
        machine = self.create("passing", PASS)
        for i in range(45):
            self.run_to_end(machine, f"old{i}")
        recent = self.run_to_end(machine, "recent")
        self.server.stop()
        with sqlite3.connect(self.home / "millrace.db") as database:
            day = 86_400_000
            database.execute("UPDATE executions SET started=started-91*?, stopped=stopped-91*? WHERE name LIKE 'old%'", (day, day))
        self.start(*self.options)
        listed = lambda: self.server.call("ListExecutions", stateMachineArn=machine)["executions"]  # noqa: E731
        self.wait_for(lambda: len(listed()) == 1, "the old ones are removed")
        self.assertEqual(listed()[0]["executionArn"], recent)
        self.run_to_end(machine, "old3")
        self.server.stop()
        with sqlite3.connect(self.home / "millrace.db") as database:
            self.assertEqual(database.execute("SELECT count(DISTINCT execution) FROM history").fetchone(), (2,))
            self.assertEqual(database.execute("SELECT max(id) FROM executions").fetchone(), (47,))
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        vacuumed = json.loads(self.call("vacuum", "--json").stdout)
        self.assertEqual(set(vacuumed), {path.name for path in self.home.glob("*.db")})
        self.assertEqual(vacuumed["millrace.db"]["bytes"], (self.home / "millrace.db").stat().st_size)
        self.start()
        self.assertIn("in use by process", self.call("vacuum", code=3).stderr)


class Backup(Served):
    def test_taken_while_executions_start_it_holds_what_was_acknowledged(self):
        machine = self.create("waits", WAIT)
        (self.home / "objects/bucket/deep").mkdir(parents=True)
        (self.home / "objects/bucket/deep/object").write_bytes(os.urandom(3_000_000))
        names = [f"e{i}" for i in range(60)]
        acknowledged = []
        backup = None
        for i, name in enumerate(names):
            self.server.call("StartExecution", stateMachineArn=machine, name=name, input='{"seconds":1000}')
            acknowledged.append(name)
            if i == 30:
                at_backup = list(acknowledged)
                backup = subprocess.Popen([program.MILLRACE, "backup", self.directory / "backup", "--home", self.home],
                                          stdout=subprocess.PIPE, text=True)
        self.assertIn("backed up to", backup.communicate()[0])
        self.assertEqual(backup.returncode, 0)
        restored = self.directory / "restored"
        self.assertIn("restored", self.call_home(restored, "restore", self.directory / "backup").stdout)
        other = Server(restored)
        try:
            found = other.call("ListExecutions", stateMachineArn=machine, maxResults=1000)["executions"]
            self.assertLessEqual(set(at_backup), {e["name"] for e in found})
            self.assertEqual({e["status"] for e in found}, {"RUNNING"})
            new = other.call("StartExecution", stateMachineArn=machine, name="new", input='{"seconds":0}')["executionArn"]
            self.wait_for(lambda: other.call("DescribeExecution", executionArn=new)["status"] == "SUCCEEDED", new)
        finally:
            other.stop()
        with sqlite3.connect(restored / "millrace.db") as database:
            self.assertGreater(database.execute("SELECT max(id) FROM executions").fetchone()[0], 1_000_000_000)
        self.assertEqual((restored / "objects/bucket/deep/object").read_bytes(),
                         (self.home / "objects/bucket/deep/object").read_bytes())
        self.assertIn("not empty", self.call_home(restored, "restore", self.directory / "backup", code=2).stderr)
        self.assertIn("not empty", self.call("backup", self.directory / "backup", code=2).stderr)

    def call_home(self, home, *arguments, code=0):
        done = subprocess.run([program.MILLRACE, *map(str, arguments), "--home", home], capture_output=True, text=True,
                              timeout=100, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_a_backup_that_was_changed_or_cut_off_is_refused(self):
        (self.home / "objects/b").mkdir(parents=True)
        (self.home / "objects/b/o").write_text("content")
        backup = self.directory / "backup"
        self.call("backup", backup, "--hard-links")
        self.call("restore", backup, "--verify")
        manifest = (backup / "backup.json").read_text()
        target = self.directory / "new"
        damaged = bytearray((backup / "millrace.db").read_bytes())
        damaged[5000] ^= 1
        (backup / "millrace.db").write_bytes(damaged)
        self.assertIn("millrace.db is not what was backed up", self.call_home(target, "restore", backup, code=3).stderr)
        self.assertFalse(target.exists())
        damaged[5000] ^= 1
        (backup / "millrace.db").write_bytes(damaged)
        (backup / "objects/b/o").unlink()
        self.assertIn("is missing", self.call_home(target, "restore", backup, code=3).stderr)
        (backup / "backup.json").write_text(manifest.replace("objects/b/o", "../../outside"))
        self.assertIn("is no name of a file in a home", self.call_home(target, "restore", backup, code=3).stderr)
        (backup / "backup.json").unlink()
        self.assertIn("no whole backup", self.call_home(target, "restore", backup, code=2).stderr)


class Doctor(Case):
    def findings(self, *options, code=0):
        return {f["check"]: f for f in json.loads(self.call("doctor", "--json", *options, code=code).stdout)["findings"]}

    def test_a_good_home_a_damaged_one_and_a_wrong_configuration(self):
        definition = self.write("pass.json", PASS)
        self.call("run", definition)
        found = self.findings("--listen", "127.0.0.1:0")
        self.assertEqual({f["health"] for f in found.values()} - {"ok", "warn"}, set())
        self.assertEqual(found["database millrace.db"]["health"], "ok")
        self.assertEqual(found["orphans"]["message"], "none")
        server = Server(self.home)
        try:
            self.assertIn(f"in use by process {server.process.pid}", self.findings()["home"]["message"])
        finally:
            server.stop()
        with sqlite3.connect(self.home / "millrace.db") as database:
            database.execute("DELETE FROM executions")
        self.assertIn("1 histories without", self.findings("--listen", "127.0.0.1:0")["orphans"]["message"])
        (self.home / "millrace.json").write_text('{"http": {"nothing": 1}}')
        self.assertEqual(self.findings(code=3)["configuration"]["health"], "fail")
        (self.home / "millrace.json").unlink()
        with sqlite3.connect(self.home / "millrace.db") as database:
            database.execute("PRAGMA user_version=99")
        self.assertIn("newer", self.findings(code=3)["database millrace.db"]["message"])
        (self.home / "millrace.db").write_bytes(b"not a database, but something else" * 300)
        self.assertEqual(self.findings(code=3)["database millrace.db"]["health"], "fail")

    def test_a_port_in_use_and_few_descriptors(self):
        import socket
        busy = socket.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        found = self.findings("--listen", address, code=3)
        self.assertEqual((found["port"]["health"], found["home"]["health"]), ("fail", "warn"))
        busy.close()
        found = self.findings("--listen", address, "--set", "http.connections_max=900000")
        self.assertEqual((found["port"]["health"], found["open files"]["health"]), ("ok", "warn"))


class LogGroups(Served):
    def logs(self, operation, code=None, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        connection.request("POST", "/", json.dumps(parameters), {
            "X-Amz-Target": "Logs_20140328." + operation, "Content-Type": "application/x-amz-json-1.1"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        self.assertEqual(response.headers["Content-Type"], "application/x-amz-json-1.1")
        if code:
            self.assertEqual((response.status, answer["__type"]), (400, code), answer)
        else:
            self.assertEqual(response.status, 200, answer)
        return answer

    def test_groups_and_streams(self):
        for name in ("/a/one", "/a/two", "/b/three"):
            self.assertEqual(self.logs("CreateLogGroup", logGroupName=name, tags={"team": "x"}), {})
        self.assertEqual(self.logs("CreateLogGroup", "ResourceAlreadyExistsException", logGroupName="/a/one")["message"],
                         "The specified log group already exists")
        self.logs("CreateLogGroup", "InvalidParameterException", logGroupName="no blanks")
        self.logs("CreateLogGroup", "InvalidParameterException")
        first = self.logs("DescribeLogGroups", logGroupNamePrefix="/a", limit=1)
        rest = self.logs("DescribeLogGroups", logGroupNamePrefix="/a", limit=1, nextToken=first["nextToken"])
        self.assertEqual([g["logGroupName"] for g in first["logGroups"] + rest["logGroups"]], ["/a/one", "/a/two"])
        self.assertEqual(first["logGroups"][0]["arn"], "arn:aws:logs:us-east-1:123456789012:log-group:/a/one:*")
        self.logs("PutRetentionPolicy", logGroupName="/a/one", retentionInDays=7)
        self.logs("PutRetentionPolicy", "InvalidParameterException", logGroupName="/a/one", retentionInDays=8)
        self.logs("PutRetentionPolicy", "ResourceNotFoundException", logGroupName="/no", retentionInDays=7)
        self.assertEqual(self.logs("DescribeLogGroups", logGroupNamePattern="one")["logGroups"][0]["retentionInDays"], 7)
        self.logs("DeleteRetentionPolicy", logGroupName="/a/one")
        self.assertNotIn("retentionInDays", self.logs("DescribeLogGroups", logGroupNamePattern="one")["logGroups"][0])
        arn = "arn:aws:logs:us-east-1:123456789012:log-group:/a/one"
        self.logs("TagResource", resourceArn=arn, tags={"more": "y"})
        self.logs("UntagResource", resourceArn=arn, tagKeys=["team"])
        self.assertEqual(self.logs("ListTagsForResource", resourceArn=arn), {"tags": {"more": "y"}})
        for name in ("s1", "s2", "other"):
            self.logs("CreateLogStream", logGroupName="/a/one", logStreamName=name)
        self.logs("CreateLogStream", "ResourceAlreadyExistsException", logGroupName="/a/one", logStreamName="s1")
        self.logs("CreateLogStream", "InvalidParameterException", logGroupName="/a/one", logStreamName="a:b")
        self.logs("CreateLogStream", "ResourceNotFoundException", logGroupName="/no", logStreamName="s1")
        streams = self.logs("DescribeLogStreams", logGroupName="/a/one", logStreamNamePrefix="s")["logStreams"]
        self.assertEqual([s["logStreamName"] for s in streams], ["s1", "s2"])
        self.logs("DeleteLogStream", logGroupName="/a/one", logStreamName="s2")
        self.logs("DeleteLogStream", "ResourceNotFoundException", logGroupName="/a/one", logStreamName="s2")
        self.logs("DeleteLogGroup", logGroupName="/a/one")
        self.logs("DescribeLogStreams", "ResourceNotFoundException", logGroupName="/a/one")
        self.logs("NoSuchThing", "UnknownOperationException")

    def test_events_are_put_got_and_filtered_and_survive_a_kill(self):
        now = int(time.time() * 1000)
        self.logs("CreateLogGroup", logGroupName="g")
        self.logs("CreateLogStream", logGroupName="g", logStreamName="s")
        self.logs("CreateLogStream", logGroupName="g", logStreamName="t")
        put = lambda events, stream="s", code=None: self.logs("PutLogEvents", code, logGroupName="g", logStreamName=stream,  # noqa: E731
                                                              logEvents=[{"timestamp": t, "message": m} for t, m in events])
        self.assertNotIn("rejectedLogEventsInfo", put([(now + i, f"line {i}") for i in range(10)]))
        put([(now, '{"level":"ERROR","code":5}'), (now + 1, '{"level":"INFO"}')], "t")
        put([(now + 1, "b"), (now, "a")], code="InvalidParameterException")
        put([(now - 90_000_000, "a"), (now, "b")], code="InvalidParameterException")
        put([(now, "a")], "no", code="ResourceNotFoundException")
        day = 86_400_000
        self.assertEqual(put([(now - 15 * day, "too old")])["rejectedLogEventsInfo"], {"tooOldLogEventEndIndex": 1})
        self.assertEqual(put([(now, "kept"), (now + 3 * 3_600_000, "too new")], "t")["rejectedLogEventsInfo"],
                         {"tooNewLogEventStartIndex": 1})
        self.restart(number=signal.SIGKILL)
        get = lambda **more: self.logs("GetLogEvents", logGroupName="g", logStreamName="s", **more)  # noqa: E731
        newest = get(limit=4)
        self.assertEqual([e["message"] for e in newest["events"]], [f"line {i}" for i in range(6, 10)])
        older = get(limit=4, nextToken=newest["nextBackwardToken"])
        self.assertEqual([e["message"] for e in older["events"]], [f"line {i}" for i in range(2, 6)])
        forward = get(nextToken=newest["nextForwardToken"])
        self.assertEqual((forward["events"], forward["nextForwardToken"]), ([], newest["nextForwardToken"]))
        put([(now + 20, "late")])
        self.assertEqual([e["message"] for e in get(nextToken=newest["nextForwardToken"])["events"]], ["late"])
        self.assertEqual([e["message"] for e in get(startFromHead=True, startTime=now + 3, endTime=now + 5)["events"]],
                         ["line 3", "line 4"])
        found = lambda **more: [e["message"] for e in self.logs("FilterLogEvents", logGroupName="g", **more)["events"]]  # noqa: E731
        self.assertEqual(found(filterPattern='{ $.level = "ERROR" && $.code > 4 }'), ['{"level":"ERROR","code":5}'])
        self.assertEqual(found(filterPattern="line -1 -2 -3", logStreamNames=["s"]), [f"line {i}" for i in (0, 4, 5, 6, 7, 8, 9)])
        self.assertEqual(found(filterPattern="line", endTime=now + 1), ["line 0", "line 1"])
        self.assertEqual(found(logStreamNamePrefix="no"), [])
        page = self.logs("FilterLogEvents", logGroupName="g", filterPattern="line", limit=7)
        rest = self.logs("FilterLogEvents", logGroupName="g", filterPattern="line", limit=7, nextToken=page["nextToken"])
        self.assertEqual([e["message"] for e in page["events"] + rest["events"]], [f"line {i}" for i in range(10)])
        self.logs("FilterLogEvents", "InvalidParameterException", logGroupName="g", filterPattern="{ $.a }")
        group = self.logs("DescribeLogGroups")["logGroups"][0]
        with sqlite3.connect(self.home / "logs.db") as database:
            size = database.execute("SELECT sum(length(CAST(message AS BLOB))+26) FROM events").fetchone()[0]
        self.assertEqual(group["storedBytes"], size)

    def machine_with_logging(self, name, definition, level, data=True, kind="STANDARD"):
        return self.server.call("CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=ROLE, type=kind,
                                loggingConfiguration={"level": level, "includeExecutionData": data, "destinations": [
                                    {"cloudWatchLogsLogGroup": {"logGroupArn":
                                     f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/{name}:*"}}]}
                                )["stateMachineArn"]

    def logged(self, group, **more):
        return [json.loads(e["message"]) for e in self.logs("FilterLogEvents", logGroupName=group, **more)["events"]]

    def test_what_state_machines_log(self):
        arn = self.run_to_end(self.machine_with_logging("all", PASS, "ALL"), "e", input='{"secret":1}')
        history = self.server.call("GetExecutionHistory", executionArn=arn)["events"]
        lines = self.logged("/aws/vendedlogs/states/all")
        self.assertEqual([(line["id"], line["type"]) for line in lines], [(str(e["id"]), e["type"]) for e in history])
        self.assertEqual(set(lines[0]), {"id", "type", "details", "redrive_count", "previous_event_id", "event_timestamp",
                                         "execution_arn"})
        self.assertEqual(lines[0]["details"]["input"], '{"secret":1}')
        self.assertEqual(lines[0]["execution_arn"], arn)
        self.run_to_end(self.machine_with_logging("errors", FAIL, "ERROR", data=False), "e", input='{"secret":1}')
        lines = self.logged("/aws/vendedlogs/states/errors")
        self.assertEqual([line["type"] for line in lines], ["FailStateEntered", "ExecutionFailed"])
        self.assertEqual(lines[-1]["details"], {"error": "Broken", "cause": "as told"})
        self.assertNotIn("secret", json.dumps(lines))
        self.run_to_end(self.machine_with_logging("fatal", FAIL, "FATAL"), "e")
        self.assertEqual([line["type"] for line in self.logged("/aws/vendedlogs/states/fatal")], ["ExecutionFailed"])
        express = self.machine_with_logging("express", PASS, "ALL", kind="EXPRESS")
        self.server.call("StartSyncExecution", stateMachineArn=express, input='{"n":1}')
        self.server.call("StartExecution", stateMachineArn=express)
        self.wait_for(lambda: len(self.logged("/aws/vendedlogs/states/express")) == 12, "the lines of two Express executions")
        self.assertEqual(len(self.logged("/aws/vendedlogs/states/express", filterPattern='{ $.type = "ExecutionSucceeded" }')), 2)
        self.run_to_end(self.create("silent", PASS), "e")
        self.assertEqual({g["logGroupName"].rsplit("/", 1)[1] for g in self.logs("DescribeLogGroups")["logGroups"]},
                         {"all", "errors", "fatal", "express"})

    def test_what_functions_print(self):
        folder = self.home / "functions/price"
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text("def handler(event, context):\n    print('priced', event['n'])\n    return 1\n")
        definition = {"StartAt": "T", "States": {"T": {"Type": "Task", "End": True,
                                                       "Resource": "arn:aws:lambda:us-east-1:123456789012:function:price"}}}
        self.run_to_end(self.create("calls", definition), "e", input='{"n":7}')
        messages = [e["message"] for e in self.logs("FilterLogEvents", logGroupName="/aws/lambda/price")["events"]]
        self.assertIn("priced 7", messages)
        self.assertTrue(messages[0].startswith("START RequestId: ") and messages[-1].startswith("REPORT RequestId: "), messages)

    def test_retention_of_groups_and_logs_that_are_off(self):
        self.logs("CreateLogGroup", logGroupName="g")
        self.logs("CreateLogStream", logGroupName="g", logStreamName="s")
        self.logs("PutLogEvents", logGroupName="g", logStreamName="s",
                  logEvents=[{"timestamp": int(time.time() * 1000), "message": "x"}])
        self.logs("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
        self.server.stop()
        with sqlite3.connect(self.home / "logs.db") as database:
            database.execute("UPDATE events SET time=time-2*86400000")
            stream, group = (database.execute(f"SELECT id FROM {t}").fetchone()[0] for t in ("streams", "groups"))
            database.executemany("INSERT INTO events(grp, stream, time, ingested, message) VALUES(?,?,1,1,'old')",
                                 [(group, stream)] * 2500)
        self.start()
        self.logs("CreateLogStream", logGroupName="g", logStreamName="wakes it")
        self.wait_for(lambda: not self.logs("GetLogEvents", logGroupName="g", logStreamName="s")["events"], "the old ones to go")
        self.restart("--set", "logs.enabled=false")
        with self.assertRaises(AssertionError):
            self.logs("DescribeLogGroups")


class Log(Served):
    options = ("--log-format", "json")

    def test_json_lines_with_fields_and_without_payloads(self):
        machine = self.create("failing", {"StartAt": "F", "States": {"F": {
            "Type": "Fail", "Error": "Broken", "CausePath": "$.cause"}}})
        self.run_to_end(machine, "e", input=json.dumps({"cause": "long " * 100, "secret": "hunter2"}))
        process = self.server.process
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        failed = next(line for line in lines if line["message"] == "an execution did not succeed")
        self.assertEqual((failed["level"], failed["machine"], failed["status"], failed["error"]),
                         ("warning", "failing", "FAILED", "Broken"))
        self.assertTrue(failed["execution"].endswith(":execution:failing:e"))
        self.assertLess(len(failed["cause"]), 210)
        self.assertNotIn("hunter2", json.dumps(lines))
        self.start("--set", f"log.file={self.directory}/log", "--set", "log.file_bytes_max=65536", "--set", "log.files_max=2",
                   "--log-format", "text")
        machine = self.create("again", FAIL)
        for i in range(700):
            self.server.call("StartExecution", stateMachineArn=machine, name=f"e{i}")
        self.assertEqual(self.server.stop(), 0)
        self.server = None
        written = sorted(path.name for path in self.directory.glob("log*"))
        self.assertEqual(written, ["log", "log.1", "log.2"])
        self.assertIn(" warning an execution did not succeed execution=", (self.directory / "log").read_text())


if __name__ == "__main__":
    program.main()
