#!/usr/bin/env python3
"""Who may call `millrace serve`: keys, signatures, policies and TLS, through the built program.

Usage: security.py MILLRACE [CASE...]
"""

import urllib.error
import urllib.request
import datetime
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
import sigv4  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

PREFIX = "arn:aws:states:us-east-1:123456789012:"
ROLE = "arn:aws:iam::123456789012:role/any"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


def calls(function):
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Task", "End": True, "Resource":
                                                        "arn:aws:states:::lambda:invoke", "Parameters": function}}})


def allow(actions, resources="*"):
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def deny(actions, resources="*"):
    return {**allow(actions, resources), "Effect": "Deny"}


class Secured(Case):
    def key(self, name="ada", *statements):
        """The id and secret of a new key, with a policy of those statements."""
        policy = ["--policy", json.dumps({"Version": "2012-10-17", "Statement": statements})] if statements else []
        made = json.loads(self.call("keys", "create", name, *policy, "--json").stdout)
        return made["AccessKeyId"], made["SecretAccessKey"]

    def serve(self, *options):
        self.server = Server(self.home, *options)
        self.addCleanup(self.server.stop)
        return self.server

    def ask(self, operation, key=None, prefix="AWSStepFunctions.", service="states", at=None, change=None, **parameters):
        """The status and the answer of a call, signed with `key`; `change` may spoil its headers."""
        body = json.dumps(parameters).encode()
        headers = {"X-Amz-Target": prefix + operation, "Content-Type": "application/x-amz-json-1.0"}
        if key:
            headers = sigv4.sign("POST", self.server.url + "/", headers, body, *key, service=service, at=at)
        if change:
            change(headers)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        self.assertTrue(response.getheader("Date"))
        return response.status, json.loads(response.read())

    def assertRefused(self, answer, code, words=""):
        self.assertEqual((answer[0], answer[1].get("__type")), (400, code), answer)
        self.assertIn(words, answer[1]["message"])

    def assertDenied(self, answer, action, resource=""):
        self.assertRefused(answer, "AccessDeniedException", f"is not authorized to perform: {action} on resource: {resource}")


