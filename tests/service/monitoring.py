#!/usr/bin/env python3
"""Monitoring schedules through `millrace serve`: what they find, once, over crashes; refusals; AWS's client where it is installed.

Usage: monitoring.py MILLRACE [CASE...]
"""

import json
import sqlite3
import sys
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from sagemaker_api import ARN, ROLE, SageMakerCase, boto3  # noqa: E402
from server import Server  # noqa: E402

ANALYZER = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
CAPTURE = {"EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://b/captured",
           "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
           "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]}}


def output(uri):
    return {"MonitoringOutputs": [{"S3Output": {"S3Uri": uri, "LocalPath": "/opt/ml/processing/output"}}]}


def own(endpoint="e", uri="s3://b/reports", **settings):
    """A schedule's own definition of a check of data."""
    return {"MonitoringInputs": [{"EndpointInput": {"EndpointName": endpoint, "LocalPath": "/opt/ml/processing/input"}}],
            "MonitoringOutputConfig": output(uri), "MonitoringAppSpecification": {"ImageUri": ANALYZER}, "RoleArn": ROLE,
            "MonitoringResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}},
            "BaselineConfig": {"BaseliningJobName": "baseline"},
            "Environment": {"SETTINGS": json.dumps({"settle_seconds": 0.5, **settings})}}


def config(expression, definition, **more):
    return {"ScheduleConfig": {"ScheduleExpression": expression}, "MonitoringJobDefinition": definition, **more}


class MonitoringCase(SageMakerCase):
    """An endpoint that captures, and a baseline of what it was trained on."""

    def setUp(self):
        super().setUp()
        self.model("m", self.train())
        self.deploy("e", [self.variant("v", "m", 1)], DataCaptureConfig=CAPTURE)
        random = Random(1)
        self.put("b/base/data.csv", "a,b\n" + "".join(f"{random.randrange(101)},{random.randrange(101)}\n" for _ in range(1000)))
        self.sm("CreateProcessingJob", ProcessingJobName="baseline", AppSpecification={"ImageUri": "monitor"}, RoleArn=ROLE,
                ProcessingInputs=[{"InputName": "dataset", "S3Input": {"S3Uri": "s3://b/base/data.csv"}}],
                ProcessingOutputConfig={"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://b/baseline"}}]})
        self.assertEqual(self.ended("ProcessingJob", "baseline")["ProcessingJobStatus"], "Completed")

    def variant(self, name, model, weight):
        return {"VariantName": name, "ModelName": model, "InitialVariantWeight": weight, "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large"}

    def ask(self, count, shift=0, prefix="r"):
        random = Random(2)
        for i in range(count):
            self.invoke("e", f"{random.randrange(101) + shift},{random.randrange(101)}", X_Amzn_SageMaker_Inference_Id=f"{prefix}{i}")

    def executions(self, **filters):
        return self.sm("ListMonitoringExecutions", SortOrder="Ascending", **filters)["MonitoringExecutionSummaries"]

    def first_execution(self, schedule):
        def ended():
            found = self.executions(MonitoringScheduleName=schedule)
            return found and found[0]["MonitoringExecutionStatus"] != "InProgress"
        self.wait_for(ended, f"an execution of {schedule}", 40)
        return self.executions(MonitoringScheduleName=schedule)[0]

    def captured(self):
        files = (self.home / "objects/b/captured/e").rglob("*.jsonl")
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


