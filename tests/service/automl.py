#!/usr/bin/env python3
"""AutoML through the program: as a state of a workflow, over HTTP, and the workflow that an AutoML job writes.

Usage: automl.py MILLRACE [CASE...]
"""

import http.client
import json
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402


def customers(count, seed=1):
    """Income, with gaps, and a city decide; the id does not."""
    random, lines = Random(seed), ["id,income,city,bought"]
    for i in range(count):
        income, city = round(random.gauss(0, 100), 1), random.choice(["Rome", "Oslo", "Bern"])
        bought = income + (120 if city == "Rome" else -40) + random.gauss(0, 30) > 0
        lines.append(f"{i},{'' if i % 13 == 0 else income},{city},{'yes' if bought else 'no'}")
    return "\n".join(lines) + "\n"


def request(name, candidates=3, **more):
    return {"AutoMLJobName": name, "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
            "AutoMLJobInputDataConfig": [{"ChannelType": "training", "ContentType": "text/csv;header=present",
                                          "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/customers.csv"}}}],
            "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "bought", "Mode": "ENSEMBLING",
                                                             "CompletionCriteria": {"MaxCandidates": candidates}}}, **more}


def definition(arguments):
    return {"StartAt": "AutoML", "States": {"AutoML": {
        "Type": "Task", "Resource": "arn:aws:states:::sagemaker:createAutoMLJobV2.sync", "Parameters": arguments, "End": True}}}


class Workflow(Case):
    def test_the_winners_workflow_makes_the_same_model_again(self):
        data = self.write("customers.csv", customers(400))
        ran = self.run_json(self.write("automl.json", definition(request("churn", 4))), "--put", f"s3://b/customers.csv={data}")
        job = ran["output"]
        self.assertEqual(job["AutoMLJobStatus"], "Completed", job)
        self.assertEqual(job["ResolvedAttributes"]["AutoMLJobObjective"]["MetricName"], "F1")
        best = job["BestCandidate"]
        objects = self.home / "objects"
        written = objects / job["AutoMLJobArtifacts"]["CandidateDefinitionNotebookLocation"].removeprefix("s3://")
        self.call("validate", written)
        again = self.run_json(written, "--name", "by-hand")["output"]
        metrics = {m["MetricName"]: m["Value"] for m in again["metrics"]}
        for metric in best["CandidateProperties"]["CandidateMetrics"]:
            self.assertAlmostEqual(metrics[metric["MetricName"]], metric["Value"], places=6, msg=metric["MetricName"])
        self.assertIn("model/by-hand", again["created"]["ModelArn"])

    def test_the_definition_of_the_page_runs(self):
        page = (program.ROOT / "docs/automl.md").read_text(encoding="utf-8")
        text = page.split("```json\n", 1)[1].split("```", 1)[0]
        data = self.write("customers.csv", customers(300))
        output = self.run_json(self.write("page.json", text), "--name", "page", "--put", f"s3://shop/customers.csv={data}")["output"]
        self.assertIn(":model/page", output["ModelArn"])

    def test_the_command(self):
        data = self.write("customers.csv", customers(300))
        done = self.call("automl", data, "--target", "bought", "--objective", "AUC", "--candidates", 3, "--name", "shop")
        self.assertIn("Completed  AUC ", done.stderr)
        board = done.stdout.splitlines()
        self.assertEqual(sum(line.startswith("* ") for line in board), 1, done.stdout)
        for place in ("workflow.asl.json", "data_exploration.html", "leaderboard.html"):
            line = next(line for line in board if line.endswith(place))
            self.assertTrue(Path(line.split(None, 1)[1]).is_file(), line)
        answer = json.loads(self.call("automl", data, "--target", "bought", "--candidates", 2, "--name", "again", "--json").stdout)
        self.assertEqual(answer["job"]["AutoMLJobStatus"], "Completed")
        self.assertGreaterEqual(len(answer["candidates"]), 2)
        self.assertIn("did you mean", self.call("automl", data, "--target", "bougt", code=1).stderr)

    def test_edited_it_gives_another_model(self):
        data = self.write("customers.csv", customers(300))
        self.run_json(self.write("automl.json", definition(request("churn", 2))), "--put", f"s3://b/customers.csv={data}")
        workflow = json.loads((self.home / "objects/b/out/churn/workflow.asl.json").read_text())
        parameters = workflow["States"]["Train"]["Parameters"]["HyperParameters"]
        parameters["members"] = json.dumps([{"algorithm": "linear-learner", "hyperparameters": {"wd": "0.1"}}])
        metrics = self.run_json(self.write("edited.json", workflow))["output"]["metrics"]
        self.assertGreater({m["MetricName"]: m["Value"] for m in metrics}["validation:auc"], 0.8)


def messages(count, seed=2):
    """Complaints and praise."""
    random, lines = Random(seed), ["message,kind"]
    for i in range(count):
        words = ["broken", "late", "refund", "never"] if i % 2 else ["great", "love", "fast", "thanks"]
        lines.append(f"\"{' and '.join(random.choice(words) for _ in range(4))}\",{'bad' if i % 2 else 'good'}")
    return "\n".join(lines) + "\n"


def sales(days):
    """Two shops with a week's rhythm."""
    random, lines = Random(3), ["shop,day,sold"]
    for shop in "north", "south":
        for day in range(days):
            lines.append(f"{shop},{date(2026, 1, 1) + timedelta(day)},{50 + 30 * (day % 7 < 2) + random.gauss(0, 2):.2f}")
    return "\n".join(lines) + "\n"


