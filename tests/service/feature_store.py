#!/usr/bin/env python3
"""Feature groups and labelling through `millrace serve`: the runtime's REST API, crashes, people's labels, AWS's clients
where they are installed, and the commands.

Usage: feature_store.py MILLRACE [CASE...]
"""

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

try:
    import boto3
    from botocore.config import Config
except ImportError:
    boto3 = None

ROLE = "arn:aws:iam::123456789012:role/any"
GROUP = {"FeatureGroupName": "g", "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "RoleArn": ROLE,
         "FeatureDefinitions": [{"FeatureName": "id", "FeatureType": "String"}, {"FeatureName": "at", "FeatureType": "Fractional"},
                                {"FeatureName": "v", "FeatureType": "Integral"}],
         "OnlineStoreConfig": {"EnableOnlineStore": True}, "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://store/f"}}}


def record(identifier, at, value):
    return [{"FeatureName": name, "ValueAsString": str(text)} for name, text in (("id", identifier), ("at", at), ("v", value))]


class FeatureCase(Case):
    options = ("--set", "features.flush_interval=100ms")

    def setUp(self):
        super().setUp()
        self.serve()
        self.addCleanup(lambda: self.server.stop())

    def serve(self):
        self.server = Server(self.home, *self.options, log=self.directory / "serve.log")

    def request(self, method, path, body=None, status=200, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body),
                           {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        self.assertEqual(response.status, status, text)
        self.error = response.headers.get("x-amzn-ErrorType")
        return json.loads(text) if text else {}

    def sm(self, operation, status=200, **request):
        return self.request("POST", "/", request, status, X_Amz_Target="SageMaker." + operation, Content_Type="application/x-amz-json-1.1")

    def put(self, group, values, status=200, **more):
        return self.request("PUT", f"/FeatureGroup/{group}", {"Record": values, **more}, status)

    def get(self, group, identifier, *features, status=200):
        query = urllib.parse.urlencode([("RecordIdentifierValueAsString", identifier), *(("FeatureName", f) for f in features)])
        return self.request("GET", f"/FeatureGroup/{group}?{query}", status=status)

    def lines(self):
        return [json.loads(line) for path in sorted((self.home / "objects").glob("store/**/*.jsonl"))
                for line in path.read_text(encoding="utf-8").splitlines()]

    def client(self, service):
        if not boto3:
            self.skipTest("boto3 is not installed")
        return boto3.client(service, endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id="x",
                            aws_secret_access_key="x", config=Config(retries={"max_attempts": 0}))


class Records(FeatureCase):
    def test_rest(self):
        self.sm("CreateFeatureGroup", **GROUP)
        described = self.sm("DescribeFeatureGroup", FeatureGroupName="g")
        self.assertEqual(described["FeatureGroupStatus"], "Created")
        self.assertLess(abs(described["CreationTime"] - time.time()), 60)
        self.assertEqual(self.put("g", record("a b+c/ü", 1, 1)), {})
        self.assertEqual(self.get("g", "a b+c/ü", "v"), {"Record": [{"FeatureName": "v", "ValueAsString": "1"}]})
        self.assertEqual(self.get("g", "b"), {})
        arn = urllib.parse.quote(described["FeatureGroupArn"], safe="")
        self.assertEqual(self.get(arn, "a b+c/ü", "v", "at")["Record"][0]["FeatureName"], "at")
        batch = self.request("POST", "/BatchGetRecord", {"Identifiers": [
            {"FeatureGroupName": "g", "RecordIdentifiersValueAsString": ["a b+c/ü", "none"], "FeatureNames": ["v"]}]})
        self.assertEqual(len(batch["Records"]), 1)
        query = urllib.parse.urlencode({"RecordIdentifierValueAsString": "a b+c/ü", "EventTime": "2", "DeletionMode": "HardDelete"})
        self.assertEqual(self.request("DELETE", "/FeatureGroup/g?" + query), {})
        self.assertEqual(self.get("g", "a b+c/ü"), {})
        self.wait_for(lambda: len(self.lines()) == 2, "the files of the offline store")

    def test_refusals(self):
        self.sm("CreateFeatureGroup", **GROUP)
        for method, path, body, status, code, said in (
                ("PUT", "/FeatureGroup/g", {"Record": []}, 400, "ValidationError", "Member must have length greater than or equal to 1"),
                ("PUT", "/FeatureGroup/g", {}, 400, "ValidationError", "record"),
                ("PUT", "/FeatureGroup/g", {"Record": record("a", 1, "x")}, 400, "ValidationError", "is not an Integral"),
                ("PUT", "/FeatureGroup/g", {"Record": record("a", 1, 1), "TargetStores": ["Cellar"]}, 400, "ValidationError", "OnlineStore"),
                ("PUT", "/FeatureGroup/g", "{", 400, "SerializationException", "no JSON"),
                ("PUT", "/FeatureGroup/none", {"Record": record("a", 1, 1)}, 400, "ValidationError", "can't find a FeatureGroup with name none"),
                ("GET", "/FeatureGroup/none?RecordIdentifierValueAsString=a", None, 404, "ResourceNotFound", "can't find"),
                ("GET", "/FeatureGroup/g", None, 400, "ValidationError", "recordIdentifierValueAsString"),
                ("DELETE", "/FeatureGroup/g?RecordIdentifierValueAsString=a", None, 400, "ValidationError", "eventTime"),
                ("POST", "/FeatureGroup/g", {}, 404, "UnknownOperationException", "nothing"),
                ("POST", "/BatchGetRecord", {"Identifiers": []}, 400, "ValidationError", "length")):
            with self.subTest(path=path, body=body):
                answer = self.request(method, path, body, status)
                self.assertEqual(self.error, code, answer)
                self.assertIn(said, answer["Message"])
        self.assertEqual(self.sm("CreateFeatureGroup", 400, **GROUP)["__type"], "ResourceInUse")
        self.assertEqual(self.sm("DescribeFeatureGroup", 400, FeatureGroupName="none")["__type"], "ResourceNotFound")
        wrong = self.sm("CreateFeatureGroup", 400, **{**GROUP, "FeatureGroupName": "h", "FeatureDefinitions": [{"FeatureName": "id", "FeatureType": "Text"}]})
        self.assertIn("[Integral, Fractional, String]", wrong["message"])

    def test_killed(self):
        """Clients put while the server is killed again and again: what was answered is there, in the offline store once."""
        self.sm("CreateFeatureGroup", **GROUP)
        answered, lock, stop = set(), threading.Lock(), threading.Event()

        def put_some(worker):
            number = 0
            while not stop.is_set():
                identifier = f"{worker}-{number}"
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
                    connection.request("PUT", "/FeatureGroup/g", json.dumps({"Record": record(identifier, 1_700_000_000 + 997 * number, number)}))
                    response = connection.getresponse()
                    response.read()
                    connection.close()
                    if response.status == 200:
                        with lock:
                            answered.add(identifier)
                        number += 1
                        continue
                except (OSError, http.client.HTTPException):
                    pass
                number += 1  # it may be there or not; another one
                time.sleep(0.02)

        workers = [threading.Thread(target=put_some, args=(w,)) for w in range(8)]
        for worker in workers:
            worker.start()
        for _ in range(4):
            time.sleep(0.5)
            self.server.kill()
            self.serve()
        stop.set()
        for worker in workers:
            worker.join()
        self.assertGreater(len(answered), 100)
        self.server.stop()
        self.serve()
        lines = self.lines()
        counts = {}
        for line in lines:
            counts[line["id"]] = counts.get(line["id"], 0) + 1
        self.assertEqual([i for i, count in counts.items() if count > 1], [])
        self.assertEqual(answered - counts.keys(), set())
        for identifier in sorted(answered)[::37]:
            self.assertIn("Record", self.get("g", identifier), identifier)

    def test_workflow(self):
        self.sm("CreateFeatureGroup", **GROUP)
        states = {
            "Put": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sagemakerfeaturestoreruntime:putRecord",
                    "Parameters": {"FeatureGroupName": "g", "Record": record("a", 1, 5)}, "ResultPath": None, "Next": "Get"},
            "Get": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sagemakerfeaturestoreruntime:getRecord",
                    "Parameters": {"FeatureGroupName": "g", "RecordIdentifierValueAsString": "a", "FeatureNames": ["v"]}, "Next": "None"},
            "None": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sagemakerfeaturestoreruntime:getRecord",
                     "Parameters": {"FeatureGroupName": "none", "RecordIdentifierValueAsString": "a"}, "ResultPath": "$.none",
                     "Catch": [{"ErrorEquals": ["SageMakerFeatureStoreRuntime.ResourceNotFoundException"], "ResultPath": "$.error", "Next": "End"}], "Next": "End"},
            "End": {"Type": "Succeed"}}
        machine = self.server.call("CreateStateMachine", name="m", roleArn=ROLE, definition=json.dumps({"StartAt": "Put", "States": states}))
        execution = self.server.call("StartExecution", stateMachineArn=machine["stateMachineArn"])["executionArn"]
        self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", "the execution")
        output = json.loads(self.server.call("DescribeExecution", executionArn=execution)["output"])
        self.assertEqual(output["Record"], [{"FeatureName": "v", "ValueAsString": "5"}])
        self.assertIn("can't find a FeatureGroup", output["error"]["Cause"])


