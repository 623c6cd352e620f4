#!/usr/bin/env python3
"""SageMaker through `millrace serve`: its API, its runtime, experiments, events; AWS's clients where they are installed.

Usage: sagemaker_api.py MILLRACE [CASE...]
"""

import base64
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError, WaiterError
except ImportError:
    boto3 = None

ROLE = "arn:aws:iam::123456789012:role/any"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


def rows(count):
    """y,a,b: y is 1 where a > b."""
    return "".join(f"{int((i * 37) % 101 > (i * 53) % 97)},{(i * 37) % 101},{(i * 53) % 97}\n" for i in range(count))


def channel(name, uri):
    return {"ChannelName": name, "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}}}


def training(name, rounds=5, **more):
    return {"TrainingJobName": name, "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"}, "RoleArn": ROLE,
            "HyperParameters": {"objective": "binary:logistic", "num_round": str(rounds), "eval_metric": "auc"},
            "InputDataConfig": [channel("train", "s3://b/train"), channel("validation", "s3://b/validation")],
            "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600}, **more}


def script(name, **more):
    return {"TrainingJobName": name, "AlgorithmSpecification": {"TrainingImage": "script", "TrainingInputMode": "File"}, "RoleArn": ROLE,
            "HyperParameters": {"sagemaker_program": "train.sh", "sagemaker_submit_directory": "s3://b/code/"},
            "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600}, **more}


class SageMakerCase(Case):
    options = ("--set", "endpoints.capture_interval=100ms")

    def setUp(self):
        super().setUp()
        self.put("b/train/data.csv", rows(800))
        self.put("b/validation/data.csv", rows(200))
        self.serve()
        self.addCleanup(lambda: self.server.stop())

    def serve(self):
        self.server = Server(self.home, *self.options)

    def put(self, key, text):
        path = self.home / "objects" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def request(self, method, path, body, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text

    def sm(self, operation, status=200, **request):
        got, headers, text = self.request("POST", "/", json.dumps(request), X_Amz_Target="SageMaker." + operation,
                                          Content_Type="application/x-amz-json-1.1")
        self.assertEqual(got, status, text)
        self.assertEqual(headers["Content-Type"], "application/x-amz-json-1.1")
        return json.loads(text)

    def error(self, operation, code, **request):
        answer = self.sm(operation, 400, **request)
        self.assertEqual(answer["__type"], code, answer)
        modelled = code.startswith("Resource") or code == "ConflictException"
        return answer["Message" if modelled else "message"]

    def invoke(self, endpoint, body, status=200, **headers):
        headers.setdefault("Content_Type", "text/csv")
        got, answer_headers, text = self.request("POST", f"/endpoints/{endpoint}/invocations", body, **headers)
        self.assertEqual(got, status, text)
        return text, answer_headers

    def ended(self, kind, name):
        def status():
            return self.sm("Describe" + kind, **{kind + "Name": name})[kind + "Status"]
        self.wait_for(lambda: status() in ("Completed", "Failed", "Stopped"), name, 60)
        return self.sm("Describe" + kind, **{kind + "Name": name})

    def train(self, name="t", **more):
        self.sm("CreateTrainingJob", **training(name, **more))
        job = self.ended("TrainingJob", name)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job)
        return job

    def model(self, name, job):
        self.sm("CreateModel", ModelName=name, ExecutionRoleArn=ROLE,
                PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]})

    def deploy(self, endpoint, variants, **config):
        self.sm("CreateEndpointConfig", EndpointConfigName=endpoint + "-1", ProductionVariants=variants, **config)
        return self.sm("CreateEndpoint", EndpointName=endpoint, EndpointConfigName=endpoint + "-1")["EndpointArn"]

    def events(self):
        """(detail-type, detail) in order, once nothing waits any more."""
        def waiting():
            with sqlite3.connect(f"file:{self.home}/tasks.db?mode=ro", uri=True) as database:
                return database.execute("SELECT count(*) FROM change").fetchone()[0]
        self.wait_for(lambda: waiting() == 0, "the events to be told")
        with sqlite3.connect(f"file:{self.home}/events.db?mode=ro", uri=True) as database:
            documents = [json.loads(row[0]) for row in database.execute("SELECT document FROM event ORDER BY number")]
        self.assertEqual({document["source"] for document in documents} - {"aws.s3"}, {"aws.sagemaker"})
        return [(document["detail-type"], document["detail"]) for document in documents if document["source"] == "aws.sagemaker"]


