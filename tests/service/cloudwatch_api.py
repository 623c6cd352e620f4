#!/usr/bin/env python3
"""Metrics and alarms through `millrace serve`: CloudWatch's three forms on the wire, its clients, the engine's own metrics,
alarms that tell others; kill -9 included.

Usage: cloudwatch_api.py MILLRACE [CASE...]; MILLRACE_METRIC_ROUNDS: kills of the crash loop (default 4).
"""

import datetime
import gzip
import http.client
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import urlencode

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
SPACE = "{http://monitoring.amazonaws.com/doc/2010-08-01/}"


def arn(service, resource):
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


class Cbor:
    """As much as CloudWatch's clients use. A time is (seconds,)."""

    @staticmethod
    def dump(value):
        def head(major, n):
            for info, size, code in ((24, 1 << 8, ">B"), (25, 1 << 16, ">H"), (26, 1 << 32, ">I"), (27, 1 << 64, ">Q")):
                if n < 24:
                    return bytes([major << 5 | n])
                if n < size:
                    return bytes([major << 5 | info]) + struct.pack(code, n)
            raise ValueError(n)
        if isinstance(value, bool):
            return b"\xf5" if value else b"\xf4"
        if isinstance(value, int):
            return head(0, value) if value >= 0 else head(1, -1 - value)
        if isinstance(value, float):
            return b"\xfb" + struct.pack(">d", value)
        if isinstance(value, str):
            return head(3, len(value.encode())) + value.encode()
        if isinstance(value, tuple):
            return b"\xc1" + Cbor.dump(value[0])
        if isinstance(value, list):
            return head(4, len(value)) + b"".join(map(Cbor.dump, value))
        return head(5, len(value)) + b"".join(Cbor.dump(k) + Cbor.dump(v) for k, v in value.items())

    @staticmethod
    def load(data):
        def one(at):
            major, info = data[at] >> 5, data[at] & 31
            at += 1
            if major == 7 and info == 27:
                return struct.unpack(">d", data[at:at + 8])[0], at + 8
            if major == 7:
                return {20: False, 21: True, 22: None}[info], at
            n = info
            if info >= 24:
                size = 1 << (info - 24)
                n, at = int.from_bytes(data[at:at + size], "big"), at + size
            if major == 0:
                return n, at
            if major == 1:
                return -1 - n, at
            if major == 3:
                return data[at:at + n].decode(), at + n
            if major == 4:
                items = []
                for _ in range(n):
                    item, at = one(at)
                    items.append(item)
                return items, at
            if major == 5:
                items = {}
                for _ in range(n):
                    key, at = one(at)
                    items[key], at = one(at)
                return items, at
            assert (major, n) == (6, 1)
            value, at = one(at)
            return (value,), at
        value, end = one(0)
        assert end == len(data)
        return value


