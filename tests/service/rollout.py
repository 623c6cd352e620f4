#!/usr/bin/env python3
"""Deployments of endpoints through `millrace serve`: traffic that shifts under load, guards, rollback, crashes; A/B tests by outcomes.

Usage: rollout.py MILLRACE [CASE...]
"""

import http.client
import json
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from sagemaker_api import SageMakerCase, channel, training  # noqa: E402

DEPLOYMENT = "SageMaker Endpoint Deployment State Change"


def percent(value):
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def canary(size=20, wait=1, termination=0, guards=()):
    return {"BlueGreenUpdatePolicy": {"TerminationWaitInSeconds": termination, "TrafficRoutingConfiguration": {
                "Type": "CANARY", "WaitIntervalInSeconds": wait, "CanarySize": percent(size)}},
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in guards]}}


def linear(step=25, wait=1, guards=()):
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "LINEAR", "WaitIntervalInSeconds": wait, "LinearStepSize": percent(step)}},
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in guards]}}


class Load:
    """Clients that ask all the time; every answer and every failure is kept."""

    def __init__(self, case, threads=3, labels=False):
        self.case, self.labels = case, labels
        self.stop, self.answers, self.failures = threading.Event(), [], []
        self.threads = [threading.Thread(target=self.ask, args=(number,)) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def ask(self, number):
        connection, asked = http.client.HTTPConnection("127.0.0.1", self.case.server.port, timeout=60), 0
        while not self.stop.is_set():
            asked += 1
            a, b = (asked * 37) % 101, (asked * 53) % 97
            name = f"{number}-{asked}"
            try:
                connection.request("POST", "/endpoints/e/invocations", f"{a},{b}", {"Content-Type": "text/csv", "X-Amzn-SageMaker-Inference-Id": name})
                response = connection.getresponse()
                text = response.read().decode()
            except (ConnectionError, http.client.HTTPException, OSError):  # the server was killed
                connection.close()
                time.sleep(0.05)
                connection = http.client.HTTPConnection("127.0.0.1", self.case.server.port, timeout=60)
                continue
            if response.status != 200:
                self.failures.append((response.status, text))
            else:
                self.answers.append((time.time(), (float(text) > 0.5) == (a > b)))
            if self.labels and asked % 10 == 0:
                lines = "".join(json.dumps({"InferenceId": f"{number}-{n}", "Label": int((n * 37) % 101 > (n * 53) % 97)}) + "\n" for n in range(asked - 9, asked + 1))
                connection.request("POST", "/endpoints/e/outcomes", lines)
                connection.getresponse().read()
        connection.close()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return self


class RolloutCase(SageMakerCase):
    options = ("--set", "endpoints.guard_interval=100ms")

    def setUp(self):
        super().setUp()
        # A model that is right, and one that learnt the opposite.
        flipped = "".join(f"{1 - int(line[0])}{line[1:]}\n" for line in (self.home / "objects/b/train/data.csv").read_text().splitlines())
        self.put("b/flipped/data.csv", flipped)
        self.model("good", self.train("good"))
        self.model("better", self.train("better", rounds=9))
        wrong = self.train_on("bad", "s3://b/flipped")
        self.model("bad", wrong)
        for model in ("good", "better", "bad"):
            self.sm("CreateEndpointConfig", EndpointConfigName=model, ProductionVariants=[self.variant("v", model)])
        self.sm("CreateEndpoint", EndpointName="e", EndpointConfigName="good")

    def train_on(self, name, uri):
        request = training(name)
        request["InputDataConfig"] = [channel("train", uri)]
        request["HyperParameters"].pop("eval_metric")
        self.sm("CreateTrainingJob", **request)
        job = self.ended("TrainingJob", name)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job)
        return job

    @staticmethod
    def variant(name, model, weight=1):
        return {"VariantName": name, "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": weight}

    def endpoint(self):
        return self.sm("DescribeEndpoint", EndpointName="e")

    def in_service(self, seconds=30):
        self.wait_for(lambda: self.endpoint()["EndpointStatus"] == "InService", "the end of the deployment", seconds)
        return self.endpoint()

    def update(self, config, deployment, **more):
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName=config, DeploymentConfig=deployment, **more)


