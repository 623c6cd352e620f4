#!/usr/bin/env python3
"""Buckets of another S3-compatible store: jobs read and write them by the same names. The other store is a second server.

Usage: remote_store.py MILLRACE [CASE...]
"""

import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/any"


def rows(count):
    """y,a,b: y is 1 where a > b."""
    return "".join(f"{int((i * 37) % 101 > (i * 53) % 97)},{(i * 37) % 101},{(i * 53) % 97}\n" for i in range(count))


def channel(name, uri):
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


class Remote(Case):
    def setUp(self):
        super().setUp()
        self.far_home = self.directory / "far"
        self.far_home.mkdir()
        made = subprocess.run([program.MILLRACE, "keys", "create", "jobs", "--json", "--home", self.far_home],
                              capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.key = json.loads(made.stdout)
        self.data = self.far_home / "objects" / "warehouse"
        self.data.mkdir(parents=True)
        self.far = Server(self.far_home, log=self.directory / "far.log")
        self.addCleanup(lambda: self.far.process.poll() is None and self.far.stop())
        self.home.mkdir(exist_ok=True)
        self.near = None
        self.addCleanup(lambda: self.near and self.near.process.poll() is None and self.near.stop())

    def remotes(self, mode=0o600, **bucket):
        entry = {"endpoint": self.far.url, "bucket": "warehouse", "access_key_id": self.key["AccessKeyId"],
                 "secret_access_key": self.key["SecretAccessKey"], **bucket}
        file = self.home / "remotes.json"
        file.write_text(json.dumps({"buckets": {"prod": entry}, "attempts_max": 2}))
        os.chmod(file, mode)

    def serve(self):
        self.near = Server(self.home, log=self.directory / "near.log")

    def call(self, operation, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self.near.port, timeout=60)
        connection.request("POST", "/", json.dumps(parameters),
                           {"X-Amz-Target": "SageMaker." + operation, "Content-Type": "application/x-amz-json-1.1"})
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
        connection.close()
        self.assertEqual(response.status, 200, answer)
        return answer

    def job(self, kind, name, **parameters):
        """The job's description when it has ended."""
        self.call(f"Create{kind}Job", **{f"{kind}JobName": name}, **parameters)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            job = self.call(f"Describe{kind}Job", **{f"{kind}JobName": name})
            if job[f"{kind}JobStatus"] in ("Completed", "Failed", "Stopped"):
                return job
            time.sleep(0.05)
        self.fail(f"{name} does not end")

    def train(self, name, uri="s3://prod/train/", output="s3://prod/models", **more):
        return self.job("Training", name, AlgorithmSpecification={"TrainingImage": "xgboost", "TrainingInputMode": "File"}, RoleArn=ROLE,
                        HyperParameters={"objective": "binary:logistic", "num_round": "5"}, InputDataConfig=[channel("train", uri)],
                        OutputDataConfig={"S3OutputPath": output},
                        ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
                        StoppingCondition={"MaxRuntimeInSeconds": 600}, **more)

    def test_train_and_transform_over_there(self):
        (self.data / "train").mkdir()
        for part in range(3):
            (self.data / "train" / f"part {part}+ü.csv").write_text(rows(100))
        (self.data / "ask").mkdir()
        (self.data / "ask" / "a.csv").write_text("90,1\n1,90\n")
        self.remotes()
        self.serve()
        job = self.train("far-1")
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        self.assertEqual(job["ModelArtifacts"]["S3ModelArtifacts"], "s3://prod/models/far-1/output/model.tar.gz")
        with tarfile.open(self.data / "models/far-1/output/model.tar.gz") as archive:
            self.assertEqual(archive.getnames(), ["model_card.json", "xgboost-model"])
            card = json.load(io.TextIOWrapper(archive.extractfile("model_card.json")))
            self.assertEqual(card["data"]["train"]["rows"], 300)
        self.assertFalse((self.home / "objects" / "prod").exists())
        self.call("CreateModel", ModelName="m", ExecutionRoleArn=ROLE,
                  PrimaryContainer={"Image": "xgboost", "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]})
        done = self.job("Transform", "t", ModelName="m", TransformResources={"InstanceCount": 1, "InstanceType": "ml.m5.large"},
                        TransformInput={"ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://prod/ask/"}}},
                        TransformOutput={"S3OutputPath": "s3://prod/answers"})
        self.assertEqual(done["TransformJobStatus"], "Completed", done.get("FailureReason"))
        high, low = map(float, (self.data / "answers/a.csv.out").read_text().split())
        self.assertGreater(high, low)
        # A new version over there is seen here.
        (self.data / "train" / "part 0+ü.csv").write_text(rows(50))
        time.sleep(5.2)
        self.train("far-2")
        with tarfile.open(self.data / "models/far-2/output/model.tar.gz") as archive:
            self.assertEqual(json.load(archive.extractfile("model_card.json"))["data"]["train"]["rows"], 250)

    def test_what_was_left_over_there_is_known_and_taken_over(self):
        (self.data / "train").mkdir()
        (self.data / "train" / "a.csv").write_text(rows(100))
        self.remotes()
        self.serve()
        first = self.train("first")["ModelArtifacts"]
        output = self.call("DescribeJobRecord", JobName="first")
        self.assertRegex(json.dumps(output), r'"Uri": "s3://prod/models/first/output/model.tar.gz", "Sha256": "[0-9a-f]{64}"|'
                                             r'"Sha256": "[0-9a-f]{64}", "Uri": "s3://prod/models/first/output/model.tar.gz"')
        cached = [{"Key": "millrace:cache", "Value": "on"}]
        self.assertEqual(self.train("second", Tags=cached)["ModelArtifacts"], first)
        self.assertFalse((self.data / "models/second").exists())
        # Somebody else has overwritten it: it is made anew.
        (self.data / "models/first/output/model.tar.gz").write_bytes(b"something else")
        time.sleep(5.2)
        self.assertNotEqual(self.train("third", Tags=cached)["ModelArtifacts"], first)

    def test_what_goes_wrong_says_where(self):
        self.remotes(secret_access_key="x" * 40)
        self.serve()
        reason = self.train("wrong-key")["FailureReason"]
        self.assertIn("s3://prod/train/", reason)
        self.assertIn("SignatureDoesNotMatch", reason)
        self.near.stop()
        self.remotes()
        self.serve()
        self.assertIn("no object at s3://prod/train/", self.train("nothing")["FailureReason"])
        self.far.stop()
        reason = self.train("no-store")["FailureReason"]
        self.assertIn(self.far.url, reason)
        self.assertIn("can't be reached", reason)

    def test_a_file_of_keys_that_others_can_read_is_refused(self):
        self.remotes(mode=0o644)
        with self.assertRaises(RuntimeError) as stopped:
            self.serve()
        self.assertIn("remotes.json holds keys and can be read by others", str(stopped.exception))


if __name__ == "__main__":
    program.main()