class Caller:
    def __init__(self, server):
        self.server = server

    def raw(self, body, headers, path="/"):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def target(self, target, version, **parameters):
        status, _, body = self.raw(json.dumps(parameters), {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-" + version})
        answer = json.loads(body) if body else {}
        if status >= 300:
            raise ApiError(status, answer.get("__type", "").split("#")[-1], answer.get("message"))
        return answer

    def metrics(self, operation, **parameters):
        return self.target("GraniteServiceVersion20100801." + operation, "1.0", **parameters)

    def events(self, operation, **parameters):
        return self.target("AWSEvents." + operation, "1.1", **parameters)

    def queues(self, operation, **parameters):
        return self.target("AmazonSQS." + operation, "1.0", **parameters)

    def query(self, operation, **parameters):
        body = urlencode({"Action": operation, "Version": "2010-08-01", **parameters})
        return self.raw(body, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})

    def cbor(self, operation, parameters):
        status, headers, body = self.raw(Cbor.dump(parameters), {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor",
                                                                 "Accept": "application/cbor"},
                                         "/service/GraniteServiceVersion20100801/operation/" + operation)
        return status, headers, Cbor.load(body)

    def put(self, value, name="m", **more):
        self.metrics("PutMetricData", Namespace="shop", MetricData=[{"MetricName": name, "Value": value, **more}])

    def sums(self, space="shop", name="m", statistic="Sum", period=60, dimensions=(), back=3600):
        """All points of the last hour, added up."""
        now = time.time()
        answer = self.metrics("GetMetricData", StartTime=now - back, EndTime=now + 60, MetricDataQueries=[{"Id": "m", "MetricStat": {
            "Metric": {"Namespace": space, "MetricName": name, "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions]},
            "Period": period, "Stat": statistic}}])
        return sum(answer["MetricDataResults"][0]["Values"])

    def alarm(self, name, **more):
        """Over the seconds of a high-resolution metric, so that a test need not wait for a minute's end."""
        self.metrics("PutMetricAlarm", **{"AlarmName": name, "Namespace": "shop", "MetricName": "m", "Statistic": "Sum", "Period": 1,
                                          "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
                                          "TreatMissingData": "notBreaching", **more})

    def state(self, name):
        found = self.metrics("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return (found["MetricAlarms"] + found["CompositeAlarms"])[0]["StateValue"]

    def changes(self, name):
        items = self.metrics("DescribeAlarmHistory", AlarmName=name, HistoryItemType="StateUpdate", MaxRecords=100)["AlarmHistoryItems"]
        return [i["HistorySummary"] for i in reversed(items)]


class CloudWatch(Case):
    def setUp(self):
        super().setUp()
        self.home.mkdir()
        self.server = None
        self.addCleanup(lambda: self.server and self.server.process.poll() is None and self.server.stop())

    def serve(self, *options):
        self.server = Server(self.home, "--set", "monitoring.evaluation_delay=100", *options, log=self.directory / "log")
        self.caller = Caller(self.server)
        return self.caller

    def queue(self, name):
        return self.caller.queues("CreateQueue", QueueName=name)["QueueUrl"], arn("sqs", name)

    def received(self, url, seconds=1):
        found = []
        while True:
            answer = self.caller.queues("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=seconds)
            if not answer.get("Messages"):
                return found
            for message in answer["Messages"]:
                self.caller.queues("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))

    def machine(self, name, state=None):
        return self.server.call("CreateStateMachine", name=name, roleArn=ROLE, definition=json.dumps(
            {"StartAt": "S", "States": {"S": state or {"Type": "Pass", "End": True}}}))["stateMachineArn"]

    def clients(self, *names):
        if not boto3:
            self.skipTest("boto3 is not there")
        how = {"region_name": "us-east-1", "endpoint_url": self.server.url, "aws_access_key_id": "t", "aws_secret_access_key": "t"}
        return [boto3.client(name, **how) for name in names]

    # ---- The wire

    def test_wire(self):
        """What one form puts the others get, in their own shapes; errors too."""
        c = self.serve()
        now = time.time() // 60 * 60
        c.put(1.5, Dimensions=[{"Name": "Shop", "Value": "7"}], Timestamp=now)
        status, headers, body = c.query("PutMetricData", Namespace="shop", **{
            "MetricData.member.1.MetricName": "m", "MetricData.member.1.Value": "2.5", "MetricData.member.1.Unit": "None",
            "MetricData.member.1.Dimensions.member.1.Name": "Shop", "MetricData.member.1.Dimensions.member.1.Value": "7",
            "MetricData.member.1.Timestamp": datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")})
        self.assertEqual((status, headers["Content-Type"]), (200, "text/xml"), body)
        status, headers, answer = c.cbor("PutMetricData", {"Namespace": "shop", "MetricData": [
            {"MetricName": "m", "Values": [3.0, 5], "Counts": [1.0, 2], "Dimensions": [{"Name": "Shop", "Value": "7"}], "Timestamp": (now,)}]})
        self.assertEqual((status, headers["Content-Type"], headers["smithy-protocol"], answer), (200, "application/cbor", "rpc-v2-cbor", {}))
        asked = {"Namespace": "shop", "MetricName": "m", "Dimensions": [{"Name": "Shop", "Value": "7"}], "Period": 60,
                 "Statistics": ["Sum", "SampleCount"], "ExtendedStatistics": ["p100"]}
        expected = {"Sum": 17.0, "SampleCount": 5.0, "Unit": "None", "ExtendedStatistics": {"p100": 5.0}}
        answer = c.metrics("GetMetricStatistics", StartTime=now, EndTime=now + 60, **asked)
        self.assertEqual(answer, {"Label": "m", "Datapoints": [{"Timestamp": now, **expected}]})
        status, _, answer = c.cbor("GetMetricStatistics", {"StartTime": (now,), "EndTime": (now + 60,), **asked})
        self.assertEqual((status, answer), (200, {"Label": "m", "Datapoints": [{"Timestamp": (now,), **expected}]}))
        instant = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
        status, _, body = c.query("GetMetricStatistics", Namespace="shop", MetricName="m", Period="60", StartTime=instant.isoformat(),
                                  EndTime=(instant + datetime.timedelta(minutes=1)).isoformat(), **{
                                      "Statistics.member.1": "Sum", "Dimensions.member.1.Name": "Shop", "Dimensions.member.1.Value": "7"})
        root = ElementTree.fromstring(body)
        self.assertEqual(root.find(f".//{SPACE}Sum").text, "17.0")
        self.assertEqual(root.find(f".//{SPACE}Timestamp").text, instant.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        # Errors
        with self.assertRaises(ApiError) as caught:
            c.metrics("PutMetricData", Namespace="AWS/x", MetricData=[{"MetricName": "m", "Value": 1}])
        self.assertEqual((caught.exception.status, caught.exception.code), (400, "InvalidParameterValueException"))
        status, headers, _ = c.raw("{}", {"X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData", "Content-Type": "application/x-amz-json-1.0",
                                          "x-amzn-query-mode": "true"})
        self.assertEqual((status, headers["x-amzn-query-error"]), (400, "MissingParameter;Sender"))
        status, _, body = c.query("SetAlarmState", AlarmName="<none>", StateValue="OK", StateReason="r")
        root = ElementTree.fromstring(body)
        self.assertEqual((status, root.find(f".//{SPACE}Code").text), (404, "ResourceNotFound"))
        self.assertIn("<none>", root.find(f".//{SPACE}Message").text)
        status, headers, answer = c.cbor("DescribeNothing", {})
        self.assertEqual((status, answer["__type"].split("#")[-1]), (400, "UnknownOperationException"))
        status, _, _ = c.raw(b"\x81" * 100000, {"smithy-protocol": "rpc-v2-cbor"}, "/service/GraniteServiceVersion20100801/operation/PutMetricData")
        self.assertEqual(status, 400)
        # Compressed, as clients send what is large; a small body that becomes huge is refused.
        data = [{"MetricName": f"z{n}", "Value": n} for n in range(800)]
        zipped = {"X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData", "Content-Encoding": "gzip", "Content-Type": "application/x-amz-json-1.0"}
        status, _, body = c.raw(gzip.compress(json.dumps({"Namespace": "zip", "MetricData": data}).encode()), zipped)
        self.assertEqual(status, 200, body)
        self.assertEqual(c.sums("zip", "z799"), 799)
        names, token = set(), {}
        while True:
            page = c.metrics("ListMetrics", Namespace="zip", **token)
            names |= {m["MetricName"] for m in page["Metrics"]}
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        self.assertEqual(len(names), 800)
        status, _, body = c.raw(gzip.compress(b" " * (40 << 20)), zipped)
        self.assertEqual(status, 400, body)
        self.assertIn(b"larger than", body)

    def test_boto3(self):
        self.serve()
        (client,) = self.clients("cloudwatch")
        now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
        client.put_metric_data(Namespace="shop", MetricData=[
            {"MetricName": "m", "Dimensions": [{"Name": "Shop", "Value": "north"}], "Timestamp": now, "Values": [float(n) for n in range(1, 101)],
             "Counts": [1.0] * 100, "Unit": "Milliseconds"}] + [{"MetricName": f"wide-{n}", "Value": float(n), "Timestamp": now} for n in range(400)])
        self.assertEqual(client.list_metrics(Namespace="shop", MetricName="m")["Metrics"][0]["Dimensions"], [{"Name": "Shop", "Value": "north"}])
        self.assertEqual(sum(len(page["Metrics"]) for page in client.get_paginator("list_metrics").paginate(Namespace="shop")), 401)
        answer = client.get_metric_statistics(Namespace="shop", MetricName="m", Dimensions=[{"Name": "Shop", "Value": "north"}], StartTime=now,
                                              EndTime=now + datetime.timedelta(minutes=1), Period=60, Statistics=["Sum", "Average"],
                                              ExtendedStatistics=["p90"], Unit="Milliseconds")
        (point,) = answer["Datapoints"]
        self.assertEqual((point["Timestamp"], point["Sum"], point["Average"], point["Unit"]), (now, 5050.0, 50.5, "Milliseconds"))
        self.assertAlmostEqual(point["ExtendedStatistics"]["p90"], 90, delta=1)
        data = client.get_metric_data(StartTime=now, EndTime=now + datetime.timedelta(minutes=1), MetricDataQueries=[
            {"Id": "e", "Expression": "m / 50", "Label": "Half"},
            {"Id": "m", "ReturnData": False, "MetricStat": {"Metric": {"Namespace": "shop", "MetricName": "m", "Dimensions": [
                {"Name": "Shop", "Value": "north"}]}, "Period": 60, "Stat": "Sum"}}])["MetricDataResults"]
        self.assertEqual([(r["Id"], r["Label"], r["Timestamps"], r["Values"]) for r in data], [("e", "Half", [now], [101.0])])
        client.put_metric_alarm(AlarmName="a", Namespace="shop", MetricName="m", ExtendedStatistic="p99", Period=60, EvaluationPeriods=3,
                                DatapointsToAlarm=2, Threshold=10, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
                                Dimensions=[{"Name": "Shop", "Value": "north"}], Tags=[{"Key": "team", "Value": "ops"}])
        client.put_composite_alarm(AlarmName="c", AlarmRule='ALARM("a") OR ALARM("a")')
        (alarm,) = client.describe_alarms()["MetricAlarms"]
        self.assertIsInstance(alarm["StateUpdatedTimestamp"], datetime.datetime)
        self.assertEqual((alarm["ExtendedStatistic"], alarm["DatapointsToAlarm"], alarm["Threshold"]), ("p99", 2, 10.0))
        self.assertEqual(client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"], [{"Key": "team", "Value": "ops"}])
        client.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="tried")
        self.assertEqual(client.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]["StateValue"], "ALARM")
        self.assertEqual(client.describe_alarms_for_metric(Namespace="shop", MetricName="m", Dimensions=[{"Name": "Shop", "Value": "north"}])["MetricAlarms"][0]["AlarmName"], "a")
        history = client.describe_alarm_history(AlarmName="a", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
        self.assertEqual(history[0]["HistorySummary"], "Alarm updated from INSUFFICIENT_DATA to ALARM")
        self.assertIsInstance(history[0]["Timestamp"], datetime.datetime)
        for call, name in ((lambda: client.set_alarm_state(AlarmName="x", StateValue="OK", StateReason="r"), "ResourceNotFound"),
                           (lambda: client.put_metric_data(Namespace="AWS/x", MetricData=[{"MetricName": "m", "Value": 1}]), "InvalidParameterValueException")):
            with self.assertRaises(getattr(client.exceptions, name)):
                call()
        client.disable_alarm_actions(AlarmNames=["a"])
        client.enable_alarm_actions(AlarmNames=["a"])
        client.delete_alarms(AlarmNames=["c", "a"])
        self.assertEqual(client.describe_alarms()["MetricAlarms"], [])

    def test_aws_cli(self):
        if not shutil.which("aws"):
            self.skipTest("the AWS command line is not there")
        self.serve()
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": ""}

        def aws(*arguments):
            done = subprocess.run(["aws", "--endpoint-url", self.server.url, "--output", "json", "cloudwatch", *arguments],
                                  capture_output=True, text=True, timeout=60, check=False, env=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout) if done.stdout.strip() else {}

        aws("put-metric-data", "--namespace", "shop", "--metric-name", "m", "--value", "7", "--dimensions", "Shop=north")
        self.assertEqual(aws("list-metrics", "--namespace", "shop")["Metrics"][0]["MetricName"], "m")
        now = datetime.datetime.now(datetime.timezone.utc)
        points = aws("get-metric-statistics", "--namespace", "shop", "--metric-name", "m", "--dimensions", "Name=Shop,Value=north", "--start-time",
                     (now - datetime.timedelta(hours=1)).isoformat(), "--end-time", (now + datetime.timedelta(minutes=5)).isoformat(), "--period", "60",
                     "--statistics", "Maximum")["Datapoints"]
        self.assertEqual([p["Maximum"] for p in points], [7.0])
        aws("put-metric-alarm", "--alarm-name", "a", "--namespace", "shop", "--metric-name", "m", "--statistic", "Sum", "--period", "60",
            "--evaluation-periods", "1", "--threshold", "5", "--comparison-operator", "GreaterThanThreshold")
        aws("set-alarm-state", "--alarm-name", "a", "--state-value", "ALARM", "--state-reason", "tried")
        self.assertEqual(aws("describe-alarms")["MetricAlarms"][0]["StateValue"], "ALARM")

    # ---- Alarms

    def test_alarms(self):
        """A metric crosses its threshold: the alarm tells topic, queue, function, state machine and bus, once; and back again."""
        folder = self.home / "functions" / "note"
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text(
            "import json\ndef handler(event, context):\n"
            f"    open({str(self.directory / 'noted')!r}, 'a').write(json.dumps(event) + '\\n')\n", encoding="utf-8")
        c = self.serve()
        url, queue = self.queue("direct")
        topic_url, topic_queue = self.queue("by-topic")
        bus_url, bus_queue = self.queue("by-bus")
        topic = arn("sns", "ops")
        for form in ({"Action": "CreateTopic", "Name": "ops"},
                     {"Action": "Subscribe", "TopicArn": topic, "Protocol": "sqs", "Endpoint": topic_queue}):
            status, _, body = c.raw(urlencode({"Version": "2010-03-31", **form}), {"Content-Type": "application/x-www-form-urlencoded"})
            self.assertEqual(status, 200, body)
        c.events("PutRule", Name="r", EventPattern='{"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM", "OK"]}}}')
        c.events("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": bus_queue}])
        repair = self.machine("repair")
        c.alarm("busy", AlarmActions=[topic, queue, repair, arn("lambda", "function:note")], OKActions=[queue])
        self.wait_for(lambda: c.state("busy") == "OK", "the first evaluation")
        c.put(9, StorageResolution=1)
        self.wait_for(lambda: "Alarm updated from OK to ALARM" in c.changes("busy"), "the alarm")
        self.wait_for(lambda: c.changes("busy")[-1] == "Alarm updated from ALARM to OK", "its end")
        self.assertEqual(c.changes("busy"), ["Alarm updated from INSUFFICIENT_DATA to OK", "Alarm updated from OK to ALARM", "Alarm updated from ALARM to OK"])
        self.wait_for(lambda: (self.directory / "noted").exists(), "the function")
        direct = self.received(url)
        # The first change had nothing to do but its own OK action.
        self.assertEqual([e["detail"]["state"]["value"] for e in direct], ["OK", "ALARM", "OK"])
        event = direct[1]
        self.assertEqual((event["source"], event["detail-type"], event["resources"]),
                         ("aws.cloudwatch", "CloudWatch Alarm State Change", [arn("cloudwatch", "alarm:busy")]))
        self.assertIn("was greater than the threshold (5.0)", event["detail"]["state"]["reason"])
        (envelope,) = self.received(topic_url)
        self.assertEqual(envelope["Subject"], 'ALARM: "busy" in us-east-1')
        message = json.loads(envelope["Message"])
        self.assertEqual((message["AlarmName"], message["NewStateValue"], message["Trigger"]["MetricName"]), ("busy", "ALARM", "m"))
        on_bus = self.received(bus_url)
        self.assertEqual([e["id"] for e in on_bus], [e["id"] for e in direct])
        (execution,) = self.server.call("ListExecutions", stateMachineArn=repair)["executions"]
        started = json.loads(self.server.call("DescribeExecution", executionArn=execution["executionArn"])["input"])
        self.assertEqual(started, event)
        noted = [json.loads(line) for line in (self.directory / "noted").read_text(encoding="utf-8").splitlines()]
        self.assertEqual([(n["alarmData"]["alarmName"], n["alarmData"]["state"]["value"]) for n in noted], [("busy", "ALARM")])
        self.wait_for(lambda: len(c.metrics("DescribeAlarmHistory", AlarmName="busy", HistoryItemType="Action")["AlarmHistoryItems"]) == 6, "its actions' lines")
        # Composite ones tell, too.
        c.metrics("PutCompositeAlarm", AlarmName="any", AlarmRule="ALARM(busy)", AlarmActions=[queue])
        c.metrics("SetAlarmState", AlarmName="busy", StateValue="ALARM", StateReason="tried")
        self.wait_for(lambda: "Alarm updated from OK to ALARM" in c.changes("any") or "Alarm updated from INSUFFICIENT_DATA to ALARM" in c.changes("any"), "the composite alarm")
        self.assertIn("any", [e["detail"]["alarmName"] for e in self.received(url)])

    def test_engine(self):
        """What executions do is in AWS/States, per state machine, and alarms watch it."""
        c = self.serve("--set", "monitoring.interval=200")
        good, bad = self.machine("good"), self.machine("bad", {"Type": "Fail", "Error": "E"})
        for _ in range(5):
            self.server.call("StartExecution", stateMachineArn=good)
        for _ in range(3):
            self.server.call("StartExecution", stateMachineArn=bad)
        of_good, of_bad = [("StateMachineArn", good)], [("StateMachineArn", bad)]
        self.wait_for(lambda: c.sums("AWS/States", "ExecutionsSucceeded", dimensions=of_good) == 5, "the metrics")
        self.assertEqual(c.sums("AWS/States", "ExecutionsStarted", dimensions=of_good), 5)
        self.wait_for(lambda: c.sums("AWS/States", "ExecutionsFailed", dimensions=of_bad) == 3, "the failures")
        self.assertEqual(c.sums("AWS/States", "ExecutionTime", "SampleCount", dimensions=of_bad), 3)
        self.assertEqual(c.sums("AWS/States", "ExecutionsFailed", dimensions=of_good), 0)
        c.alarm("failing", Namespace="AWS/States", MetricName="ExecutionsFailed", Dimensions=[{"Name": "StateMachineArn", "Value": bad}],
                Period=60, Threshold=0)
        shown = c.metrics("DescribeAlarmsForMetric", Namespace="AWS/States", MetricName="ExecutionsFailed",
                          Dimensions=[{"Name": "StateMachineArn", "Value": bad}])["MetricAlarms"]
        self.assertEqual([a["AlarmName"] for a in shown], ["failing"])
        # Stopped and started again: nothing of it is lost when the server ends as it should.
        self.server.call("StartExecution", stateMachineArn=good)
        self.server.stop()
        c = self.serve()
        self.assertEqual(c.sums("AWS/States", "ExecutionsSucceeded", dimensions=of_good), 6)
        # Tasks put and get metrics, too.
        put = self.machine("put", {"Type": "Task", "End": True, "Resource": "arn:aws:states:::aws-sdk:cloudwatch:putMetricData", "Parameters": {
            "Namespace": "flow", "MetricData": [{"MetricName": "done", "Value": 3}]}})
        for _ in range(2):
            self.server.call("StartExecution", stateMachineArn=put)
        self.wait_for(lambda: c.sums("flow", "done") == 6, "what tasks put")

    def test_endpoint(self):
        """What an endpoint is asked, what that took, and how it failed, is in AWS/SageMaker."""
        objects = self.home / "objects/b/train"
        objects.mkdir(parents=True)
        (objects / "data.csv").write_text("\n".join(f"{n % 2},{n % 2},{n % 7}" for n in range(200)), encoding="utf-8")
        c = self.serve("--set", "monitoring.interval=200")

        def ask(operation, **parameters):
            return c.target("SageMaker." + operation, "1.1", **parameters)
        ask("CreateTrainingJob", TrainingJobName="t", AlgorithmSpecification={"TrainingImage": "xgboost"}, OutputDataConfig={"S3OutputPath": "s3://b/models"},
            HyperParameters={"objective": "binary:logistic", "num_round": "3"}, InputDataConfig=[
                {"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/train"}}}])
        self.wait_for(lambda: ask("DescribeTrainingJob", TrainingJobName="t")["TrainingJobStatus"] == "Completed", "the training")
        model = ask("DescribeTrainingJob", TrainingJobName="t")["ModelArtifacts"]["S3ModelArtifacts"]
        ask("CreateModel", ModelName="m", PrimaryContainer={"ModelDataUrl": model})
        ask("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[{"VariantName": "v", "ModelName": "m"}])
        ask("CreateEndpoint", EndpointName="e", EndpointConfigName="c")

        def invoke(row):
            return c.raw(row, {"Content-Type": "text/csv"}, "/endpoints/e/invocations")[0]
        self.wait_for(lambda: invoke("1,2") == 200, "the endpoint")
        good = 1
        for n in range(20):
            self.assertEqual(invoke(f"{n % 2},{n % 7}"), 200)
            good += 1
        for _ in range(4):
            self.assertEqual(invoke("1,2,3,4,5"), 424)
        of = {"space": "AWS/SageMaker", "dimensions": [("EndpointName", "e"), ("VariantName", "v")]}
        self.wait_for(lambda: c.sums(name="Invocations", **of) >= good + 4, "the metrics")
        requests = c.sums(name="Invocations", **of)
        self.assertEqual(c.sums(name="Invocation4XXErrors", **of), requests - good)
        self.assertEqual(c.sums(name="Invocation5XXErrors", **of), 0)
        self.assertEqual(c.sums(name="ModelLatency", statistic="SampleCount", **of), requests)
        slowest, p50 = c.sums(name="ModelLatency", statistic="Maximum", period=3600, **of), c.sums(name="ModelLatency", statistic="p50", period=3600, **of)
        self.assertTrue(0 < p50 <= slowest < 5e6, (p50, slowest))
        self.assertGreater(c.sums(name="OverheadLatency", **of), 0)

    def test_command(self):
        c = self.serve()
        for value in (1, 5, 3):
            self.call("metrics", "put", "shop", "m", value, "-d", "Shop=north")
        self.assertIn("Shop=north", self.call("metrics", "list", "shop").stdout)
        shown = self.call("metrics", "get", "shop", "m", "-d", "Shop=north", "-s", "Sum").stdout
        self.assertIn("shop m Sum", shown)
        points = json.loads(self.call("metrics", "get", "shop", "m", "-d", "Shop=north", "-s", "Sum", "--json").stdout)["points"]
        self.assertEqual(sum(p["value"] for p in points), 9)
        self.assertIn("no values", self.call("metrics", "get", "shop", "other").stdout)
        c.alarm("busy", TreatMissingData="ignore", AlarmDescription="too many", AlarmActions=[arn("sns", "ops")])
        self.call("alarms", "set", "busy", "ALARM", "--reason", "tried")
        self.assertIn("busy", self.call("alarms", "list", "--state", "ALARM").stdout)
        shown = self.call("alarms", "show", "busy").stdout
        self.assertIn("Sum(shop m) > 5 in 1 of 1", shown)
        self.assertIn("tells   " + arn("sns", "ops"), shown)
        self.assertIn("there is no alarm 'nobody'", self.call("alarms", "show", "nobody", code=2).stderr)
        self.assertIn("NAME=VALUE", self.call("metrics", "get", "shop", "m", "-d", "Shop", code=2).stderr)

    # ---- Crashes

    def test_crash_loop(self):
        """Killed again and again: no acknowledged value is lost or counted twice, and each change of an alarm is one event."""
        rounds = int(os.environ.get("MILLRACE_METRIC_ROUNDS", "4"))
        seed = int(os.environ.get("MILLRACE_METRIC_SEED", str(random.randrange(1 << 30))))
        print("seed", seed, flush=True)
        chance = random.Random(seed)
        c = self.serve()
        url, queue = self.queue("changes")
        c.events("PutRule", Name="r", EventPattern='{"source": ["aws.cloudwatch"]}')
        c.events("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": queue}])
        # An alarm that nothing evaluates meanwhile: its states are set.
        c.alarm("a", Period=86400, TreatMissingData="ignore")
        acknowledged, sent, lock = 0, 0, threading.Lock()
        for _ in range(rounds):
            until, going, caller = time.monotonic() + 0.3 + chance.random(), True, self.caller

            def put(states):
                nonlocal acknowledged, sent
                n = 0
                while going:
                    n += 1
                    with lock:
                        sent += 1
                    try:
                        caller.put(1)
                        if states:
                            caller.metrics("SetAlarmState", AlarmName="a", StateValue=("ALARM", "OK")[n % 2], StateReason=f"try {n}")
                    except (*LOST, ApiError):
                        continue
                    with lock:
                        acknowledged += 1

            threads = [threading.Thread(target=put, args=(n == 0,)) for n in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(max(0, until - time.monotonic()))
            self.server.process.kill()
            going = False
            for thread in threads:
                thread.join()
            self.server.kill()
            c = self.serve()
        total = c.sums()
        self.assertLessEqual(acknowledged, total)
        self.assertLessEqual(total, sent)
        history, token = [], {}
        while True:
            page = c.metrics("DescribeAlarmHistory", AlarmName="a", HistoryItemType="StateUpdate", ScanBy="TimestampAscending", **token)
            history += [json.loads(i["HistoryData"])["newState"] for i in page["AlarmHistoryItems"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        events = []
        self.wait_for(lambda: events.extend(self.received(url)) or len(events) >= len(history), "an event for each change", 60)
        time.sleep(0.5)
        events += self.received(url)
        self.assertEqual(len({e["id"] for e in events}), len(events), "an event came twice")
        self.assertEqual(sorted((e["detail"]["state"]["value"], e["detail"]["state"]["reason"]) for e in events),
                         sorted((h["stateValue"], h["stateReason"]) for h in history))
        print(f"{rounds} kills, {acknowledged} of {sent} values acknowledged, {total:.0f} there; {len(history)} changes, one event each", flush=True)


if __name__ == "__main__":
    program.main()
