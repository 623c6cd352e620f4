#!/usr/bin/env python3
"""Programs with a requirements.txt as their user meets them: prepared once, ahead, over kill -9, behind an endpoint; several hosts.

Usage: script_environments.py MILLRACE [CASE...]
"""

import http.client
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

TRAIN = """
import os, tiny
open(os.path.join(os.environ["SM_MODEL_DIR"], "said"), "w").write(tiny.WORD)
print("said", tiny.WORD)
"""
SERVE = """
import tiny
def model_fn(folder): return tiny.WORD
def predict_fn(rows, model): return [model for row in rows]
"""


# A package that says how it is built, without setuptools: slowly.
MADE = """
import os, time, zipfile
def build_wheel(folder, settings=None, metadata=None):
    open({begun!r}, "a").write(".")
    while os.path.exists({wait!r}): time.sleep(0.05)
    name, info = "local_one-1.0-py3-none-any.whl", "local_one-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: local-one\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""


def wheel(folder, version):
    """A wheel is a zip file with a few words about itself."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"tiny-{version}.dist-info"
    files = {"tiny.py": f"WORD = 'tiny {version}'\n", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def training(code, **more):
    return {"StartAt": "Train", "States": {"Train": {
        "Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "End": True,
        "Parameters": {"TrainingJobName.$": "$$.Execution.Name", "AlgorithmSpecification": {"TrainingImage": "script"},
                       "HyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": f"file://{code}"},
                       "OutputDataConfig": {"S3OutputPath": "s3://shop/models"}, **more}}}}


