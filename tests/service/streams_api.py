#!/usr/bin/env python3
"""Streams and who reads them, through `millrace serve`: Kinesis, event source mappings, pipes, Firehose; kill -9 included.

Usage: streams_api.py MILLRACE [CASE...]; MILLRACE_STREAM_ROUNDS: kills of the crash loop (default 4).
"""

import base64
import gzip
import http.client
import json
import math
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

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
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/"


def b64(value):
    return base64.b64encode((value if isinstance(value, str) else json.dumps(value)).encode()).decode()


class Caller:
    """Calls of one server, each on a connection of its own."""

    def __init__(self, server):
        self.port = server.port

    def request(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
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

    def target(self, name, version, parameters):
        return self.request("POST", "/", parameters, {"X-Amz-Target": name, "Content-Type": "application/x-amz-json-" + version})

    def kinesis(self, operation, **parameters):
        return self.target("Kinesis_20131202." + operation, "1.1", parameters)

    def firehose(self, operation, **parameters):
        return self.target("Firehose_20150804." + operation, "1.1", parameters)

    def queues(self, operation, **parameters):
        return self.target("AmazonSQS." + operation, "1.0", parameters)

    def rest(self, method, path, **body):
        return self.request(method, path, body or None, {"Content-Type": "application/json"})

    def put(self, stream, *records):
        return self.kinesis("PutRecords", StreamName=stream,
                            Records=[{"PartitionKey": key, "Data": b64(data)} for key, data in records])

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))


def sensor_rows(count, planted, seed=3):
    """Readings of one pump, with odd ones at the planted places."""
    chance = random.Random(seed)
    for i in range(count):
        phase = 2 * math.pi * (i % 60) / 60
        row = {"n": i, "temperature": 60 + 5 * math.sin(phase) + chance.gauss(0, 0.4), "pressure": 3 + 0.5 * math.cos(phase) + chance.gauss(0, 0.04)}
        if i in planted:
            row["temperature" if i % 2 else "pressure"] *= 1.9
        yield row


