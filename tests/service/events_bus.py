#!/usr/bin/env python3
"""Rules, targets, archives, schedules, and the engine's own events, through `millrace serve`; kill -9 included.

Usage: events_bus.py MILLRACE [CASE...]; MILLRACE_BUS_ROUNDS: kills of the crash loop (default 4).
"""

import datetime
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import ApiError, Server  # noqa: E402

try:
    import boto3
except ImportError:
    boto3 = None

ACCOUNT, ROLE = "123456789012", "arn:aws:iam::123456789012:role/r"
LOST = (OSError, http.client.HTTPException, ValueError)


def arn(service, resource):
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


class Caller:
    """Calls of one server by JSON targets and REST paths."""

    def __init__(self, server):
        self.server = server

    def request(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        answer = json.loads(text) if text else {}
        if response.status >= 300:
            code = answer.get("__type") or response.getheader("x-amzn-ErrorType")
            raise ApiError(response.status, code, answer.get("message") or answer.get("Message"))
        return answer

    def events(self, operation, **parameters):
        return self.request("POST", "/", parameters, {"X-Amz-Target": "AWSEvents." + operation,
                                                      "Content-Type": "application/x-amz-json-1.1"})

    def queues(self, operation, **parameters):
        return self.request("POST", "/", parameters, {"X-Amz-Target": "AmazonSQS." + operation,
                                                      "Content-Type": "application/x-amz-json-1.0"})

    def logs(self, operation, **parameters):
        return self.request("POST", "/", parameters, {"X-Amz-Target": "Logs_20140328." + operation,
                                                      "Content-Type": "application/x-amz-json-1.1"})

    def scheduler(self, method, path, body=None):
        return self.request(method, path, body, {"Content-Type": "application/json"})

    def put(self, source="shop", kind="Order", bus=None, **detail):
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
        if bus:
            entry["EventBusName"] = bus
        answer = self.events("PutEvents", Entries=[entry])
        return answer["Entries"][0]["EventId"]


def put_object(caller, name):
    """Whether the bucket `drops` acknowledged it."""
    connection = http.client.HTTPConnection("127.0.0.1", caller.server.port, timeout=30)
    try:
        connection.request("PUT", "/drops/" + name, "data")
        return connection.getresponse().status == 200
    except LOST:
        return False
    finally:
        connection.close()


class Bus(Case):
    def setUp(self):
        super().setUp()
        self.home.mkdir()
        self.server = None
        self.addCleanup(lambda: self.server and self.server.process.poll() is None and self.server.stop())

    def serve(self):
        self.server = Server(self.home, log=self.directory / "log")
        self.caller = Caller(self.server)
        return self.caller

    def again(self, kill=False):
        self.server.kill() if kill else self.server.stop()
        return self.serve()

    def machine(self, name, states=None, kind="STANDARD"):
        states = states or {"Done": {"Type": "Pass", "End": True}}
        return self.server.call("CreateStateMachine", name=name, roleArn=ROLE, type=kind, definition=json.dumps(
            {"StartAt": next(iter(states)), "States": states}))["stateMachineArn"]

    def executions(self, machine, **how):
        found, token = [], {}
        while True:
            page = self.server.call("ListExecutions", stateMachineArn=machine, maxResults=1000, **how, **token)
            found += page["executions"]
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    def inputs(self, machine):
        described = [self.server.call("DescribeExecution", executionArn=e["executionArn"]) for e in self.executions(machine)]
        return [json.loads(d["input"]) for d in described]

    def rule(self, name, pattern, *targets, **more):
        answer = self.caller.events("PutRule", Name=name, EventPattern=json.dumps(pattern), **more)
        bus = {"EventBusName": more["EventBusName"]} if "EventBusName" in more else {}
        self.caller.events("PutTargets", Rule=name, Targets=list(targets), **bus)
        return answer["RuleArn"]

    def refused(self, code, call, *arguments, **parameters):
        with self.assertRaises(ApiError) as caught:
            call(*arguments, **parameters)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception.message

    def queue(self, name):
        url = self.caller.queues("CreateQueue", QueueName=name)["QueueUrl"]
        return url, arn("sqs", name)

    def messages(self, url, count, seconds=20, more=False):
        found, until = [], time.monotonic() + seconds
        while len(found) < count and time.monotonic() < until:
            answer = self.caller.queues("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                                        MessageAttributeNames=["All"])
            for message in answer.get("Messages", []):
                self.caller.queues("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
        (self.assertGreaterEqual if more else self.assertEqual)(len(found), count, found)
        return found

    # ---- EventBridge's operations

    def test_rules(self):
        c = self.serve()
        machine = self.machine("m")
        c.events("PutRule", Name="r", EventPattern='{"source": ["shop"]}', Description="d", State="DISABLED",
                 Tags=[{"Key": "team", "Value": "a"}])
        described = c.events("DescribeRule", Name="r")
        self.assertEqual((described["Arn"], described["State"], described["EventBusName"]), (arn("events", "rule/r"), "DISABLED", "default"))
        c.events("EnableRule", Name="r")
        self.assertEqual([r["State"] for r in c.events("ListRules")["Rules"]], ["ENABLED"])
        self.assertEqual(c.events("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": machine}])["FailedEntryCount"], 0)
        self.assertEqual(c.events("ListTargetsByRule", Rule="r")["Targets"], [{"Id": "1", "Arn": machine}])
        self.assertEqual(c.events("ListRuleNamesByTarget", TargetArn=machine)["RuleNames"], ["r"])
        self.assertEqual(c.events("ListTagsForResource", ResourceARN=described["Arn"])["Tags"], [{"Key": "team", "Value": "a"}])
        c.events("TagResource", ResourceARN=described["Arn"], Tags=[{"Key": "b", "Value": "2"}])
        c.events("UntagResource", ResourceARN=described["Arn"], TagKeys=["team"])
        self.assertEqual(c.events("ListTagsForResource", ResourceARN=described["Arn"])["Tags"], [{"Key": "b", "Value": "2"}])
        c = self.again(kill=True)
        self.assertEqual(c.events("ListTargetsByRule", Rule="r")["Targets"], [{"Id": "1", "Arn": machine}])
        for n in range(12):
            c.events("PutRule", Name=f"page-{n:02}", EventPattern='{"source": ["x"]}')
        names, token = [], {}
        while True:
            page = c.events("ListRules", NamePrefix="page-", Limit=5, **token)
            names += [r["Name"] for r in page["Rules"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        self.assertEqual(names, [f"page-{n:02}" for n in range(12)])
        self.assertIn("since it has targets", self.refused("ValidationException", c.events, "DeleteRule", Name="r"))
        c.events("RemoveTargets", Rule="r", Ids=["1"])
        c.events("DeleteRule", Name="r")
        self.assertIn("Rule r does not exist on EventBus default", self.refused("ResourceNotFoundException", c.events, "DescribeRule", Name="r"))

    def test_refusals(self):
        c = self.serve()
        text = self.refused("InvalidEventPatternException", c.events, "PutRule", Name="r", EventPattern='{"source": "shop"}')
        self.assertTrue(text.startswith('Event pattern is not valid. Reason: "source" must be an object or an array'), text)
        self.refused("ValidationException", c.events, "PutRule", Name="r")
        self.refused("ValidationException", c.events, "PutRule", Name="bad name", EventPattern='{"source": ["a"]}')
        self.refused("ValidationException", c.events, "PutRule", Name="r", ScheduleExpression="cron(0 0 * * * *)")
        self.refused("ResourceNotFoundException", c.events, "PutRule", Name="r", EventPattern='{"source": ["a"]}', EventBusName="nope")
        c.events("PutRule", Name="r", EventPattern='{"source": ["a"]}')
        self.assertIn("is not valid", self.refused("ValidationException", c.events, "PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": "arn:aws:ec2:us-east-1:1:x"}]))
        self.refused("ValidationException", c.events, "PutTargets", Rule="r", Targets=[
            {"Id": "1", "Arn": arn("sqs", "q"), "InputTransformer": {"InputTemplate": '{"a": <b>}'}}])
        self.refused("UnknownOperationException", c.events, "CreatePartnerEventSource", Name="x")
        event = json.dumps({"id": "1", "account": "1", "source": "s", "time": "2026-11-21T00:00:00Z", "region": "r", "resources": [], "detail-type": "t"})
        self.assertTrue(c.events("TestEventPattern", EventPattern='{"source": ["s"]}', Event=event)["Result"])
        self.assertFalse(c.events("TestEventPattern", EventPattern='{"source": ["t"]}', Event=event)["Result"])
        self.refused("ValidationException", c.events, "TestEventPattern", EventPattern='{"source": ["s"]}', Event="{}")

    def test_buses(self):
        c = self.serve()
        self.assertEqual(c.events("CreateEventBus", Name="orders")["EventBusArn"], arn("events", "event-bus/orders"))
        self.refused("ResourceAlreadyExistsException", c.events, "CreateEventBus", Name="orders")
        self.assertEqual([b["Name"] for b in c.events("ListEventBuses")["EventBuses"]], ["default", "orders"])
        machine = self.machine("m")
        self.rule("on-orders", {"source": ["shop"]}, {"Id": "1", "Arn": machine}, EventBusName="orders")
        # From bus to bus, and back: an event is on each once.
        self.rule("over", {"source": ["shop"]}, {"Id": "1", "Arn": arn("events", "event-bus/orders")})
        self.rule("back", {"source": ["shop"]}, {"Id": "1", "Arn": arn("events", "event-bus/default")}, EventBusName="orders")
        ids = {c.put(n=n) for n in range(3)}
        self.wait_for(lambda: len(self.executions(machine)) == 3, "the executions")
        time.sleep(0.5)
        self.assertEqual({event["id"] for event in self.inputs(machine)}, ids)
        self.refused("ValidationException", c.events, "DeleteEventBus", Name="orders")
        self.refused("ValidationException", c.events, "DeleteEventBus", Name="default")
        for rule in ("on-orders", "back"):
            c.events("RemoveTargets", Rule=rule, EventBusName="orders", Ids=["1"])
            c.events("DeleteRule", Name=rule, EventBusName="orders")
        c.events("DeleteEventBus", Name="orders")
        self.refused("ResourceNotFoundException", c.events, "DescribeEventBus", Name="orders")

    # ---- Targets

    def test_targets(self):
        functions = self.home / "functions" / "note"
        functions.mkdir(parents=True)
        noted = self.directory / "noted"
        (functions / "handler.py").write_text(
            f"def handler(event, context):\n    open({str(noted)!r}, 'a').write(event['id'] + '\\n')\n")
        c = self.serve()
        machine, express = self.machine("m"), self.machine("x", kind="EXPRESS")
        url, queue = self.queue("q")
        c.logs("CreateLogGroup", logGroupName="/aws/events/all")
        self.rule("all", {"source": ["shop"], "detail": {"n": [{"numeric": [">", 1]}]}},
                  {"Id": "machine", "Arn": machine, "InputPath": "$.detail"},
                  {"Id": "express", "Arn": express},
                  {"Id": "function", "Arn": arn("lambda", "function:note")},
                  {"Id": "queue", "Arn": queue, "InputTransformer": {
                      "InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"number <n> by <aws.events.rule-name>"'}},
                  {"Id": "log", "Arn": arn("logs", "log-group:/aws/events/all")})
        c.put(n=1)
        wanted = c.put(n=2, text="ä")
        self.wait_for(lambda: self.executions(machine), "the execution")
        self.assertEqual(self.inputs(machine), [{"n": 2, "text": "ä"}])
        self.assertTrue(self.executions(machine)[0]["name"].startswith("all-"))
        self.assertEqual([m["Body"] for m in self.messages(url, 1)], ['"number 2 by all"'])
        self.wait_for(lambda: noted.exists() and noted.read_text() == wanted + "\n", "the function")

        def logged():
            return c.logs("FilterLogEvents", logGroupName="/aws/events/all").get("events", [])
        self.wait_for(lambda: len(logged()) == 1, "the line")
        self.assertEqual(json.loads(logged()[0]["message"])["id"], wanted)
        # A rule that is disabled, or changed, wants nothing more; what was put before a rule is not its business.
        c.events("DisableRule", Name="all")
        c.put(n=3)
        c.events("EnableRule", Name="all")
        c.put(n=4)
        self.wait_for(lambda: len(self.executions(machine)) == 2, "the next execution")
        self.assertEqual(sorted(i["n"] for i in self.inputs(machine)), [2, 4])

    def test_api_destination(self):
        requests, answers = [], [503, 200]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                requests.append((self.path, self.headers.get("X-Key"), self.headers.get("Idempotency-Key"), json.loads(body)))
                self.send_response(answers.pop(0) if answers else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self.addCleanup(web.server_close)
        self.addCleanup(web.shutdown)
        c = self.serve()
        connection = c.events("CreateConnection", Name="c", AuthorizationType="API_KEY",
                              AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"}})["ConnectionArn"]
        destination = c.events("CreateApiDestination", Name="d", ConnectionArn=connection, HttpMethod="POST",
                               InvocationEndpoint=f"http://127.0.0.1:{web.server_address[1]}/orders/*")["ApiDestinationArn"]
        self.assertEqual(c.events("DescribeApiDestination", Name="d")["InvocationRateLimitPerSecond"], 300)
        self.assertEqual(len(c.events("ListApiDestinations")["ApiDestinations"]), 1)
        url, dead = self.queue("dead")
        self.rule("web", {"source": ["shop"]}, {"Id": "1", "Arn": destination, "InputPath": "$.detail",
                                                "HttpParameters": {"PathParameterValues": ["a b"], "QueryStringParameters": {"q": "1"}},
                                                "DeadLetterConfig": {"Arn": dead}})
        c.put(n=7)
        self.wait_for(lambda: len(requests) == 2, "the second attempt")
        self.assertEqual(requests[0], requests[1])
        self.assertEqual((requests[0][0], requests[0][1], requests[0][3]), ("/orders/a%20b?q=1", "secret", {"n": 7}))
        wanted = c.put(n=8)  # 404: no use to try again
        message = self.messages(url, 1)[0]
        self.assertEqual(json.loads(message["Body"])["id"], wanted)
        self.assertEqual(message["MessageAttributes"]["ERROR_CODE"]["StringValue"], "States.Http.StatusCode.404")
        self.assertEqual(message["MessageAttributes"]["RULE_ARN"]["StringValue"], arn("events", "rule/web"))
        c.events("DeleteApiDestination", Name="d")
        c.put(n=9)
        self.assertEqual(self.messages(url, 1)[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"], "NO_RESOURCE")

    def test_retries_survive(self):
        """A function that fails is tried again by the next process; then its event is a dead letter."""
        folder = self.home / "functions" / "broken"
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text("def handler(event, context):\n    raise ValueError('no')\n")
        c = self.serve()
        url, dead = self.queue("dead")
        self.rule("r", {"source": ["shop"]}, {"Id": "1", "Arn": arn("lambda", "function:broken"), "DeadLetterConfig": {"Arn": dead}})
        wanted = c.put(n=1)
        log = self.home / "logs" / "functions"
        self.wait_for(lambda: log.exists() and any("ValueError" in f.read_text() for f in log.rglob("*.log")), "the first attempt")
        time.sleep(0.3)
        self.again(kill=True)
        message = self.messages(url, 1, 30)[0]
        self.assertEqual(json.loads(message["Body"])["id"], wanted)
        self.assertEqual(message["MessageAttributes"]["RETRY_ATTEMPTS"]["StringValue"], "2")

    # ---- Archives and replays

    def test_archives(self):
        c = self.serve()
        machine = self.machine("m")
        bus = arn("events", "event-bus/default")
        archive = c.events("CreateArchive", ArchiveName="a", EventSourceArn=bus, EventPattern='{"source": ["shop"]}')["ArchiveArn"]
        begin = time.time() - 60
        wanted = sorted(c.put(n=n) for n in range(5))
        c.put(source="other", n=0)
        self.wait_for(lambda: c.events("DescribeArchive", ArchiveName="a")["EventCount"] == 5, "the archive")
        ruled = self.rule("r", {"source": ["shop"]}, {"Id": "1", "Arn": machine})
        self.rule("other", {"source": ["shop"]}, {"Id": "1", "Arn": self.machine("n")})
        c.events("StartReplay", ReplayName="p", EventSourceArn=archive, EventStartTime=begin, EventEndTime=time.time() + 60,
                 Destination={"Arn": bus, "FilterArns": [ruled]})
        self.wait_for(lambda: c.events("DescribeReplay", ReplayName="p")["State"] == "COMPLETED", "the replay")
        self.wait_for(lambda: len(self.executions(machine)) == 5, "its executions")
        self.assertEqual(sorted(e["id"] for e in self.inputs(machine)), wanted)
        self.assertEqual({e["replay-name"] for e in self.inputs(machine)}, {"p"})
        self.assertEqual(self.executions(arn("states", "stateMachine:n")), [])
        self.assertEqual(c.events("DescribeArchive", ArchiveName="a")["EventCount"], 5)
        self.refused("ResourceAlreadyExistsException", c.events, "StartReplay", ReplayName="p", EventSourceArn=archive, EventStartTime=begin,
                     EventEndTime=time.time(), Destination={"Arn": bus})
        c.events("DeleteArchive", ArchiveName="a")
        self.refused("ResourceNotFoundException", c.events, "DescribeArchive", ArchiveName="a")

    # ---- The engine's own events

    def test_status_events(self):
        c = self.serve()
        watched = self.machine("watched", {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}})
        noted = self.machine("noted")
        self.rule("fails", {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"],
                            "detail": {"stateMachineArn": [watched], "status": ["RUNNING", "FAILED"]}}, {"Id": "1", "Arn": noted})
        first = self.server.call("StartExecution", stateMachineArn=watched, input='{"a": 1}')["executionArn"]
        self.wait_for(lambda: len(self.executions(noted)) == 2, "the events")
        events = sorted(self.inputs(noted), key=lambda e: e["detail"]["status"])
        self.assertEqual([e["detail"]["status"] for e in events], ["FAILED", "RUNNING"])
        detail = events[0]["detail"]
        self.assertEqual((detail["executionArn"], detail["error"], detail["cause"], detail["input"], detail["output"]), (first, "E", "c", '{"a":1}', None))
        self.assertIsNone(events[1]["detail"]["stopDate"])
        self.assertEqual(events[0]["resources"], [first])
        # What ends without a server is told by the next one, once.
        self.server.stop()
        self.call("start", "watched", "--quiet", "--name", "alone", code=1)
        self.serve()
        self.wait_for(lambda: len(self.executions(noted)) == 4, "the events that were missing")
        self.again(kill=True)
        time.sleep(1)
        self.assertEqual(len(self.executions(noted)), 4)

    # ---- Schedules

    def schedule(self, name, expression, target, **more):
        return self.caller.scheduler("POST", f"/schedules/{name}", {
            "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target, **more})

    def test_scheduler_api(self):
        c = self.serve()
        machine = self.machine("m")
        target = {"Arn": machine, "RoleArn": ROLE, "Input": '{"a": 1}'}
        made = self.schedule("nightly", "cron(30 2 * * ? *)", target, ScheduleExpressionTimezone="Europe/Berlin",
                             Description="Every night [millrace missed=catch-up overlap=skip]")
        self.assertEqual(made["ScheduleArn"], arn("scheduler", "schedule/default/nightly"))
        got = c.scheduler("GET", "/schedules/nightly")
        self.assertEqual((got["State"], got["ScheduleExpressionTimezone"], got["Target"]["RetryPolicy"]["MaximumRetryAttempts"]), ("ENABLED", "Europe/Berlin", 185))
        self.refused("ConflictException", self.schedule, "nightly", "rate(1 hour)", target)
        self.refused("ResourceNotFoundException", c.scheduler, "GET", "/schedules/nope")
        for expression, more in (("cron(0 0 * * * *)", {}), ("rate(1 hour)", {"ScheduleExpressionTimezone": "Mars/Olympus"}),
                                 ("rate(1 hour)", {"Description": "[millrace overlap=maybe]"}),
                                 ("rate(1 hour)", {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}),
                                 ("rate(1 hour)", {"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:stopInstances", "RoleArn": ROLE, "Input": "{}"}})):
            self.refused("ValidationException", self.schedule, "bad", expression, target, **more)
        c.scheduler("POST", "/schedule-groups/g", {"Tags": [{"Key": "a", "Value": "b"}]})
        self.schedule("nightly", "rate(2 hours)", target, GroupName="g")
        self.assertEqual([s["GroupName"] for s in c.scheduler("GET", "/schedules?MaxResults=1")["Schedules"]], ["default"])
        self.assertEqual([s["Name"] for s in c.scheduler("GET", "/schedules?ScheduleGroup=g")["Schedules"]], ["nightly"])
        self.assertEqual([g["Name"] for g in c.scheduler("GET", "/schedule-groups")["ScheduleGroups"]], ["default", "g"])
        group = quote(arn("scheduler", "schedule-group/g"), safe="")
        self.assertEqual(c.scheduler("GET", f"/tags/{group}")["Tags"], [{"Key": "a", "Value": "b"}])
        c.scheduler("POST", f"/tags/{group}", {"Tags": [{"Key": "c", "Value": "d"}]})
        c.scheduler("DELETE", f"/tags/{group}?TagKeys=a")
        self.assertEqual(c.scheduler("GET", f"/tags/{group}")["Tags"], [{"Key": "c", "Value": "d"}])
        c = self.again(kill=True)
        c.scheduler("PUT", "/schedules/nightly?groupName=g", {"GroupName": "g", "ScheduleExpression": "rate(3 hours)", "State": "DISABLED",
                                                             "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target})
        self.assertEqual(c.scheduler("GET", "/schedules/nightly?groupName=g")["ScheduleExpression"], "rate(3 hours)")
        c.scheduler("DELETE", "/schedule-groups/g")
        self.refused("ResourceNotFoundException", c.scheduler, "GET", "/schedules/nightly?groupName=g")
        c.scheduler("DELETE", "/schedules/nightly")
        self.assertEqual(c.scheduler("GET", "/schedules")["Schedules"], [])

    def test_schedules_run(self):
        c = self.serve()
        machine = self.machine("m")
        url, queue = self.queue("q")
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        self.schedule("once", f"at({soon:%Y-%m-%dT%H:%M:%S})", {"Arn": machine, "RoleArn": ROLE, "Input": '{"at": "<aws.scheduler.scheduled-time>"}'},
                      ActionAfterCompletion="DELETE")
        self.schedule("universal", f"at({soon:%Y-%m-%dT%H:%M:%S})", {
            "Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution", "RoleArn": ROLE,
            "Input": json.dumps({"StateMachineArn": machine, "Input": '{"u": 1}'})})
        self.schedule("message", "rate(1 second)", {"Arn": queue, "RoleArn": ROLE})
        c.events("PutRule", Name="tick", ScheduleExpression="rate(1 second)")
        c.events("PutTargets", Rule="tick", Targets=[{"Id": "1", "Arn": queue, "InputPath": "$.detail-type"}])
        self.wait_for(lambda: len(self.executions(machine)) == 2, "the executions")
        inputs = sorted(self.inputs(machine), key=lambda i: "u" in i)
        self.assertEqual(inputs, [{"at": f"{soon:%Y-%m-%dT%H:%M:%S}Z"}, {"u": 1}])
        self.assertTrue(any(e["name"].startswith(f"once-{soon:%Y%m%dT%H%M%SZ}-") for e in self.executions(machine)))
        self.wait_for(lambda: "once" not in [s["Name"] for s in c.scheduler("GET", "/schedules")["Schedules"]], "it is deleted")
        self.assertIn("universal", [s["Name"] for s in c.scheduler("GET", "/schedules")["Schedules"]])
        bodies = [json.loads(m["Body"]) for m in self.messages(url, 4, more=True)]  # each second brings two
        self.assertTrue({"Scheduled Event"} < {b if isinstance(b, str) else b["source"] for b in bodies} | {"x"}, bodies)

    def test_overlap(self):
        c = self.serve()
        slow = {"W": {"Type": "Wait", "Seconds": 3, "End": True}}
        counts = {}
        for policy in ("allow", "skip", "queue", "cancel"):
            machine = self.machine(policy, slow)
            self.schedule(policy, "rate(1 second)", {"Arn": machine, "RoleArn": ROLE}, Description=f"[millrace overlap={policy}]")
            counts[policy] = machine
        time.sleep(5.5)
        for policy in counts:
            c.scheduler("DELETE", f"/schedules/{policy}")
        status = {policy: [e["status"] for e in self.executions(machine)] for policy, machine in counts.items()}
        self.assertGreaterEqual(len(status["allow"]), 5)
        self.assertEqual(len(status["skip"]), 2, status)
        self.assertEqual(len(status["queue"]), 2, status)
        self.assertGreaterEqual(status["cancel"].count("ABORTED"), 3, status)
        self.assertLessEqual(status["cancel"].count("RUNNING"), 1)

    def test_command(self):
        self.serve()
        machine = self.machine("m")
        begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)
        self.schedule("daily", "cron(0 4 * * ? *)", {"Arn": machine, "RoleArn": ROLE, "Input": '{"t": "<aws.scheduler.scheduled-time>"}'},
                      ScheduleExpressionTimezone="Asia/Kolkata")
        said = self.call("schedule", "next", "cron(30 2 * * ? *)", "--timezone", "Europe/Berlin", "--from", "2026-03-28", "--count", "3").stdout
        self.assertIn("at 02:30, every day", said)
        self.assertIn("2026-03-29 02:30:00        does not exist", said)
        self.assertIn("2026-03-30 02:30:00 CEST  2026-03-30T00:30:00Z", said)
        self.assertIn("the minutes field '99'", self.call("schedule", "next", "cron(99 2 * * ? *)", code=2).stderr)
        self.assertIn("daily", self.call("schedule", "list").stdout)
        span = ("--from", f"{begin:%Y-%m-%dT00:00:00Z}")
        done = json.loads(self.call("schedule", "backfill", "daily", *span, "--max-parallel", "2", "--json").stdout)
        self.assertIn(len(done["runs"]), (3, 4))
        self.assertEqual({r["status"] for r in done["runs"]}, {"SUCCEEDED"})
        self.assertEqual(len(self.executions(machine)), len(done["runs"]))
        self.assertIn({"t": done["runs"][0]["time"][:19] + "Z"}, self.inputs(machine))
        again = json.loads(self.call("schedule", "backfill", "daily", *span, "--json").stdout)
        self.assertEqual(again["there"], len(done["runs"]))
        self.call("schedule", "pause", "daily")
        self.assertIn("paused", self.call("schedule", "list").stdout)
        self.call("schedule", "resume", "daily")
        self.assertIn("enabled", self.call("schedule", "list").stdout)
        self.assertIn("Schedule nope does not exist", self.call("schedule", "pause", "nope", code=2).stderr)

    # ---- Clients, and kill -9

    def test_boto3(self):
        if not boto3:
            self.skipTest("boto3 is not there")
        self.serve()
        how = {"region_name": "us-east-1", "endpoint_url": self.server.url, "aws_access_key_id": "t", "aws_secret_access_key": "t"}
        events, scheduler = boto3.client("events", **how), boto3.client("scheduler", **how)
        machine = self.machine("m")
        events.put_rule(Name="r", EventPattern='{"source": ["shop"]}')
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": machine}])
        events.put_events(Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}])
        self.wait_for(lambda: self.executions(machine), "the execution")
        with self.assertRaises(events.exceptions.InvalidEventPatternException):
            events.put_rule(Name="r", EventPattern="{}")
        events.create_archive(ArchiveName="a", EventSourceArn=arn("events", "event-bus/default"))
        self.assertIsInstance(events.describe_archive(ArchiveName="a")["CreationTime"], datetime.datetime)
        scheduler.create_schedule(Name="s", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"},
                                  Target={"Arn": machine, "RoleArn": ROLE})
        self.assertIsInstance(scheduler.get_schedule(Name="s")["CreationDate"], datetime.datetime)
        with self.assertRaises(scheduler.exceptions.ConflictException):
            scheduler.create_schedule(Name="s", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"},
                                      Target={"Arn": machine, "RoleArn": ROLE})
        scheduler.create_schedule_group(Name="g", Tags=[{"Key": "k", "Value": "v"}])
        self.assertEqual(scheduler.list_tags_for_resource(ResourceArn=arn("scheduler", "schedule-group/g"))["Tags"], [{"Key": "k", "Value": "v"}])
        scheduler.delete_schedule(Name="s")
        with self.assertRaises(scheduler.exceptions.ResourceNotFoundException):
            scheduler.delete_schedule(Name="s")

    def test_aws_cli(self):
        if not shutil.which("aws"):
            self.skipTest("the AWS command line is not there")
        self.serve()
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": ""}

        def aws(*arguments):
            done = subprocess.run(["aws", "--endpoint-url", self.server.url, "--output", "json", *arguments], capture_output=True,
                                  text=True, timeout=60, check=False, env=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout) if done.stdout.strip() else {}

        self.assertIn("RuleArn", aws("events", "put-rule", "--name", "r", "--event-pattern", '{"source": ["a"]}'))
        self.assertEqual(len(aws("events", "list-rules")["Rules"]), 1)
        aws("scheduler", "create-schedule", "--name", "s", "--schedule-expression", "rate(1 hour)", "--flexible-time-window", "Mode=OFF",
            "--target", json.dumps({"Arn": self.machine("m"), "RoleArn": ROLE}))
        self.assertEqual(len(aws("scheduler", "list-schedules")["Schedules"]), 1)

    def test_crash_loop(self):
        """Killed again and again: every acknowledged event, every file that arrived and every second of a schedule starts its execution once."""
        rounds = int(os.environ.get("MILLRACE_BUS_ROUNDS", "4"))
        seed = int(os.environ.get("MILLRACE_BUS_SEED", str(random.randrange(1 << 30))))
        print("seed", seed, flush=True)
        chance = random.Random(seed)
        c = self.serve()
        by_event, by_time, by_file = self.machine("by-event"), self.machine("by-time"), self.machine("by-file")
        self.rule("r", {"source": ["shop"]}, {"Id": "1", "Arn": by_event}, {"Id": "2", "Arn": by_event, "InputPath": "$.detail"})
        self.schedule("each", "rate(1 second)", {"Arn": by_time, "RoleArn": ROLE, "Input": '{"t": "<aws.scheduler.scheduled-time>"}'},
                      Description="[millrace missed=catch-up]")
        self.rule("files", {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": ["drops"]}}},
                  {"Id": "1", "Arn": by_file, "InputPath": "$.detail.object.key"})
        bucket = Path(self.home, "objects", "drops")
        bucket.mkdir(parents=True)
        acknowledged, sent, arrived = set(), 0, set()
        for round_ in range(rounds):
            until = time.monotonic() + 0.3 + chance.random() * 1.5
            lock, going = threading.Lock(), True
            caller = self.caller

            def put():
                nonlocal sent
                for _ in range(max(10, 600 // rounds)):  # more would only make the reading of all inputs long
                    if not going:
                        return
                    with lock:
                        sent += 1
                        number = sent
                    try:
                        identity = caller.put(n=number)
                    except (*LOST, ApiError):
                        continue
                    with lock:
                        acknowledged.add(identity)

            def drop(round_):
                """Files come into the bucket from outside, and through its API."""
                for number in range(40):
                    if not going:
                        return
                    name = f"{round_}-{number}"
                    if number % 2:
                        part = Path(self.directory, name)
                        part.write_text("data")
                        part.rename(bucket / name)
                    elif not put_object(caller, name):
                        continue
                    arrived.add(name)
                    time.sleep(0.02)

            threads = [threading.Thread(target=put) for _ in range(4)] + [threading.Thread(target=drop, args=(round_,))]
            for thread in threads:
                thread.start()
            time.sleep(max(0, until - time.monotonic()))
            self.server.process.kill()
            going = False
            for thread in threads:
                thread.join()
            self.server.kill()
            c = self.serve()

        def settled():
            found = [e["id"] for e in self.inputs(by_event) if "id" in e]
            return acknowledged <= set(found)
        self.wait_for(settled, "an execution for each event", 60)
        self.wait_for(lambda: arrived <= set(self.inputs(by_file)), "an execution for each file", 60)
        time.sleep(1.5)
        c.scheduler("DELETE", "/schedules/each")
        time.sleep(0.5)
        inputs = self.inputs(by_event)
        whole, parts = [e["id"] for e in inputs if "id" in e], [e["n"] for e in inputs if "id" not in e]
        self.assertEqual(len(whole), len(set(whole)), "an event started twice")
        self.assertEqual(len(parts), len(set(parts)), "an event started twice")
        self.assertEqual(len(whole), len(parts))
        files = self.inputs(by_file)
        self.assertEqual(len(files), len(set(files)), "a file started twice")
        self.assertEqual(set(files), {path.name for path in bucket.iterdir() if not path.name.startswith(".")})
        times = sorted(i["t"] for i in self.inputs(by_time))
        self.assertEqual(len(times), len(set(times)), times)
        first, last = (datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (times[0], times[-1]))
        self.assertEqual(len(times), (last - first).seconds + 1, times)
        print(f"{rounds} kills, {len(acknowledged)} events acknowledged, {len(whole)} started, {len(files)} files, {len(times)} seconds, each once", flush=True)


if __name__ == "__main__":
    program.main()