def ask(server, target, path="/", **arguments):
    """An operation of another service: SageMaker.CreateModel."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=70)
    connection.request("POST", path, json.dumps(arguments), {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
    response = connection.getresponse()
    answer = response.read().decode()
    connection.close()
    if response.status != 200:
        raise AssertionError(f"{target}: {response.status} {answer}")
    return json.loads(answer)


class Programs(Case):
    def setUp(self):
        super().setUp()
        self.code = self.directory / "code"
        wheel(self.code / "wheels", "1.0")
        (self.code / "requirements.txt").write_text("tiny\n", encoding="utf-8")
        (self.code / "train.py").write_text(TRAIN, encoding="utf-8")

    def environments(self):
        return json.loads(self.call("environments", "list", "--json").stdout)["Environments"]

    def job_log(self, name):
        return (self.home / "logs/TrainingJob" / f"{name}.log").read_text(encoding="utf-8")


class Commands(Programs):
    def test_prepared_ahead_and_used(self):
        self.assertIn("there are no environments", self.call("environments", "list").stderr)
        done = self.call("environments", "prepare", self.code)
        key = done.stdout.strip()
        self.assertRegex(key, "^[0-9a-f]{20}$")
        self.assertIn("pip: ", done.stderr)
        self.assertEqual(self.call("environments", "prepare", self.code).stdout.strip(), key)
        (one,) = self.environments()
        self.assertEqual((one["Key"], one["Status"], one["Packages"], one["Requirements"]), (key, "Ready", ["tiny-1.0"], "tiny\n"))
        self.assertRegex(self.call("environments", "list").stdout, rf"{key} +Ready +3\.\d+\.\d+ .* tiny-1.0")

        self.run_json(self.write("train.json", training(self.code)), "--name", "one")
        log = self.job_log("one")
        self.assertIn(f"uses environment {key}", log)
        self.assertNotIn("prepares environment", log)
        self.assertIn("said tiny 1.0", log)
        # Without a network, too, as it is there already.
        self.run_json(self.write("alone.json", training(self.code, EnableNetworkIsolation=True)), "--name", "two")
        self.assertIn(f"uses environment {key}", self.job_log("two"))

        self.assertEqual(self.call("environments", "remove", "--unused", "--json").stdout.strip(), json.dumps({"Removed": [key]}, separators=(",", ":")))
        self.assertEqual(self.environments(), [])

    def test_what_goes_wrong(self):
        self.assertIn("is no directory", self.call("environments", "prepare", self.directory / "nowhere", code=2).stderr)
        (self.code / "requirements.txt").write_text("tiny==7\n", encoding="utf-8")
        error = self.call("environments", "prepare", self.code, "--set", "environments.offline=true", code=2).stderr
        self.assertRegex(error, r"requirements.txt can't be installed: .*tiny==7")
        self.assertIn("hint: put the wheels into wheels/", error)
        self.assertIn("environments.python", self.call("environments", "prepare", self.code, "--set", "environments.python=python9", code=2).stderr)
        self.assertIn("millrace environments list", self.call("environments", "remove", "0" * 20, code=2).stderr)
        self.assertIn("name the environments to remove", self.call("environments", "remove", code=2).stderr)
        self.assertEqual(self.environments(), [])


class Crash(Programs):
    def test_killed_while_it_is_prepared(self):
        """kill -9 while pip installs: the job goes on after the restart, and what is used was made whole."""
        wait, begun = self.directory / "wait", self.directory / "begun"
        wait.touch()
        (self.code / "local").mkdir()
        (self.code / "local/pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "made"\nbackend-path = ["."]\n', encoding="utf-8")
        (self.code / "local/made.py").write_text(MADE.format(begun=str(begun), wait=str(wait)), encoding="utf-8")
        (self.code / "requirements.txt").write_text("tiny\n./local\n", encoding="utf-8")
        definition = json.dumps(training(self.code))
        server = Server(self.home, log=self.directory / "log")
        self.addCleanup(lambda: server.kill())
        machine = server.call("CreateStateMachine", name="train", definition=definition,
                              roleArn="arn:aws:iam::123456789012:role/any")["stateMachineArn"]
        execution = server.call("StartExecution", stateMachineArn=machine, name="one")["executionArn"]
        self.wait_for(begun.exists, "pip begins", 60)
        (left,) = (self.home / "environments").glob("*/env")
        server.kill()
        # Nobody goes on with it.
        time.sleep(0.5)
        self.assertEqual(subprocess.run(["sh", "-c", f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '{left}[/]bin'"],
                                        capture_output=True, text=True, check=False).stdout.strip(), "0")
        wait.unlink()
        server = Server(self.home, log=self.directory / "log")
        self.wait_for(lambda: server.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", "the job ends", 120)
        self.assertEqual(server.call("DescribeExecution", executionArn=execution)["status"], "SUCCEEDED", self.job_log("one"))
        (one,) = self.environments()
        self.assertEqual((one["Status"], one["Packages"]), ("Ready", ["local_one-1.0", "tiny-1.0"]))
        self.assertEqual(server.stop(signal.SIGTERM), 0)


class Endpoints(Programs):
    def test_a_program_behind_an_endpoint_has_its_packages(self):
        (self.code / "inference.py").write_text(SERVE, encoding="utf-8")
        for path in self.code.rglob("*"):
            if path.is_file():
                self.call("objects", "put", path, f"s3://shop/code/{path.relative_to(self.code)}")
        server = Server(self.home, log=self.directory / "log")
        self.addCleanup(lambda: server.kill())

        ask(server, "SageMaker.CreateModel", ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/any",
            PrimaryContainer={"Image": "script", "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://shop/code/"}})
        ask(server, "SageMaker.CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[
            {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}])
        ask(server, "SageMaker.CreateEndpoint", EndpointName="e", EndpointConfigName="c")
        self.wait_for(lambda: ask(server, "SageMaker.DescribeEndpoint", EndpointName="e")["EndpointStatus"] != "Creating", "the endpoint", 60)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/endpoints/e/invocations", "1,2\n", {"Content-Type": "text/csv"})
        response = connection.getresponse()
        self.assertEqual((response.status, response.read().decode().strip()), (200, "tiny 1.0"))
        connection.close()
        (one,) = self.environments()
        self.assertEqual(one["Status"], "InUse")
        self.assertIn("is in use", self.call("environments", "remove", one["Key"], code=3).stderr)


class Hosts(Case):
    def test_what_each_host_says_has_a_stream(self):
        code = self.directory / "code"
        code.mkdir()
        (code / "train.sh").write_text('echo "I am $SM_CURRENT_HOST of $SM_HOSTS"\n', encoding="utf-8")
        definition = training(code, ResourceConfig={"InstanceCount": 2, "InstanceType": "ml.m5.large"})
        definition["States"]["Train"]["Parameters"]["HyperParameters"]["sagemaker_program"] = "train.sh"
        server = Server(self.home, log=self.directory / "log")
        self.addCleanup(lambda: server.kill())
        machine = server.call("CreateStateMachine", name="train", definition=json.dumps(definition),
                              roleArn="arn:aws:iam::123456789012:role/any")["stateMachineArn"]
        execution = server.call("StartExecution", stateMachineArn=machine, name="two")["executionArn"]
        self.wait_for(lambda: server.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", "the job ends", 60)
        self.assertEqual(server.call("DescribeExecution", executionArn=execution)["status"], "SUCCEEDED")
        log = (self.home / "logs/TrainingJob/two.log").read_text(encoding="utf-8")
        for host in ("algo-1", "algo-2"):
            self.assertRegex(log, rf'\[{host}\] I am {host} of \["algo-1","algo-2"\]')
        group = "/aws/sagemaker/TrainingJobs"
        streams = ask(server, "Logs_20140328.DescribeLogStreams", logGroupName=group)["logStreams"]
        self.assertEqual([stream["logStreamName"].rsplit("-", 1)[0] for stream in streams], ["two/algo-1", "two/algo-2"])
        events = ask(server, "Logs_20140328.GetLogEvents", logGroupName=group, logStreamName=streams[1]["logStreamName"])["events"]
        self.assertIn('I am algo-2 of ["algo-1","algo-2"]', [event["message"] for event in events])
        used = self.call("jobs", "describe", "two", "--endpoint", server.url).stdout
        self.assertRegex(used, r"s of processor time, at most .* of memory")


if __name__ == "__main__":
    program.main()
