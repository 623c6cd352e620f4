#!/usr/bin/env python3
"""HTTP tasks, events, topics and mapped resources, through `millrace serve`, the AWS command line and boto3.

Usage: integrations.py MILLRACE
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

try:
    import boto3
    from botocore.exceptions import ClientError
except ImportError:
    boto3 = None

ACCOUNT = "123456789012"
SECRETS = ["hidden-password", "hidden-header", "hidden-key", "hidden-client", "hidden-token"]


class Web:
    """A server on a free port (or the one given) that keeps what came and answers what `answer` says."""

    def __init__(self, answer=None, port=0):
        self.requests = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                web.requests.append((self.command, self.path, dict(self.headers), body))
                status, text = answer(self.path, body) if answer else (200, "{}")
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, *_):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Integrations(Case):
    def setUp(self):
        super().setUp()
        self.home.mkdir()
        self.server = None

    def serve(self, settings=None):
        if settings is not None:
            (self.home / "integrations.json").write_text(json.dumps(settings), encoding="utf-8")
        self.server = Server(self.home)
        self.addCleanup(self.server.stop)

    def web(self, answer=None, port=0):
        web = Web(answer, port)
        self.addCleanup(web.stop)
        return web

    def client(self, service):
        if boto3 is None:
            self.skipTest("boto3 is not there")
        return boto3.client(service, endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id="test",
                            aws_secret_access_key="test")

    def aws(self, *arguments, fails=False):
        if not shutil.which("aws"):
            self.skipTest("the AWS command line is not there")
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                       "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": ""}
        done = subprocess.run(["aws", "--endpoint-url", self.server.url, "--output", "json", *arguments],
                              capture_output=True, text=True, timeout=60, check=False, env=environment)
        self.assertEqual(done.returncode != 0, fails, done.stderr)
        return done.stderr if fails else json.loads(done.stdout)

    def execute(self, states, wait=True, **more):
        """Runs a machine of these states to its end; its description."""
        name = f"m{time.monotonic_ns()}"
        first = next(iter(states))
        machine = self.server.call("CreateStateMachine", name=name, roleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
                                   definition=json.dumps({"StartAt": first, "States": states, **more}))["stateMachineArn"]
        execution = self.server.call("StartExecution", stateMachineArn=machine, input="{}")["executionArn"]
        if not wait:
            return {"executionArn": execution}
        self.wait_for(lambda: self.describe(execution)["status"] != "RUNNING", "the end of the execution")
        return self.describe(execution)

    def describe(self, execution):
        return self.server.call("DescribeExecution", executionArn=execution)

    def task(self, resource, **arguments):
        return self.execute({"T": {"Type": "Task", "Resource": "arn:aws:states:::" + resource,
                                   "Parameters": arguments, "End": True}})

    # ---- HTTP tasks and connections

    def test_http_task_with_connections_of_the_aws_clients(self):
        web = self.web(lambda path, body: (200, json.dumps({"path": path, "body": body})) if path != "/token" else
                       (200, json.dumps({"access_token": "hidden-token", "expires_in": 100})))
        self.serve()
        events = self.client("events")
        arns = {}
        arns["basic"] = events.create_connection(
            Name="basic", AuthorizationType="BASIC", AuthParameters={
                "BasicAuthParameters": {"Username": "ada", "Password": "hidden-password"},
                "InvocationHttpParameters": {"HeaderParameters": [
                    {"Key": "X-Tenant", "Value": "hidden-header", "IsValueSecret": True}]}})["ConnectionArn"]
        arns["oauth"] = events.create_connection(
            Name="oauth", AuthorizationType="OAUTH_CLIENT_CREDENTIALS", AuthParameters={"OAuthParameters": {
                "ClientParameters": {"ClientID": "id", "ClientSecret": "hidden-client"}, "HttpMethod": "POST",
                "AuthorizationEndpoint": web.url + "/token"}})["ConnectionArn"]
        described = events.describe_connection(Name="basic")
        self.assertEqual(described["ConnectionState"], "AUTHORIZED")
        self.assertEqual(described["AuthParameters"]["BasicAuthParameters"], {"Username": "ada"})
        self.assertLess(abs(described["CreationTime"].timestamp() - time.time()), 60)
        self.assertEqual([c["Name"] for c in events.list_connections()["Connections"]], ["basic", "oauth"])
        with self.assertRaises(ClientError) as caught:
            events.describe_connection(Name="none")
        self.assertEqual(caught.exception.response["Error"],
                         {"Code": "ResourceNotFoundException", "Message": "Connection 'none' does not exist."})
        histories = ""
        for name in ("basic", "oauth"):
            done = self.task("http:invoke", ApiEndpoint=web.url + "/orders", Method="POST",
                             QueryParameters={"page": 2}, RequestBody={"n": 1.5},
                             Authentication={"ConnectionArn": arns[name]})
            self.assertEqual(done["status"], "SUCCEEDED", done)
            output = json.loads(done["output"])
            self.assertEqual((output["StatusCode"], output["StatusText"]), (200, "OK"))
            self.assertEqual(output["ResponseBody"], {"path": "/orders?page=2", "body": '{"n":1.5}'})
            history = self.server.call("GetExecutionHistory", executionArn=done["executionArn"], includeExecutionData=True)
            self.assertEqual([e["type"] for e in history["events"]][2:5],
                             ["TaskScheduled", "TaskStarted", "TaskSucceeded"])
            details = history["events"][2]["taskScheduledEventDetails"]
            self.assertEqual((details["resourceType"], details["resource"]), ("http", "invoke"))
            histories += json.dumps(history)
        self.assertIn("hidden-header", json.dumps([r for r in web.requests]))  # it did go out
        self.assertIn("Bearer hidden-token", json.dumps([r for r in web.requests]))
        self.assertEqual(os.stat(self.home / "connections.json").st_mode & 0o777, 0o600)
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.wait(30)
        histories += self.server.process.stderr.read()
        for file in self.home.rglob("*"):
            if file.is_file() and file.name != "connections.json":
                histories += file.read_bytes().decode("utf-8", "replace")
        for secret in SECRETS:
            self.assertNotIn(secret, histories)

    def test_http_task_errors_are_caught_by_their_names(self):
        web = self.web(lambda path, body: (429, '{"message": "slow down"}'))
        self.serve()
        failed = self.task("http:invoke", ApiEndpoint=web.url + "/x", Method="GET")
        self.assertEqual((failed["status"], failed["error"], failed["cause"]),
                         ("FAILED", "States.Http.StatusCode.429", '{"message": "slow down"}'))
        caught = self.execute({
            "T": {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": True,
                  "Parameters": {"ApiEndpoint": web.url + "/y", "Method": "GET"},
                  "Retry": [{"ErrorEquals": ["States.Http.StatusCode.429"], "IntervalSeconds": 1, "MaxAttempts": 1}],
                  "Catch": [{"ErrorEquals": ["States.Http.StatusCode.429"], "Next": "C"}]},
            "C": {"Type": "Pass", "Result": "caught", "End": True}})
        self.assertEqual(json.loads(caught["output"]), "caught")
        self.assertEqual(len([r for r in web.requests if r[1] == "/y"]), 2)
        refused = self.task("http:invoke", ApiEndpoint="http://169.254.169.254/latest/meta-data/", Method="GET")
        self.assertEqual(refused["error"], "States.TaskFailed")
        self.assertIn("169.254.169.254 (metadata)", refused["cause"])

    def test_a_traced_test_shows_the_request_and_the_answer(self):
        web = self.web(lambda path, body: (200, '{"ok": true}'))
        self.serve()
        arn = self.client("events").create_connection(
            Name="c", AuthorizationType="API_KEY", AuthParameters={
                "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "hidden-key"},
                "InvocationHttpParameters": {
                    "QueryStringParameters": [{"Key": "tenant", "Value": "hidden-header", "IsValueSecret": True}],
                    "BodyParameters": [{"Key": "plain", "Value": "seen", "IsValueSecret": False}]}})["ConnectionArn"]
        definition = json.dumps({"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": True, "Parameters": {
            "ApiEndpoint": web.url + "/orders", "Method": "POST", "Headers": {"X-App": "shop"}, "RequestBody": {"n": 1.5},
            "Authentication": {"ConnectionArn": arn}}})

        def tested(**more):
            return self.server.call("TestState", definition=definition, roleArn=f"arn:aws:iam::{ACCOUNT}:role/r", input="{}", **more)

        self.assertNotIn("inspectionData", tested())
        self.assertNotIn("request", tested(inspectionLevel="DEBUG")["inspectionData"])
        answer = tested(inspectionLevel="TRACE")
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        data = answer["inspectionData"]
        self.assertEqual(json.loads(data["result"])["ResponseBody"], {"ok": True})
        request, response = data["request"], data["response"]
        self.assertEqual((request["protocol"], request["method"], request["url"], request["body"]),
                         ("http", "POST", web.url + "/orders?tenant=REDACTED", '{"n":1.5,"plain":"seen"}'))
        for part in ("X-App: shop", "X-Key: REDACTED", "Content-Type: application/json", "User-Agent: Millrace|HttpInvoke"):
            self.assertIn(part, request["headers"])
        self.assertEqual((response["protocol"], response["statusCode"], response["statusMessage"], response["body"]),
                         ("http", "200", "OK", '{"ok": true}'))
        self.assertRegex(response["headers"], r"^\[.*Content-Length: 12.*\]$")
        self.assertNotIn("hidden", json.dumps(answer))
        shown = tested(inspectionLevel="TRACE", revealSecrets=True)["inspectionData"]["request"]
        self.assertIn("X-Key: hidden-key", shown["headers"])
        self.assertEqual(shown["url"], web.url + "/orders?tenant=hidden-header")
        # What was sent is shown of a failure too; nothing where nothing was sent.
        web.stop()
        data = tested(inspectionLevel="TRACE")
        self.assertEqual((data["status"], data["error"]), ("FAILED", "States.Http.Socket"))
        self.assertIn("request", data["inspectionData"])
        self.assertNotIn("response", data["inspectionData"])

    def test_a_stopped_execution_ends_its_request(self):
        begun, go = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def slow(path, body):
            begun.set()
            go.wait(30)
            return 200, "{}"

        web = self.web(slow)
        self.serve()
        running = self.execute({"T": {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": True,
                                      "Parameters": {"ApiEndpoint": web.url, "Method": "GET"}}}, wait=False)
        self.assertTrue(begun.wait(20))
        self.server.call("StopExecution", executionArn=running["executionArn"])
        self.assertEqual(self.describe(running["executionArn"])["status"], "ABORTED")

        def connections():
            listed = Path("/proc/net/tcp").read_text(encoding="utf-8").split("\n")[1:]
            port = f":{web.port:04X}"
            return [line for line in listed if line.split()[2:3] and line.split()[2].endswith(port)
                    and line.split()[3] == "01"]

        self.wait_for(lambda: not connections(), "the end of the connection")

    # ---- events

    def test_events_by_task_boto3_and_the_command_line(self):
        self.serve()
        entry = {"Source": "shop", "DetailType": "Order Placed", "Detail": {"n": 1}}
        done = self.task("events:putEvents", Entries=[entry])
        self.assertEqual(json.loads(done["output"])["FailedEntryCount"], 0, done)
        failed = self.task("events:putEvents", Entries=[entry, {**entry, "Detail": "{"}])
        self.assertEqual(failed["error"], "EventBridge.FailedEntry")
        self.assertEqual(json.loads(failed["cause"])["FailedEntryCount"], 1)
        events = self.client("events")
        answer = events.put_events(Entries=[{**entry, "Detail": '{"n": 2}', "Time": 1700000000}])
        self.assertEqual(answer["FailedEntryCount"], 0)
        self.assertEqual(events.describe_event_bus()["Arn"], f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default")
        self.assertEqual([bus["Name"] for bus in events.list_event_buses()["EventBuses"]], ["default"])
        with self.assertRaises(ClientError) as caught:
            events.list_event_sources()
        self.assertEqual(caught.exception.response["Error"]["Code"], "UnknownOperationException")
        put = self.aws("events", "put-events", "--entries", json.dumps([{**entry, "Detail": "{}"}]))
        self.assertEqual(put["FailedEntryCount"], 0)
        self.assertIn("already exists", self.create_twice())

    def create_twice(self):
        arguments = ["events", "create-connection", "--name", "cli", "--authorization-type", "API_KEY",
                     "--auth-parameters", json.dumps({"ApiKeyAuthParameters": {"ApiKeyName": "X-K",
                                                                              "ApiKeyValue": "hidden-key"}})]
        self.assertIn(":connection/cli/", self.aws(*arguments)["ConnectionArn"])
        return self.aws(*arguments, fails=True)

    # ---- topics

    def test_topics_by_task_boto3_and_the_command_line(self):
        web = self.web()
        self.serve()
        sns = self.client("sns")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        self.assertEqual(topic, f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts")
        subscription = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url + "/hook",
                                     Attributes={"FilterPolicy": json.dumps({"kind": ["order"]})},
                                     ReturnSubscriptionArn=True)["SubscriptionArn"]
        sns.subscribe(TopicArn=topic, Protocol="file", Endpoint="alerts.jsonl")
        self.assertEqual({s["Protocol"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]},
                         {"http", "file"})
        self.assertEqual([t["TopicArn"] for t in sns.list_topics()["Topics"]], [topic])
        self.assertEqual(sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["FilterPolicy"],
                         '{"kind": ["order"]}')
        text = 'a & b <c> "d" + é\n100 %'
        sns.publish(TopicArn=topic, Message=text, Subject="S & T",
                    MessageAttributes={"kind": {"DataType": "String", "StringValue": "order"}})
        done = self.task("sns:publish", TopicArn=topic, Message={"n": 1})
        self.assertEqual(done["status"], "SUCCEEDED", done)
        self.assertEqual(len(json.loads(done["output"])["MessageId"]), 36)
        log = self.home / "notifications" / "alerts.jsonl"
        self.wait_for(lambda: log.exists() and log.read_text(encoding="utf-8").count("\n") == 2, "both messages in the file")
        self.wait_for(lambda: web.requests, "the webhook")
        envelope = json.loads(web.requests[0][3])
        self.assertEqual((envelope["Message"], envelope["Subject"]), (text, "S & T"))
        batch = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
            {"Id": "a", "Message": "1"}, {"Id": "b", "Message": "2", "MessageAttributes": {
                "kind": {"DataType": "String", "StringValue": "order"}}}])
        self.assertEqual([e["Id"] for e in batch["Successful"]], ["a", "b"])
        self.wait_for(lambda: len(web.requests) == 2, "the one of the batch that passes the filter")
        with self.assertRaises(sns.exceptions.NotFoundException) as caught:
            sns.publish(TopicArn=topic + "x", Message="m")
        self.assertIn("Topic does not exist", caught.exception.response["Error"]["Message"])
        with self.assertRaises(sns.exceptions.InvalidParameterException):
            sns.subscribe(TopicArn=topic, Protocol="file", Endpoint="../connections.json")
        self.assertEqual(self.aws("sns", "list-topics")["Topics"], [{"TopicArn": topic}])
        # What nobody takes for good is shown, while the server runs.
        self.assertEqual(self.call("dead-letters", "--json").stdout, "")
        gone = self.web(lambda path, body: (410, ""))
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=gone.url + "/gone")
        sns.publish(TopicArn=topic, Message="lost")
        self.wait_for(lambda: self.call("dead-letters", topic, "--json").stdout, "the dead letter")
        letter = json.loads(self.call("dead-letters", "alerts", "--json").stdout)
        self.assertEqual((letter["Endpoint"], letter["Reason"], letter["Message"]["Message"]), (gone.url + "/gone", "HTTP status 410", "lost"))
        text = self.call("dead-letters").stdout
        self.assertIn(f"{topic} → http {gone.url}/gone\n  after 1 attempts: HTTP status 410\n  message ", text)
        self.assertIn("there are no dead letters of other", self.call("dead-letters", "other").stderr)
        sns.unsubscribe(SubscriptionArn=subscription)
        sns.delete_topic(TopicArn=topic)
        self.assertEqual(sns.list_topics()["Topics"], [])

    def test_what_was_published_is_delivered_after_kill(self):
        web = self.web()
        port = web.port
        web.stop()
        self.serve({"sns": {"first_delay_seconds": 1, "delay_max_seconds": 1, "attempts_max": 100}})
        sns = self.client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{port}/hook")
        ids = [sns.publish(TopicArn=topic, Message=str(n))["MessageId"] for n in range(5)]
        self.server.process.kill()
        self.server.process.wait()
        web = self.web(port=port)
        self.serve()
        self.wait_for(lambda: {json.loads(r[3])["MessageId"] for r in web.requests} >= set(ids), "all five messages")

    # ---- mapped resources

    def test_mapped_resources(self):
        web = self.web(lambda path, body: (200, json.dumps({"posted": json.loads(body)})))
        script = self.home / "glue.sh"
        script.write_text('#!/bin/sh\necho "$MILLRACE_TASK_TOKEN" > token\ncat\n', encoding="utf-8")
        script.chmod(0o755)
        self.serve({"arn:aws:states:::glue:startJobRun*": {"command": ["./glue.sh"]},
                    "arn:aws:states:::aws-sdk:polly:*": {"url": web.url}})
        done = self.task("glue:startJobRun.sync", JobName="nightly")
        self.assertEqual(json.loads(done["output"]), {"JobName": "nightly"}, done)
        done = self.task("aws-sdk:polly:synthesizeSpeech", Text="hello")
        self.assertEqual(json.loads(done["output"]), {"posted": {"Text": "hello"}}, done)
        waiting = self.execute({"T": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.waitForTaskToken",
                                      "Parameters": {"Token.$": "$$.Task.Token"}, "End": True}}, wait=False)
        token = self.home / "token"
        self.wait_for(lambda: token.exists() and len(token.read_text(encoding="utf-8")) > 20, "the token")
        self.server.call("SendTaskSuccess", taskToken=token.read_text(encoding="utf-8").strip(), output='"by token"')
        self.wait_for(lambda: self.describe(waiting["executionArn"])["status"] != "RUNNING", "the end")
        self.assertEqual(self.describe(waiting["executionArn"])["output"], '"by token"')
        unmapped = self.task("athena:startQueryExecution", QueryString="select 1")
        self.assertEqual(unmapped["error"], "States.TaskFailed")
        self.assertIn("integrations.json", unmapped["cause"])
        (self.home / "integrations.json").write_text('{"arn:aws:states:::glue:startJobRun": {"comand": []}}', encoding="utf-8")
        self.assertIn("comand", self.task("glue:startJobRun", JobName="x")["cause"])

    def test_wrong_settings_stop_the_start(self):
        (self.home / "integrations.json").write_text('{"http": {"deny": ["everything"]}}', encoding="utf-8")
        done = subprocess.run([program.MILLRACE, "serve", "--listen", "127.0.0.1:0", "--home", self.home], check=False,
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn('integrations.json: http.deny: "everything" is no class of addresses', done.stderr)
        self.assertIn("hint: the classes are public, private", done.stderr)


if __name__ == "__main__":
    program.main()