class Shifts(RolloutCase):
    def test_a_canary_under_load(self):
        load = Load(self)
        time.sleep(0.3)
        begun = time.time()
        self.update("better", canary(20, 2, 1))
        shown = self.endpoint()
        self.assertEqual((shown["EndpointStatus"], shown["EndpointConfigName"]), ("Updating", "good"))
        pending = shown["PendingDeploymentSummary"]
        self.assertEqual((pending["EndpointConfigName"], pending["ProductionVariants"][0]["VariantName"]), ("better", "v"))
        status = pending["ProductionVariants"][0]["VariantStatus"][0]
        self.assertEqual((status["Status"], status["StatusMessage"]), ("Baking", "20 % of the traffic"))
        self.assertTrue(begun - 1 < pending["StartTime"] < time.time() + 1, pending)
        refused = self.error("UpdateEndpoint", "ValidationException", EndpointName="e", EndpointConfigName="bad")
        self.assertEqual(refused, f'Cannot update in-progress endpoint "{shown["EndpointArn"]}".')
        self.assertIn("in-progress", self.error("UpdateEndpointWeightsAndCapacities", "ValidationException", EndpointName="e",
                                                DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredWeight": 2}]))
        shown = self.in_service()
        self.assertGreaterEqual(time.time() - begun, 5)
        load.end()
        self.assertEqual(load.failures, [])
        self.assertGreater(len(load.answers), 200)
        self.assertEqual((shown["EndpointConfigName"], shown["LastDeploymentConfig"]), ("better", canary(20, 2, 1)))
        self.assertNotIn("PendingDeploymentSummary", shown)
        self.assertNotIn("FailureReason", shown)
        events = self.events()
        statuses = [detail["EndpointStatus"] for name, detail in events if name == DEPLOYMENT]
        self.assertEqual(statuses, ["Updating", "Updating", "Updating", "InService"], "canary, all, old fleet warm, done")
        self.assertEqual([detail["EndpointStatus"] for name, detail in events if name == "SageMaker Endpoint State Change"], ["InService", *statuses])

    def test_shares_are_exact(self):
        self.update("bad", linear(25, 3))
        wrong = 0
        for number in range(200):
            text, _ = self.invoke("e", "90,10")
            wrong += float(text) < 0.5
        self.assertEqual(self.endpoint()["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]["StatusMessage"], "25 % of the traffic")
        self.assertTrue(47 <= wrong <= 53, wrong)

    def test_what_is_refused(self):
        for wrong, said in ((canary(60), "60 %"), (linear(5), "5 %"), (canary(10, 4000), "3600"), (canary(guards=["none-such"]), 'there is no alarm "none-such"'),
                            (canary(guards=["millrace:speed > 1"]), "is no guard"), ({"RollingUpdatePolicy": {}}, "MaximumBatchSize")):
            self.assertIn(said, self.error("UpdateEndpoint", "ValidationException", EndpointName="e", EndpointConfigName="better", DeploymentConfig=wrong))
        self.assertIn("never updated", self.error("UpdateEndpoint", "ValidationException", EndpointName="e", EndpointConfigName="better", RetainDeploymentConfig=True))
        self.assertEqual(self.endpoint()["EndpointStatus"], "InService")
        self.update("better", linear(50, 0))
        self.in_service()
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="good", RetainDeploymentConfig=True)
        self.assertEqual(self.in_service()["LastDeploymentConfig"], linear(50, 0))

    def test_all_at_once_is_there_with_the_answer(self):
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="bad", DeploymentConfig={
            "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE"}}})
        self.assertEqual((self.endpoint()["EndpointStatus"], self.endpoint()["EndpointConfigName"]), ("InService", "bad"))
        self.assertLess(float(self.invoke("e", "90,10")[0]), 0.5)