class Schedules(MonitoringCase):
    def test_drift_is_found_and_told(self):
        self.ask(300, shift=60)
        self.wait_for(lambda: len(self.captured()) == 300, "the captures")
        made = self.sm("CreateMonitoringSchedule", MonitoringScheduleName="now", MonitoringScheduleConfig=config("NOW", own()))
        self.assertEqual(made, {"MonitoringScheduleArn": ARN + "monitoring-schedule/now"})
        execution = self.first_execution("now")
        self.assertEqual(execution["MonitoringExecutionStatus"], "CompletedWithViolations", execution)
        self.assertEqual((execution["EndpointName"], execution["MonitoringType"]), ("e", "DataQuality"))
        shown = self.sm("DescribeMonitoringSchedule", MonitoringScheduleName="now")
        self.assertEqual(shown["MonitoringScheduleStatus"], "Scheduled")
        self.assertEqual(shown["LastMonitoringExecutionSummary"], execution)
        self.assertNotIn("Millrace", shown)
        job = self.sm("DescribeProcessingJob", ProcessingJobName=execution["ProcessingJobArn"].rsplit("/", 1)[1])
        self.assertEqual(job["MonitoringScheduleArn"], made["MonitoringScheduleArn"])
        self.assertTrue(job["ExitMessage"].startswith("CompletedWithViolations"), job["ExitMessage"])
        self.assertEqual(job["Summary"]["captured"], {"requests": 300, "rows": 300, "unreadable": 0})
        place = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
        self.assertTrue(place.startswith("s3://b/reports/e/now/20"), place)
        found = json.loads((self.home / "objects" / place.removeprefix("s3://") / "constraint_violations.json").read_text())
        self.assertEqual({(v["feature_name"], v["constraint_check_type"]) for v in found["violations"]}, {("a", "baseline_drift_check")})
        told = [detail for kind, detail in self.events() if kind == "SageMaker Model Monitor Execution State Change"]
        self.assertEqual([detail["MonitoringExecutionStatus"] for detail in told], ["InProgress", "CompletedWithViolations"])
        self.assertEqual(told[1]["Violations"], found["violations"])
        self.assertEqual((told[1]["ViolationCount"], told[1]["RowCount"]), (1, 300))
        alert = self.sm("ListMonitoringAlerts", MonitoringScheduleName="now")["MonitoringAlertSummaries"][0]
        self.assertEqual((alert["MonitoringAlertName"], alert["AlertStatus"], alert["DatapointsToAlert"]), ("violations", "InAlert", 1))
        history = self.sm("ListMonitoringAlertHistory", StatusEquals="InAlert")["MonitoringAlertHistory"]
        self.assertEqual([(one["MonitoringScheduleName"], one["AlertStatus"]) for one in history], [("now", "InAlert")])
        self.sm("UpdateMonitoringAlert", MonitoringScheduleName="now", MonitoringAlertName="violations", DatapointsToAlert=2, EvaluationPeriod=3)
        self.assertEqual(self.sm("ListMonitoringAlerts", MonitoringScheduleName="now")["MonitoringAlertSummaries"][0]["AlertStatus"], "OK")
        self.error("UpdateMonitoringAlert", "ValidationException", MonitoringScheduleName="now", MonitoringAlertName="violations",
                   DatapointsToAlert=4, EvaluationPeriod=3)
        # What was measured is a metric, for alarms.
        def drift_of(feature):
            status, _, text = self.request("POST", "/", json.dumps({
                "Namespace": "aws/sagemaker/Endpoints/data-metrics", "MetricName": "feature_baseline_drift_" + feature, "Period": 60,
                "Dimensions": [{"Name": "Endpoint", "Value": "e"}, {"Name": "MonitoringSchedule", "Value": "now"}], "Statistics": ["Maximum"],
                "StartTime": time.time() - 3600, "EndTime": time.time() + 60}),
                X_Amz_Target="GraniteServiceVersion20100801.GetMetricStatistics", Content_Type="application/x-amz-json-1.0")
            self.assertEqual(status, 200, text)
            return [point["Maximum"] for point in json.loads(text)["Datapoints"]]
        self.wait_for(lambda: drift_of("a"), "the metric")
        self.assertEqual(drift_of("a"), [job["Summary"]["distances"]["a"]])
        # It was one run, also for the next process.
        self.server.kill()
        self.serve()
        time.sleep(1.5)
        self.assertEqual(len(self.executions(MonitoringScheduleName="now")), 1)

    def test_quality_with_labels_that_come_later(self):
        self.ask(200)
        self.wait_for(lambda: len(self.captured()) == 200, "the captures")
        wrong = 0
        lines = []
        for line in self.captured():
            a, b = map(float, line["captureData"]["endpointInput"]["data"].split(","))
            number = int(line["eventMetadata"]["inferenceId"][1:])
            label = int(a > b) if number % 4 else int(a <= b)  # a quarter of the labels are not what was learnt
            wrong += number % 4 == 0
            lines.append(json.dumps({"groundTruthData": {"data": str(label), "encoding": "CSV"},
                                     "eventMetadata": {"eventId": line["eventMetadata"]["inferenceId"]}, "eventVersion": "0"}))
        self.put("b/quality/constraints.json", json.dumps({"version": 0.0, "binary_classification_constraints": {
            "accuracy": {"threshold": 0.85, "comparison_operator": "LessThanThreshold"}}}))
        self.sm("CreateModelQualityJobDefinition", JobDefinitionName="quality", RoleArn=ROLE, JobResources={},
                ModelQualityAppSpecification={"ImageUri": ANALYZER, "ProblemType": "BinaryClassification",
                                              "Environment": {"SETTINGS": '{"settle_seconds": 0}'}},
                ModelQualityBaselineConfig={"ConstraintsResource": {"S3Uri": "s3://b/quality/constraints.json"}},
                ModelQualityJobInput={"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt", "StartTimeOffset": "-PT1H", "EndTimeOffset": "-PT0H",
                                                        "ProbabilityAttribute": "0", "ProbabilityThresholdAttribute": 0.5},
                                      "GroundTruthS3Input": {"S3Uri": "s3://b/truth"}},
                ModelQualityJobOutputConfig=output("s3://b/judged"))
        self.sm("CreateMonitoringSchedule", MonitoringScheduleName="quality", MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": "cron(0 3 1 1 ? 2199)"}, "MonitoringJobDefinitionName": "quality", "MonitoringType": "ModelQuality"})
        # A run at a time of one's own choice, by a workflow, twice: it is one.
        due = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        state = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sagemaker:runMonitoringExecution",
                 "Parameters": {"MonitoringScheduleName": "quality", "ScheduledTime": due}}
        machine = self.server.call("CreateStateMachine", name="runs", roleArn=ROLE, definition=json.dumps(
            {"StartAt": "A", "States": {"A": {**state, "Next": "B"}, "B": {**state, "End": True}}}))["stateMachineArn"]
        # Too early: no label has come.
        done = self.server.call("StartExecution", stateMachineArn=machine)["executionArn"]
        self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=done)["status"] != "RUNNING", "the workflow")
        self.assertEqual(self.server.call("DescribeExecution", executionArn=done)["status"], "SUCCEEDED")
        early = self.first_execution("quality")
        self.assertEqual(early["MonitoringExecutionStatus"], "Failed")
        self.assertIn("of 200 captured rows none has a ground truth", early["FailureReason"])
        self.assertEqual(len(self.executions(MonitoringScheduleName="quality")), 1)
        self.put("b/truth/" + time.strftime("%Y/%m/%d/%H", time.gmtime()) + "/labels.jsonl", "\n".join(lines) + "\n")
        state["Parameters"]["ScheduledTime"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        machine = self.server.call("CreateStateMachine", name="runs-2", roleArn=ROLE, definition=json.dumps(
            {"StartAt": "A", "States": {"A": {**state, "End": True}}}))["stateMachineArn"]
        self.server.call("StartExecution", stateMachineArn=machine)
        self.wait_for(lambda: len(self.executions(MonitoringScheduleName="quality")) == 2 and
                      self.executions(MonitoringScheduleName="quality")[1]["MonitoringExecutionStatus"] != "InProgress", "the second check", 40)
        late = self.executions(MonitoringScheduleName="quality")[1]
        self.assertEqual(late["MonitoringExecutionStatus"], "CompletedWithViolations", late)
        summary = self.sm("DescribeProcessingJob", ProcessingJobName=late["ProcessingJobArn"].rsplit("/", 1)[1])["Summary"]
        self.assertEqual(summary["captured"]["with_ground_truth"], 200)
        self.assertLess(summary["binary_classification_metrics"]["accuracy"]["value"], 1 - wrong / 200 + 0.1)
        self.assertEqual([v["metric_name"] for v in summary["violations"]], ["accuracy"])
        self.assertIn("is used by the monitoring schedule", self.error("DeleteModelQualityJobDefinition", "ValidationException", JobDefinitionName="quality"))
        self.assertEqual(self.executions(StatusEquals="Failed"), [early])
        self.assertEqual(self.executions(MonitoringTypeEquals="DataQuality"), [])

    def test_what_answers_depend_on(self):
        self.put("b/explain/data.csv", "f0,f1\n" + "".join(f"{a},{b}\n" for a, b in ((i * 37 % 101, i * 53 % 97) for i in range(200))))
        model = self.sm("DescribeTrainingJob", TrainingJobName="t")["ModelArtifacts"]["S3ModelArtifacts"]
        self.sm("CreateProcessingJob", ProcessingJobName="why", AppSpecification={"ImageUri": "explain"}, RoleArn=ROLE,
                Environment={"SETTINGS": '{"methods": {"shap": {}}}'},
                ProcessingInputs=[{"InputName": "dataset", "S3Input": {"S3Uri": "s3://b/explain/data.csv"}},
                                  {"InputName": "model", "S3Input": {"S3Uri": model}}],
                ProcessingOutputConfig={"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://b/why"}}]})
        why = self.ended("ProcessingJob", "why")
        self.assertEqual(why["ProcessingJobStatus"], "Completed", why)
        self.put("b/config.json", json.dumps({"headers": ["f0", "f1"], "methods": {"shap": {"agg_method": "mean_abs"}}}))
        self.ask(200)
        self.wait_for(lambda: len(self.captured()) == 200, "the captures")

        def check(name, baseline):
            self.sm("CreateModelExplainabilityJobDefinition", JobDefinitionName=name, RoleArn=ROLE, JobResources={},
                    ModelExplainabilityAppSpecification={"ImageUri": "sagemaker-clarify-processing", "ConfigUri": "s3://b/config.json",
                                                         "Environment": {"SETTINGS": '{"settle_seconds": 0}'}},
                    ModelExplainabilityBaselineConfig={"ConstraintsResource": {"S3Uri": baseline}},
                    ModelExplainabilityJobInput={"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt"}},
                    ModelExplainabilityJobOutputConfig=output("s3://b/explained"))
            self.sm("CreateMonitoringSchedule", MonitoringScheduleName=name, MonitoringScheduleConfig={
                "ScheduleConfig": {"ScheduleExpression": "NOW"}, "MonitoringJobDefinitionName": name, "MonitoringType": "ModelExplainability"})
            execution = self.first_execution(name)
            return execution, self.sm("DescribeProcessingJob", ProcessingJobName=execution["ProcessingJobArn"].rsplit("/", 1)[1])
        execution, job = check("same", "s3://b/why/analysis.json")
        self.assertEqual(execution["MonitoringExecutionStatus"], "Completed", execution)
        self.assertGreater(job["Summary"]["ndcg"]["label0"], 0.9)
        # A baseline in which what matters least now mattered most.
        place = self.home / "objects" / job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].removeprefix("s3://")
        values = json.loads((place / "analysis.json").read_text())["explanations"]["tree_shap"]["label0"]["global_shap_values"]
        least = min(values, key=values.get)
        self.put("b/other/analysis.json", json.dumps({"explanations": {"kernel_shap": {"label0": {
            "global_shap_values": {name: 1.0 if name == least else 0.01 for name in values}}}}}))
        execution, job = check("other", "s3://b/other/analysis.json")
        self.assertEqual(execution["MonitoringExecutionStatus"], "CompletedWithViolations", execution)
        self.assertEqual(job["Summary"]["violations"][0]["constraint_check_type"], "feature_attribution_drift_check")
        self.assertLess(job["Summary"]["ndcg"]["label0"], 0.9)

    def test_life_and_refusals(self):
        create = {"MonitoringScheduleName": "s", "MonitoringScheduleConfig": config("rate(1 hour)", own())}
        self.sm("CreateMonitoringSchedule", **create, Tags=[{"Key": "team", "Value": "risk"}])
        self.assertIn("already existing", self.error("CreateMonitoringSchedule", "ValidationException", **create))
        self.assertEqual(self.sm("ListTags", ResourceArn=ARN + "monitoring-schedule/s")["Tags"], [{"Key": "team", "Value": "risk"}])
        self.sm("StopMonitoringSchedule", MonitoringScheduleName="s")
        self.assertEqual(self.sm("ListMonitoringSchedules", StatusEquals="Stopped")["MonitoringScheduleSummaries"][0]["MonitoringScheduleName"], "s")
        self.sm("StartMonitoringSchedule", MonitoringScheduleName="s")
        self.sm("UpdateMonitoringSchedule", MonitoringScheduleName="s", MonitoringScheduleConfig=config("cron(0 * ? * * *)", own(uri="s3://b/others")))
        shown = self.sm("DescribeMonitoringSchedule", MonitoringScheduleName="s")
        self.assertEqual(shown["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"], "cron(0 * ? * * *)")
        self.assertEqual(self.sm("ListMonitoringSchedules", EndpointName="other")["MonitoringScheduleSummaries"], [])
        for words, change in (("ScheduleExpression", {"MonitoringScheduleConfig": config("every day", own())}),
                              ("nobody", {"MonitoringScheduleConfig": config("NOW", own(endpoint="nobody"))}),
                              ("monitoringScheduleName", {"MonitoringScheduleName": "-s"}),
                              ("my-own", {"MonitoringScheduleConfig": config("NOW", {**own(), "MonitoringAppSpecification": {"ImageUri": "my-own:1"}})}),
                              ("of no time", {"MonitoringScheduleConfig": {
                                  "ScheduleConfig": {"ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT1H", "DataAnalysisEndTime": "-PT2H"},
                                  "MonitoringJobDefinition": own()}})):
            self.assertIn(words, self.error("CreateMonitoringSchedule", "ValidationException", **{**create, "MonitoringScheduleName": "w", **change}))
        self.error("DescribeMonitoringSchedule", "ResourceNotFound", MonitoringScheduleName="gone")
        self.error("DescribeDataQualityJobDefinition", "ResourceNotFound", JobDefinitionName="gone")
        self.sm("DeleteMonitoringSchedule", MonitoringScheduleName="s")
        self.error("StartMonitoringSchedule", "ResourceNotFound", MonitoringScheduleName="s")
        # An hour without a request is a check that failed, not one that found nothing.
        self.sm("CreateMonitoringSchedule", MonitoringScheduleName="idle", MonitoringScheduleConfig=config("NOW", own()))
        idle = self.first_execution("idle")
        self.assertEqual(idle["MonitoringExecutionStatus"], "Failed")
        self.assertIn("Job inputs had no data", idle["FailureReason"])


