#!/usr/bin/env python3
"""The command line against a server, and the same commands on a home without one.

Usage: client.py MILLRACE [CASE...]
"""

import hashlib
import hmac
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import ROOT, Case  # noqa: E402
from server import Server  # noqa: E402

HELLO = ROOT / "examples/hello/definition.json"
ECHO = {"StartAt": "Echo", "States": {"Echo": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}
# Fails while the file it is told of is not there.
NEEDS = {"StartAt": "First", "States": {
    "First": {"Type": "Pass", "Next": "Read"},
    "Read": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:need", "End": True}}}
NEED = "import os\n\ndef handler(event, context):\n    if not os.path.exists(event['file']):\n        raise ValueError('not there')\n    return 1\n"
FAIL = {"StartAt": "Which", "States": {
    "Which": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "Bad"}], "Default": "Good"},
    "Bad": {"Type": "Fail", "Error": "Orders.TooMany", "Cause": "more than one"}, "Good": {"Type": "Succeed"}}}
ACCOUNT = "arn:aws:states:us-east-1:123456789012:"


class Commands(Case):
    """A server of its own; commands find it through the home."""

    def setUp(self):
        super().setUp()
        for name in list(os.environ):
            if name.startswith(("AWS_", "MILLRACE_")):
                self.addCleanup(os.environ.__setitem__, name, os.environ.pop(name))
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(self.directory / "nothing")
        self.addCleanup(os.environ.pop, "AWS_SHARED_CREDENTIALS_FILE", None)

    def serve(self):
        self.server = Server(self.home)
        self.addCleanup(self.server.stop)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def json(self, *arguments, code=0, **options):
        return json.loads(self.call(*arguments, "--json", code=code, **options).stdout)

    def deploy(self, name, definition, *arguments):
        return self.call("deploy", self.write(f"{name}.asl.json", definition), *arguments).stdout.strip()

    def error(self, *arguments, code=2, **options):
        return json.loads(self.call(*arguments, "--json", code=code, **options).stderr.strip().splitlines()[-1])["error"]