class Streams(Case):
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

    def machine(self, name, states=None):
        return self.server.call("CreateStateMachine", name=name, roleArn=ROLE, definition=json.dumps(
            {"StartAt": "Done", "States": states or {"Done": {"Type": "Pass", "End": True}}}))["stateMachineArn"]

    def inputs(self, machine):
        """The inputs of all executions, each a list of events; executions by name once."""
        found, token = [], {}
        while True:
            page = self.server.call("ListExecutions", stateMachineArn=machine, maxResults=1000, **token)
            found += page["executions"]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        return [json.loads(self.server.call("DescribeExecution", executionArn=e["executionArn"])["input"]) for e in found]

    def function(self, name, source):
        folder = self.home / "functions" / name
        folder.mkdir(parents=True)
        (folder / "lambda_function.py").write_text(source, encoding="utf-8")

    def wait_for(self, condition, what, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        self.fail(f"not within {seconds} s: {what}; the log: " + (self.directory / "log").read_text(encoding="utf-8")[-1500:])

    def pipe(self, name, stream, target, **more):
        parameters = {"BatchSize": 10, "StartingPosition": "TRIM_HORIZON", **more.pop("source", {})}
        body = {"Source": STREAM + stream, "Target": target, "RoleArn": ROLE, **more}
        body["SourceParameters"] = {"KinesisStreamParameters": parameters, **body.get("SourceParameters", {})}
        return self.caller.rest("POST", "/v1/pipes/" + name, **body)

    # ---- Kinesis

    def test_boto3(self):
        if boto3 is None:
            self.skipTest("skipped: boto3 is not there")
        self.serve()
        how = dict(endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        kinesis = boto3.client("kinesis", **how)
        kinesis.create_stream(StreamName="s", ShardCount=2)
        kinesis.get_waiter("stream_exists").wait(StreamName="s")
        put = kinesis.put_records(StreamName="s", Records=[{"Data": bytes([i]), "PartitionKey": str(i)} for i in range(50)])
        self.assertEqual(put["FailedRecordCount"], 0)
        seen = []
        for shard in kinesis.list_shards(StreamName="s")["Shards"]:
            at = kinesis.get_shard_iterator(StreamName="s", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            got = kinesis.get_records(ShardIterator=at)
            self.assertEqual(got["MillisBehindLatest"], 0)
            self.assertLess(abs(got["Records"][0]["ApproximateArrivalTimestamp"].timestamp() - time.time()), 60)
            seen += [r["Data"] for r in got["Records"]]
        self.assertEqual(sorted(seen), [bytes([i]) for i in range(50)])
        with self.assertRaises(kinesis.exceptions.ResourceNotFoundException):
            kinesis.describe_stream(StreamName="none")
        functions, pipes, firehose = (boto3.client(service, **how) for service in ("lambda", "pipes", "firehose"))
        mapping = functions.create_event_source_mapping(EventSourceArn=STREAM + "s", FunctionName="f", StartingPosition="LATEST", Enabled=False)
        self.assertEqual((mapping["State"], mapping["BatchSize"]), ("Disabled", 100))
        self.assertEqual(functions.list_event_source_mappings(FunctionName="f")["EventSourceMappings"][0]["UUID"], mapping["UUID"])
        self.assertEqual(functions.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=7)["BatchSize"], 7)
        with self.assertRaises(functions.exceptions.ResourceConflictException):
            functions.create_event_source_mapping(EventSourceArn=STREAM + "s", FunctionName="f", StartingPosition="LATEST")
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
        with self.assertRaises(functions.exceptions.ResourceNotFoundException):
            functions.get_event_source_mapping(UUID=mapping["UUID"])
        pipes.create_pipe(Name="p", RoleArn=ROLE, Source=STREAM + "s", Target=f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m",
                          DesiredState="STOPPED", SourceParameters={"KinesisStreamParameters": {"StartingPosition": "LATEST"}})
        self.assertEqual(pipes.describe_pipe(Name="p")["CurrentState"], "STOPPED")
        self.assertEqual(pipes.start_pipe(Name="p")["DesiredState"], "RUNNING")
        self.assertEqual([p["Name"] for p in pipes.list_pipes()["Pipes"]], ["p"])
        pipes.delete_pipe(Name="p")
        with self.assertRaises(pipes.exceptions.NotFoundException):
            pipes.describe_pipe(Name="p")
        firehose.create_delivery_stream(DeliveryStreamName="d", ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::out", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}})
        self.assertEqual(firehose.put_record_batch(DeliveryStreamName="d", Records=[{"Data": b"x"}])["FailedPutCount"], 0)
        self.assertEqual(firehose.describe_delivery_stream(DeliveryStreamName="d")["DeliveryStreamDescription"]["DeliveryStreamStatus"], "ACTIVE")
        self.assertEqual(firehose.list_delivery_streams()["DeliveryStreamNames"], ["d"])
        firehose.delete_delivery_stream(DeliveryStreamName="d")

    def test_aws_cli(self):
        program_of_aws = shutil.which("aws")
        if not program_of_aws:
            self.skipTest("skipped: the AWS command line is not there")
        self.serve()

        def aws(*arguments):
            done = subprocess.run([program_of_aws, "--endpoint-url", self.server.url, *arguments], capture_output=True, text=True, timeout=60, check=False,
                                  env=dict(os.environ, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="us-east-1", AWS_PAGER=""))
            if done.returncode != 0 and "command not found" in done.stderr:
                self.skipTest("skipped: the AWS command line does not run")
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout or "{}")
        aws("kinesis", "create-stream", "--stream-name", "s", "--shard-count", "1")
        aws("kinesis", "wait", "stream-exists", "--stream-name", "s")
        put = aws("kinesis", "put-record", "--stream-name", "s", "--partition-key", "k", "--data", "aGVsbG8=")
        at = aws("kinesis", "get-shard-iterator", "--stream-name", "s", "--shard-id", put["ShardId"], "--shard-iterator-type", "TRIM_HORIZON")["ShardIterator"]
        got = aws("kinesis", "get-records", "--shard-iterator", at)["Records"]
        self.assertEqual(got[0]["SequenceNumber"], put["SequenceNumber"])
        self.assertIn(got[0]["Data"], ("aGVsbG8=", b64("aGVsbG8=")))  # its first version takes text, its second Base64
        aws("kinesis", "split-shard", "--stream-name", "s", "--shard-to-split", put["ShardId"], "--new-starting-hash-key", "5")
        self.assertEqual(len(aws("kinesis", "list-shards", "--stream-name", "s")["Shards"]), 3)

    def test_cbor(self):
        """Clients that send CBOR get it back: blobs as bytes, times as milliseconds with tag 1."""
        c = self.serve()
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)

        def item(value):
            if isinstance(value, bytes):
                return bytes([0x40 + len(value)]) + value
            if isinstance(value, str):
                text = value.encode()
                return (bytes([0x60 + len(text)]) if len(text) < 24 else b"\x79" + len(text).to_bytes(2, "big")) + text
            return bytes([0xA0 + len(value)]) + b"".join(item(k) + item(v) for k, v in value.items())

        def ask(operation, value):
            connection = http.client.HTTPConnection("127.0.0.1", c.port, timeout=30)
            connection.request("POST", "/", item(value), {"X-Amz-Target": "Kinesis_20131202." + operation, "Content-Type": "application/x-amz-cbor-1.1"})
            response = connection.getresponse()
            body = response.read()
            connection.close()
            self.assertEqual(response.getheader("Content-Type"), "application/x-amz-cbor-1.1")
            return response.status, body
        status, body = ask("PutRecord", {"StreamName": "s", "PartitionKey": "k", "Data": b"\x00\xff"})
        self.assertEqual(status, 200)
        self.assertIn(item("shardId-000000000000"), body)
        at = c.kinesis("GetShardIterator", StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        status, body = ask("GetRecords", {"ShardIterator": at})
        self.assertEqual(status, 200)
        self.assertIn(item("Data") + b"\x42\x00\xff", body)
        place = body.index(b"ApproximateArrivalTimestamp") + len("ApproximateArrivalTimestamp")
        self.assertEqual(body[place:place + 2], b"\xc1\x1b")
        self.assertLess(abs(int.from_bytes(body[place + 2:place + 10], "big") / 1000 - time.time()), 60)
        status, body = ask("PutRecord", {"StreamName": "none", "PartitionKey": "k", "Data": b""})
        self.assertEqual(status, 400)
        self.assertIn(b"ResourceNotFoundException", body)

    def test_refusals(self):
        c = self.serve()
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        cases = [
            (lambda: c.rest("POST", "/2015-03-31/event-source-mappings/", FunctionName="f", EventSourceArn=STREAM + "s"), 400, "InvalidParameterValueException"),
            (lambda: c.rest("POST", "/2015-03-31/event-source-mappings/", FunctionName="f", EventSourceArn="arn:aws:s3:::b"), 400, "InvalidParameterValueException"),
            (lambda: c.rest("GET", "/2015-03-31/event-source-mappings/none"), 404, "ResourceNotFoundException"),
            (lambda: c.rest("POST", "/v1/pipes/p", Source=STREAM + "s", Target="arn:aws:ec2:us-east-1:1:x"), 400, "ValidationException"),
            (lambda: c.rest("POST", "/v1/pipes/p", Source=STREAM + "s"), 400, "ValidationException"),
            (lambda: self.pipe("p", "s", self.machine("m"), Enrichment="arn:aws:millrace:::random-cut-forest"), 400, "ValidationException"),
            (lambda: self.pipe("p", "s", self.machine("m"), SourceParameters={"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}), 400, "ValidationException"),
            (lambda: c.rest("POST", "/v1/pipes/none/start"), 404, "NotFoundException"),
            (lambda: c.firehose("PutRecord", DeliveryStreamName="none", Record={"Data": "eA=="}), 400, "ResourceNotFoundException"),
            (lambda: c.firehose("CreateDeliveryStream", DeliveryStreamName="d"), 400, "InvalidArgumentException"),
            (lambda: c.firehose("CreateDeliveryStream", DeliveryStreamName="d", ExtendedS3DestinationConfiguration={
                "BucketARN": "arn:aws:s3:::b", "CompressionFormat": "ZIP"}), 400, "InvalidArgumentException"),
        ]
        for number, (call, status, code) in enumerate(cases):
            with self.assertRaises(ApiError, msg=number) as raised:
                call()
            self.assertEqual((raised.exception.status, raised.exception.code), (status, code), (number, str(raised.exception)))

    def test_workflow_puts(self):
        """A task puts text as it is, and JSON as its text; what is refused has its class."""
        c = self.serve()
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        put = "arn:aws:states:::aws-sdk:kinesis:putRecord"
        machine = self.machine("m", {
            "Done": {"Type": "Task", "Resource": put, "Parameters": {"StreamName": "s", "PartitionKey": "k", "Data.$": "$.row"}, "ResultPath": "$.put", "Next": "Many"},
            "Many": {"Type": "Task", "Resource": put + "s", "Parameters": {"StreamName": "s", "Records": [{"PartitionKey": "k", "Data": "text"}]},
                     "ResultPath": "$.many", "Next": "None"},
            "None": {"Type": "Task", "Resource": put, "Parameters": {"StreamName": "none", "PartitionKey": "k", "Data": "x"},
                     "Catch": [{"ErrorEquals": ["Kinesis.ResourceNotFoundException"], "ResultPath": "$.error", "Next": "End"}], "End": True},
            "End": {"Type": "Pass", "End": True}})
        execution = self.server.call("StartExecution", stateMachineArn=machine, input=json.dumps({"row": {"n": 1}}))["executionArn"]
        described = lambda: self.server.call("DescribeExecution", executionArn=execution)
        self.wait_for(lambda: described()["status"] != "RUNNING", "the execution")
        self.assertEqual(described()["status"], "SUCCEEDED", described())
        output = json.loads(described()["output"])
        self.assertEqual(output["put"]["ShardId"], "shardId-000000000000")
        self.assertEqual(output["many"]["FailedRecordCount"], 0)
        self.assertIn("Stream none under account", output["error"]["Cause"])
        at = c.kinesis("GetShardIterator", StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        got = [base64.b64decode(r["Data"]).decode() for r in c.kinesis("GetRecords", ShardIterator=at)["Records"]]
        self.assertEqual(got, ['{"n":1}', "text"])

    # ---- Consumers

    def test_mapping(self):
        """A function gets batches, filtered; a poisoned record is found by halving and told to a queue."""
        c = self.serve()
        self.function("collect", """
import base64, json, os
def lambda_handler(event, context):
    rows = [json.loads(base64.b64decode(r["kinesis"]["data"])) for r in event["Records"]]
    if any(row["n"] == 13 for row in rows):
        raise ValueError("thirteen")
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "seen"), "a") as seen:
        seen.write("".join(f"{row['n']}\\n" for row in rows))
""")
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        c.queues("CreateQueue", QueueName="failed")
        c.rest("POST", "/2015-03-31/event-source-mappings/", FunctionName="collect", EventSourceArn=STREAM + "s", StartingPosition="TRIM_HORIZON",
               BatchSize=10, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1,
               FilterCriteria={"Filters": [{"Pattern": json.dumps({"data": {"kind": ["good"]}})}]},
               DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:failed"}})
        c.put("s", *[("k", {"n": n, "kind": "bad" if n % 5 == 0 else "good"}) for n in range(40)])
        wanted = [n for n in range(40) if n % 5 and n != 13]
        seen = lambda: [int(line) for line in (self.home / "seen").read_text().split()] if (self.home / "seen").exists() else []
        self.wait_for(lambda: set(wanted) <= set(seen()), "all records but the poisoned one")
        self.assertEqual(seen(), wanted)  # in order, each once
        message = self.wait_for(lambda: c.queues("ReceiveMessage", QueueUrl="failed").get("Messages"), "the failure")[0]
        told = json.loads(message["Body"])
        self.assertEqual(told["requestContext"]["condition"], "RetryAttemptsExhausted")
        self.assertEqual(told["KinesisBatchInfo"]["batchSize"], 1)
        self.assertEqual(self.wait_for(lambda: c.metrics().get('millrace_stream_incoming_records_total{stream="s"}'), "metrics"), "40")
        self.wait_for(lambda: [v for k, v in c.metrics().items() if k.startswith("millrace_stream_consumer_backlog_records")] == ["0"], "no backlog")

    def test_batch_item_failures(self):
        """What stands before the first failed record is done; it and what follows come again."""
        c = self.serve()
        self.function("some", """
import base64, os
calls = 0
def lambda_handler(event, context):
    global calls
    calls += 1
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "seen"), "a") as seen:
        for r in event["Records"]:
            text = base64.b64decode(r["kinesis"]["data"]).decode()
            if text == "3" and calls == 1:
                return {"batchItemFailures": [{"itemIdentifier": r["kinesis"]["sequenceNumber"]}]}
            seen.write(text + "\\n")
""")
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        c.put("s", *[("k", str(n)) for n in range(6)])
        c.rest("POST", "/2015-03-31/event-source-mappings/", FunctionName="some", EventSourceArn=STREAM + "s", StartingPosition="TRIM_HORIZON",
               FunctionResponseTypes=["ReportBatchItemFailures"])
        seen = lambda: (self.home / "seen").read_text().split() if (self.home / "seen").exists() else []
        self.wait_for(lambda: len(seen()) >= 6, "all records")
        self.assertEqual(seen(), [str(n) for n in range(6)])

    def test_parallel_calls_keep_keys_in_order(self):
        c = self.serve()
        self.function("slow", """
import base64, os, time
def lambda_handler(event, context):
    time.sleep(0.02)
    keys = {r["kinesis"]["partitionKey"] for r in event["Records"]}
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "seen"), "a") as seen:
        seen.write("".join(r["kinesis"]["partitionKey"] + " " + base64.b64decode(r["kinesis"]["data"]).decode() + "\\n" for r in event["Records"]))
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "calls"), "a") as calls:
        calls.write(f"{len(keys)}\\n")
""")
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        c.rest("POST", "/2015-03-31/event-source-mappings/", FunctionName="slow", EventSourceArn=STREAM + "s", StartingPosition="TRIM_HORIZON",
               BatchSize=40, ParallelizationFactor=4)
        for begin in range(0, 400, 100):
            c.put("s", *[(f"k{n % 9}", str(n)) for n in range(begin, begin + 100)])
        seen = lambda: [line.split() for line in (self.home / "seen").read_text().splitlines()] if (self.home / "seen").exists() else []
        self.wait_for(lambda: len(seen()) >= 400, "all records")
        by_key = {}
        for key, n in seen():
            by_key.setdefault(key, []).append(int(n))
        self.assertEqual(by_key, {f"k{k}": list(range(k, 400, 9)) for k in range(9)})
        calls = (self.home / "calls").read_text().split()
        self.assertGreater(len(calls), 20, "a batch of 40 is given to more than one call")

    def test_pipe_over_split(self):
        """Executions of a pipe have each record once, those of a key in their order, over a split and a merge."""
        c = self.serve()
        machine = self.machine("m")
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        self.pipe("p", "s", machine, TargetParameters={"InputTemplate": '{"key": <$.partitionKey>, "n": <$.data.n>}'})
        number = 0

        def put():
            nonlocal number
            for _ in range(5):
                c.put("s", *[(f"k{n % 7}", {"n": n}) for n in range(number, number + 20)])
                number += 20
        put()
        c.kinesis("SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey="170141183460469231731687303715884105728")
        put()
        c.kinesis("MergeShards", StreamName="s", ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002")
        put()
        found = lambda: [e for batch in self.inputs(machine) for e in batch]
        self.wait_for(lambda: len(found()) >= number, "all records")
        self.assertEqual(sorted(e["n"] for e in found()), list(range(number)))
        for batch in self.inputs(machine):
            numbers = [e["n"] for e in batch]
            self.assertEqual(numbers, sorted(numbers))

    def test_pipe_of_queue(self):
        c = self.serve()
        machine = self.machine("m")
        self.function("double", "def lambda_handler(event, context):\n    return [{'n': 2 * int(m['body'])} for m in event if int(m['body']) % 2]\n")
        c.queues("CreateQueue", QueueName="q")
        c.rest("POST", "/v1/pipes/p", Source=f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", Target=machine, RoleArn=ROLE,
               Enrichment=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:double", SourceParameters={"SqsQueueParameters": {"BatchSize": 5}})
        for n in range(10):
            c.queues("SendMessage", QueueUrl="q", MessageBody=str(n))
        found = lambda: sorted(e["n"] for batch in self.inputs(machine) for e in batch)
        self.wait_for(lambda: found() == [2, 6, 10, 14, 18], "what the enrichment lets through")
        left = lambda: c.queues("GetQueueAttributes", QueueUrl="q", AttributeNames=["All"])["Attributes"]
        self.wait_for(lambda: left()["ApproximateNumberOfMessages"] == left()["ApproximateNumberOfMessagesNotVisible"] == "0", "an empty queue")

    def test_stopped_pipe_goes_on(self):
        c = self.serve()
        machine = self.machine("m")
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        self.pipe("p", "s", machine)
        c.put("s", ("k", {"n": 1}))
        data = lambda: sorted(json.loads(base64.b64decode(e["data"]))["n"] for batch in self.inputs(machine) for e in batch)
        self.wait_for(lambda: data() == [1], "the first")
        c.rest("PUT", "/v1/pipes/p", Target=machine, Description="the same", RoleArn=ROLE, SourceParameters={"KinesisStreamParameters": {"BatchSize": 3}})
        described = c.rest("GET", "/v1/pipes/p")
        self.assertEqual(described["SourceParameters"]["KinesisStreamParameters"], {"BatchSize": 3, "StartingPosition": "TRIM_HORIZON"})
        c.rest("POST", "/v1/pipes/p/stop")
        c.put("s", ("k", {"n": 2}))
        time.sleep(0.5)
        self.assertEqual(data(), [1])
        c = self.again()
        c.rest("POST", "/v1/pipes/p/start")
        self.wait_for(lambda: data() == [1, 2], "the second, once")

    # ---- Delivery

    def objects(self, bucket):
        folder = self.home / "objects" / bucket
        return sorted(p for p in folder.rglob("*") if p.is_file()) if folder.exists() else []

    def test_delivery(self):
        c = self.serve()
        c.kinesis("CreateStream", StreamName="s", ShardCount=1)
        to = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::out", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
              "ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}]}}
        c.firehose("CreateDeliveryStream", DeliveryStreamName="d", DeliveryStreamType="KinesisStreamAsSource",
                   KinesisStreamSourceConfiguration={"KinesisStreamARN": STREAM + "s", "RoleARN": ROLE},
                   ExtendedS3DestinationConfiguration={**to, "Prefix": "rows/!{timestamp:yyyy/MM}/", "CompressionFormat": "GZIP"})
        c.firehose("CreateDeliveryStream", DeliveryStreamName="direct", ExtendedS3DestinationConfiguration={**to, "BucketARN": "arn:aws:s3:::other"})
        c.put("s", *[("k", {"n": n}) for n in range(100)])
        c.firehose("PutRecordBatch", DeliveryStreamName="direct", Records=[{"Data": b64({"n": n})} for n in range(7)])
        self.wait_for(lambda: self.objects("out") and self.objects("other"), "an object each")
        name = self.objects("out")[0].relative_to(self.home / "objects/out").as_posix()
        self.assertRegex(name, r"^rows/\d{4}/\d{2}/d-1-\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}-[0-9a-f-]{36}\.gz$")
        rows = [json.loads(line)["n"] for path in self.objects("out") for line in gzip.decompress(path.read_bytes()).splitlines()]
        self.assertEqual(rows, list(range(100)))
        self.assertRegex(self.objects("other")[0].relative_to(self.home / "objects/other").as_posix(), r"^\d{4}/\d{2}/\d{2}/\d{2}/direct-1-")
        self.assertEqual([json.loads(line)["n"] for line in self.objects("other")[0].read_text().splitlines()], list(range(7)))
        # A full buffer does not wait.
        c.put("s", *[("k", {"n": n, "pad": "x" * 20000}) for n in range(100, 160)])
        self.wait_for(lambda: len(self.objects("out")) >= 3, "a second and a third object")
        # Another prefix while records are on their way: each is in one object.
        for n in range(160, 220):
            c.put("s", ("k", {"n": n}))
            if n == 190:
                c.firehose("UpdateDestination", DeliveryStreamName="d", CurrentDeliveryStreamVersionId="1", DestinationId="destinationId-000000000001",
                           ExtendedS3DestinationUpdate={"Prefix": "more/", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}})
        everything = lambda: sorted(json.loads(line)["n"] for path in self.objects("out") for line in gzip.decompress(path.read_bytes()).splitlines())
        self.wait_for(lambda: len(everything()) >= 220, "all records")
        time.sleep(0.5)
        self.assertEqual(everything(), list(range(220)))
        self.assertTrue(list((self.home / "objects/out/more").rglob("*.gz")))
        with self.assertRaises(ApiError) as raised:
            c.firehose("UpdateDestination", DeliveryStreamName="d", CurrentDeliveryStreamVersionId="1", DestinationId="destinationId-000000000001",
                       ExtendedS3DestinationUpdate={"Prefix": "../x/"})
        self.assertEqual(raised.exception.code, "ConcurrentModificationException")
        with self.assertRaises(ApiError) as raised:
            c.firehose("UpdateDestination", DeliveryStreamName="d", CurrentDeliveryStreamVersionId="2", DestinationId="destinationId-000000000001",
                       ExtendedS3DestinationUpdate={"Prefix": "../x/"})
        self.assertEqual(raised.exception.code, "InvalidArgumentException")

    # ---- Anomalies

    def test_anomalies(self):
        """Planted anomalies each start a workflow once, whenever the server is killed, with the scores of a run that was not."""
        planted = {701, 1044, 1500, 1977}
        rows = list(sensor_rows(2400, planted))

        def run(kills):
            c = self.caller
            machine = self.machine("alarm")
            c.kinesis("CreateStream", StreamName="pump", ShardCount=1)
            self.pipe("watch", "pump", machine, source={"BatchSize": 50}, Enrichment="arn:aws:millrace:::random-cut-forest",
                      EnrichmentParameters={"InputTemplate": json.dumps({"Fields": ["temperature", "pressure"], "NumberOfTrees": 30, "Seed": 1})},
                      TargetParameters={"InputTemplate": '{"n": <$.data.n>, "anomaly": <$.anomaly>}'})
            for begin in range(0, len(rows), 200):
                c.put("pump", *[("p1", row) for row in rows[begin:begin + 200]])
                if begin // 200 in kills:
                    time.sleep(kills[begin // 200])
                    c = self.again(kill=True)
            found = lambda: {e["n"]: e["anomaly"] for batch in self.inputs(machine) for e in batch}
            self.wait_for(lambda: planted <= set(found()), f"{planted} of {set(found())}", 60)
            self.wait_for(lambda: [v for k, v in c.metrics().items() if k.startswith("millrace_stream_consumer_backlog")] == ["0"], "all read", 30)
            time.sleep(0.3)
            everything = [e["n"] for batch in self.inputs(machine) for e in batch]
            self.assertEqual(len(everything), len(set(everything)), "an anomaly started twice")
            return found()
        self.serve()
        calm = run({})
        self.server.stop()
        self.assertLessEqual(len(calm), len(planted) + 12, sorted(calm))
        for n in planted:
            field = "temperature" if n % 2 else "pressure"
            self.assertGreater(calm[n]["attribution"][field], 0.6, calm[n])
        shutil.rmtree(self.home)
        self.home.mkdir()
        self.serve()
        chance = random.Random(11)
        killed = run({k: chance.random() * 0.4 for k in (2, 4, 6, 9)})
        self.assertEqual(killed, calm)

    # ---- Crashes

    def test_crash_loop(self):
        """Killed again and again while putting and consuming: nothing acknowledged is lost, each record starts and is delivered once."""
        rounds = int(os.environ.get("MILLRACE_STREAM_ROUNDS", "4"))
        seed = int(os.environ.get("MILLRACE_STREAM_SEED", str(random.randrange(1 << 30))))
        print("seed", seed, flush=True)
        chance = random.Random(seed)
        c = self.serve()
        machine = self.machine("m")
        c.kinesis("CreateStream", StreamName="s", ShardCount=2)
        self.pipe("p", "s", machine, TargetParameters={"InputTemplate": '{"n": <$.data.n>, "k": <$.partitionKey>}'})
        c.firehose("CreateDeliveryStream", DeliveryStreamName="d", DeliveryStreamType="KinesisStreamAsSource",
                   KinesisStreamSourceConfiguration={"KinesisStreamARN": STREAM + "s", "RoleARN": ROLE},
                   ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::out",
                                                       "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
                                                       "ProcessingConfiguration": {"Processors": [{"Type": "AppendDelimiterToRecord"}]}})
        acknowledged, sent, split = set(), 0, False
        for number in range(rounds):
            lock, going = threading.Lock(), True
            caller = self.caller

            def put(caller=caller, lock=lock):
                nonlocal sent
                for _ in range(60):
                    if not going:
                        return
                    with lock:
                        numbers = list(range(sent, sent + 5))
                        sent += 5
                    try:
                        caller.put("s", *[(f"k{n % 11}", {"n": n}) for n in numbers])
                    except (*LOST, ApiError):
                        continue
                    with lock:
                        acknowledged.update(numbers)

            threads = [threading.Thread(target=put) for _ in range(3)]
            for thread in threads:
                thread.start()
            if number == 1 and not split:
                c.kinesis("SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey="85070591730234615865843651857942052864")
                split = True
            time.sleep(0.3 + chance.random() * 1.2)
            self.server.process.kill()
            going = False
            for thread in threads:
                thread.join()
            self.server.kill()
            c = self.serve()
        started = lambda: [e["n"] for batch in self.inputs(machine) for e in batch]
        self.wait_for(lambda: acknowledged <= set(started()), "an execution for each record", 60)
        delivered = lambda: [json.loads(line)["n"] for path in self.objects("out") for line in path.read_text().splitlines()]
        self.wait_for(lambda: acknowledged <= set(delivered()), "each record in an object", 30)
        time.sleep(1)
        for what, found in (("started", started()), ("delivered", delivered())):
            self.assertEqual(len(found), len(set(found)), f"a record was {what} twice: " + str(sorted(n for n in found if found.count(n) > 1)[:20]))
        self.assertEqual(set(started()), set(delivered()))
        print(f"{rounds} kills, {len(acknowledged)} records acknowledged, {len(started())} started and delivered, each once", flush=True)


if __name__ == "__main__":
    program.main()