class Crashes(MonitoringCase):
    def test_every_span_is_checked_once(self):
        self.sm("CreateMonitoringSchedule", MonitoringScheduleName="often", MonitoringScheduleConfig=config("rate(2 seconds)", own(settle_seconds=3)))
        random = Random(7)
        begin = time.monotonic()
        asked = 0
        while time.monotonic() - begin < 14:
            self.ask(20, prefix=f"k{asked}-")
            asked += 1
            time.sleep(random.uniform(0.2, 0.9))
            if asked % 4 == 0:
                self.server.kill()
                time.sleep(random.uniform(0, 2.5))
                self.server = Server(self.home, *self.options)
        last = max(line["eventMetadata"]["inferenceTime"] for line in self.captured())

        def stamp(seconds):
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
        self.wait_for(lambda: (found := self.executions(MonitoringScheduleName="often", MaxResults=100)) and
                      stamp(found[-1]["ScheduledTime"]) > last, "a span behind the last request", 60)
        self.sm("StopMonitoringSchedule", MonitoringScheduleName="often")
        self.wait_for(lambda: not self.executions(StatusEquals="InProgress"), "all executions", 90)
        with sqlite3.connect(f"file:{self.home}/tasks.db?mode=ro", uri=True) as database:
            records = [json.loads(row[0]) for row in database.execute("SELECT document FROM record WHERE kind = 'MonitoringExecution' ORDER BY name")]
            jobs = database.execute("SELECT count(*) FROM record WHERE kind = 'ProcessingJob' AND name LIKE 'monitoring-often-%'").fetchone()[0]
        self.assertGreater(len(records), 4)
        self.assertEqual(jobs, len(records))
        for before, after in zip(records, records[1:]):
            self.assertEqual(before["EndTime"], after["StartTime"], "spans that meet, none missing")
        failed = [r for r in records if r["MonitoringExecutionStatus"] == "Failed"]
        self.assertTrue(all("Job inputs had no data" in r["FailureReason"] for r in failed), failed)
        # A line is written some moments after its request: all that stood on the disk when its span was checked.
        self.assertEqual(sum(r.get("RowCount", 0) for r in records), len(self.captured()))
        told = [(d["ScheduledTime"], d["MonitoringExecutionStatus"]) for kind, d in self.events()
                if kind == "SageMaker Model Monitor Execution State Change"]
        self.assertEqual(len(told), len(set(told)), "each state is told once")
        self.assertEqual(len(told), 2 * len(records))