class Deploy(Commands):
    def check_deploy(self):
        made = self.call("deploy", HELLO)
        self.assertEqual(made.stdout, ACCOUNT + "stateMachine:hello\n")
        self.assertIn("hello created", made.stderr)
        self.assertEqual(self.json("deploy", HELLO)["action"], "unchanged")
        text = HELLO.read_text(encoding="utf-8")
        changed = self.write("changed.json", text.replace("Guten Tag", "Servus"))
        updated = self.json("deploy", changed, "--name", "hello", "--alias", "PROD")
        self.assertEqual((updated["action"], updated["states"]["changed"], updated["states"]["added"]), ("updated", ["German"], []))
        self.assertEqual(updated["stateMachineVersionArn"], ACCOUNT + "stateMachine:hello:1")
        self.assertEqual(updated["aliases"], ["PROD → 1"])
        again = self.json("deploy", changed, "--name", "hello", "--alias", "PROD")
        self.assertEqual((again["action"], again["stateMachineVersionArn"]), ("unchanged", ACCOUNT + "stateMachine:hello:1"))
        self.assertIn("PROD → 1 (100 %)", self.call("describe", "hello", "--machine").stdout)
        self.assertIn("PROD → 1 (100 %)", self.call("describe", "hello:PROD").stdout)
        shown = self.call("describe", "hello:1", "--definition").stdout
        self.assertEqual(json.loads(shown), json.loads(changed.read_text(encoding="utf-8")))
        self.assertIn("can't become EXPRESS", self.call("deploy", HELLO, "--type", "EXPRESS", code=2).stderr)
        self.assertIn("--name", self.call("deploy", "-", input="{}", code=2).stderr)

    def test_on_a_server(self):
        self.serve()
        self.check_deploy()

    def test_on_a_home(self):
        self.check_deploy()

    def test_a_broken_definition_is_not_deployed(self):
        self.serve()
        broken = self.write("broken.json", {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Bee"}, "Be": {"Type": "Succeed"}}})
        refused = self.call("deploy", broken, code=2).stderr
        self.assertIn("did you mean 'Be'?", refused)
        self.assertIn("broken.json:1:", refused)
        self.assertEqual(self.json("list", "machines"), {"stateMachines": []})


class Start(Commands):
    def check_start(self):
        self.deploy("fails", FAIL)
        self.call("deploy", HELLO)
        done = self.call("start", "hello", "--input", '{"name":"Ada","language":"de","n":1.10}', "--wait")
        self.assertEqual(json.loads(done.stdout), {"greeting": "Guten Tag, Ada!"})
        watched = self.call("start", "hello", "--input", '{"name":"Ada","language":"de"}', "--watch", "--name", "w").stderr
        for line in ("▶ Which language?  Choice", "✓ German", "✓ Done", "hello/w SUCCEEDED in"):
            self.assertIn(line, watched)
        ended = self.json("start", "fails", "-i", '{"n":2}', "--wait", code=1)
        self.assertEqual((ended["status"], ended["error"], ended["cause"]), ("FAILED", "Orders.TooMany", "more than one"))
        self.assertEqual([(s["name"], s["status"]) for s in ended["states"]], [("Which", "SUCCEEDED"), ("Bad", "FAILED")])
        exact = self.deploy("echo", ECHO)
        kept = '{"a":1.10,"b":12345678901234567890123}'
        self.assertIn("12345678901234567890123", self.call("start", exact, "-i", "-", "--wait", input=kept).stdout)
        self.deploy("quick", ECHO, "--type", "EXPRESS")
        self.assertEqual(json.loads(self.call("start", "quick", "-i", '{"x":1}', "--wait").stdout), {"x": 1})

    def test_on_a_server(self):
        self.serve()
        self.check_start()
        arn = self.call("start", "hello", "-i", '{"name":"Ada","language":"de"}', "--name", "one").stdout.strip()
        self.assertEqual(arn, ACCOUNT + "execution:hello:one")
        self.wait_for(lambda: self.json("describe", arn)["status"] == "SUCCEEDED", "the end")

    def test_on_a_home(self):
        self.check_start()
        self.assertIn("no server has this home", self.call("start", "hello", "-i", '{"name":"A","language":"de"}').stderr)

    def test_what_is_wrong(self):
        self.serve()
        self.call("deploy", HELLO)
        wrong = self.error("start", "helo")
        self.assertEqual((wrong["code"], wrong["hint"]), ("NotFound", "did you mean 'hello'?"))
        self.assertIn("nowhere.json: No such file", self.call("start", "hello", "-i", "nowhere.json", code=2).stderr)
        self.assertIn("line 1", self.call("start", "hello", "-i", '{"a":', code=2).stderr)
        self.call("start", "hello", "--name", "one", "--wait", code=1)
        taken = self.error("start", "hello", "--name", "one", "-i", '{"b":1}')
        self.assertEqual(taken["code"], "AlreadyExists")
        self.assertIn("ExecutionAlreadyExists", taken["message"])
        self.assertIn("(InvalidName)", self.error("start", "hello", "--name", "a b")["message"])


class Looking(Commands):
    """What ran, found by what is known of it; on a server and, after it, on the home, with the same words."""

    def test_list_search_describe_history(self):
        self.serve()
        self.call("deploy", HELLO)
        self.deploy("fails", FAIL)
        for number in range(4):
            self.call("start", "fails", "-i", json.dumps({"n": number, "who": {"name": "Ada" if number % 2 else "Bob"}}),
                      "--name", f"order-{number}", "--wait", code=1 if number > 1 else 0)
        self.call("start", "hello", "-i", '{"name":"Ada","language":"de"}', "--name", "hi", "--wait")

        def names(*arguments):
            return [json.loads(line)["name"] for line in self.call("list", *arguments, "--lines").stdout.splitlines()]

        def look():
            self.assertEqual(names(), ["hi", "order-3", "order-2", "order-1", "order-0"])
            self.assertEqual(names("fails", "--status", "FAILED"), ["order-3", "order-2"])
            self.assertEqual(names("--status", "FAILED,SUCCEEDED", "--limit", "2"), ["hi", "order-3"])
            self.assertEqual(names("--where", 'input.who.name = "Ada"'), ["order-3", "order-1"])
            self.assertEqual(names("--where", "output.greeting"), ["hi"])
            self.assertEqual(names("--error", "Orders.*"), ["order-3", "order-2"])
            self.assertEqual(names("--error", "States.*"), [])
            self.assertEqual(names("--name-prefix", "order-", "--where", "input.n >= 3 or $contains(cause, 'one')"), ["order-3", "order-2"])
            self.assertEqual(names("--since", "1h"), names())
            self.assertEqual(names("--until", "1h"), [])
            some = self.call("list", "--where", 'input.n + 1 > 2 and status = "FAILED"', "--payloads").stdout
            self.assertIn('  input   {"n":3,"who":{"name":"Ada"}}', some)
            self.assertIn("--where failed on 1 of them: hello/hi", self.call("list", "--where", 'input.name > 3').stderr)
            self.assertIn("there are more", self.call("list", "--limit", "1").stderr)
            self.assertEqual(self.json("describe", "order-3")["error"], "Orders.TooMany")
            self.assertEqual(self.json("describe", "fails/order-3")["error"], "Orders.TooMany")
            self.assertEqual(self.json("describe", "fails")["name"], "order-3", "the newest")
            shown = self.call("describe", "order-2").stdout
            self.assertIn("✗ Bad", shown)
            self.assertIn("✓ Which", shown)
            self.assertIn("4 executions begin with 'order'", self.call("describe", "order", code=2).stderr)
            self.assertIn("did you mean 'order-3'?", self.call("describe", "ordre-3", code=2).stderr)
            self.assertEqual([m["name"] for m in self.json("list", "machines")["stateMachines"]], ["fails", "hello"])
            self.assertIn("fails", self.call("list", "machines").stdout)
            history = self.call("history", "order-2", "--state", "Which").stdout
            self.assertIn("ChoiceStateEntered", history)
            self.assertNotIn("FailStateEntered", history)
            followed = self.call("history", "order-2", "--follow", "--json", code=1).stdout.splitlines()
            self.assertEqual([json.loads(line) for line in followed], self.events("order-2"))
            for wrong, words in ((["--status", "DONE"], "is no status"), (["--since", "often"], "neither a time"),
                                 (["--where", "a +"], "S0207"), (["helo"], "did you mean 'hello'?")):
                self.assertIn(words, self.call("list", *wrong, code=2).stderr)

        look()
        over = self.call("list", "--json", "--endpoint", self.url).stdout
        self.server.stop()
        self.assertFalse((self.home / "serve.json").exists())
        self.assertEqual(self.call("list", "--json").stdout, over, "the same words")
        look()

    def test_follow_what_runs(self):
        self.serve()
        self.deploy("two", {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "Next": "B"}, "B": {"Type": "Pass", "End": True}}})
        arn = self.call("start", "two", "--name", "one").stdout.strip()
        begun = time.monotonic()
        with subprocess.Popen([program.MILLRACE, "history", arn, "--follow", "--home", self.home], stdout=subprocess.PIPE, text=True) as following:
            first = following.stdout.readline()
            self.assertLess(time.monotonic() - begun, 0.9, "events are shown before the end")
            rest = following.stdout.read()
        self.assertEqual(following.returncode, 0)
        self.assertIn("ExecutionStarted", first)
        self.assertIn("ExecutionSucceeded", rest)
        self.assertEqual(len((first + rest).splitlines()), len(self.events(arn)), "each once")

    def test_map_runs(self):
        self.serve()
        self.deploy("many", {"StartAt": "Each", "States": {"Each": {
            "Type": "Map", "End": True, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                                                          "StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}}}}})
        self.call("start", "many", "-i", "[1,2,3]", "--name", "one", "--wait")
        (run,) = self.json("list", "map-runs", "many/one")["mapRuns"]
        self.assertIn("total 3", self.call("describe", run["mapRunArn"]).stdout)
        self.assertEqual(len(self.json("list", run["mapRunArn"])["executions"]), 3)
        self.assertIn("of what?", self.call("list", "map-runs", code=2).stderr)


class Bulk(Commands):
    def failed(self):
        folder = self.home / "functions" / "need"
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text(NEED, encoding="utf-8")
        self.deploy("needs", NEEDS)
        for number in range(3):
            given = {"key": f"k{number}", "file": str(self.directory / f"k{number}")}
            self.call("start", "needs", "-i", json.dumps(given), "--name", f"r{number}", "--wait", code=1)
        self.write("k1", "one")

    def check_redrive(self):
        self.failed()
        shown = self.call("redrive", "--machine", "needs", "--dry-run").stderr
        self.assertIn("to redrive: 3 executions", shown)
        self.assertRegex(shown, r"needs/r2  FAILED  \S+  ValueError\n")
        self.assertIn("add --yes", self.call("redrive", "--machine", "needs", code=2, stdin=subprocess.DEVNULL).stderr)
        self.assertEqual(self.json("describe", "r1")["redriveCount"], 0, "nothing was done")
        done = self.json("redrive", "--machine", "needs", "--where", 'input.key = "k1"', "--yes", "--wait")
        self.assertEqual([(row["result"], row["status"]) for row in done["executions"]], [("redriven", "SUCCEEDED")])
        self.assertEqual(self.json("describe", "r1")["redriveCount"], 1)
        shown = self.call("describe", "r1").stdout
        self.assertRegex(shown, r"✓ First .*\n.*✓ Read ")
        self.assertIn("LambdaFunctionSucceeded", self.call("history", "r1", "--state", "Read").stdout)
        rest = self.json("redrive", "--machine", "needs", "--yes", "--wait", code=1)
        self.assertEqual((rest["redriven"], [row["status"] for row in rest["executions"]]), (2, ["FAILED", "FAILED"]))
        refused = self.call("redrive", "r1", "r2", "--wait", code=2)
        self.assertIn("✗ needs/r1: ", refused.stdout)
        self.assertIn("✓ needs/r2 redriven", refused.stdout)
        self.assertIn("1 redriven, 1 refused", refused.stderr)
        self.assertIn("which executions?", self.call("redrive", code=2).stderr)
        self.assertIn("not both", self.call("redrive", "r1", "--since", "1h", code=2).stderr)

    def test_redrive_on_a_server(self):
        self.serve()
        self.check_redrive()

    def test_redrive_on_a_home(self):
        self.check_redrive()

    def test_stop(self):
        self.serve()
        self.deploy("waits", WAIT)
        for number in range(3):
            self.call("start", "waits", "--name", f"w{number}")
        self.assertIn("✓ waits/w0 stopped", self.call("stop", "w0", "--error", "Enough", "--cause", "by hand").stdout)
        ended = self.json("describe", "w0")
        self.assertEqual((ended["status"], ended["error"], ended["cause"]), ("ABORTED", "Enough", "by hand"))
        self.assertIn("had ended: ABORTED", self.call("stop", "w0").stdout)
        self.server.stop()
        done = self.json("stop", "--machine", "waits", "--yes")  # without a server
        self.assertEqual(done["stopped"], 2)
        self.assertEqual(self.json("list", "--status", "RUNNING")["executions"], [])


class Apply(Commands):
    def folder(self):
        self.write("a.asl.json", FAIL)
        self.write("b.asl.json", ECHO)
        return self.write("millrace.json", {
            "stateMachines": [{"name": "a", "definition": "a.asl.json", "aliases": {"PROD": "latest"}},
                              {"name": "b", "definition": "b.asl.json", "type": "EXPRESS"}],
            "activities": [{"name": "ask"}]})

    def steps(self, *arguments, **options):
        return [(step["kind"], step["name"], step["action"]) for step in self.json("apply", *arguments, **options)["steps"]]

    def check_apply(self):
        self.call("deploy", HELLO)
        self.folder()
        planned = [("activity", "ask", "create"), ("state machine", "a", "create"), ("state machine", "b", "create")]
        self.assertEqual(self.steps(self.directory, "--dry-run"), planned)
        self.assertEqual([m["name"] for m in self.json("list", "machines")["stateMachines"]], ["hello"])
        self.assertEqual(self.steps(self.directory), planned)
        self.assertEqual({action for _, _, action in self.steps(self.directory)}, {"unchanged"})
        self.assertIn("PROD → 1", self.call("describe", "a:PROD").stdout)
        changed = json.loads(json.dumps(FAIL))
        changed["States"]["Bad"]["Cause"] = "other"
        changed["TimeoutSeconds"] = 60
        self.write("a.asl.json", changed)
        shown = self.call("apply", self.directory, "--dry-run").stdout
        self.assertIn("~ state machine a: changed Bad; setting TimeoutSeconds, alias PROD", shown)
        self.assertIn("0 created, 1 updated, 2 unchanged, 0 deleted", self.call("apply", self.directory).stderr)
        self.assertIn("PROD → 2", self.call("describe", "a:PROD").stdout)
        self.assertIn("- state machine hello", self.call("apply", self.directory, "--prune", "--dry-run").stdout)
        self.assertIn("--yes", self.call("apply", self.directory, "--prune", code=2, stdin=subprocess.DEVNULL).stderr)
        self.assertIn("1 deleted", self.call("apply", self.directory, "--prune", "--yes").stderr)
        self.assertEqual([m["name"] for m in self.json("list", "machines")["stateMachines"]], ["a", "b"])

    def test_on_a_server(self):
        self.serve()
        self.check_apply()

    def test_on_a_home(self):
        self.check_apply()

    def test_nothing_half_applied(self):
        self.serve()
        manifest = self.folder()
        self.write("b.asl.json", {"StartAt": "Nowhere", "States": {"A": {"Type": "Pass", "End": True}}})
        refused = self.call("apply", self.directory, code=2).stderr
        self.assertIn("b.asl.json does not compile", refused)
        self.assertIn("nothing was changed", refused)
        self.assertEqual(self.json("list", "machines"), {"stateMachines": []})
        for wrong, words in (({"stateMachines": [{"name": "a", "definition": "gone.json"}]}, "gone.json: No such file"),
                             ({"stateMachines": [{"nam": "a", "definition": "a.asl.json"}]}, "did you mean 'name'?"),
                             ({"stateMachine": []}, "did you mean 'stateMachines'?"),
                             ({"stateMachines": [{"name": "a", "definition": "a.asl.json"}] * 2}, "two state machines are named 'a'"),
                             ({"stateMachines": [{"name": "a", "definition": "a.asl.json", "aliases": {"P": {"1": 50}}}]}, "shares of 100"),
                             ({"activities": [{"name": "a b"}]}, "Invalid Name"), ("[]", "no JSON object"), ("{", "line 1")):
            self.write(manifest.name, wrong)
            self.assertIn(words, self.call("apply", manifest, code=2).stderr)
        empty = self.directory / "empty"
        empty.mkdir()
        self.assertIn("holds no definitions", self.call("apply", empty, code=2).stderr)

    def test_a_folder_without_a_manifest(self):
        self.serve()
        self.assertEqual([name for _, name, action in self.steps(ROOT / "examples") if action == "create"],
                         sorted(path.parent.name for path in ROOT.glob("examples/*/definition.json")))


class Requests(Commands):
    """What is sent, and what is made of answers that go wrong: a server of the test's own."""

    def listen(self, *answers):
        """Answers request after request with (status, body); the last one again and again."""
        seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((dict(self.headers), body))
                status, text = answers[min(len(seen), len(answers)) - 1]
                if status == 0:  # hangs up
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}", seen

    NONE = '{"stateMachines":[]}'

    def test_no_server(self):
        begun = time.monotonic()
        gone = self.error("list", "machines", "--endpoint", "http://127.0.0.1:9", code=3)
        self.assertIn("no server at http://127.0.0.1:9", gone["message"])
        self.assertIn("millrace serve", gone["hint"])
        self.assertLess(time.monotonic() - begun, 5)
        self.assertIn("is no endpoint", self.error("list", "--endpoint", "127.0.0.1:9")["message"])
        refused = self.call("run", HELLO, "--endpoint", "http://127.0.0.1:9", code=2).stderr
        self.assertIn("works in this process; servers are asked by", refused)

    def test_signed(self):
        url, seen = self.listen((200, self.NONE))
        self.call("list", "machines", "--endpoint", url)
        self.assertNotIn("Authorization", seen[0][0], "without credentials nothing is signed")
        key = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
        self.call("list", "machines", "--endpoint", url, env={**os.environ, **key})
        self.check_signature(*seen[1], "AKID", "secret", "eu-west-1")
        file = self.write("credentials", "# mine\n[default]\naws_access_key_id = D\naws_secret_access_key=x\n"
                          "[ci]\naws_access_key_id = CI\naws_secret_access_key = other=secret\naws_session_token = tok\n")
        env = {**os.environ, "AWS_SHARED_CREDENTIALS_FILE": str(file)}
        self.call("list", "machines", "--endpoint", url, "--profile", "ci", env=env)
        self.check_signature(*seen[2], "CI", "other=secret", "us-east-1")
        self.assertEqual(seen[2][0]["x-amz-security-token"], "tok")
        self.call("list", "machines", "--endpoint", url, env=env)
        self.assertIn("Credential=D/", seen[3][0]["authorization"])
        self.assertIn("there are: default, ci", self.error("list", "--endpoint", url, "--profile", "co", env=env)["hint"])

    def check_signature(self, headers, body, key, secret, region):
        headers = {name.lower(): value for name, value in headers.items()}
        parts = dict(part.split("=", 1) for part in headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", "))
        scope = parts["Credential"].removeprefix(key + "/")
        day, *rest = scope.split("/")
        self.assertEqual(rest, [region, "states", "aws4_request"])
        signed = parts["SignedHeaders"].split(";")
        self.assertLessEqual({"host", "x-amz-date", "x-amz-target", "content-type"}, set(signed))
        request = "\n".join(["POST", "/", "", *(f"{name}:{headers[name]}" for name in signed), "", ";".join(signed),
                             hashlib.sha256(body).hexdigest()])
        text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(request.encode()).hexdigest()])
        derived = ("AWS4" + secret).encode()
        for part in (day, *rest):
            derived = hmac.new(derived, part.encode(), hashlib.sha256).digest()
        self.assertEqual(parts["Signature"], hmac.new(derived, text.encode(), hashlib.sha256).hexdigest())

    def test_asked_again_where_that_is_safe(self):
        busy = '{"__type":"ServiceUnavailable","message":"busy"}'
        url, seen = self.listen((503, busy), (0, ""), (500, busy), (200, self.NONE))
        self.call("list", "machines", "--endpoint", url)
        self.assertEqual(len(seen), 4)
        url, seen = self.listen((503, busy))
        self.assertIn("busy (ServiceUnavailable)", self.error("list", "machines", "--endpoint", url, code=3)["message"])
        self.assertEqual(len(seen), 4)
        url, seen = self.listen((0, ""))
        lost = self.json("redrive", ACCOUNT + "execution:a:b", "--endpoint", url, code=2)
        self.assertIn("took RedriveExecution and did not answer", lost["executions"][0]["error"])
        self.assertEqual(len(seen), 1, "a redrive is not sent twice")

    def test_a_start_whose_answer_is_lost_happens_once(self):
        arn = ACCOUNT + "execution:a:made"
        url, seen = self.listen((200, json.dumps({"stateMachines": [{"name": "a", "stateMachineArn": ACCOUNT + "stateMachine:a"}]})),
                                (0, ""), (200, json.dumps({"executionArn": arn})))
        self.assertEqual(self.call("start", "a", "--endpoint", url).stdout, arn + "\n")
        sent = [json.loads(body)["name"] for _, body in seen[1:]]
        self.assertEqual(len(sent), 2)
        self.assertEqual(sent[0], sent[1], "the same name: the same execution")

    def test_logs_of_a_function(self):
        event = {"logStreamName": "2026/11/21", "message": "one\n", "timestamp": 1795255200000, "eventId": "1"}
        url, seen = self.listen((200, self.NONE), (200, '{"logGroups":[{"logGroupName":"/aws/lambda/price"}]}'),
                                (200, json.dumps({"events": [event], "nextToken": "t"})),
                                (200, json.dumps({"events": [event, {**event, "message": "two", "eventId": "2"}]})))
        shown = self.call("logs", "price", "--endpoint", url, "--filter", "o", "--since", "2026-11-21").stdout
        self.assertEqual(shown, "2026-11-21T10:00:00.000Z  one\n2026-11-21T10:00:00.000Z  two\n")
        sent = json.loads(seen[2][1])
        self.assertEqual({name: sent[name] for name in ("logGroupName", "startTime", "filterPattern")},
                         {"logGroupName": "/aws/lambda/price", "startTime": 1795219200000, "filterPattern": "o"})
        self.assertEqual(seen[2][0]["x-amz-target"], "Logs_20140328.FilterLogEvents")
        self.assertEqual(seen[2][0]["content-type"], "application/x-amz-json-1.1")
        self.assertEqual(json.loads(seen[3][1])["nextToken"], "t")

    def test_logs_of_an_execution(self):
        arn, group = ACCOUNT + "execution:m:one", "arn:aws:logs:us-east-1:123456789012:log-group:/mine:*"
        states = {"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "price"}, "Next": "U"},
                  "U": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:other:1", "End": True}}
        machine = {"name": "m", "definition": json.dumps({"StartAt": "T", "States": states}),
                   "loggingConfiguration": {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]}}
        line = {"logStreamName": "s", "timestamp": 100500, "eventId": "1"}
        url, seen = self.listen((200, json.dumps({"executionArn": arn, "startDate": 100.0, "stopDate": 101.0})), (200, json.dumps(machine)),
                                (200, json.dumps({"events": [{**line, "timestamp": 100900, "message": "ended"}]})),
                                (400, '{"__type":"ResourceNotFoundException","message":"no group"}'),
                                (200, json.dumps({"events": [{**line, "message": "asked"}]})))
        shown = [json.loads(one)["message"] for one in self.call("logs", arn, "--endpoint", url, "--json").stdout.splitlines()]
        self.assertEqual(shown, ["asked", "ended"], "in the order of time, whatever their group")
        asked = [json.loads(body) for _, body in seen[2:]]
        self.assertEqual([one["logGroupName"] for one in asked], ["/mine", "/aws/lambda/other", "/aws/lambda/price"])
        self.assertEqual((asked[0]["filterPattern"], asked[0]["startTime"], asked[0]["endTime"]), (f'"{arn}"', 100000, 102000))

    def test_no_permission_and_other_answers(self):
        for status, text, code, words, hint in (
                (403, '{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: ada may not"}', 2,
                 "User: ada may not (AccessDeniedException)", "--profile"),
                (400, '{"__type":"UnrecognizedClientException","message":"The security token is invalid"}', 2, "token is invalid", "AWS_ACCESS_KEY_ID"),
                (403, '{"__type":"InvalidSignatureException","message":"no match"}', 2, "no match", "clock"),
                (404, "<html>", 2, "answered HTTP 404", "millrace serve"),
                (200, "<html>", 3, "no JSON", "millrace serve"),
                (400, '{"__type":"UnknownOperationException"}', 2, "UnknownOperationException", "--version")):
            url, seen = self.listen((status, text))
            error = self.error("list", "machines", "--endpoint", url, code=code)
            self.assertIn(words, error["message"])
            self.assertIn(hint, error["hint"])
            self.assertEqual(len(seen), 1)


class Finding(Commands):
    def test_the_home_leads_to_its_server(self):
        self.serve()
        self.assertEqual(json.loads((self.home / "serve.json").read_text())["url"], self.url)
        self.call("deploy", HELLO)  # the home is in use: the server was asked
        for variable in ("MILLRACE_ENDPOINT", "AWS_ENDPOINT_URL_SFN", "AWS_ENDPOINT_URL"):
            done = subprocess.run([program.MILLRACE, "list", "machines"], env={**os.environ, variable: self.url}, cwd=self.directory,
                                  capture_output=True, text=True, check=True)
            self.assertIn("hello", done.stdout)

    def test_what_a_crash_left_behind(self):
        self.serve()
        self.call("deploy", HELLO)
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.assertTrue((self.home / "serve.json").exists())
        self.assertIn("hello", self.call("list", "machines").stdout)
        running = subprocess.Popen([program.MILLRACE, "run", self.write("w.json", WAIT), "--home", self.home, "--name", "w"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (running.kill(), running.wait()))
        self.wait_for_start("w")
        self.assertIn(f"in use by process {running.pid}", self.call("stop", "w", code=3).stderr)


if __name__ == "__main__":
    program.main()