class Rollback(RolloutCase):
    def test_live_accuracy_under_load(self):
        """A model that is wrong takes the canary's share; labels come in, and it goes back by itself. No request fails."""
        load = Load(self, labels=True)
        time.sleep(1)
        self.update("bad", canary(20, 3600, guards=["millrace:accuracy < old - 0.05"]))
        shown = self.in_service()
        back = time.time() + 0.5
        time.sleep(1)
        load.end()
        self.assertEqual(load.failures, [])
        self.assertEqual(shown["EndpointConfigName"], "good")
        self.assertIn("The deployment of bad was rolled back: accuracy of the new fleet is", shown["FailureReason"])
        self.assertIn('(guard "millrace:accuracy < old - 0.05")', shown["FailureReason"])
        after = [right for at, right in load.answers if at > back]
        self.assertGreater(sum(after) / len(after), 0.9, "all traffic is back on the old model")
        statuses = [detail["EndpointStatus"] for name, detail in self.events() if name == DEPLOYMENT]
        self.assertEqual(statuses, ["Updating", "RollingBack", "InService"])
        self.update("better", linear(50, 0))
        self.assertNotIn("FailureReason", self.in_service())

    def test_errors(self):
        """A model of other columns fails its share of the requests, until it is rolled back."""
        self.put("b/three/data.csv", "".join(f"{i % 2},{i % 7},{i % 11},{i % 5}\n" for i in range(400)))
        self.model("three", self.train_on("three", "s3://b/three"))
        self.sm("CreateEndpointConfig", EndpointConfigName="three", ProductionVariants=[self.variant("v", "three")])
        self.update("three", canary(10, 3600, guards=["millrace:error-rate > 0.05", "millrace:latency-p99 > 10s"]))
        load = Load(self)
        shown = self.in_service()
        time.sleep(0.3)
        load.end()
        self.assertIn("error rate of the new fleet is 100 %", shown["FailureReason"])
        self.assertEqual({status for status, _ in load.failures}, {424})
        self.assertLess(len(load.failures), len(load.answers) * 0.2)
        self.invoke("e", "1,2")

    def cloudwatch(self, operation, **request):
        status, _, text = self.request("POST", "/", json.dumps(request), X_Amz_Target="GraniteServiceVersion20100801." + operation,
                                       Content_Type="application/x-amz-json-1.0")
        self.assertEqual(status, 200, text)

    def test_an_alarm(self):
        self.cloudwatch("PutMetricAlarm", AlarmName="complaints", Namespace="shop", MetricName="complaints", Statistic="Sum", Period=60,
                        EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold")
        self.update("better", canary(20, 3600, guards=["complaints"]))
        time.sleep(0.5)
        self.assertEqual(self.endpoint()["EndpointStatus"], "Updating", "an alarm that knows nothing yet is none")
        self.cloudwatch("SetAlarmState", AlarmName="complaints", StateValue="ALARM", StateReason="a test")
        shown = self.in_service()
        self.assertEqual((shown["EndpointConfigName"], shown["FailureReason"]),
                         ("good", 'The deployment of better was rolled back: the alarm "complaints" is in the state ALARM'))

    def test_a_model_that_is_gone(self):
        self.update("bad", canary(20, 3600))
        self.invoke("e", "1,2")
        self.server.kill()
        model = self.sm_artifact("bad")
        subprocess.run(["rm", "-rf", model], check=True)
        self.serve()
        shown = self.in_service()
        self.assertIn("the new fleet can't be served", shown["FailureReason"])
        self.assertGreater(float(self.invoke("e", "90,10")[0]), 0.5)

    def test_nothing_to_go_back_to(self):
        self.update("bad", canary(20, 3600, guards=["millrace:accuracy < 0.9"]))
        self.server.kill()
        subprocess.run(["rm", "-rf", self.sm_artifact("good")], check=True)
        self.serve()
        load = Load(self, labels=True)
        self.wait_for(lambda: self.endpoint()["EndpointStatus"] == "UpdateRollbackFailed", "the rollback to fail", 30)
        load.end()
        self.assertEqual(load.failures, [])
        self.assertIn("could not be rolled back", self.endpoint()["FailureReason"])
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="better")
        self.assertEqual(self.in_service()["EndpointConfigName"], "better")

    def sm_artifact(self, job):
        """The folder or file of a model in the home."""
        return self.home / "objects" / self.uris[job].removeprefix("s3://").rstrip("/")

    def model(self, name, job):
        self.uris = getattr(self, "uris", {})
        self.uris[name] = job["ModelArtifacts"]["S3ModelArtifacts"]
        super().model(name, job)