def labelling(name, workers=1, **more):
    return {"LabelingJobName": name, "LabelAttributeName": "kind", "RoleArn": ROLE,
            "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://b/in.manifest"}}},
            "OutputConfig": {"S3OutputPath": "s3://b/out"}, "LabelCategoryConfigS3Uri": "s3://b/labels.json",
            "HumanTaskConfig": {"WorkteamArn": "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/x", "TaskTitle": "Cat or dog?",
                                "TaskDescription": "Say what it is", "NumberOfHumanWorkersPerDataObject": workers, "TaskTimeLimitInSeconds": 60,
                                "UiConfig": {"UiTemplateS3Uri": "s3://b/ui"}}, **more}


class Labels(FeatureCase):
    def setUp(self):
        super().setUp()
        bucket = self.home / "objects/b"
        bucket.mkdir(parents=True)
        (bucket / "in.manifest").write_text("".join(json.dumps({"source": text, "row": i}) + "\n" for i, text in enumerate(("miaow", "woof", "purr"))))
        (bucket / "labels.json").write_text('{"document-version":"2018-11-28","labels":[{"label":"cat"},{"label":"dog"}]}')

    def output(self, name):
        path = self.home / f"objects/b/out/{name}/manifests/output/output.manifest"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def say(self, task, worker, labels, status=200):
        return self.request("POST", f"/v1/labels/{task}", {"worker": worker, "labels": [{"id": i, "label": label} for i, label in labels]}, status)

    def status(self, name):
        return self.sm("DescribeLabelingJob", LabelingJobName=name)["LabelingJobStatus"]

    def start(self, name, **job):
        state = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createLabelingJob.sync", "Parameters": labelling(name, **job), "End": True}
        machine = self.server.call("CreateStateMachine", name="m-" + name, roleArn=ROLE, definition=json.dumps({"StartAt": "Ask", "States": {"Ask": state}}))
        execution = self.server.call("StartExecution", stateMachineArn=machine["stateMachineArn"])["executionArn"]
        self.wait_for(lambda: name in [task["task"] for task in self.request("GET", "/v1/labels")["tasks"]], "the task")
        return execution

    def ended(self, execution):
        self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", "the execution")
        return self.server.call("DescribeExecution", executionArn=execution)

    def test_a_workflow_waits_for_people_over_a_crash(self):
        execution = self.start("pets")
        page = self.request("GET", "/v1/labels/pets?worker=ann&limit=2")
        self.assertEqual(page["labels"], ["cat", "dog"])
        self.assertEqual(page["items"], [{"id": 0, "object": {"source": "miaow", "row": 0}}, {"id": 1, "object": {"source": "woof", "row": 1}}])
        self.assertEqual(self.say("pets", "ann", [(0, "cat"), (1, "cat")])["remaining"], 1)
        self.assertEqual(self.say("pets", "ann", [(1, "dog")])["accepted"], 1)  # changed her mind
        self.server.kill()
        self.serve()
        self.assertEqual([item["id"] for item in self.request("GET", "/v1/labels/pets?worker=bob")["items"]], [2])
        self.assertEqual(self.say("pets", "bob", [(0, "dog")])["skipped"], [0])
        self.request("POST", "/v1/labels/pets?worker=bob", "id,label\n2,cat\n", Content_Type="text/csv")
        ended = self.ended(execution)
        self.assertEqual(ended["status"], "SUCCEEDED", ended)
        output = json.loads(ended["output"])
        self.assertEqual(output["LabelCounters"], {"TotalLabeled": 3, "HumanLabeled": 3, "MachineLabeled": 0, "FailedNonRetryableError": 0, "Unlabeled": 0})
        self.assertEqual(output["LabelingJobOutput"]["OutputDatasetS3Uri"], "s3://b/out/pets/manifests/output/output.manifest")
        lines = self.output("pets")
        self.assertEqual([(line["source"], line["kind"], line["kind-metadata"]["class-name"]) for line in lines],
                         [("miaow", 0, "cat"), ("woof", 1, "dog"), ("purr", 0, "cat")])
        self.assertEqual(lines[0]["kind-metadata"]["type"], "groundtruth/text-classification")
        self.assertEqual(lines[0]["kind-metadata"]["job-name"], "labeling-job/pets")
        self.assertEqual(self.request("GET", "/v1/labels")["tasks"], [])
        self.say("pets", "ann", [(0, "cat")], 400)

    def test_several_people(self):
        self.sm("CreateLabelingJob", **labelling("pets", workers=3))
        self.assertEqual(self.say("pets", "ann", [(0, "cat"), (1, "dog"), (2, "cat")])["remaining"], 3)
        self.assertEqual(self.request("GET", "/v1/labels/pets?worker=ann")["items"], [])
        self.say("pets", "bob", [(0, "cat"), (1, "cat"), (2, "dog")])
        self.assertEqual(self.say("pets", "cy", [(0, "cat"), (1, "dog"), (2, "dog")])["remaining"], 0)
        self.wait_for(lambda: self.status("pets") == "Completed", "the job")
        self.assertEqual([(line["kind-metadata"]["class-name"], round(line["kind-metadata"]["confidence"], 2)) for line in self.output("pets")],
                         [("cat", 1.0), ("dog", 0.67), ("dog", 0.67)])

    def test_stopped(self):
        execution = self.start("pets")
        self.say("pets", "ann", [(1, "dog")])
        self.wait_for(lambda: self.sm("DescribeLabelingJob", LabelingJobName="pets")["LabelCounters"]["TotalLabeled"] == 1, "the counters")
        self.assertEqual(self.sm("StopLabelingJob", LabelingJobName="pets"), {})
        ended = self.ended(execution)
        self.assertEqual((ended["status"], ended["error"]), ("FAILED", "States.TaskFailed"))
        self.assertEqual(json.loads(ended["cause"])["LabelingJobStatus"], "Stopped")
        self.assertEqual([line["source"] for line in self.output("pets")], ["woof"])
        # A workflow that is stopped stops the job it waits for.
        execution = self.start("more")
        self.server.call("StopExecution", executionArn=execution)
        self.wait_for(lambda: self.status("more") == "Stopped", "the job of the stopped workflow", 30)
        self.assertEqual([job["LabelingJobName"] for job in self.sm("ListLabelingJobs", SortBy="Name", SortOrder="Ascending")["LabelingJobSummaryList"]],
                         ["more", "pets"])

    def test_refusals(self):
        for more, said in (({"LabelCategoryConfigS3Uri": "s3://b/none.json"}, "none.json"), ({"LabelAttributeName": "source"}, "reserved"),
                           ({"InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://b/labels.json"}}}}, "labels.json:1"),
                           ({"LabelingJobAlgorithmsConfig": {}}, "label-apply")):
            with self.subTest(more=more):
                answer = self.sm("CreateLabelingJob", 400, **labelling("pets", **more))
                self.assertIn(said, answer.get("message", answer.get("Message")))
        self.sm("CreateLabelingJob", **labelling("pets"))
        self.assertEqual(self.sm("CreateLabelingJob", 400, **labelling("pets"))["__type"], "ResourceInUse")
        for labels, said in (([(0, "bird")], "none of this task's labels"), ([], "1 to 1000")):
            self.assertIn(said, self.say("pets", "ann", labels, 400)["Message"])
        self.assertIn("who labels", self.say("pets", "", [(0, "cat")], 400)["Message"])
        self.request("GET", "/v1/labels/none", status=404)
        self.assertEqual(self.say("pets", "ann", [(99, "cat")])["skipped"], [99])


