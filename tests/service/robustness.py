#!/usr/bin/env python3
"""What clients may do to `millrace serve` by accident or on purpose: each request is answered or refused in the protocol's
shape, nothing is smuggled past it, no name leaves its folder, and the server is alive afterwards, with bounded memory.

Usage: robustness.py MILLRACE [CASE...]
"""

import json
import resource
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import ApiError, Server  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/any"
PASS = '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}'
STATES = "arn:aws:states:us-east-1:123456789012:"
MIB = 1 << 20


def call_bytes(operation, body=b"{}", extra=b""):
    return (b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSStepFunctions." + operation + b"\r\n" + extra +
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)


class Served(Case):
    def setUp(self):
        super().setUp()
        self.server = Server(self.home, log=str(self.directory / "log"))
        self.addCleanup(self.end)

    def end(self):
        try:
            self.assertIsNone(self.server.process.poll(), (self.directory / "log").read_text(encoding="utf-8")[-2000:])
            self.assertEqual(self.server.call("ListActivities"), {"activities": []})
        finally:
            self.assertEqual(self.server.stop(), 0)

    def connect(self, timeout=20):
        client = socket.create_connection(("127.0.0.1", self.server.port), timeout=timeout)
        self.addCleanup(client.close)
        return client

    def everything(self, data, timeout=20):
        """All that comes back for bytes after which the client stops sending."""
        client = self.connect(timeout)
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before all was sent
        answer = b""
        try:
            while (part := client.recv(65536)):
                answer += part
        except ConnectionResetError:
            pass
        client.close()
        return answer

    def refused(self, operation, codes, **parameters):
        with self.assertRaises(ApiError, msg=f"{operation} {str(parameters)[:200]}") as caught:
            self.server.call(operation, **parameters)
        self.assertIn(caught.exception.code, codes, str(caught.exception)[:500])
        self.assertEqual(caught.exception.status, 400)

    def memory(self, server=None):
        for line in Path(f"/proc/{(server or self.server).process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


class Clients(Served):
    def test_nothing_is_smuggled(self):
        """Whatever stands before it, a second request that hides in the first is not answered."""
        hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        start = b"POST / HTTP/1.1\r\nHost: x\r\n"
        length = str(len(hidden)).encode()
        old = b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        heads = {
            "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            "two lengths": b"Content-Length: 0\r\nContent-Length: " + length + b"\r\n\r\n",
            "a list of lengths": b"Content-Length: 0, " + length + b"\r\n\r\n",
            "a signed length": b"Content-Length: +0\r\n\r\n",
            "a length in hexadecimal": b"Content-Length: 0x0\r\n\r\n",
            "a length with a blank in it": b"Content-Length: 1 0\r\n\r\n",
            "an empty length": b"Content-Length: \r\n\r\n",
            "a folded length": b"Content-Length:\r\n 0\r\n\r\n",
            "a folded header": b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
            "a header folded by a tab": b"A: b\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
            "bare LF": b"Content-Length: 0\n\n",
            "bare LF in a header": b"A: b\nContent-Length: 0\r\n\r\n",
            "bare CR": b"A: b\rContent-Length: 0\r\n\r\n",
            "a blank before the colon": b"Content-Length : 0\r\n\r\n",
            "a blank before the name": b" Content-Length: 0\r\n\r\n",
            "an unknown coding": b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
            "chunked not last": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "chunked in quotes": b"Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
            "chunked with a control character": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
            "chunked in two headers": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            "a chunk of negative size": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
            "a chunk of signed size": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
            "a chunk of 2^64": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
            "a chunk with 0x": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
            "a chunk ended by LF": b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
            "a chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx0\r\n\r\n",
            "a length behind the chunks": b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 50\r\n\r\n",
            "chunks in HTTP/1.0": None,
            "no name": b": x\r\nContent-Length: 0\r\n\r\n",
            "NUL in a name": b"A\x00: x\r\nContent-Length: 0\r\n\r\n",
        }
        for what, head in heads.items():
            with self.subTest(what):
                answer = self.everything((start + head if head else old) + hidden)
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer[:200])
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
                self.assertIn(b"\r\nConnection: close\r\n", answer)
                self.assertIn("message", json.loads(answer.split(b"\r\n\r\n", 1)[1]))

    def test_chunk_extensions_and_trailers_are_read_over(self):
        body = b"1;name=value;other=\"quoted; text\"\r\n{\r\n1\r\n}\r\n0\r\nT: x\r\n\r\n"
        head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSStepFunctions.ListActivities\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = self.everything(head + body)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        endless = head + b"1;" + b"x" * (32 * MIB) + b"\r\n{\r\n"
        answer = self.everything(endless)
        self.assertFalse(answer.startswith(b"HTTP/1.1 200 "), answer[:100])
        self.assertLess(self.memory(), 200 * MIB)

    def test_sizes(self):
        self.assertTrue(self.everything(call_bytes(b"ListActivities", b"{}", b"A: " + b"x" * MIB + b"\r\n")).startswith(b"HTTP/1.1 431 "))
        many = b"".join(b"A%d: x\r\n" % i for i in range(100_000))
        self.assertTrue(self.everything(call_bytes(b"ListActivities", b"{}", many)).startswith(b"HTTP/1.1 431 "))
        long_target = b"GET /" + b"x" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        self.assertRegex(self.everything(long_target)[:13], rb"HTTP/1.1 4\d\d ")
        before = self.memory()
        for body in (json.dumps({"name": "x" * (10 * MIB)}), "[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000,
                     '{"name":' + "9" * (10 * MIB) + "}", "{" + ",".join(f'"k{i}":1' for i in range(500_000)) + "}",
                     " " * (10 * MIB), '"' + "\\u0000" * MIB + '"'):
            answer = self.everything(call_bytes(b"CreateActivity", body.encode()), timeout=60)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (body[:40], answer[:200]))
            self.assertIn("__type", json.loads(answer.split(b"\r\n\r\n", 1)[1]))
        self.assertLess(self.memory() - before, 200 * MIB)

    def test_what_is_no_json(self):
        for body in (b'{"name":"\xff"}', b'{"name":"\xc0\x80"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"\xf4\x90\x80\x80"}',
                     b'{"name":"\\ud800"', b'{"name":"\\ud800"}x', b"\xef\xbb\xbf{}", b"\x00", b"nul", b'{"a":01}', b'{"a":1,}',
                     b"{'a':1}", b'{"a":NaN}', b'{"a":1e}', b'{"a" 1}', b"\xff\xfe{\x00}\x00"):
            answer = self.everything(call_bytes(b"ListActivities", body))
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (body, answer))
            self.assertEqual(json.loads(answer.split(b"\r\n\r\n", 1)[1])["__type"], "SerializationException", body)

    def test_ten_thousand_idle_connections(self):
        """Those beyond the limit are told so; the others work on."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 10_000
        if hard != resource.RLIM_INFINITY and hard < wanted + 100:
            self.skipTest(f"10,000 connections: {hard} files are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted + 1000, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        clients = []
        try:
            for _ in range(wanted):
                clients.append(socket.create_connection(("127.0.0.1", self.server.port), timeout=30))
            clients[0].sendall(call_bytes(b"ListActivities"))
            self.assertTrue(clients[0].recv(1000).startswith(b"HTTP/1.1 200 "), "one of the first")
            said = clients[-1].recv(1000)
            self.assertTrue(said.startswith(b"HTTP/1.1 503 "), said)
            self.assertIn("too many connections", json.loads(said.split(b"\r\n\r\n", 1)[1])["message"])
            self.assertLess(self.memory(), 150 * MIB)
        finally:
            for client in clients:
                client.close()
        self.wait_for(lambda: self.everything(call_bytes(b"ListActivities")).startswith(b"HTTP/1.1 200 "), "an answer again")

    def test_ten_thousand_connections_are_held(self):
        """Idle ones cost little, and what comes over the last one is answered like what comes over the first."""
        wanted, room = 10_000, 11_000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < room:
            self.skipTest(f"10,000 held connections: {hard} files are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        many = Server(self.directory / "many", "--set", f"http.connections_max={wanted + 10}")
        self.addCleanup(many.stop)
        many.call("ListActivities")
        before, clients = self.memory(many), []
        try:
            for _ in range(wanted):
                clients.append(socket.create_connection(("127.0.0.1", many.port), timeout=30))
            for client in (clients[0], clients[-1]):
                client.sendall(call_bytes(b"ListActivities"))
                self.assertTrue(client.recv(1000).startswith(b"HTTP/1.1 200 "))
            each = (self.memory(many) - before) / wanted
            print(f"10,000 idle connections: {each:.0f} bytes each", flush=True)
            self.assertLess(each, 4096)
        finally:
            for client in clients:
                client.close()
        # That of the calls, and of the question itself.
        self.wait_for(lambda: b"millrace_http_connections 2\n" in self.metrics(many), "the end of the connections")

    @staticmethod
    def metrics(server):
        with urllib.request.urlopen(server.url + "/metrics", timeout=20) as answer:
            return answer.read()

    def test_more_connections_than_files(self):
        few = Server(self.directory / "few", before=("sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"))
        self.addCleanup(few.stop)
        clients = [socket.create_connection(("127.0.0.1", few.port), timeout=10) for _ in range(200)]
        time.sleep(0.5)
        for client in clients:
            client.close()
        self.wait_for(lambda: answers(few), "an answer again")


def answers(server):
    try:
        return server.call("ListActivities") == {"activities": []}
    except OSError:
        server.connection = None
        return False


class Slow(Served):
    def test_a_byte_a_second(self):
        """Others are served meanwhile; after the time for a request the slow one is told so."""
        client, begin, slow = self.connect(60), time.monotonic(), []
        stop = threading.Event()

        def drip():
            for byte in call_bytes(b"ListActivities", b" " * 100):
                try:
                    client.sendall(bytes([byte]))
                except OSError:
                    return
                if stop.wait(1):
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        while time.monotonic() - begin < 25:
            before = time.monotonic()
            self.server.call("ListActivities")
            slow.append(time.monotonic() - before)
            time.sleep(0.25)
        self.assertLess(sorted(slow)[len(slow) // 2], 0.1)
        answer = client.recv(1000)
        stop.set()
        thread.join()
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)
        self.assertTrue(29 < time.monotonic() - begin < 35)


class Names(Served):
    WRONG = ("ValidationException", "SerializationException")

    def test_paging(self):
        for operation in ("ListStateMachines", "ListActivities"):
            for wrong in (-1, 1001, 2**31, 2**63, 2**64, -2**63, 10**400, 1.5, 1e300, "5", True, [1], {"a": 1}):
                self.refused(operation, self.WRONG, maxResults=wrong)
            for token in ("", "x", "0", "-1", "9" * 1000, "../..", "\x00", "AAAA====", 7):
                self.refused(operation, (*self.WRONG, "InvalidToken"), nextToken=token)
        arn = self.server.call("CreateStateMachine", name="m", definition=PASS, roleArn=ROLE)["stateMachineArn"]
        for wrong in (-1, 1001, 10**30):
            self.refused("ListExecutions", self.WRONG, stateMachineArn=arn, maxResults=wrong)
        done = self.server.call("StartExecution", stateMachineArn=arn)["executionArn"]
        for wrong in (-5, 10**9):
            self.refused("GetExecutionHistory", self.WRONG, executionArn=done, maxResults=wrong)
        self.refused("GetExecutionHistory", (*self.WRONG, "InvalidToken"), executionArn=done, nextToken="-7")

    def test_names_and_arns_that_are_paths(self):
        for name in ("../x", "..", "a/b", "/etc/passwd", "a\\b", "a\x00b", "a b", "x" * 81, "", "a\nb", "%2e%2e%2f", "a:b", "\u0085"):
            with self.subTest(name):
                if name != "..":
                    self.refused("CreateActivity", ("InvalidName", *self.WRONG), name=name)
                    self.refused("CreateStateMachine", ("InvalidName", *self.WRONG), name=name, definition=PASS, roleArn=ROLE)
        for arn in ("", "x", "../../etc/passwd", "arn:aws:states", "arn:aws:states:::::::::", STATES + "stateMachine:",
                    STATES + "stateMachine:../x", STATES + "execution:../..:/etc/passwd", STATES + "mapRun:a/../b:c",
                    "arn:" + "x" * 2000, STATES + "stateMachine:a\x00b", STATES + "express:a:b:c"):
            with self.subTest(arn):
                for operation, field in (("StartExecution", "stateMachineArn"), ("DescribeExecution", "executionArn"),
                                         ("StopExecution", "executionArn"), ("GetExecutionHistory", "executionArn"),
                                         ("DescribeMapRun", "mapRunArn"), ("DescribeActivity", "activityArn"),
                                         ("DescribeStateMachine", "stateMachineArn"), ("ListTagsForResource", "resourceArn")):
                    self.refused(operation, ("InvalidArn", "ResourceNotFound", "StateMachineDoesNotExist", "ExecutionDoesNotExist",
                                             "ActivityDoesNotExist", *self.WRONG), **{field: arn})

    def outcome(self, state):
        """What becomes of a state that ends a workflow: (error, cause) of the failure, or the output."""
        definition = {"StartAt": "A", "States": {"A": {**state, "End": True}}}
        arn = self.server.call("CreateStateMachine", name=f"m{time.monotonic_ns()}", definition=json.dumps(definition), roleArn=ROLE)[
            "stateMachineArn"]
        execution = self.server.call("StartExecution", stateMachineArn=arn)["executionArn"]
        self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", "its end")
        told = self.server.call("DescribeExecution", executionArn=execution)
        return told["status"], told.get("error"), told.get("cause", "") + told.get("output", "")

    def test_functions_and_objects_stay_in_their_folders(self):
        (self.directory / "secret").write_text("kept", encoding="utf-8")
        (self.home / "functions").mkdir(exist_ok=True)
        outside = self.directory / "outside"
        outside.mkdir()
        (outside / "handler.py").write_text("def handler(e, c):\n    return 'kept'\n", encoding="utf-8")
        for name in ("../../outside", "..", ".", "", "/" + str(outside), "x/../../../outside", "..%2F..%2Foutside", "a\x00b"):
            with self.subTest(name):
                status, _, text = self.outcome({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                                                "Parameters": {"FunctionName": name}})
                self.assertEqual(status, "FAILED")
                self.assertNotIn("kept", text)
        (self.home / "objects" / "b").mkdir(parents=True)
        (self.home / "objects" / "b" / "link").symlink_to(self.directory / "secret")
        for bucket, key in (("..", "secret"), ("b", "../../../secret"), ("b", "/../../../secret"), ("b/../../..", "secret"),
                            ("b", str(self.directory / "secret")), (".", "../../secret"), ("", "secret"), ("b", ""), ("b", "a\x00b"),
                            ("b", "x/../../../../secret"), ("b", "..")):
            for action, more in (("getObject", {}), ("putObject", {"Body": "overwritten"}), ("deleteObject", {})):
                with self.subTest(f"{action} {bucket} {key}"):
                    self.outcome({"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:s3:{action}",
                                  "Parameters": {"Bucket": bucket, "Key": key, **more}})
                    self.assertEqual((self.directory / "secret").read_text(encoding="utf-8"), "kept")
            _, _, text = self.outcome({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
                                       "Parameters": {"Bucket": bucket, "Key": key}})
            self.assertNotIn("kept", text)


class Workers(Served):
    def end(self):
        self.assertEqual(self.server.stop(), 0)

    def test_a_worker_that_has_gone_is_handed_nothing(self):
        activity = self.server.call("CreateActivity", name="a")["activityArn"]
        definition = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "End": True}}}
        arn = self.server.call("CreateStateMachine", name="m", definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
        poll = call_bytes(b"GetActivityTask", json.dumps({"activityArn": activity}).encode())
        for end in (lambda client: client.close(), lambda client: client.shutdown(socket.SHUT_WR)):
            client = self.connect()
            client.sendall(poll)
            time.sleep(0.2)  # it waits
            end(client)
            time.sleep(0.2)  # and has gone
            self.server.call("StartExecution", stateMachineArn=arn)
            task = self.server.call("GetActivityTask", activityArn=activity)
            self.assertTrue(task["taskToken"])
            self.server.call("SendTaskSuccess", taskToken=task["taskToken"], output="1")

    def test_a_server_that_stops_lets_its_workers_go(self):
        activity = self.server.call("CreateActivity", name="a")["activityArn"]
        client = self.connect()
        client.sendall(call_bytes(b"GetActivityTask", json.dumps({"activityArn": activity}).encode()))
        time.sleep(0.2)
        begin = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 5)
        answer = client.makefile("rb").read()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"taskToken":null}'), answer)


if __name__ == "__main__":
    program.main()