class Keys(Secured):
    def test_metrics_need_a_key_unless_they_are_open(self):
        self.call("keys", "create", "ada")
        for options, status in (((), 403), (("--set", "metrics.open=true"), 200)):
            server = self.serve(*options)
            try:
                with urllib.request.urlopen(server.url + "/metrics") as answer:
                    self.assertIn(b"# TYPE millrace_", answer.read())
                    self.assertEqual(answer.status, status)
            except urllib.error.HTTPError as error:
                self.assertIn(error.code, (400, 403))
                self.assertEqual(status, 403)
            server.stop()

    def test_a_secret_is_shown_once_and_kept_from_others(self):
        text = self.call("keys", "create", "ada").stdout.splitlines()
        self.assertRegex(text[0], r"^export AWS_ACCESS_KEY_ID=AKIA[A-Z2-7]{16}$")
        self.assertRegex(text[1], r"^export AWS_SECRET_ACCESS_KEY=[A-Za-z0-9+/]{40}$")
        secret = text[1].split("=", 1)[1]
        listed = self.call("keys", "list")
        self.assertIn("ada", listed.stdout)
        self.assertNotIn(secret, listed.stdout + self.call("keys", "list", "--json").stdout)
        self.assertEqual(stat.S_IMODE(os.stat(self.home / "keys.json").st_mode), 0o600)
        self.assertIn("there is a key 'ada' already", self.call("keys", "create", "ada", code=2).stderr)
        self.call("keys", "delete", "ada")
        self.assertIn("there is no key 'ada'", self.call("keys", "delete", "ada", code=2).stderr)

    def test_policies_are_read_when_they_are_set(self):
        self.key()
        good = {"Version": "2012-10-17", "Statement": [allow("states:*")]}
        self.call("keys", "policy", "ada", json.dumps(good))
        self.assertEqual(json.loads(self.call("keys", "policy", "ada").stdout), good)
        wrong = self.call("keys", "policy", "ada", json.dumps({"Statement": [{**allow("states:*"), "NotResource": "*"}]}), code=2)
        self.assertIn("'NotResource', which is not evaluated here", wrong.stderr)
        unknown = {**allow("states:*"), "Condition": {"StringEquals": {"aws:RequestTag/team": "a"}}}
        wrong = self.call("keys", "policy", "ada", json.dumps({"Statement": [unknown]}), code=2)
        self.assertIn("Condition.StringEquals.aws:RequestTag/team is not known here; keys are aws:SourceIp, ", wrong.stderr)
        self.assertEqual(json.loads(self.call("keys", "policy", "ada").stdout), good)
        self.call("keys", "policy", "ada", "--remove")
        self.assertEqual(self.call("keys", "policy", "ada").stdout, "")

    def test_beyond_loopback_only_with_keys(self):
        refused = self.call("serve", "--listen", "0.0.0.0:0", code=2)
        self.assertIn("millrace keys create", refused.stderr)
        self.key()
        process = subprocess.Popen([program.MILLRACE, "serve", "--listen", "0.0.0.0:0", "--json", "--home", self.home],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("url", json.loads(process.stdout.readline()))
        process.terminate()
        self.assertIn("unencrypted", process.communicate(timeout=30)[1])

    def test_a_file_that_others_may_read_stops_the_start(self):
        self.key()
        (self.home / "keys.json").chmod(0o644)
        self.assertIn("chmod 600", self.call("serve", "--listen", "127.0.0.1:0", code=2).stderr)


class Signatures(Secured):
    def test_a_signed_call_is_answered_and_any_other_refused(self):
        key = self.key()
        self.serve()
        self.assertEqual(self.ask("ListStateMachines", key), (200, {"stateMachines": []}))
        self.assertRefused(self.ask("ListStateMachines"), "MissingAuthenticationTokenException")
        self.assertRefused(self.ask("ListStateMachines", ("AKIANOBODY", key[1])), "UnrecognizedClientException")
        self.assertRefused(self.ask("ListStateMachines", (key[0], key[1][::-1])), "InvalidSignatureException",
                           "The Canonical String for this request should have been")
        self.assertRefused(self.ask("ListStateMachines", key, service="lambda"), "InvalidSignatureException",
                           "correct service: 'states'")
        old = sigv4.now() - datetime.timedelta(minutes=6)
        self.assertRefused(self.ask("ListStateMachines", key, at=old), "InvalidSignatureException", "Signature expired: ")
        early = sigv4.now() + datetime.timedelta(minutes=6)
        self.assertRefused(self.ask("ListStateMachines", key, at=early), "InvalidSignatureException", "not yet current")
        other = {"X-Amz-Target": "AWSStepFunctions.ListActivities"}
        self.assertRefused(self.ask("ListStateMachines", key, change=lambda h: h.update(other)), "InvalidSignatureException")
        self.assertRefused(self.ask("ListStateMachines", key, change=lambda h: h.update(Authorization="Bearer x")),
                           "IncompleteSignatureException")

    def test_every_operation_asks_for_a_signature(self):
        self.key()
        self.serve()
        table = (Path(__file__).resolve().parents[2] / "service/api/access.cpp").read_text()
        names = [line.split('"')[1] for line in table.splitlines() if line.startswith('      {"')]
        self.assertGreater(len(names), 35)
        for name in [*names, "NoSuchOperation"]:
            self.assertRefused(self.ask(name), "MissingAuthenticationTokenException")
        for method, path in (("GET", "/2015-03-31/functions"), ("POST", "/2015-03-31/functions/f/invocations"), ("GET", "/"),
                             ("POST", "/?Action=GetCallerIdentity&Version=2011-06-15"), ("GET", "/bucket/key"), ("PUT", "/healthz")):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            connection.request(method, path, b"")
            response = connection.getresponse()
            body = response.read()
            self.assertIn(response.status, (400, 403), (method, path))
            missing = b"<Code>AccessDenied</Code>" if path == "/bucket/key" else b"MissingAuthentication"
            self.assertIn(missing, body + (response.getheader("x-amzn-errortype") or "").encode())
            connection.close()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("GET", "/healthz")
        self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')

    def test_keys_that_change_are_seen_without_a_restart(self):
        self.serve()
        self.assertEqual(self.ask("ListStateMachines")[0], 200)
        key = self.key()
        self.assertRefused(self.ask("ListStateMachines"), "MissingAuthenticationTokenException")
        self.assertEqual(self.ask("ListStateMachines", key)[0], 200)
        self.call("keys", "policy", "ada", json.dumps({"Statement": [allow("states:ListActivities")]}))
        self.assertDenied(self.ask("ListStateMachines", key), "states:ListStateMachines", "*")
        self.call("keys", "delete", "ada")
        self.assertRefused(self.ask("ListStateMachines", key), "UnrecognizedClientException")
        self.assertRefused(self.ask("ListStateMachines"), "MissingAuthenticationTokenException")

    def test_secrets_are_nowhere_but_in_the_file_of_keys(self):
        key = self.key()
        server = Server(self.home)
        try:
            self.server = server
            self.ask("ListStateMachines", key)
            self.ask("ListStateMachines", (key[0], "wrong"))
            self.ask("CreateStateMachine", key, name="m", definition=PASS, roleArn=ROLE)
            server.process.send_signal(signal.SIGTERM)
            out = server.process.communicate(timeout=30)
        finally:
            server.process.kill()
        self.assertNotIn(key[1], "".join(out))
        for path in self.home.rglob("*"):
            if path.is_file() and path.name != "keys.json":
                self.assertNotIn(key[1].encode(), path.read_bytes(), path)

    def test_web_pages_reach_no_server_without_keys(self):
        self.serve()
        for headers in ({"Host": "evil.example.com"}, {"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
            self.assertRefused(self.ask("ListStateMachines", change=lambda h, more=headers: h.update(more)), "AccessDeniedException")
        for host in ("localhost:8083", "sync-127.0.0.1:8083", "states.internal", "engine"):
            self.assertEqual(self.ask("ListStateMachines", change=lambda h, host=host: h.update(Host=host))[0], 200)


class Policies(Secured):
    def test_what_a_policy_does_not_allow_is_denied(self):
        admin = self.key("admin")
        runner = self.key("runner", allow(["states:StartExecution", "states:Describe*"],
                                          [PREFIX + "stateMachine:open*", PREFIX + "execution:open*"]))
        self.serve()
        for name in ("open", "secret"):
            self.assertEqual(self.ask("CreateStateMachine", admin, name=name, definition=PASS, roleArn=ROLE, publish=True)[0], 200)
        status, started = self.ask("StartExecution", runner, stateMachineArn=PREFIX + "stateMachine:open", name="one")
        self.assertEqual(status, 200)
        self.assertEqual(self.ask("StartExecution", runner, stateMachineArn=PREFIX + "stateMachine:open:1")[0], 200)
        self.assertEqual(self.ask("DescribeExecution", runner, executionArn=started["executionArn"])[0], 200)
        self.assertDenied(self.ask("StartExecution", runner, stateMachineArn=PREFIX + "stateMachine:secret"),
                          "states:StartExecution", PREFIX + "stateMachine:secret")
        # The same state machine by ARNs of other regions and accounts, and by its name alone.
        for arn in ("arn:aws:states:eu-west-1:123456789012:stateMachine:secret", "arn:x:states:::stateMachine:secret", "secret"):
            self.assertDenied(self.ask("StartExecution", runner, stateMachineArn=arn), "states:StartExecution")
        self.assertDenied(self.ask("StopExecution", runner, executionArn=started["executionArn"]), "states:StopExecution")
        self.assertDenied(self.ask("ListStateMachines", runner), "states:ListStateMachines", "*")
        self.assertDenied(self.ask("NoSuchOperation", runner), "states:NoSuchOperation")
        message = self.ask("ListStateMachines", runner)[1]["message"]
        self.assertTrue(message.startswith("User: arn:aws:iam::123456789012:user/runner is not authorized"), message)

    def test_conditions_about_where_a_call_comes_from(self):
        here = self.key("here", {**allow("states:*"), "Condition": {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1"]}}})
        elsewhere = self.key("elsewhere", {**allow("states:*"), "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}})
        plain = self.key("plain", allow("states:*"), {**deny("states:Delete*"), "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
        named = self.key("named", {**allow("states:*"), "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/named"}}})
        self.serve()
        for key in (here, plain, named):
            self.assertEqual(self.ask("ListStateMachines", key)[0], 200)
        self.assertDenied(self.ask("ListStateMachines", elsewhere), "states:ListStateMachines")
        machine = PREFIX + "stateMachine:none"
        self.assertDenied(self.ask("DeleteStateMachine", plain, stateMachineArn=machine), "states:DeleteStateMachine")
        self.assertEqual(self.ask("DeleteStateMachine", here, stateMachineArn=machine)[0], 200)

    def test_the_audit_log(self):
        admin, reader = self.key("admin"), self.key("reader", allow("states:List*"))
        log = self.directory / "log"
        server = Server(self.home, "--set", "auth.audit=changes", "--log-format", "json", log=str(log))
        self.server = server
        self.addCleanup(server.stop)
        created = self.ask("CreateStateMachine", admin, name="m", definition=PASS, roleArn=ROLE)
        self.assertEqual(created[0], 200, created)
        self.ask("ListStateMachines", admin)
        self.ask("DescribeStateMachine", reader, stateMachineArn=PREFIX + "stateMachine:m")
        self.ask("StartExecution", (admin[0], "wrong"), stateMachineArn=PREFIX + "stateMachine:m")
        self.ask("StartExecution", admin, stateMachineArn=PREFIX + "stateMachine:nobody", input='{"hidden": "input"}')

        def lines():
            found = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            return [line for line in found if line.get("message", "").startswith("audit")]

        self.wait_for(lambda: len(lines()) == 4, "four lines")
        shown = [[line["message"], *(line.get(name, "") for name in ("user", "action", "resource", "status", "error"))] for line in lines()]
        self.assertEqual(shown, [
            ["audit", "admin", "states:CreateStateMachine", PREFIX + "stateMachine:m", "200", ""],
            ["audit: refused", "reader", "states:DescribeStateMachine", PREFIX + "stateMachine:m", "", "AccessDeniedException"],
            ["audit: refused", "", "states:StartExecution", "*", "", "InvalidSignatureException"],
            ["audit", "admin", "states:StartExecution", PREFIX + "stateMachine:nobody", "400", ""]])
        self.assertEqual({line["from"] for line in lines()}, {"127.0.0.1"})
        self.assertEqual([line.get("key", "") for line in lines()], [admin[0], reader[0], "", admin[0]])
        text = log.read_text(encoding="utf-8")
        for secret in (admin[1], reader[1], "hidden"):
            self.assertNotIn(secret, text)

    def test_a_definition_does_no_more_than_its_author_may(self):
        author = self.key("author", allow(["states:*", "lambda:InvokeFunction"]),
                          deny("lambda:InvokeFunction", "arn:aws:lambda:*:*:function:secret"),
                          deny("states:StartExecution", PREFIX + "stateMachine:secret"))
        self.serve()

        def create(name, definition):
            return self.ask("CreateStateMachine", author, name=name, definition=definition, roleArn=ROLE)
        self.assertEqual(create("fine", calls({"FunctionName": "fine"}))[0], 200)
        self.assertDenied(create("a", calls({"FunctionName": "secret"})), "lambda:InvokeFunction")
        self.assertDenied(create("b", calls({"FunctionName.$": "$.name"})), "lambda:InvokeFunction")
        self.assertDenied(create("c", json.dumps({"StartAt": "A", "States": {"A": {
            "Type": "Task", "End": True, "Resource": "arn:aws:states:::states:startExecution",
            "Parameters": {"StateMachineArn": PREFIX + "stateMachine:secret"}}}})), "states:StartExecution")
        self.assertDenied(self.ask("UpdateStateMachine", author, stateMachineArn=PREFIX + "stateMachine:fine",
                                   definition=calls({"FunctionName": "secret"})), "lambda:InvokeFunction")
        task = {"Type": "Task", "End": True, "Resource": "arn:aws:states:::lambda:invoke", "QueryLanguage": "JSONata",
                "Arguments": {"FunctionName": "{% 'sec' & 'ret' %}"}}
        self.assertDenied(self.ask("TestState", author, definition=json.dumps(task), roleArn=ROLE, input="{}"),
                          "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:secret")
        self.assertEqual(self.ask("TestState", author, definition=json.dumps(task), roleArn=ROLE, input="{}",
                                  mock={"result": json.dumps({"StatusCode": 200, "Payload": "1"})})[0], 200)

    def test_functions_and_identity(self):
        key = self.key("caller", allow("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:open"))
        self.serve()

        def ask(method, path, service, body=b"", headers=None):
            url = self.server.url + path
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            self.addCleanup(connection.close)
            connection.request(method, path, body, sigv4.sign(method, url, headers or {}, body, *key, service=service))
            response = connection.getresponse()
            return response.status, response.read().decode(), response.getheader("x-amzn-errortype")
        self.assertEqual(ask("POST", "/2015-03-31/functions/open/invocations", "lambda")[::2], (404, "ResourceNotFoundException"))
        self.assertEqual(ask("POST", "/2015-03-31/functions/secret/invocations", "lambda")[::2], (403, "AccessDeniedException"))
        self.assertEqual(ask("GET", "/2015-03-31/functions/open", "lambda")[::2], (403, "AccessDeniedException"))
        self.assertEqual(ask("GET", "/2015-03-31/functions", "lambda")[::2], (403, "AccessDeniedException"))
        form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        status, text, _ = ask("POST", "/", "sts", b"Action=GetCallerIdentity&Version=2011-06-15", form)
        self.assertEqual(status, 200)
        self.assertIn("<Arn>arn:aws:iam::123456789012:user/caller</Arn>", text)
        status, text, _ = ask("POST", "/", "s3", b"Action=GetCallerIdentity&Version=2011-06-15", form)
        self.assertEqual(status, 403)  # S3 is another service, whose actions this key may not


def certificate(directory, name):
    """A self-signed certificate of 127.0.0.1 and its key."""
    paths = directory / f"{name}.pem", directory / f"{name}-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost", "-out", paths[0], "-keyout", paths[1]], check=True,
                   capture_output=True)
    return paths


class Tls(Secured):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.skipTest("TLS: the program openssl is not there")
        self.pem, self.pem_key = certificate(self.directory, "first")

    def start(self, *options):
        return self.serve("--tls-cert", str(self.pem), "--tls-key", str(self.pem_key), *options)

    def context(self):
        context = ssl.create_default_context(cafile=self.pem)
        return context

    def connect(self, context=None):
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        self.addCleanup(plain.close)
        wrapped = (context or self.context()).wrap_socket(plain, server_hostname="127.0.0.1")
        self.addCleanup(wrapped.close)
        return wrapped

    def call_bytes(self, operation="ListStateMachines", body=b"{}"):
        return (b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSStepFunctions." + operation.encode() + b"\r\nContent-Length: "
                + str(len(body)).encode() + b"\r\n\r\n" + body)

    def test_calls_over_tls(self):
        self.assertTrue(self.start().url.startswith("https://"))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context()
            context.minimum_version = context.maximum_version = version
            connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, context=context, timeout=30)
            for _ in range(3):
                connection.request("POST", "/", b"{}", {"X-Amz-Target": "AWSStepFunctions.ListStateMachines"})
                self.assertEqual(json.loads(connection.getresponse().read()), {"stateMachines": []})
            connection.close()
        context = self.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.assertEqual(self.connect(context).selected_alpn_protocol(), "http/1.1")

    def test_old_versions_are_refused(self):
        self.start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(context)

    def test_large_bodies_both_ways_and_pipelining(self):
        self.start()
        definition = json.dumps({"Comment": "x" * 900_000, **json.loads(PASS)})
        create = json.dumps({"name": "big", "definition": definition, "roleArn": ROLE}).encode()
        describe = json.dumps({"stateMachineArn": PREFIX + "stateMachine:big"}).encode()
        client = self.connect()
        client.sendall(self.call_bytes("CreateStateMachine", create) + self.call_bytes("DescribeStateMachine", describe) * 20)
        stream = client.makefile("rb")
        for i in range(21):
            self.assertEqual(stream.readline(), b"HTTP/1.1 200 OK\r\n")
            size = 0
            while (line := stream.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            body = json.loads(stream.read(size))
            if i:
                self.assertEqual(body["definition"], definition)

    def test_a_connection_that_comes_byte_by_byte(self):
        self.start()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        client = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(client.close)

        def until_done(action):
            while True:
                try:
                    done = action()
                except ssl.SSLWantReadError:
                    done = None
                for byte in outgoing.read():
                    client.sendall(bytes([byte]))
                if done is not None:
                    return done
                incoming.write(client.recv(1))
        until_done(lambda: session.do_handshake() or True)
        session.write(self.call_bytes())
        answer = b""
        while b'{"stateMachines":[]}' not in answer:
            answer += until_done(lambda: session.read(4096))

    def test_the_end_is_said(self):
        self.start()
        client = self.connect()
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while True:  # without close_notify this raises ssl.SSLEOFError
            data = client.recv(4096)
            if not data:
                break
            received += data
        self.assertTrue(received.endswith(b'{"status":"ok"}'))
        client = self.connect()
        client.sendall(self.call_bytes())
        client.recv(4096)
        self.assertEqual(client.unwrap().recv(10), b"")

    def test_plain_http_is_told_so(self):
        self.start()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = client.makefile("rb").read()
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"HTTPS", answer)

    def test_what_is_no_handshake_costs_only_itself(self):
        self.start("--set", "http.handshake_time_max=1s")
        idle = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        self.addCleanup(idle.close)
        for data in (b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"a" * 1000, os.urandom(5000), b"\x16\x03\x01\x00\x05hello"):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as client:
                client.sendall(data)
                try:
                    client.makefile("rb").read()
                except ConnectionError:
                    pass
        began = time.monotonic()
        self.assertEqual(idle.recv(10), b"")  # its time is up
        self.assertLess(time.monotonic() - began, 5)
        client = self.connect()
        client.sendall(self.call_bytes())
        self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))

    def test_the_certificate_is_read_again_at_sighup(self):
        self.start()
        old = self.connect()
        second = certificate(self.directory, "second")
        self.pem_key.write_text("nonsense")
        self.server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        first_der = self.connect().getpeercert(binary_form=True)  # what can't be read leaves what was there
        shutil.copy(second[0], self.pem)
        shutil.copy(second[1], self.pem_key)
        self.server.process.send_signal(signal.SIGHUP)
        expected = ssl.PEM_cert_to_DER_cert(second[0].read_text())
        self.assertNotEqual(first_der, expected)
        self.wait_for(lambda: self.connect_unverified().getpeercert(binary_form=True) == expected, "the new certificate")
        old.sendall(self.call_bytes())  # connections that are open stay so
        self.assertTrue(old.recv(4096).startswith(b"HTTP/1.1 200"))

    def connect_unverified(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return self.connect(context)

    def test_files_that_do_not_fit(self):
        other = certificate(self.directory, "other")
        for options in (("--tls-cert", self.pem, "--tls-key", other[1]), ("--tls-cert", self.pem_key, "--tls-key", self.pem_key),
                        ("--tls-cert", self.directory / "none", "--tls-key", self.pem_key)):
            self.assertRegex(self.call("serve", "--listen", "127.0.0.1:0", *options, code=2).stderr, "can't use the (certificate|key)")
        self.call("serve", "--tls-cert", self.pem, code=2)

    def test_clients_that_go_without_a_word(self):
        self.start()
        for _ in range(20):
            client = self.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(self.call_bytes() * 50)
            client.close()
        for _ in range(20):  # in the middle of the handshake
            client = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"\x16\x03\x01\x02\x00\x01")
            client.close()
        client = self.connect()
        client.sendall(self.call_bytes())
        self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))

    def test_many_clients_at_once(self):
        self.start()
        failed = []

        def work():
            try:
                for _ in range(3):
                    client = self.connect()
                    stream = client.makefile("rb")
                    for _ in range(5):
                        client.sendall(self.call_bytes())
                        if stream.readline() != b"HTTP/1.1 200 OK\r\n":
                            failed.append("status")
                        while stream.readline().strip():
                            pass
                        stream.read(len(b'{"stateMachines":[]}'))
                    client.close()
            except OSError as error:
                failed.append(repr(error))
        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])