class Clients(FeatureCase):
    def test_boto3(self):
        sagemaker, runtime = self.client("sagemaker"), self.client("sagemaker-featurestore-runtime")
        sagemaker.create_feature_group(**GROUP)
        described = sagemaker.describe_feature_group(FeatureGroupName="g")
        self.assertEqual(described["CreationTime"].year, time.gmtime().tm_year)
        self.assertTrue(described["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"].startswith("s3://store/f/123456789012/sagemaker/us-east-1/offline-store/g-"))
        runtime.put_record(FeatureGroupName="g", Record=record("7", "1700000000", 3), TtlDuration={"Unit": "Weeks", "Value": 5000})
        answer = runtime.get_record(FeatureGroupName="g", RecordIdentifierValueAsString="7", FeatureNames=["v", "id"], ExpirationTimeResponse="Enabled")
        self.assertEqual(answer["Record"], [{"FeatureName": "id", "ValueAsString": "7"}, {"FeatureName": "v", "ValueAsString": "3"}])
        self.assertEqual(answer["ExpiresAt"][:4], "2119")
        self.assertNotIn("Record", runtime.get_record(FeatureGroupName="g", RecordIdentifierValueAsString="8"))
        got = runtime.batch_get_record(Identifiers=[{"FeatureGroupName": "g", "RecordIdentifiersValueAsString": ["7", "8"]}])
        self.assertEqual([one["RecordIdentifierValueAsString"] for one in got["Records"]], ["7"])
        with self.assertRaises(runtime.exceptions.ValidationError):
            runtime.put_record(FeatureGroupName="g", Record=record("7", "x", 3))
        with self.assertRaises(runtime.exceptions.ResourceNotFound):
            runtime.get_record(FeatureGroupName="none", RecordIdentifierValueAsString="7")
        runtime.delete_record(FeatureGroupName="g", RecordIdentifierValueAsString="7", EventTime="1700000001", TargetStores=["OnlineStore"])
        self.assertNotIn("Record", runtime.get_record(FeatureGroupName="g", RecordIdentifierValueAsString="7"))
        sagemaker.update_feature_group(FeatureGroupName="g", FeatureAdditions=[{"FeatureName": "w", "FeatureType": "String", "CollectionType": "List"}])
        runtime.put_record(FeatureGroupName="g", Record=[*record("9", "1", 3), {"FeatureName": "w", "ValueAsStringList": ["a", "b"]}])
        sagemaker.update_feature_metadata(FeatureGroupName="g", FeatureName="v", Description="how many")
        self.assertEqual(sagemaker.describe_feature_metadata(FeatureGroupName="g", FeatureName="v")["Description"], "how many")
        found = sagemaker.search(Resource="FeatureMetadata", SearchExpression={"Filters": [{"Name": "FeatureName", "Operator": "Equals", "Value": "w"}]})
        self.assertEqual(found["Results"][0]["FeatureMetadata"]["FeatureGroupName"], "g")
        pages = sagemaker.list_feature_groups(NameContains="g", MaxResults=10)["FeatureGroupSummaries"]
        self.assertEqual([(one["FeatureGroupName"], one["OfflineStoreStatus"]["Status"]) for one in pages], [("g", "Active")])
        with self.assertRaises(sagemaker.exceptions.ResourceInUse):
            sagemaker.create_feature_group(**GROUP)
        sagemaker.delete_feature_group(FeatureGroupName="g")
        with self.assertRaises(sagemaker.exceptions.ResourceNotFound):
            sagemaker.describe_feature_group(FeatureGroupName="g")

    def test_aws_cli(self):
        aws = shutil.which("aws")
        if not aws or subprocess.run([aws, "--version"], capture_output=True, check=False).returncode:
            self.skipTest("the AWS command line is not installed")
        env = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

        def call(service, *arguments):
            done = subprocess.run([aws, service, *arguments, "--endpoint-url", self.server.url, "--output", "json"], env=env,
                                  capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout) if done.stdout.strip() else {}

        call("sagemaker", "create-feature-group", "--cli-input-json", json.dumps(GROUP))
        call("sagemaker-featurestore-runtime", "put-record", "--feature-group-name", "g", "--record", json.dumps(record("a", 1, 2)))
        got = call("sagemaker-featurestore-runtime", "get-record", "--feature-group-name", "g", "--record-identifier-value-as-string", "a")
        self.assertEqual(got["Record"][2], {"FeatureName": "v", "ValueAsString": "2"})