class Clients(MonitoringCase):
    def test_boto3(self):
        if boto3 is None:
            self.skipTest("boto3 is not there")
        client = boto3.client("sagemaker", endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.create_data_quality_job_definition(
            JobDefinitionName="d", RoleArn=ROLE, DataQualityAppSpecification={"ImageUri": ANALYZER},
            DataQualityBaselineConfig={"ConstraintsResource": {"S3Uri": "s3://b/baseline/constraints.json"}},
            DataQualityJobInput={"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt/ml/processing/input"}},
            DataQualityJobOutputConfig=output("s3://b/reports"),
            JobResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}})
        self.assertEqual(client.describe_data_quality_job_definition(JobDefinitionName="d")["DataQualityJobInput"]["EndpointInput"]["EndpointName"], "e")
        listed = client.list_data_quality_job_definitions(EndpointName="e", NameContains="d")["JobDefinitionSummaries"]
        self.assertEqual([(one["MonitoringJobDefinitionName"], one["EndpointName"]) for one in listed], [("d", "e")])
        client.create_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"}, "MonitoringJobDefinitionName": "d", "MonitoringType": "DataQuality"})
        shown = client.describe_monitoring_schedule(MonitoringScheduleName="s")
        self.assertEqual((shown["MonitoringScheduleStatus"], shown["EndpointName"]), ("Scheduled", "e"))
        self.assertEqual(client.list_monitoring_schedules(MonitoringJobDefinitionName="d")["MonitoringScheduleSummaries"][0]["MonitoringScheduleName"], "s")
        with self.assertRaises(client.exceptions.ClientError):
            client.delete_data_quality_job_definition(JobDefinitionName="d")
        client.stop_monitoring_schedule(MonitoringScheduleName="s")
        client.delete_monitoring_schedule(MonitoringScheduleName="s")
        client.delete_data_quality_job_definition(JobDefinitionName="d")
        with self.assertRaises(client.exceptions.ResourceNotFound):
            client.describe_monitoring_schedule(MonitoringScheduleName="s")
        self.assertEqual(client.list_monitoring_executions()["MonitoringExecutionSummaries"], [])


if __name__ == "__main__":
    program.main()