class Kinds(Case):
    def again(self, job):
        """The winner's workflow makes a model, with the metrics that it had."""
        written = self.home / "objects" / job["AutoMLJobArtifacts"]["CandidateDefinitionNotebookLocation"].removeprefix("s3://")
        self.call("validate", written)
        return self.run_json(written, "--name", "by-hand")["output"]

    def test_texts(self):
        data = self.write("messages.csv", messages(160))
        done = self.call("automl", data, "--text", "message", "--target", "kind", "--candidates", 3, "--name", "talk")
        self.assertIn("Completed  Accuracy ", done.stderr)
        job = json.loads(self.call("automl", data, "--text", "message", "--target", "kind", "--candidates", 2, "--name", "b", "--json").stdout)["job"]
        again = self.again(job)
        metrics = {m["MetricName"]: m["Value"] for m in again["metrics"]}
        for metric in job["BestCandidate"]["CandidateProperties"]["CandidateMetrics"]:
            self.assertAlmostEqual(metrics[metric["MetricName"]], metric["Value"], places=6, msg=metric["MetricName"])

    def test_series(self):
        data = self.write("sales.csv", sales(84))
        job = json.loads(self.call("automl", data, "--target", "sold", "--time", "day", "--item", "shop", "--frequency", "1D",
                                   "--horizon", 7, "--candidates", 3, "--name", "sales", "--json").stdout)["job"]
        self.assertEqual(job["AutoMLJobStatus"], "Completed", job)
        self.assertLess(job["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"], 0.1)
        self.assertIn(":model/by-hand", self.again(job)["created"]["ModelArn"])


class Http(Case):
    def test_create_describe_list_candidates_stop(self):
        (self.home / "objects/b").mkdir(parents=True)
        (self.home / "objects/b/customers.csv").write_text(customers(300))
        server = Server(self.home, log=self.directory / "log")
        self.addCleanup(server.stop)

        def sm(operation, code=200, **arguments):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.request("POST", "/", json.dumps(arguments), {"X-Amz-Target": "SageMaker." + operation,
                                                                    "Content-Type": "application/x-amz-json-1.1"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            connection.close()
            self.assertEqual(response.status, code, answer)
            return answer

        self.assertIn(":automl-job/churn", sm("CreateAutoMLJobV2", **request("churn"))["AutoMLJobArn"])
        seen = set()

        def ended():
            job = sm("DescribeAutoMLJobV2", AutoMLJobName="churn")
            seen.add(job["AutoMLJobSecondaryStatus"])
            return job["AutoMLJobStatus"] != "InProgress"
        self.wait_for(ended, "the end of the job", 120)
        job = sm("DescribeAutoMLJobV2", AutoMLJobName="churn")
        self.assertEqual((job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]), ("Completed", "Completed"), job)
        self.assertTrue(seen & {"Starting", "AnalyzingData", "FeatureEngineering", "TrainingModels"}, seen)
        candidates = sm("ListCandidatesForAutoMLJob", AutoMLJobName="churn", SortBy="FinalObjectiveMetricValue")["Candidates"]
        values = [c["FinalAutoMLJobObjectiveMetric"]["Value"] for c in candidates]
        self.assertEqual(values, sorted(values, reverse=True))
        self.assertGreaterEqual(len(values), 3)
        summary = sm("ListAutoMLJobs", StatusEquals="Completed")["AutoMLJobSummaries"][0]
        self.assertEqual((summary["AutoMLJobName"], summary["AutoMLJobSecondaryStatus"]), ("churn", "Completed"))
        sm("DescribeAutoMLJob", 400, AutoMLJobName="none")
        refused = sm("CreateAutoMLJobV2", 400, **request("writes", AutoMLProblemTypeConfig={"TextGenerationJobConfig": {}}))
        self.assertIn("TextGenerationJobConfig: is not supported", refused.get("message", refused.get("Message")))
        sm("CreateAutoMLJobV2", **request("long", 700))
        self.wait_for(lambda: sm("ListCandidatesForAutoMLJob", AutoMLJobName="long")["Candidates"], "a candidate", 60)
        sm("StopAutoMLJob", AutoMLJobName="long")
        self.wait_for(lambda: sm("DescribeAutoMLJobV2", AutoMLJobName="long")["AutoMLJobStatus"] == "Stopped", "the stop", 30)


class Crash(Case):
    def test_killed_it_goes_on_with_the_candidates_it_has(self):
        data = self.write("customers.csv", customers(2000))
        file = self.write("automl.json", definition(request("churn", 5)))
        running = subprocess.Popen([program.MILLRACE, "--home", self.home, "run", file, "--name", "try", "--quiet", "--put",
                                    f"s3://b/customers.csv={data}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        models = self.home / "objects/b/out/churn/models"
        self.wait_for(lambda: len(list(models.glob("churn-c*"))) >= 2, "two candidates", 120)
        running.send_signal(signal.SIGKILL)
        running.wait()
        before = {p: p.stat().st_mtime_ns for p in models.rglob("*") if p.is_file() and "churn-c01" in str(p)}
        self.assertTrue(before)
        time.sleep(0.05)
        self.call("resume")
        for path, time_ns in before.items():
            self.assertEqual(path.stat().st_mtime_ns, time_ns, path)
        job = json.loads(self.call("describe", "try", "--json").stdout)
        self.assertEqual(job["status"], "SUCCEEDED", job)


if __name__ == "__main__":
    program.main()