class Crashes(RolloutCase):
    def test_killed_in_the_middle(self):
        """Whenever the process dies, the deployment goes on by itself and ends; each step is told once."""
        random, load = Random(3), None
        for number, config in enumerate(("better", "good", "better")):
            self.update(config, linear(50, 1))
            load = Load(self, threads=1)
            for _ in range(2):
                time.sleep(random.random() * 1.2)
                self.server.kill()
                self.serve()
            self.assertEqual(self.in_service()["EndpointConfigName"], config, number)
            load.end()
            self.assertEqual(load.failures, [])
        told = [(detail["EndpointStatus"], detail["LastModifiedTime"]) for name, detail in self.events() if name == DEPLOYMENT]
        self.assertEqual(len(told), len(set(told)))
        self.assertEqual([status for status, _ in told], ["Updating", "Updating", "InService"] * 3)

    def test_outcomes_that_were_acknowledged_are_there(self):
        for number in range(20):
            self.invoke("e", "1,2", X_Amzn_SageMaker_Inference_Id=f"i-{number}")
        status, _, text = self.request("POST", "/endpoints/e/outcomes", json.dumps([{"InferenceId": f"i-{n}", "Outcome": n % 2} for n in range(21)]))
        self.assertEqual((status, json.loads(text)), (200, {"Accepted": 20, "Unknown": 1, "UnknownInferenceIds": ["i-20"]}))
        self.server.kill()
        self.serve()
        self.assertEqual(self.request("POST", "/endpoints/e/outcomes", '{"InferenceId":"i-3","Outcome":1}')[0], 200)
        with sqlite3.connect(f"file:{self.home}/outcomes.db?mode=ro", uri=True) as database:
            self.assertEqual(database.execute("SELECT count(*), sum(outcome) FROM inference").fetchone(), (20, 10))


class Comparison(RolloutCase):
    def test_variants(self):
        self.sm("CreateEndpointConfig", EndpointConfigName="ab", ProductionVariants=[self.variant("now", "bad"), self.variant("new", "good")])
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="ab")
        for number in range(200):
            a, b = (number * 37) % 101, (number * 53) % 97
            self.invoke("e", f"{a},{b}", X_Amzn_SageMaker_Inference_Id=f"i-{number}")
        csv = "inference_id,label\n" + "".join(f"i-{n},{int((n * 37) % 101 > (n * 53) % 97)}\n" for n in range(200))
        status, _, text = self.request("POST", "/endpoints/e/outcomes", csv, Content_Type="text/csv")
        self.assertEqual((status, json.loads(text)["Accepted"]), (200, 200), text)
        shown = json.loads(self.call("ab", "e", "--json").stdout)
        self.assertEqual((shown["Verdict"], shown["Winner"], shown["Control"]), ("Winner", "new", "now"))
        self.assertEqual([variant["Requests"] for variant in shown["Variants"]], [100, 100])
        table = self.call("ab", "e").stdout
        self.assertIn("new is better than the other.", table)
        self.assertIn("better", table)
        for body, said in (("", "no outcomes"), ("x", "outcome 1"), ('[{"Outcome":1}]', "InferenceId")):
            status, headers, text = self.request("POST", "/endpoints/e/outcomes", body)
            self.assertEqual((status, headers["x-amzn-ErrorType"]), (400, "ValidationError"))
            self.assertIn(said, text)
        self.assertEqual(self.request("POST", "/endpoints/none/outcomes", '{"InferenceId":"a","Outcome":1}')[0], 400)
        self.assertIn("none", self.call("ab", "none", code=2).stderr)
        shown = json.loads(self.call("ab", "e", "--control", "new", "--json").stdout)
        self.assertEqual([variant["Verdict"] for variant in shown["Variants"]], ["Control", "Worse"])


if __name__ == "__main__":
    program.main()
