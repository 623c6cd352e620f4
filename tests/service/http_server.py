#!/usr/bin/env python3
"""HTTP as `millrace serve` speaks it, by raw sockets: what clients do, and what attackers try.

Usage: http_server.py MILLRACE [CASE...]
"""

import json
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def call_bytes(operation, body=b"{}", extra=b"", target=b"/"):
    return (b"POST " + target + b" HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSStepFunctions." + operation +
            b"\r\n" + extra + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)


class Http(Case):
    def setUp(self):
        super().setUp()
        self.server = Server(self.home)
        self.addCleanup(self.server.stop)

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        self.addCleanup(client.close)
        return client

    def read(self, stream):
        """One answer: status, headers, body."""
        status = stream.readline()
        if not status:
            return None
        headers = {}
        while (line := stream.readline().strip()):
            name, value = line.decode().split(": ", 1)
            headers[name.lower()] = value
        body = stream.read(int(headers.get("content-length", 0)))
        return int(status.split()[1]), headers, body

    def ask(self, data):
        client = self.connect()
        client.sendall(data)
        return self.read(client.makefile("rb"))

    def test_answers_carry_what_clients_need(self):
        status, headers, body = self.ask(call_bytes(b"ListStateMachines"))
        self.assertEqual((status, json.loads(body)), (200, {"stateMachines": []}))
        self.assertEqual(headers["content-type"], "application/x-amz-json-1.0")
        self.assertRegex(headers["x-amzn-requestid"], r"^[0-9a-f-]{36}$")
        self.assertRegex(headers["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_errors_are_json_of_the_protocol(self):
        for data, expected, code in ((call_bytes(b"NoSuchOperation"), 400, "UnknownOperationException"),
                                     (call_bytes(b"ListStateMachines", b"{"), 400, "SerializationException"),
                                     (call_bytes(b"ListStateMachines", b"[]"), 400, "SerializationException"),
                                     (call_bytes(b"ListStateMachines", b'{"maxResults":"5"}'), 400, "SerializationException"),
                                     (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "UnknownOperationException"),
                                     (b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Other.Thing\r\nContent-Length: 0\r\n\r\n",
                                      400, "UnknownOperationException")):
            status, headers, body = self.ask(data)
            self.assertEqual((status, json.loads(body)["__type"]), (expected, code), data)
            self.assertEqual(headers["x-amzn-errortype"], code)

    def test_an_empty_body_is_an_empty_object(self):
        self.assertEqual(self.ask(call_bytes(b"ListStateMachines", b""))[0], 200)

    def test_connections_are_kept_and_requests_pipelined(self):
        client = self.connect()
        stream = client.makefile("rb")
        client.sendall((HEALTH + call_bytes(b"ListActivities") + b"\r\n") * 50)
        for _ in range(50):
            self.assertEqual(self.read(stream)[2], b'{"status":"ok"}')
            self.assertEqual(json.loads(self.read(stream)[2]), {"activities": []})

    def test_a_request_may_come_byte_by_byte(self):
        client = self.connect()
        for byte in call_bytes(b"ListActivities", b'{"maxResults": 7}'):
            client.sendall(bytes([byte]))
        self.assertEqual(self.read(client.makefile("rb"))[0], 200)

    def test_chunks_and_continue_and_absolute_targets(self):
        chunked = (b"POST http://sync-states.internal:80/?x=1 HTTP/1.1\r\nHost: states\r\nx-amz-target: "
                   b"AWSStepFunctions.ListActivities\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;a=b\r\n}\r\n0\r\nT: x\r\n\r\n")
        self.assertEqual(self.ask(chunked)[0], 200)
        client = self.connect()
        stream = client.makefile("rb")
        request = call_bytes(b"ListActivities", b"{}", b"Expect: 100-continue\r\n")
        client.sendall(request[:-2])
        self.assertEqual(stream.readline(), b"HTTP/1.1 100 Continue\r\n")
        self.assertEqual(stream.readline(), b"\r\n")
        client.sendall(request[-2:])
        self.assertEqual(self.read(stream)[0], 200)

    def test_http_1_0_and_close_and_head(self):
        client = self.connect()
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        stream = client.makefile("rb")
        self.assertEqual(self.read(stream)[1]["connection"], "close")
        self.assertEqual(stream.read(), b"")
        client = self.connect()
        client.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = client.makefile("rb").read()
        self.assertTrue(answer.endswith(b"\r\n\r\n"), answer)
        self.assertIn(b"Content-Length: 15\r\n", answer)

    def test_half_closed_clients_are_answered(self):
        client = self.connect()
        client.sendall(call_bytes(b"ListActivities"))
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read(client.makefile("rb"))[0], 200)

    def test_what_is_ambiguous_or_too_large_is_refused(self):
        big = 17 << 20
        for data, expected in (
                (b"nonsense\r\n\r\n", 400),
                (b"GET / HTTP/3.0\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
                (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
                (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431),
                (b"POST / HTTP/1.1\r\nContent-Length: " + str(big).encode() + b"\r\n\r\n", 413)):
            status, headers, body = self.ask(data)
            self.assertEqual(status, expected, data[:80])
            self.assertEqual(headers["connection"], "close")
            self.assertTrue(json.loads(body)["message"])
        self.assertEqual(self.ask(HEALTH)[0], 200)

    def test_a_client_that_sends_while_it_is_refused_reads_the_answer(self):
        client = self.connect()
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        try:
            for _ in range(64):
                client.sendall(b"x" * 65536)
        except OSError:
            pass
        self.assertEqual(self.read(client.makefile("rb"))[0], 413)

    def test_many_clients_at_once(self):
        failed = []

        def work():
            try:
                with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as client:
                    stream = client.makefile("rb")
                    for _ in range(20):
                        client.sendall(call_bytes(b"ListStateMachines"))
                        if self.read(stream)[0] != 200:
                            failed.append("status")
            except OSError as error:
                failed.append(repr(error))
        threads = [threading.Thread(target=work) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_clients_that_vanish_do_no_harm(self):
        for _ in range(50):
            client = socket.create_connection(("127.0.0.1", self.server.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset on close
            client.sendall(call_bytes(b"ListStateMachines") * 20)
            client.close()
        self.assertEqual(self.ask(HEALTH)[0], 200)


class Serve(Case):
    def test_only_loopback(self):
        refused = self.call("serve", "--listen", "0.0.0.0:0", code=2)
        self.assertIn("refusing to listen on 0.0.0.0", refused.stderr)
        for wrong in ("8083", "localhost:x", "localhost:70000", "example.com:80"):
            self.assertIn("HOST:PORT", self.call("serve", "--listen", wrong, code=2).stderr)

    def test_a_port_that_is_taken(self):
        server = Server(self.home)
        self.addCleanup(server.stop)
        self.home = self.directory / "second"
        done = self.call("serve", "--listen", f"127.0.0.1:{server.port}", code=3)
        self.assertIn("can't listen on", done.stderr)

    def test_stopping_lets_answers_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Server(self.home)
            idle = socket.create_connection(("127.0.0.1", server.port))
            slow = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            request = call_bytes(b"ListStateMachines", b'{"maxResults": 9}')
            slow.sendall(request[:-5])
            self.wait_for(lambda: server.process.poll() is None, "the server")
            time.sleep(0.2)
            server.process.send_signal(number)
            self.assertEqual(idle.recv(10), b"", "an idle connection is ended at once")
            slow.sendall(request[-5:])
            answer = slow.makefile("rb").read()
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
            self.assertTrue(re.search(rb"\r\nConnection: close\r\n", answer))
            self.assertEqual(server.process.wait(20), 0)
            idle.close()
            slow.close()
            server.process.stdout.close()
            server.process.stderr.close()


if __name__ == "__main__":
    program.main()