class Jobs(SageMakerCase):
    def test_a_training_job(self):
        begin = time.time()
        made = self.sm("CreateTrainingJob", **training("t", Tags=[{"Key": "team", "Value": "risk"}]))
        self.assertEqual(made, {"TrainingJobArn": ARN + "training-job/t"})
        job = self.ended("TrainingJob", "t")
        self.assertEqual((job["TrainingJobStatus"], job["SecondaryStatus"]), ("Completed", "Completed"))
        self.assertEqual(job["ModelArtifacts"]["S3ModelArtifacts"].split("/")[:6], ["s3:", "", "b", "models", "t", "output"])
        self.assertEqual(job["HyperParameters"]["num_round"], "5")
        self.assertNotIn("Tags", job)
        self.assertNotIn("Millrace", job)
        for key in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime"):
            self.assertTrue(begin - 1 < job[key] < time.time() + 1, (key, job[key]))
        transitions = job["SecondaryStatusTransitions"]
        self.assertEqual((transitions[0]["Status"], transitions[-1]["Status"]), ("Starting", "Completed"))
        self.assertTrue(all(begin - 1 < one["StartTime"] <= one["EndTime"] for one in transitions), transitions)
        metric = next(one for one in job["FinalMetricDataList"] if one["MetricName"] == "validation:auc")
        self.assertGreater(metric["Value"], 0.9)
        self.assertTrue(begin - 1 < metric["Timestamp"] < time.time() + 1)
        self.assertGreaterEqual(job["TrainingTimeInSeconds"], 0)
        self.assertIn("BillableTimeInSeconds", job)
        self.assertIn("already exists", self.error("CreateTrainingJob", "ResourceInUse", **training("t")))

    def test_what_is_wrong(self):
        message = self.error("CreateTrainingJob", "ValidationException", RoleArn=ROLE)
        for part in ("3 validation errors", "Value null at 'trainingJobName' failed", "'algorithmSpecification'", "'outputDataConfig'"):
            self.assertIn(part, message)
        wrong = training("t")
        wrong["InputDataConfig"][0].pop("ChannelName")
        self.assertIn("'inputDataConfig.1.member.channelName'", self.error("CreateTrainingJob", "ValidationException", **wrong))
        self.assertIn("Value 'a_b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                      "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", self.error("CreateTrainingJob", "ValidationException", **training("a_b")))
        self.assertIn("num_round", self.error("CreateTrainingJob", "ValidationException", **training("t", rounds=-1)))
        self.assertIn("can not be converted", self.error("ListModels", "SerializationException", MaxResults="x"))
        self.error("DescribeTrainingJob", "ValidationException", TrainingJobName="none")
        self.error("StopTrainingJob", "ResourceNotFound", TrainingJobName="none")
        self.error("StopProcessingJob", "ResourceNotFound", ProcessingJobName="none")
        self.error("DescribeEndpoint", "ValidationException", EndpointName="none")
        self.error("DeleteModel", "ValidationException", ModelName="none")
        self.error("CreateNotebookInstance", "UnknownOperationException")
        self.assertEqual(self.request("POST", "/", "[]", X_Amz_Target="SageMaker.ListModels")[0], 400)
        self.assertEqual(self.request("POST", "/", "{", X_Amz_Target="SageMaker.ListModels")[0], 400)
        self.assertEqual(self.sm("ListTrainingJobs"), {"TrainingJobSummaries": []})

    def test_processing_transform_and_tuning(self):
        self.put("b/all.csv", "y,a,b\n" + rows(100))
        self.sm("CreateProcessingJob", ProcessingJobName="p", RoleArn=ROLE,
                AppSpecification={"ImageUri": "split", "ContainerArguments": ["--train", "0.5", "--test", "0.5"]},
                ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
                ProcessingInputs=[{"InputName": "all", "S3Input": {"S3Uri": "s3://b/all.csv", "LocalPath": "/opt/ml/processing/input", "S3DataType": "S3Prefix"}}],
                ProcessingOutputConfig={"Outputs": [{"OutputName": "parts", "S3Output": {"S3Uri": "s3://b/parts", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}}]})
        job = self.ended("ProcessingJob", "p")
        self.assertEqual(job["ProcessingJobStatus"], "Completed", job)
        self.assertLess(job["ProcessingStartTime"], job["ProcessingEndTime"] + 0.001)
        tuning = training("x")
        tuning.pop("TrainingJobName")
        tuning["StaticHyperParameters"] = tuning.pop("HyperParameters")
        self.sm("CreateHyperParameterTuningJob", HyperParameterTuningJobName="h", TrainingJobDefinition=tuning, HyperParameterTuningJobConfig={
            "Strategy": "Random", "RandomSeed": 1, "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1},
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5"}]}})
        job = self.ended("HyperParameterTuningJob", "h")
        self.assertEqual(job["HyperParameterTuningJobStatus"], "Completed", job)
        self.assertEqual(job["TrainingJobStatusCounters"]["Completed"], 3)
        self.assertGreater(job["HyperParameterTuningEndTime"], job["CreationTime"])
        best = job["BestTrainingJob"]
        trials = self.sm("ListTrainingJobsForHyperParameterTuningJob", HyperParameterTuningJobName="h", SortBy="FinalObjectiveMetricValue",
                         SortOrder="Descending", MaxResults=2)
        self.assertEqual(len(trials["TrainingJobSummaries"]), 2)
        self.assertEqual(trials["TrainingJobSummaries"][0]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
                         best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
        rest = self.sm("ListTrainingJobsForHyperParameterTuningJob", HyperParameterTuningJobName="h", SortBy="FinalObjectiveMetricValue",
                       SortOrder="Descending", MaxResults=2, NextToken=trials["NextToken"])
        self.assertEqual(len(rest["TrainingJobSummaries"]), 1)
        self.assertNotIn("NextToken", rest)
        summary = self.sm("ListHyperParameterTuningJobs")["HyperParameterTuningJobSummaries"][0]
        self.assertEqual((summary["Strategy"], summary["ResourceLimits"]["MaxNumberOfTrainingJobs"]), ("Random", 3))
        self.model("m", self.sm("DescribeTrainingJob", TrainingJobName=best["TrainingJobName"]))
        self.put("b/batch/in.csv", "90,10\n10,90\n")
        self.sm("CreateTransformJob", TransformJobName="x", ModelName="m", TransformOutput={"S3OutputPath": "s3://b/scores"},
                TransformInput={"ContentType": "text/csv", "SplitType": "Line", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/batch/"}}},
                TransformResources={"InstanceCount": 1, "InstanceType": "ml.m5.large"})
        self.assertEqual(self.ended("TransformJob", "x")["TransformJobStatus"], "Completed")
        scores = (self.home / "objects/b/scores/in.csv.out").read_text().split()
        self.assertGreater(float(scores[0]), float(scores[1]))

    def test_a_stopped_job(self):
        self.put("b/code/train.sh", "#!/bin/sh\nsleep 60\n")
        self.sm("CreateTrainingJob", **script("s"))
        self.wait_for(lambda: "TrainingStartTime" in self.sm("DescribeTrainingJob", TrainingJobName="s"), "the start")
        self.assertEqual(self.sm("StopTrainingJob", TrainingJobName="s"), {})
        job = self.ended("TrainingJob", "s")
        self.assertEqual((job["TrainingJobStatus"], job["SecondaryStatus"]), ("Stopped", "Stopped"))
        states = [(detail["TrainingJobStatus"], detail["SecondaryStatus"]) for _, detail in self.events()]
        self.assertEqual(states[0], ("InProgress", "Starting"))
        self.assertEqual(states[-1], ("Stopped", "Stopped"))
        self.assertEqual(len(states), len(set(states)))

    def test_kill_in_the_middle_of_a_job(self):
        self.put("b/code/train.sh", "#!/bin/sh\necho run; for i in 1 2 3 4 5 6 7 8; do echo step $i; sleep 0.25; done; echo 1 > \"$SM_MODEL_DIR/model\"\n")
        self.sm("CreateExperiment", ExperimentName="e")
        self.sm("CreateTrial", TrialName="e-1", ExperimentName="e")
        self.sm("CreateTrainingJob", **script("s", ExperimentConfig={"TrialName": "e-1"}))
        log = self.home / "logs/TrainingJob/s.log"
        self.wait_for(lambda: log.exists() and "step 2" in log.read_text(), "the second step")
        self.server.kill()
        self.serve()
        job = self.ended("TrainingJob", "s")
        self.assertEqual(job["TrainingJobStatus"], "Completed", job)
        self.assertEqual(log.read_text().count("] run") + log.read_text().count(" run\n"), 2, "it began anew by itself")
        events = [(name, detail["TrainingJobStatus"], detail["SecondaryStatus"], detail["LastModifiedTime"]) for name, detail in self.events()]
        self.assertEqual({event[0] for event in events}, {"SageMaker Training Job State Change"})
        self.assertEqual(len(events), len(set(events)), "no event twice")
        self.assertEqual([event[1] for event in events].count("Completed"), 1)
        component = self.sm("DescribeTrialComponent", TrialComponentName="s-aws-training-job")
        self.assertEqual(component["Status"]["PrimaryStatus"], "Completed")
        self.assertEqual(len(self.sm("ListTrainingJobs")["TrainingJobSummaries"]), 1)

    def test_kills_at_any_moment(self):
        """Every job ends, and each of its states was told once, whenever the process died."""
        random, names = Random(7), [f"j-{number}" for number in range(12)]
        for name in names:
            try:
                self.sm("CreateTrainingJob", **training(name, rounds=40))
            except (ConnectionError, http.client.HTTPException):  # not acknowledged
                self.serve()
                if name not in {one["TrainingJobName"] for one in self.sm("ListTrainingJobs")["TrainingJobSummaries"]}:
                    self.sm("CreateTrainingJob", **training(name, rounds=40))
            if random.random() < 0.4:
                time.sleep(random.random() * 0.1)
                self.server.kill()
                self.serve()
        for name in names:
            self.assertEqual(self.ended("TrainingJob", name)["TrainingJobStatus"], "Completed")
        told = {name: [] for name in names}
        for _, detail in self.events():
            told[detail["TrainingJobName"]].append(detail["SecondaryStatus"])
        for name in names:
            transitions = [one["Status"] for one in self.sm("DescribeTrainingJob", TrainingJobName=name)["SecondaryStatusTransitions"]]
            changes = [status for number, status in enumerate(transitions) if number == 0 or status != transitions[number - 1]]
            self.assertEqual((told[name], told[name][-1]), (changes, "Completed"), name)

    def test_logs_of_a_job(self):
        self.train("t")

        def logs(operation, **request):
            status, _, text = self.request("POST", "/", json.dumps(request), X_Amz_Target="Logs_20140328." + operation)
            self.assertEqual(status, 200, text)
            return json.loads(text)
        streams = logs("DescribeLogStreams", logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="t/algo-1-")["logStreams"]
        self.assertEqual(len(streams), 1)
        lines = [event["message"] for event in logs("GetLogEvents", logGroupName="/aws/sagemaker/TrainingJobs",
                                                    logStreamName=streams[0]["logStreamName"], startFromHead=True)["events"]]
        self.assertEqual((lines[0], lines[-1]), ("TrainingJob t begins", "Completed"))


LONG = {  # fits of some seconds that keep checkpoints
    "xgboost": {"objective": "binary:logistic", "num_round": "2500", "subsample": "0.8", "max_depth": "8"},
    "mlp": {"predictor_type": "binary_classifier", "hidden_layers": "64,64", "epochs": "400", "early_stopping_patience": "400",
            "dropout": "0.1"},
    "linear-learner": {"predictor_type": "binary_classifier", "optimizer": "adam", "mini_batch_size": "20", "epochs": "3000",
                       "early_stopping_patience": "3000"},
}


class Spot(SageMakerCase):
    def long_job(self, name, algorithm, **more):
        job = training(name, **more)
        job["AlgorithmSpecification"]["TrainingImage"], job["HyperParameters"] = algorithm, LONG[algorithm]
        self.sm("CreateTrainingJob", **job)

    def model_of(self, name):
        job = self.ended("TrainingJob", name)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job)
        algorithm = job["AlgorithmSpecification"]["TrainingImage"]
        return self.artifact(job, "xgboost-model" if algorithm == "xgboost" else "model.bin"), job

    def artifact(self, job, name):
        with tarfile.open(self.home / "objects" / job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://")) as files:
            return files.extractfile(name).read()

    def test_kills_do_not_change_the_model(self):
        for algorithm in LONG:
            spot, found = "spot-" + algorithm, self.home / f"objects/b/checkpoints/spot-{algorithm}/{algorithm}-checkpoint"
            self.long_job(spot, algorithm, EnableManagedSpotTraining=True, CheckpointConfig={"S3Uri": "s3://b/checkpoints"},
                          StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200})
            seen = b""
            for _ in range(2):
                self.wait_for(lambda: found.exists() and found.read_bytes() != seen, "another checkpoint", 60)
                self.server.kill()
                seen = found.read_bytes()
                self.serve()
            model, job = self.model_of(spot)
            states = [one["Status"] for one in job["SecondaryStatusTransitions"]]
            self.assertEqual((states.count("Interrupted"), states[-1]), (2, "Completed"), states)
            self.assertIn("continuing from s3://b/checkpoints", (self.home / f"logs/TrainingJob/{spot}.log").read_text())
            self.long_job("plain-" + algorithm, algorithm)
            self.assertEqual(model, self.model_of("plain-" + algorithm)[0], algorithm)

    def test_a_program_that_was_killed_runs_again(self):
        self.put("b/code/train.sh", "at=/opt/ml/checkpoints; [ -d $at ] || at=$SM_MODEL_DIR/../checkpoints\n"
                                    "echo x >> $at/runs\n[ $(wc -l < $at/runs) -ge 3 ] || kill -TERM $$\ncp $at/runs $SM_MODEL_DIR/\n")
        for spot, expected in ((False, "Failed"), (True, "Completed")):
            name = f"script-{expected}"
            self.sm("CreateTrainingJob", **script(name, EnableManagedSpotTraining=spot, CheckpointConfig={"S3Uri": f"s3://b/{name}"}))
            job = self.ended("TrainingJob", name)
            self.assertEqual(job["TrainingJobStatus"], expected, job)
        self.assertEqual([one["Status"] for one in job["SecondaryStatusTransitions"]].count("Interrupted"), 2)
        self.assertEqual(self.artifact(job, "runs"), b"x\n" * 3)

    def test_what_is_wrong(self):
        wrong = training("t", EnableManagedSpotTraining=True, StoppingCondition={"MaxRuntimeInSeconds": 10, "MaxWaitTimeInSeconds": 5})
        self.assertIn("MaxWaitTimeInSeconds", self.error("CreateTrainingJob", "ValidationException", **wrong))


def rule(name, **parameters):
    return {"RuleConfigurationName": name, "RuleEvaluatorImage": "503895931360.dkr.ecr.us-east-1.amazonaws.com/sagemaker-debugger-rules:latest",
            "RuleParameters": {"rule_to_invoke": name, **parameters}}


class Rules(SageMakerCase):
    STOP = json.dumps([{"name": "stoptraining", "parameters": {"training_job_prefix": "t"}}])

    def statuses(self, name):
        return {one["RuleConfigurationName"]: one for one in self.sm("DescribeTrainingJob", TrainingJobName=name)["DebugRuleEvaluationStatuses"]}

    def test_rules_that_find_something_and_rules_that_do_not(self):
        job = self.train("t", DebugRuleConfigurations=[rule("TreeDepth", depth="2"), rule("ClassImbalance"), rule("StalledTrainingRule")])
        found = self.statuses("t")
        self.assertEqual({name: one["RuleEvaluationStatus"] for name, one in found.items()},
                         {"TreeDepth": "IssuesFound", "ClassImbalance": "NoIssuesFound", "StalledTrainingRule": "NoIssuesFound"})
        self.assertIn("deep", found["TreeDepth"]["StatusDetails"])
        self.assertTrue(job["CreationTime"] - 1 < found["TreeDepth"]["LastModifiedTime"] < time.time() + 1)
        self.assertIn("rule TreeDepth: IssuesFound in the model: a tree is", (self.home / "logs/TrainingJob/t.log").read_text())
        told = [[one["RuleEvaluationStatus"] for one in detail.get("DebugRuleEvaluationStatuses", [])] for _, detail in self.events()]
        self.assertIn(["InProgress"] * 3, told)
        self.assertEqual(told[-1], ["IssuesFound", "NoIssuesFound", "NoIssuesFound"])

    def test_a_rule_stops_the_job(self):
        job = training("t", DebugRuleConfigurations=[rule("LossNotDecreasing", num_steps="5", diff_percent="90", action_json=self.STOP)])
        job["HyperParameters"].update(num_round="500", eta="0.01", eval_metric="logloss")
        self.sm("CreateTrainingJob", **job)
        ended = self.ended("TrainingJob", "t")
        self.assertEqual((ended["TrainingJobStatus"], ended["SecondaryStatus"]), ("Stopped", "Stopped"))
        self.assertIn("S3ModelArtifacts", ended["ModelArtifacts"])  # the model so far
        self.assertEqual(self.statuses("t")["LossNotDecreasing"]["RuleEvaluationStatus"], "IssuesFound")
        self.assertNotIn("[6]", (self.home / "logs/TrainingJob/t.log").read_text())

    def test_a_rule_about_tensors_stops_a_network(self):
        job = training("n", DebugRuleConfigurations=[rule("ExplodingTensor", action_json=self.STOP), rule("Overfit")],
                       DebugHookConfig={"S3OutputPath": "s3://b/debug", "CollectionConfigurations": [
                           {"CollectionName": "gradients", "CollectionParameters": {"save_interval": "2"}}]})
        job["AlgorithmSpecification"]["TrainingImage"] = "mlp"
        job["HyperParameters"] = {"predictor_type": "regressor", "hidden_layers": "16,16", "optimizer": "sgd", "learning_rate": "900"}
        self.sm("CreateTrainingJob", **job)
        self.assertEqual(self.ended("TrainingJob", "n")["TrainingJobStatus"], "Stopped")
        found = self.statuses("n")
        self.assertEqual(found["ExplodingTensor"]["RuleEvaluationStatus"], "IssuesFound")
        self.assertEqual(found["Overfit"]["RuleEvaluationStatus"], "Stopped")
        told = [detail.get("DebugRuleEvaluationStatuses", [{}])[0].get("RuleEvaluationStatus") for _, detail in self.events()]
        self.assertIn("IssuesFound", told)
        first = json.loads((self.home / "objects/b/debug/n/debug-output/gradients/000000000000.json").read_text())
        self.assertEqual([tensor["name"] for tensor in first["tensors"]][:2], ["gradient/layer0_weight", "gradient/layer0_bias"])

    def test_a_rule_stops_a_program(self):
        self.put("b/code/train.sh", "for i in 1 2 3; do echo loss=1; done; sleep 60\n")
        self.sm("CreateTrainingJob", **script("p", DebugRuleConfigurations=[rule("LossNotDecreasing", num_steps="2", action_json=self.STOP)],
                                              AlgorithmSpecification={"TrainingImage": "script", "TrainingInputMode": "File",
                                                                      "MetricDefinitions": [{"Name": "train:loss", "Regex": "loss=([0-9.]+)"}]}))
        self.assertEqual(self.ended("TrainingJob", "p")["TrainingJobStatus"], "Stopped")
        self.sm("CreateTrainingJob", **script("q", DebugRuleConfigurations=[rule("StalledTrainingRule", threshold="1", stop_training_on_fire="True")]))
        self.assertEqual(self.ended("TrainingJob", "q")["TrainingJobStatus"], "Stopped")
        self.assertEqual(self.statuses("q")["StalledTrainingRule"]["RuleEvaluationStatus"], "IssuesFound")

    def test_what_is_wrong(self):
        wrong = training("t", DebugRuleConfigurations=[rule("Overfitt")])
        self.assertIn("did you mean 'Overfit'?", self.error("CreateTrainingJob", "ValidationException", **wrong))


class Records(SageMakerCase):
    def test_lists(self):
        job = self.train()
        for number in range(7):
            self.model(f"m-{number}", job)
            time.sleep(0.002)
        self.model("other", job)
        names, token, pages = [], {}, 0
        while True:
            page = self.sm("ListModels", NameContains="m-", SortBy="Name", SortOrder="Ascending", MaxResults=3, **token)
            names += [model["ModelName"] for model in page["Models"]]
            pages += 1
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
            if pages == 1:  # what comes meanwhile stands where it belongs, and nothing comes twice
                self.model("m-0a", job)
                self.model("m-55", job)
        self.assertEqual(names, ["m-0", "m-1", "m-2", "m-3", "m-4", "m-5", "m-55", "m-6"])
        self.assertIn("NextToken", self.error("ListModels", "ValidationException", NextToken="x"))
        self.assertIn("NextToken", self.error("ListModels", "ValidationException", **token))
        self.assertEqual([model["ModelName"] for model in self.sm("ListModels")["Models"]][:2], ["m-55", "m-0a"], "newest first")
        created = self.sm("DescribeModel", ModelName="m-3")["CreationTime"]
        found = self.sm("ListModels", CreationTimeAfter=created, CreationTimeBefore=created)["Models"]
        self.assertEqual([model["ModelName"] for model in found], ["m-3"])
        self.assertEqual(self.sm("ListTrainingJobs", StatusEquals="Failed")["TrainingJobSummaries"], [])
        self.assertEqual(len(self.sm("ListTrainingJobs", StatusEquals="Completed", LastModifiedTimeAfter=1)["TrainingJobSummaries"]), 1)
        self.assertIn("enum value set", self.error("ListTrainingJobs", "ValidationException", StatusEquals="Done"))
        self.assertIn("'maxResults'", self.error("ListTrainingJobs", "ValidationException", MaxResults=101))
        self.assertEqual(self.sm("DeleteModel", ModelName="m-0"), {})
        self.assertIn("already existing", self.error("CreateModel", "ValidationException", ModelName="m-1", PrimaryContainer={"ModelDataUrl": "s3://b/x"}))

    def test_tags(self):
        self.sm("CreateExperiment", ExperimentName="e", Tags=[{"Key": "a", "Value": "1"}])
        arn = ARN + "experiment/e"
        self.assertEqual(self.sm("AddTags", ResourceArn=arn, Tags=[{"Key": "b", "Value": ""}, {"Key": "a", "Value": "2"}])["Tags"],
                         [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
        self.assertEqual(self.sm("DeleteTags", ResourceArn=arn, TagKeys=["b", "c"]), {})
        self.assertEqual(self.sm("ListTags", ResourceArn=arn), {"Tags": [{"Key": "a", "Value": "2"}]})
        self.error("ListTags", "ValidationException", ResourceArn="arn:aws:s3:::b")
        self.error("ListTags", "ResourceNotFound", ResourceArn=ARN + "experiment/none")
        self.error("AddTags", "ResourceLimitExceeded", ResourceArn=arn, Tags=[{"Key": f"k{i}", "Value": "v"} for i in range(50)])
        self.assertIn("tags.1.member.value", self.error("AddTags", "ValidationException", ResourceArn=arn, Tags=[{"Key": "x"}]))

    def test_the_registry(self):
        self.sm("CreateModelPackageGroup", ModelPackageGroupName="g", ModelPackageGroupDescription="d")
        spec = {"Containers": [{"Image": XGBOOST, "ModelDataUrl": "s3://b/m"}], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        first = self.sm("CreateModelPackage", ModelPackageGroupName="g", InferenceSpecification=spec)["ModelPackageArn"]
        second = self.sm("CreateModelPackage", ModelPackageGroupName="g", InferenceSpecification=spec)["ModelPackageArn"]
        self.assertEqual((first, second), (ARN + "model-package/g/1", ARN + "model-package/g/2"))
        self.sm("UpdateModelPackage", ModelPackageArn=first, ModelApprovalStatus="Approved", ApprovalDescription="good")
        shown = self.sm("DescribeModelPackage", ModelPackageName=first)
        self.assertEqual((shown["ModelPackageVersion"], shown["ModelApprovalStatus"], shown["ModelPackageStatus"]), (1, "Approved", "Completed"))
        approved = self.sm("ListModelPackages", ModelPackageGroupName="g", ModelApprovalStatus="Approved")["ModelPackageSummaryList"]
        self.assertEqual([one["ModelPackageArn"] for one in approved], [first])
        self.error("DeleteModelPackageGroup", "ConflictException", ModelPackageGroupName="g")
        found = self.sm("Search", Resource="ModelPackage", SearchExpression={"Filters": [
            {"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": "g"}, {"Name": "ModelPackageVersion", "Operator": "GreaterThan", "Value": "1"}]})
        self.assertEqual([one["ModelPackage"]["ModelPackageArn"] for one in found["Results"]], [second])
        events = [(detail["ModelPackageArn"][-3:], detail["ModelApprovalStatus"]) for _, detail in self.events()]
        self.assertEqual(events, [("g/1", "PendingManualApproval"), ("g/2", "PendingManualApproval"), ("g/1", "Approved")])


class Endpoints(SageMakerCase):
    def variant(self, name, model, weight=1):
        return {"VariantName": name, "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": weight}

    def scores(self):
        _, _, text = self.request("GET", "/metrics", None)
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("millrace_endpoint")}

    def test_rows_in_scores_out(self):
        self.model("m", self.train())
        self.assertEqual(self.deploy("e", [self.variant("v", "m")]), ARN + "endpoint/e")
        shown = self.sm("DescribeEndpoint", EndpointName="e")
        self.assertEqual((shown["EndpointStatus"], shown["ProductionVariants"][0]["CurrentWeight"]), ("InService", 1.0))
        text, headers = self.invoke("e", "90,10\n10,90\n")
        self.assertEqual((headers["Content-Type"], headers["x-Amzn-Invoked-Production-Variant"]), ("text/csv", "v"))
        high, low = (float(line) for line in text.split())
        self.assertTrue(high > 0.5 > low, text)
        # Every form of the same rows gives the same numbers: read directly, or as a table (a sign, a blank, a quote).
        for body, form in (("90,10\r\n10,90", "text/csv"), ("90.0,1e1\n10,90", "text/csv"), ("f0,f1\n90,10\n10,90", "text/csv"),
                           ("1 0:90 1:10\n0 0:10 1:90\n", "text/libsvm"), ("0:90 1:10\n0:10 1:90", "text/libsvm; x=y")):
            self.assertEqual(self.invoke("e", body, Content_Type=form)[0], text, body)
        scored = json.loads(self.invoke("e", '{"instances": [[90, 10], [10, 90]]}', Content_Type="application/json")[0])
        self.assertEqual([one["score"] for one in scored["predictions"]], [high, low])
        scored = json.loads(self.invoke("e", '{"instances": [{"features": [90, 10]}, {"f0": 10, "f1": "90"}]}', Content_Type="application/json")[0])
        self.assertEqual([one["score"] for one in scored["predictions"]], [high, low])
        lines, headers = self.invoke("e", "[90,10]\n[10,90]\n", Content_Type="application/jsonlines", Accept="application/jsonlines")
        self.assertEqual([json.loads(line)["score"] for line in lines.split()], [high, low])
        self.assertEqual(self.invoke("e", "[[90,10]]", Content_Type="application/json", Accept="image/x, text/csv;q=1, */*")[0], f"{text.split()[0]}\n")
        self.assertEqual(self.invoke("e", "90,10", Accept="image/x, */*")[0], f"{text.split()[0]}\n")
        self.invoke("e", "90,10", 424, Accept="image/x")
        _, headers = self.invoke("e", "1,2", X_Amzn_SageMaker_Custom_Attributes="trace=1", X_Amzn_SageMaker_Inference_Id="i-1")
        self.assertEqual((headers["X-Amzn-SageMaker-Custom-Attributes"], headers["X-Amzn-SageMaker-Inference-Id"]), ("trace=1", "i-1"))

    def test_errors(self):
        self.model("m", self.train())
        self.deploy("e", [self.variant("v", "m")])
        text, headers = self.invoke("none", "1,2", 400)
        self.assertEqual((headers["x-amzn-ErrorType"], json.loads(text)["Message"]),
                         ("ValidationError", "Endpoint none of account 123456789012 not found."))
        text, headers = self.invoke("e", "1,2", 400, X_Amzn_SageMaker_Target_Variant="w")
        self.assertEqual(headers["x-amzn-ErrorType"], "ValidationError")
        for body, form, original, said in (("1,2,3", "text/csv", 400, "Input data has 3 while the model expects 2: f0, f1"), ("", "text/csv", 400, "no rows"),
                                           ("[[1]]", "application/json", 400, "Input data has 1 while the model expects 2"), ("{", "application/json", 400, "Invalid data format"),
                                           ("0:1 2:5", "text/libsvm", 400, "the model expects 2 features"), ("a,b", "text/csv", 400, "is not a number"),
                                           ("x", "image/png", 415, "text/csv")):
            text, headers = self.invoke("e", body, 424, Content_Type=form)
            error = json.loads(text)
            self.assertEqual((headers["x-amzn-ErrorType"], error["OriginalStatusCode"], error["ErrorCode"]), ("ModelError", original, "CLIENT_ERROR_FROM_MODEL"))
            self.assertIn(said, error["OriginalMessage"])
            self.assertIn("from v with message", error["Message"])
        self.assertEqual(self.invoke("e", "1," * (4 << 20), 413)[1]["x-amzn-ErrorType"], "ValidationError")
        self.assertEqual(self.request("GET", "/endpoints/e/invocations", None)[0], 404)
        self.assertEqual(len(self.invoke("e", "1,2\n" * 300_000)[0].split()), 300_000)
        counted = self.scores()
        self.assertEqual(counted['millrace_endpoint_errors_total{endpoint="e",variant="v",class="4xx"}'], 7)
        self.assertEqual(counted['millrace_endpoint_invocations_total{endpoint="e",variant="v"}'], 8)

    def test_weights_shadows_and_captures(self):
        self.model("a", self.train("a"))
        self.model("b", self.train("b", rounds=9))
        self.deploy("e", [self.variant("blue", "a", 3), self.variant("green", "b", 1)],
                    ShadowProductionVariants=[self.variant("dark", "b", 2)],
                    DataCaptureConfig={"EnableCapture": True, "InitialSamplingPercentage": 50, "DestinationS3Uri": "s3://b/captured",
                                       "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}], "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]}})
        shown = self.sm("DescribeEndpoint", EndpointName="e")
        self.assertEqual((shown["DataCaptureConfig"]["CaptureStatus"], shown["ShadowProductionVariants"][0]["VariantName"]), ("Started", "dark"))
        answered = [self.invoke("e", "90,10", X_Amzn_SageMaker_Inference_Id=str(i))[1]["x-Amzn-Invoked-Production-Variant"] for i in range(200)]
        self.assertTrue(147 <= answered.count("blue") <= 153, answered.count("blue"))
        self.wait_for(lambda: self.scores()['millrace_endpoint_invocations_total{endpoint="e",variant="dark"}'] == 100, "half of the requests in the shadow")

        def captured(variant):
            files = (self.home / "objects/b/captured/e" / variant).rglob("*.jsonl")
            return [json.loads(line) for file in files for line in file.read_text().splitlines()]
        self.wait_for(lambda: len(captured("blue")) + len(captured("green")) == 100, "half of the requests captured")
        self.assertGreater(len(captured("dark")), 40)
        one = captured("blue")[0]
        self.assertEqual(one["captureData"]["endpointInput"], {"observedContentType": "text/csv", "mode": "INPUT", "data": "90,10", "encoding": "CSV"})
        self.assertEqual(one["captureData"]["endpointOutput"]["mode"], "OUTPUT")
        self.assertEqual((one["eventVersion"], set(one["eventMetadata"])), ("0", {"eventId", "inferenceId", "inferenceTime"}))
        self.invoke("e", '[[1,2]]', Content_Type="application/json")  # counts on
        self.invoke("e", '[[1,2]]', Content_Type="application/json")
        self.wait_for(lambda: any(line["captureData"]["endpointInput"]["encoding"] == "BASE64" for line in captured("blue") + captured("green")), "JSON in Base64")
        other = next(line for line in captured("blue") + captured("green") if line["captureData"]["endpointInput"]["encoding"] == "BASE64")
        self.assertEqual(base64.b64decode(other["captureData"]["endpointInput"]["data"]), b"[[1,2]]")
        self.sm("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[{"VariantName": "blue", "DesiredWeight": 0}])
        self.assertEqual({self.invoke("e", "1,2")[1]["x-Amzn-Invoked-Production-Variant"] for _ in range(20)}, {"green"})
        self.assertEqual(self.invoke("e", "1,2", X_Amzn_SageMaker_Target_Variant="blue")[1]["x-Amzn-Invoked-Production-Variant"], "blue")
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="e-1", RetainAllVariantProperties=True)
        self.assertEqual([one["CurrentWeight"] for one in self.sm("DescribeEndpoint", EndpointName="e")["ProductionVariants"]], [0, 1])
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="e-1")
        self.assertEqual([one["CurrentWeight"] for one in self.sm("DescribeEndpoint", EndpointName="e")["ProductionVariants"]], [3, 1])
        for wrong in ({"EnableCapture": True, "DestinationS3Uri": "x", "InitialSamplingPercentage": 1, "CaptureOptions": [{"CaptureMode": "Input"}]},
                      {"EnableCapture": True, "DestinationS3Uri": "s3://b/c", "InitialSamplingPercentage": 101, "CaptureOptions": [{"CaptureMode": "Input"}]},
                      {"EnableCapture": True, "DestinationS3Uri": "s3://b/c", "InitialSamplingPercentage": 1, "CaptureOptions": []}):
            self.error("CreateEndpointConfig", "ValidationException", EndpointConfigName="w", ProductionVariants=[self.variant("v", "a")], DataCaptureConfig=wrong)

    def test_an_update_fails_no_request(self):
        self.model("a", self.train("a"))
        self.model("b", self.train("b", rounds=9))
        self.deploy("e", [self.variant("v", "a")])
        self.sm("CreateEndpointConfig", EndpointConfigName="e-2", ProductionVariants=[self.variant("v", "b")])
        first = self.invoke("e", "60,50")[0]
        stop, seen, failures = threading.Event(), [[] for _ in range(4)], []

        def ask(mine):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            while not stop.is_set():
                connection.request("POST", "/endpoints/e/invocations", "60,50", {"Content-Type": "text/csv"})
                response = connection.getresponse()
                text = response.read().decode()
                if response.status != 200:
                    failures.append((response.status, text))
                mine.append(text)
            connection.close()
        threads = [threading.Thread(target=ask, args=(mine,)) for mine in seen]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        for number in range(10):
            self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName=f"e-{2 - number % 2}")
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="e-2")
        last = self.invoke("e", "60,50")[0]
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertNotEqual(first, last)
        for mine in seen:
            self.assertEqual(set(mine), {first, last})
            self.assertEqual(mine[-1], last)
        self.sm("DeleteEndpoint", EndpointName="e")
        self.invoke("e", "1,2", 400)
        statuses = [detail["EndpointStatus"] for name, detail in self.events() if name == "SageMaker Endpoint State Change"]
        self.assertEqual(statuses, ["InService"] * 12 + ["Deleting"])

    def test_it_serves_after_a_crash(self):
        self.model("m", self.train())
        self.deploy("e", [self.variant("v", "m")])
        before = self.invoke("e", "90,10")[0]
        self.server.kill()
        self.serve()
        self.assertEqual(self.invoke("e", "90,10")[0], before)


class Experiments(SageMakerCase):
    def test_experiments_trials_components(self):
        self.assertEqual(self.sm("CreateExperiment", ExperimentName="e", Description="d"), {"ExperimentArn": ARN + "experiment/e"})
        self.error("CreateTrial", "ResourceNotFound", TrialName="t", ExperimentName="none")
        self.assertEqual(self.sm("CreateTrial", TrialName="t", ExperimentName="e"), {"TrialArn": ARN + "experiment-trial/t"})
        made = self.sm("CreateTrialComponent", TrialComponentName="c", Parameters={"lr": {"NumberValue": 0.1}, "kind": {"StringValue": "x"}},
                       InputArtifacts={"data": {"Value": "s3://b/train", "MediaType": "text/csv"}}, StartTime=1700000000.5, Status={"PrimaryStatus": "InProgress"})
        self.assertEqual(made, {"TrialComponentArn": ARN + "experiment-trial-component/c"})
        both = {"TrialComponentArn": ARN + "experiment-trial-component/c", "TrialArn": ARN + "experiment-trial/t"}
        self.assertEqual(self.sm("AssociateTrialComponent", TrialComponentName="c", TrialName="t"), both)
        self.assertEqual(self.sm("AssociateTrialComponent", TrialComponentName="c", TrialName="t"), both)
        self.sm("UpdateTrialComponent", TrialComponentName="c", Parameters={"depth": {"NumberValue": 3}}, ParametersToRemove=["kind"],
                EndTime=1700000001, Status={"PrimaryStatus": "Completed", "Message": "done"})
        shown = self.sm("DescribeTrialComponent", TrialComponentName="c")
        self.assertEqual(shown["Parameters"], {"lr": {"NumberValue": 0.1}, "depth": {"NumberValue": 3}})
        self.assertEqual((shown["StartTime"], shown["EndTime"], shown["Status"]), (1700000000.5, 1700000001, {"PrimaryStatus": "Completed", "Message": "done"}))
        self.assertEqual([one["TrialName"] for one in self.sm("ListTrials", ExperimentName="e")["TrialSummaries"]], ["t"])
        self.assertEqual([one["TrialName"] for one in self.sm("ListTrials", TrialComponentName="c")["TrialSummaries"]], ["t"])
        for by in ({"TrialName": "t"}, {"ExperimentName": "e"}):
            self.assertEqual([one["TrialComponentName"] for one in self.sm("ListTrialComponents", **by)["TrialComponentSummaries"]], ["c"])
        self.assertEqual([one["ExperimentName"] for one in self.sm("ListExperiments", SortBy="Name")["ExperimentSummaries"]], ["e"])
        self.sm("UpdateExperiment", ExperimentName="e", DisplayName="Shown")
        self.assertEqual(self.sm("DescribeExperiment", ExperimentName="e")["DisplayName"], "Shown")
        for operation, request in (("DeleteExperiment", {"ExperimentName": "e"}), ("DeleteTrial", {"TrialName": "t"}), ("DeleteTrialComponent", {"TrialComponentName": "c"})):
            self.error(operation, "ValidationException", **request)
        self.sm("DisassociateTrialComponent", TrialComponentName="c", TrialName="t")
        self.error("DisassociateTrialComponent", "ResourceNotFound", TrialComponentName="c", TrialName="t")
        self.sm("DeleteTrialComponent", TrialComponentName="c")
        self.sm("DeleteTrial", TrialName="t")
        self.sm("DeleteExperiment", ExperimentName="e")
        self.error("DescribeExperiment", "ResourceNotFound", ExperimentName="e")

    def metrics(self, method, path, status=200, **request):
        got, _, text = self.request(method, path, json.dumps(request), Content_Type="application/json")
        self.assertEqual(got, status, text)
        return json.loads(text)

    def test_metrics(self):
        self.sm("CreateTrialComponent", TrialComponentName="c")
        for step, value in enumerate((3.0, 1.0, 2.0)):
            put = self.metrics("PUT", "/BatchPutMetrics", TrialComponentName="c", MetricData=[{"MetricName": "loss", "Timestamp": 1700000000 + step, "Step": step, "Value": value}])
            self.assertEqual(put, {"Errors": []})
        put = self.metrics("PUT", "/BatchPutMetrics", TrialComponentName="c", MetricData=[{"MetricName": "x", "Value": 1}, {"MetricName": "y"}])
        self.assertEqual([(error["Code"], error["MetricIndex"]) for error in put["Errors"]], [("VALIDATION_ERROR", 1)])
        loss = self.sm("DescribeTrialComponent", TrialComponentName="c")["Metrics"][0]
        self.assertEqual((loss["MetricName"], loss["Min"], loss["Max"], loss["Last"], loss["Count"], loss["Avg"], loss["TimeStamp"]), ("loss", 1.0, 3.0, 2.0, 3, 2.0, 1700000002))
        self.assertAlmostEqual(loss["StdDev"], (2 / 3) ** 0.5)
        got = self.metrics("POST", "/BatchGetMetrics", MetricQueries=[
            {"MetricName": "loss", "ResourceArn": ARN + "experiment-trial-component/c", "MetricStat": "Last", "Period": "IterationNumber", "XAxisType": "IterationNumber"},
            {"MetricName": "loss", "ResourceArn": ARN + "experiment-trial-component/c", "MetricStat": "Max", "Period": "OneHour", "XAxisType": "Timestamp"},
            {"MetricName": "loss", "ResourceArn": ARN + "experiment-trial-component/none", "MetricStat": "Max", "Period": "OneHour", "XAxisType": "Timestamp"}])["MetricQueryResults"]
        self.assertEqual((got[0]["XAxisValues"], got[0]["MetricValues"]), ([0, 1, 2], [3.0, 1.0, 2.0]))
        self.assertEqual((got[1]["XAxisValues"], got[1]["MetricValues"]), ([1700000000 // 3600 * 3600], [3.0]))
        self.assertEqual(got[2]["Status"], "ValidationError")
        self.metrics("PUT", "/BatchPutMetrics", 400, TrialComponentName="none", MetricData=[{"MetricName": "x", "Value": 1}])

    def test_a_workflow_makes_its_experiment(self):
        job = training("w", ExperimentConfig={"ExperimentName": "made", "TrialName": "made-1"})
        states = {"Train": {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": job, "End": True}}
        machine = self.server.call("CreateStateMachine", name="m", roleArn=ROLE, definition=json.dumps({"StartAt": "Train", "States": states}))
        run = self.server.call("StartExecution", stateMachineArn=machine["stateMachineArn"])["executionArn"]
        self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=run)["status"] == "SUCCEEDED", "the execution")
        self.events()
        self.assertEqual(self.sm("DescribeTrial", TrialName="made-1")["ExperimentName"], "made")
        listed = self.sm("ListTrialComponents", ExperimentName="made")["TrialComponentSummaries"]
        self.assertEqual([one["TrialComponentName"] for one in listed], ["w-aws-training-job"])

    def test_jobs_make_their_component(self):
        self.sm("CreateExperiment", ExperimentName="e")
        self.sm("CreateTrial", TrialName="t", ExperimentName="e")
        self.error("CreateTrainingJob", "ResourceNotFound", **training("x", ExperimentConfig={"TrialName": "none"}))
        self.train("job-1", ExperimentConfig={"ExperimentName": "e", "TrialName": "t", "TrialComponentDisplayName": "first"})
        self.train("job-2", rounds=1, ExperimentConfig={"TrialName": "t"}, Tags=[{"Key": "team", "Value": "risk"}])
        self.events()  # told by then
        shown = self.sm("DescribeTrialComponent", TrialComponentName="job-1-aws-training-job")
        self.assertEqual((shown["DisplayName"], shown["Source"]), ("first", {"SourceArn": ARN + "training-job/job-1", "SourceType": "SageMakerTrainingJob"}))
        self.assertEqual(shown["Parameters"]["num_round"], {"NumberValue": 5.0})
        self.assertEqual(shown["InputArtifacts"]["train"], {"Value": "s3://b/train", "MediaType": "text/csv"})
        # Its course over the rounds, where the job itself reported it.
        metric = shown["Metrics"][0]
        self.assertEqual((metric["MetricName"], metric["Count"]), ("train:auc", 5))
        self.assertTrue(metric["Min"] < metric["Avg"] < metric["Max"], metric)
        query = {"MetricName": "train:auc", "ResourceArn": shown["TrialComponentArn"], "MetricStat": "Last", "Period": "IterationNumber"}
        curve, last = self.metrics("POST", "/BatchGetMetrics", MetricQueries=[
            query | {"XAxisType": "IterationNumber"}, query | {"XAxisType": "Timestamp"}])["MetricQueryResults"]
        self.assertEqual(curve["XAxisValues"], [0, 1, 2, 3, 4])
        self.assertEqual((min(curve["MetricValues"]), max(curve["MetricValues"]), curve["MetricValues"][-1]), (metric["Min"], metric["Max"], metric["Last"]))
        self.assertEqual(last["MetricValues"], [metric["Last"]])
        self.assertEqual(shown["OutputArtifacts"]["SageMaker.ModelArtifact"]["Value"],
                         self.sm("DescribeTrainingJob", TrainingJobName="job-1")["ModelArtifacts"]["S3ModelArtifacts"])
        self.put("b/all.csv", "y,a,b\n" + rows(20))
        self.sm("CreateProcessingJob", ProcessingJobName="p", AppSpecification={"ImageUri": "split"}, ExperimentConfig={"ExperimentName": "e"},
                ProcessingInputs=[{"InputName": "all", "S3Input": {"S3Uri": "s3://b/all.csv"}}],
                ProcessingOutputConfig={"Outputs": [{"OutputName": "parts", "S3Output": {"S3Uri": "s3://b/parts"}}]})
        self.assertEqual(self.ended("ProcessingJob", "p")["ProcessingJobStatus"], "Completed")
        self.events()
        of_job = self.sm("ListTrialComponents", SourceArn=ARN + "processing-job/p")["TrialComponentSummaries"]
        self.assertEqual([(one["TrialComponentName"], one["Status"]["PrimaryStatus"]) for one in of_job], [("p-aws-processing-job", "Completed")])
        self.assertEqual(len(self.sm("ListTrialComponents", ExperimentName="e")["TrialComponentSummaries"]), 3)
        auc = next(one for one in shown["Metrics"] if one["MetricName"] == "validation:auc")
        self.assertEqual((auc["Count"], auc["Last"] > 0.9), (5, True))

        def search(resource, *filters, **more):
            found = self.sm("Search", Resource=resource, SearchExpression={"Filters": [dict(zip(("Name", "Operator", "Value"), one)) for one in filters]}, **more)
            self.assertEqual(found["TotalHits"]["Value"] >= len(found["Results"]), True)
            return found["Results"]
        names = [one["TrialComponent"]["TrialComponentName"] for one in search(
            "ExperimentTrialComponent", ("Parents.TrialName", "Equals", "t"), SortBy="Metrics.validation:auc.last", SortOrder="Descending")]
        self.assertEqual(names, ["job-1-aws-training-job", "job-2-aws-training-job"])
        self.assertEqual(search("ExperimentTrialComponent", ("Parents.ExperimentName", "Equals", "e"), ("Parameters.num_round.NumberValue", "GreaterThan", "2"))[0]
                         ["TrialComponent"]["TrialComponentName"], "job-1-aws-training-job")
        for conditions, expected in (([("Tags.team", "Equals", "risk")], ["job-2"]), ([("HyperParameters.num_round", "LessThan", "3")], ["job-2"]),
                                     ([("TrainingJobName", "Contains", "job")], ["job-2", "job-1"]), ([("Metrics.validation:auc", "GreaterThan", "2")], []),
                                     ([("CreationTime", "GreaterThan", "2020-01-01T00:00:00Z"), ("Tags.team", "NotExists")], ["job-1"]),
                                     ([("TrainingJobName", "In", "job-1,job-9")], ["job-1"]), ([("InputDataConfig.ChannelName", "Equals", "validation")], ["job-2", "job-1"])):
            found = [one["TrainingJob"]["TrainingJobName"] for one in search("TrainingJob", *conditions, SortBy="CreationTime")]
            self.assertEqual(found, expected, conditions)
        nested = self.sm("Search", Resource="TrainingJob", SearchExpression={"Operator": "Or", "SubExpressions": [
            {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": [
                {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": "train"},
                {"Name": "InputDataConfig.DataSource.S3DataSource.S3Uri", "Operator": "Contains", "Value": "validation"}]}]},
            {"Filters": [{"Name": "TrainingJobName", "Operator": "Equals", "Value": "job-2"}]}]})
        self.assertEqual([one["TrainingJob"]["TrainingJobName"] for one in nested["Results"]], ["job-2"])
        first = self.sm("Search", Resource="TrainingJob", MaxResults=1)
        second = self.sm("Search", Resource="TrainingJob", MaxResults=1, NextToken=first["NextToken"])
        self.assertEqual({first["Results"][0]["TrainingJob"]["TrainingJobName"], second["Results"][0]["TrainingJob"]["TrainingJobName"]}, {"job-1", "job-2"})
        self.assertIn("Operator", self.error("Search", "ValidationException", Resource="TrainingJob", SearchExpression={"Filters": [{"Name": "x", "Operator": "Like", "Value": "y"}]}))


class Clients(SageMakerCase):
    """AWS's own clients."""

    def client(self, service):
        if not boto3:
            self.skipTest("boto3 is not installed")
        return boto3.client(service, endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id="x",
                            aws_secret_access_key="x", config=Config(retries={"max_attempts": 0}))

    def test_boto3(self):
        sagemaker, runtime = self.client("sagemaker"), self.client("sagemaker-runtime")
        quick = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 60}}
        sagemaker.create_training_job(**training("t"))
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="t", **quick)
        job = sagemaker.describe_training_job(TrainingJobName="t")
        self.assertEqual(job["CreationTime"].year, time.gmtime().tm_year)
        self.assertGreaterEqual(job["TrainingEndTime"], job["TrainingStartTime"])
        with self.assertRaises(sagemaker.exceptions.ResourceInUse):
            sagemaker.create_training_job(**training("t"))
        with self.assertRaises(sagemaker.exceptions.ResourceNotFound):
            sagemaker.stop_training_job(TrainingJobName="none")
        with self.assertRaises(WaiterError):
            sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="none", **quick)
        sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]})
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[
            {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": 1}])
        sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e", **quick)
        answer = runtime.invoke_endpoint(EndpointName="e", ContentType="text/csv", Body=b"90,10", CustomAttributes="x")
        self.assertGreater(float(answer["Body"].read()), 0.5)
        self.assertEqual((answer["InvokedProductionVariant"], answer["CustomAttributes"]), ("v", "x"))
        with self.assertRaises(ClientError) as caught:
            runtime.invoke_endpoint(EndpointName="none", ContentType="text/csv", Body=b"1,2")
        self.assertEqual(caught.exception.response["Error"]["Code"], "ValidationError")
        with self.assertRaises(runtime.exceptions.ModelError) as caught:
            runtime.invoke_endpoint(EndpointName="e", ContentType="text/csv", Body=b"1")
        self.assertEqual(caught.exception.response["OriginalStatusCode"], 400)
        sagemaker.delete_endpoint(EndpointName="e")
        sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="e", **quick)
        pages = sagemaker.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 1})
        self.assertEqual([model["ModelName"] for page in pages for model in page["Models"]], ["m"])
        sagemaker.create_trial_component(TrialComponentName="k", Parameters={"a": {"NumberValue": 1}})
        metrics = self.client("sagemaker-metrics")
        self.assertEqual(metrics.batch_put_metrics(TrialComponentName="k", MetricData=[{"MetricName": "loss", "Timestamp": int(time.time()), "Step": 1, "Value": 0.5}])["Errors"], [])
        shown = sagemaker.describe_trial_component(TrialComponentName="k")
        self.assertEqual((shown["Metrics"][0]["Last"], shown["Metrics"][0]["TimeStamp"].year), (0.5, time.gmtime().tm_year))
        found = sagemaker.search(Resource="TrainingJob", SearchExpression={"Filters": [{"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Completed"}]})
        self.assertEqual(found["Results"][0]["TrainingJob"]["TrainingJobName"], "t")

    def test_keys_and_policies(self):
        if not boto3:
            self.skipTest("boto3 is not installed")
        statements = [{"Effect": "Allow", "Action": "sagemaker:Create*", "Resource": "*"},
                      {"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": ARN + "endpoint/mine"},
                      {"Effect": "Allow", "Action": "sagemaker:BatchPutMetrics", "Resource": "*"}]
        made = json.loads(self.call("keys", "create", "ada", "--policy", json.dumps({"Version": "2012-10-17", "Statement": statements}), "--json").stdout)
        key = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}

        def client(service):
            return boto3.client(service, endpoint_url=self.server.url, region_name="us-east-1", config=Config(retries={"max_attempts": 0}), **key)

        def code(call, **request):
            with self.assertRaises(ClientError) as caught:
                call(**request)
            return caught.exception.response["Error"]["Code"]
        client("sagemaker").create_trial_component(TrialComponentName="c")
        client("sagemaker-metrics").batch_put_metrics(TrialComponentName="c", MetricData=[{"MetricName": "x", "Timestamp": int(time.time()), "Value": 1}])
        self.assertIn("AccessDenied", code(client("sagemaker").list_models))
        self.assertEqual(code(client("sagemaker-runtime").invoke_endpoint, EndpointName="mine", Body=b"1,2"), "ValidationError", "allowed, but not there")
        self.assertIn("AccessDenied", code(client("sagemaker-runtime").invoke_endpoint, EndpointName="other", Body=b"1,2"))
        self.assertEqual(self.request("POST", "/endpoints/mine/invocations", "1,2")[0], 403)

    def test_the_aws_command_line(self):
        aws = shutil.which("aws")
        if not aws or subprocess.run([aws, "--version"], capture_output=True, check=False).returncode:
            self.skipTest("the aws command line is not installed")
        env = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

        def call(*arguments):
            done = subprocess.run([aws, "sagemaker", *arguments, "--endpoint-url", self.server.url, "--output", "json"], env=env, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout) if done.stdout.strip() else {}
        request = self.write("request.json", training("t"))
        self.assertEqual(call("create-training-job", "--cli-input-json", f"file://{request}"), {"TrainingJobArn": ARN + "training-job/t"})
        self.ended("TrainingJob", "t")
        call("wait", "training-job-completed-or-stopped", "--training-job-name", "t")
        self.assertEqual(call("describe-training-job", "--training-job-name", "t")["TrainingJobStatus"], "Completed")
        self.assertEqual(len(call("list-training-jobs", "--name-contains", "t", "--creation-time-after", "2020-01-01T00:00:00Z")["TrainingJobSummaries"]), 1)


if __name__ == "__main__":
    program.main()
