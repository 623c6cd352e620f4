#!/usr/bin/env python3
"""The whole loop, with AWS's own command line as the only client: data arrives, a model is trained, judged, approved by a person, rolled out
by a canary under an alarm, watched; drift is found and starts the next round.

Usage: whole_loop.py MILLRACE [CASE...]; skipped without the command `aws`.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

DEFINITION = Path(__file__).resolve().parents[1] / "cases/loop/definition.json"
ROLE = "arn:aws:iam::123456789012:role/loop"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/approvals"


def rows(count, seed, shifted=False):
    """answer,amount,age: large amounts of the young come back."""
    rng = random.Random(seed)
    for _ in range(count):
        amount, age = rng.gauss(90 if shifted else 30, 10), rng.uniform(18, 80)
        yield int(rng.random() < (0.9 if amount + 60 - age > (60 if shifted else 30) else 0.1)), round(amount, 2), round(age, 1)


def csv(lines, answer=True):
    return ("answer,amount,age\n" if answer else "") + "".join(",".join(map(str, line if answer else line[1:])) + "\n" for line in lines)


@unittest.skipUnless(shutil.which("aws"), "skipped: the command `aws` is not there")
class Loop(Case):
    def aws(self, *arguments):
        """What a command answers, as JSON."""
        done = subprocess.run(["aws", *arguments, "--endpoint-url", self.server.url, "--output", "json"],
                              capture_output=True, text=True, env=self.environment, timeout=120)
        self.assertEqual(done.returncode, 0, f"aws {' '.join(arguments)}\n{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def wait_for(self, what, condition, seconds=90):
        until = time.monotonic() + seconds
        while not (found := condition()):
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.3)
        return found

    def upload(self, key, text):
        file = self.directory / "upload.csv"
        file.write_text(text, encoding="utf-8")
        self.aws("s3", "cp", str(file), "s3://loop/" + key, "--only-show-errors")

    def ask(self, lines):
        body, answer = self.directory / "body.csv", self.directory / "answer.csv"
        body.write_text(csv(lines, answer=False), encoding="utf-8")
        self.aws("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "loop", "--content-type", "text/csv", "--body",
                 *self.body_of(body), str(answer))
        return [float(word) for word in answer.read_text(encoding="utf-8").replace(",", "\n").split()]

    def body_of(self, file):
        """Version 1 of the command takes a file's name or text; version 2 wants fileb://."""
        return ["fileb://" + str(file)]

    def approve(self):
        """A person reads the message and says yes; what the message said."""
        def message():
            listed = self.aws("stepfunctions", "list-executions", "--state-machine-arn", self.machine)["executions"]
            self.assertEqual(self.story(listed), "")
            found = self.aws("sqs", "receive-message", "--queue-url", QUEUE, "--wait-time-seconds", "2")
            return found and found["Messages"][0]
        told = self.wait_for("the question to a person", message)
        self.aws("sqs", "delete-message", "--queue-url", QUEUE, "--receipt-handle", told["ReceiptHandle"])
        question = json.loads(told["Body"])
        self.aws("sagemaker", "update-model-package", "--model-package-arn", question["package"],
                 "--model-approval-status", "Approved", "--approval-description", "looks good")
        self.aws("stepfunctions", "send-task-success", "--task-token", question["token"], "--task-output", "{}")
        return question

    def ended(self, count):
        """The outputs of executions, when there are so many, the newest first."""
        def all_ended():
            found = self.aws("stepfunctions", "list-executions", "--state-machine-arn", self.machine)["executions"]
            self.assertEqual([e for e in found if e["status"] not in ("RUNNING", "SUCCEEDED")], [], self.story(found))
            done = [e for e in found if e["status"] == "SUCCEEDED"]
            return done if len(done) >= count else None
        found = self.wait_for(f"{count} executions", all_ended)
        return [json.loads(self.aws("stepfunctions", "describe-execution", "--execution-arn", e["executionArn"])["output"]) for e in found]

    def story(self, found):
        bad = next((e for e in found if e["status"] not in ("RUNNING", "SUCCEEDED")), None)
        if bad is None:
            return ""
        return json.dumps(self.aws("stepfunctions", "describe-execution", "--execution-arn", bad["executionArn"]), indent=1)

    def test_data_to_drift_and_round_again(self):
        self.home.mkdir()
        self.server = Server(self.home, "--set", "endpoints.capture_interval=200ms", log=self.directory / "log")
        self.addCleanup(self.server.stop)
        self.environment = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1",
                            "AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off", "HOME": str(self.directory)}
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
            self.environment.pop(name, None)

        # Who is told of what.
        self.aws("s3", "mb", "s3://loop")
        self.aws("sqs", "create-queue", "--queue-name", "approvals")
        self.aws("sagemaker", "create-model-package-group", "--model-package-group-name", "loop")
        self.aws("cloudwatch", "put-metric-alarm", "--alarm-name", "loop-errors", "--namespace", "AWS/SageMaker", "--metric-name",
                 "Invocation5XXErrors", "--dimensions", "Name=EndpointName,Value=loop", "Name=VariantName,Value=AllTraffic", "--statistic", "Sum",
                 "--period", "10", "--evaluation-periods", "1", "--threshold", "0", "--comparison-operator", "GreaterThanThreshold",
                 "--treat-missing-data", "notBreaching")
        self.machine = self.aws("stepfunctions", "create-state-machine", "--name", "loop", "--role-arn", ROLE, "--definition",
                                "file://" + str(DEFINITION))["stateMachineArn"]
        for name, pattern in {
            "arrived": {"source": ["aws.s3"], "detail-type": ["Object Created"],
                        "detail": {"bucket": {"name": ["loop"]}, "object": {"key": [{"prefix": "arrived/"}]}}},
            "drift": {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Monitor Execution State Change"],
                      "detail": {"MonitoringExecutionStatus": ["CompletedWithViolations"]}}}.items():
            self.aws("events", "put-rule", "--name", name, "--event-pattern", json.dumps(pattern))
            if name == "arrived":
                self.aws("events", "put-targets", "--rule", name, "--targets", f"Id=1,Arn={self.machine},RoleArn={ROLE}")
        self.upload("test/rows.csv", csv([*rows(500, 1), *rows(500, 2, shifted=True)]))

        # Data arrives: the first model.
        self.upload("arrived/1.csv", csv(rows(2000, 3)))
        question = self.approve()
        self.assertEqual(question["why"], "data")
        [first] = self.ended(1)
        self.assertGreater(first["auc"], 0.6)
        risky, calm = self.ask([(None, 45, 20), (None, 15, 70)])
        self.assertGreater(risky, calm + 0.3)

        # More data arrives: the next model takes its place by a canary.
        self.upload("arrived/2.csv", csv(rows(2000, 4)))
        self.approve()
        second, _ = self.ended(2)
        shown = self.aws("sagemaker", "describe-endpoint", "--endpoint-name", "loop")
        self.assertEqual((shown["EndpointStatus"], shown["EndpointConfigName"]), ("InService", second["config"]))
        self.assertNotEqual(first["config"], second["config"])

        # Requests change: a check finds it, and its event starts the next round, on data that has come meanwhile.
        self.aws("events", "disable-rule", "--name", "arrived")
        self.upload("arrived/3.csv", csv(rows(4000, 5, shifted=True)))
        self.aws("events", "put-targets", "--rule", "drift", "--targets", f"Id=1,Arn={self.machine},RoleArn={ROLE}")
        before = self.ask(list(rows(400, 6, shifted=True)))
        self.wait_for("a round that drift started", lambda: len(self.aws(
            "stepfunctions", "list-executions", "--state-machine-arn", self.machine)["executions"]) >= 3)
        self.aws("events", "disable-rule", "--name", "drift")
        checks = self.aws("sagemaker", "list-monitoring-executions", "--monitoring-schedule-name", "loop-data",
                          "--status-equals", "CompletedWithViolations")["MonitoringExecutionSummaries"]
        self.assertTrue(checks)
        question = self.approve()
        self.assertEqual(question["why"], "drift")
        third = self.ended(3)[0]
        self.assertEqual(third["why"], "drift")
        after = self.ask(list(rows(400, 6, shifted=True)))

        def right(scores):
            return sum((score > 0.5) == bool(line[0]) for score, line in zip(scores, rows(400, 6, shifted=True))) / len(scores)
        self.assertGreater(right(after), right(before))
        versions = self.aws("sagemaker", "list-model-packages", "--model-package-group-name", "loop", "--model-approval-status", "Approved")
        self.assertEqual(len(versions["ModelPackageSummaryList"]), 3)
        print(f"three rounds; right before {right(before):.3f}, after {right(after):.3f}", flush=True)


if __name__ == "__main__":
    program.main()