class Clients(Secured):
    """AWS's own clients, where they are installed."""

    def environment(self, key):
        return {**os.environ, "AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1], "AWS_DEFAULT_REGION": "eu-central-1",
                "AWS_DISABLE_HOST_PREFIX_INJECTION": "true", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}

    def test_boto3(self):
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import ClientError
        except ImportError:
            self.skipTest("boto3 is not there")
        key = self.key("ada", allow("*"), deny("states:DeleteStateMachine"))
        self.serve()
        config = Config(inject_host_prefix=False, retries={"max_attempts": 1})

        def client(service, key=key):
            return boto3.client(service, endpoint_url=self.server.url, region_name="eu-central-1", config=config,
                                aws_access_key_id=key[0], aws_secret_access_key=key[1])
        states = client("stepfunctions")
        arn = states.create_state_machine(name="größe", definition=PASS, roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
        self.assertEqual(states.start_sync_execution(stateMachineArn=arn, input='{"a":"ü"}')["status"], "SUCCEEDED")
        with self.assertRaises(ClientError) as caught:
            states.delete_state_machine(stateMachineArn=arn)
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDeniedException")
        self.assertEqual(client("sts").get_caller_identity()["Arn"], "arn:aws:iam::123456789012:user/ada")
        self.assertEqual(client("lambda").list_functions()["Functions"], [])
        with self.assertRaises(ClientError) as caught:
            client("lambda").get_function(FunctionName="arn:aws:lambda:eu-central-1:123456789012:function:none")
        self.assertEqual(caught.exception.response["Error"]["Code"], "ResourceNotFoundException")
        for service, call in (("stepfunctions", "list_activities"), ("lambda", "list_functions"), ("sts", "get_caller_identity")):
            for bad, code in (((key[0], "wrong"), "InvalidSignatureException"), (("AKIANOBODY", key[1]), "UnrecognizedClientException")):
                with self.assertRaises(ClientError) as caught:
                    getattr(client(service, bad), call)()
                expected = {"InvalidSignatureException": "SignatureDoesNotMatch", "UnrecognizedClientException": "InvalidClientTokenId"}
                self.assertEqual(caught.exception.response["Error"]["Code"], expected[code] if service == "sts" else code)
        # A URL of STS that somebody else may call, for a minute.
        url = client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("GET", url.split(str(self.server.port), 1)[1])
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        self.assertIn(b"user/ada", response.read())
        connection.request("GET", url.split(str(self.server.port), 1)[1].replace("Expires=60", "Expires=61"))
        self.assertEqual(connection.getresponse().status, 403)
        connection.close()

    def test_random_requests_signed_by_botocore(self):
        try:
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
        except ImportError:
            self.skipTest("botocore is not there")
        key = self.key()
        self.serve()
        random = Random(4711)
        letters = "abcXYZ019-_.~ !*'()$&+,;=:@/?#[]%äß中"

        def text(longest):
            return "".join(random.choice(letters) for _ in range(random.randint(1, longest)))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(connection.close)

        def send(method, target, body, headers):
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.getheader("x-amzn-errortype"), response.read()
        refusals = {"InvalidSignatureException", "IncompleteSignatureException"}
        for number in range(400):
            segments = [quote(text(8), safe="") for _ in range(random.randint(0, 3))]
            path = "/2015-03-31/functions/" + "/".join(s for s in segments if s not in (".", ".."))
            query = "&".join(quote(text(5), safe="") + "=" + quote(text(8), safe="") for _ in range(random.randint(0, 4)))
            body = text(40).encode() if random.random() < 0.5 else b""
            path = path.rstrip("/") if random.random() < 0.5 else path
            target = path + ("?" + query if query else "")
            headers = {"Content-Type": "application/json; a=\"b  c\"", "X-Amz-Thing": "  a   " + str(number) + " "}
            method = random.choice(("GET", "POST", "PUT", "DELETE"))
            request = AWSRequest(method=method, url=self.server.url + target, data=body, headers=headers)
            SigV4Auth(Credentials(*key), "lambda", "us-east-1").add_auth(request)
            signed = {**dict(request.headers.items()), "Host": f"127.0.0.1:{self.server.port}"}
            code, answer = send(method, target, body, signed)
            self.assertNotIn(code, refusals, (method, target, answer))
            changes = [("PATCH", target, body, signed), (method, target + ("&" if query else "?") + "extra=1", body, signed),
                       (method, target, body + b"x", signed), (method, target, body, {**signed, "X-Amz-Thing": "b"}),
                       (method, target.replace("functions/", "functions/x", 1) if "functions/" in target else target + "x",
                        body, signed),
                       (method, target, body, {k: v for k, v in signed.items() if k != "X-Amz-Thing"}),
                       (method, target, body, {**signed, "X-Amz-More": "1"}),
                       (method, target, body, {**signed, "Content-Type": "text/plain"})]
            code, answer = send(*random.choice(changes))
            self.assertIn(code, refusals, (method, target, answer))

    def test_command_line(self):
        if not shutil.which("aws"):
            self.skipTest("the AWS command line is not there")
        key = self.key()
        self.serve()

        def aws(*arguments, key=key):
            return subprocess.run(["aws", *arguments, "--endpoint-url", self.server.url, "--output", "json"], capture_output=True,
                                  text=True, env=self.environment(key), timeout=120, check=False)
        self.assertEqual(json.loads(aws("stepfunctions", "list-state-machines").stdout), {"stateMachines": []})
        self.assertIn("UnrecognizedClientException", aws("stepfunctions", "list-state-machines", key=("AKIANOBODY", "x")).stderr)
        self.assertIn("user/ada", aws("sts", "get-caller-identity").stdout)


if __name__ == "__main__":
    program.main()