class Commands(FeatureCase):
    def check_features(self):
        spine = self.home / "objects/shop/orders.csv"
        spine.parent.mkdir(parents=True, exist_ok=True)
        spine.write_text("order,id,when\n1,a,150\n2,a,50\n3,b,1000\n")
        rows = self.write("rows.csv", "id,at,v\na,100,1\na,200,2\nb,300,3\n")
        self.assertEqual(self.call("features", "put", "g", rows).stdout, "put 3 records into g\n")
        self.assertIn("g  online and offline, by id as of at", self.call("features", "list").stdout)
        self.assertIn("2", self.call("features", "get", "g", "a", "--feature", "v").stdout)
        self.assertIn("has no record", self.call("features", "get", "g", "x", code=2).stderr)
        bad = self.write("bad.csv", "id,at,v\na,300,many\n")
        self.assertIn("Records[0]: Validation Error", self.call("features", "put", "g", bad, code=2).stderr)
        said = self.call("features", "join", "s3://shop/orders.csv", "s3://shop/joined", "--group", "g", "--event-time", "when").stdout
        self.assertEqual(said, "joined 3 rows with 4 columns at s3://shop/joined\n")
        self.assertEqual((self.home / "objects/shop/joined/data.csv").read_text(), "order,id,when,v\n1,a,150,1\n2,a,50,\n3,b,1000,3\n")
        self.assertIn("no column", self.call("features", "join", "s3://shop/orders.csv", "s3://shop/j2", "--group", "g", "--event-time", "then", code=2).stderr)

    def test_features_of_a_server(self):
        self.sm("CreateFeatureGroup", **GROUP)
        self.check_features()

    def test_features_of_a_home(self):
        self.sm("CreateFeatureGroup", **GROUP)
        self.server.stop()
        self.check_features()
        self.serve()

    def test_no_home(self):
        for command in (("features", "list"), ("label",)):
            done = subprocess.run([program.MILLRACE, *command, "--home", self.directory / "none"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("there is no home directory", done.stderr)
        self.assertFalse((self.directory / "none").exists())

    def test_label(self):
        bucket = self.home / "objects/b"
        bucket.mkdir(parents=True)
        (bucket / "in.manifest").write_text("".join(json.dumps({"source": text}) + "\n" for text in ("miaow", "woof", "purr")))
        (bucket / "labels.json").write_text('{"labels":[{"label":"cat"},{"label":"dog"}]}')
        self.sm("CreateLabelingJob", **labelling("pets"))
        self.assertRegex(self.call("label").stdout, r"^pets +0 of 3 labelled  Cat or dog\?\n$")
        said = self.call("label", "pets", "--worker", "ann", input="x\n1\ns\nq\n").stdout
        self.assertIn("1 labelled, 2 to go", said)
        self.assertIn("miaow", said)
        self.server.stop()  # the home itself is asked
        said = self.call("label", "pets", "--worker", "ann", input="2\n1\n").stdout
        self.assertIn("2 labelled; nothing more for ann", said)
        self.serve()
        self.wait_for(lambda: self.sm("DescribeLabelingJob", LabelingJobName="pets")["LabelingJobStatus"] == "Completed", "the job")
        lines = (bucket / "out/pets/manifests/output/output.manifest").read_text().splitlines()
        self.assertEqual([json.loads(line)["kind-metadata"]["class-name"] for line in lines], ["cat", "dog", "cat"])


if __name__ == "__main__":
    program.main()
