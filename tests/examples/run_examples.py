#!/usr/bin/env python3
"""Runs the examples, and workflows on bad data, through the built program, each in a home of its own.

Usage: run_examples.py MILLRACE CASE     MILLRACE: the program; CASE: a class below. Python's standard library only.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import ROOT, Case  # noqa: E402

EXAMPLES = ROOT / "examples"


class Hello(Case):
    def test_greets_by_language(self):
        definition = EXAMPLES / "hello/definition.json"
        done = self.run_json(definition, "--input", EXAMPLES / "hello/input.json")
        self.assertEqual(done["status"], "SUCCEEDED")
        self.assertEqual(done["output"], {"greeting": "Guten Tag, Ada!"})
        for language, greeting in (("fr", "Bonjour, Ada!"), ("en", "Hello, Ada!")):
            done = self.run_json(definition, "--input", json.dumps({"name": "Ada", "language": language}))
            self.assertEqual(done["output"], {"greeting": greeting})

    def test_without_language_the_error_names_the_path(self):
        done = self.run_json(EXAMPLES / "hello/definition.json", "--input", '{"name": "Ada"}', code=1)
        self.assertEqual(done["error"], "States.Runtime")
        self.assertIn("$.language", done["cause"])


class RetryAndCatch(Case):
    def test_third_attempt_succeeds_and_the_hopeless_one_is_caught(self):
        begun = time.monotonic()
        done = self.run_json(EXAMPLES / "retry-and-catch/definition.json", "--name", "offer-1")
        self.assertGreaterEqual(time.monotonic() - begun, 4.0, "pauses of 1 s, 2 s and 1 s belong between the attempts")
        self.assertEqual(done["output"], {
            "offer": "apples 120, pears 90",
            "came_with": "offer-1-prices-2",
            "problem": {"error": "States.TaskFailed", "reason": "AlgorithmError: no discounts today, exit code: 1"},
        })
        types = [event["type"] for event in self.events("offer-1")]
        self.assertEqual(types.count("TaskFailed"), 4)
        self.assertEqual(types.count("TaskSucceeded"), 1)
        self.assertEqual(types[-1], "ExecutionSucceeded")


class ParallelAndMap(Case):
    def test_output(self):
        example = EXAMPLES / "parallel-and-map"
        done = self.run_json(example / "definition.json", "--input", example / "input.json")
        self.assertEqual(done["output"], {
            "labels": ["A-17/1 piano stool by parcel", "A-17/2 harmonium by pallet", "A-17/3 metronome by parcel"],
            "carriers": ["parcel", "pallet"],
            "delivery": {"stops": [["Ulm", "Augsburg"], ["Munich", "Salzburg"], ["Linz"]], "count": 5,
                         "notes": {"ring": True, "floor": 3}},
        })


class Functions(Case):
    def setUp(self):
        super().setUp()
        self.folder = EXAMPLES / "functions/functions"

    def test_prices_and_reserves(self):
        example = EXAMPLES / "functions"
        done = self.run_json(example / "definition.json", "--input", example / "input.json", "--functions", self.folder)
        self.assertEqual(done["output"], {
            "lines": [{"item": "apple", "cents": 360}, {"item": "durian", "why": "we don't sell durian"},
                      {"item": "quince", "cents": 210}],
            "reserved": {"shop": "Orchard", "items": ["apple", "quince"], "cents": 570},
        })
        logs = list((self.home / "logs/functions/price").iterdir())
        self.assertEqual(len(logs), 1)
        self.assertIn("asked for durian by request", logs[0].read_text(encoding="utf-8"))
        types = [event["type"] for event in self.events("functions")]
        self.assertIn("LambdaFunctionSucceeded", types)

    def test_by_hand(self):
        shown = self.call("functions", "list", "--functions", self.folder).stdout
        self.assertIn("python3 lambda_function.lambda_handler  3 s, 256 MB, 10 at once", shown)
        done = self.call("functions", "invoke", "price", "--functions", self.folder, "--payload", '{"item":"pear","count":2}', "--log", "--json")
        self.assertEqual(json.loads(done.stdout), {"item": "pear", "cents": 180})
        self.assertIn("asked for pear", done.stderr)
        failed = self.call("functions", "invoke", "price", "--functions", self.folder, "--payload", '{"item":"durian"}', "--json", code=1)
        self.assertEqual(json.loads(failed.stdout)["errorType"], "NotSold")
        missing = self.call("functions", "invoke", "nobody", "--functions", self.folder, code=2)
        self.assertIn('there is no function "nobody"', missing.stderr)


class Nightly(Case):
    """A year of nights under virtual time, then the nights of an outage, each made up for once."""

    def test_nights(self):
        done = subprocess.run([EXAMPLES / "nightly/run", self.home], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        self.assertIn("364 runs: 364 SUCCEEDED", done.stdout)
        self.assertIn("2026-03-29 02:30:00        does not exist", done.stdout)
        nights = [f"2026-10-{day}" for day in range(24, 32)]
        folder = self.home / "objects/reports/nightly"
        self.assertEqual(sorted(path.name for path in folder.iterdir()), [f"{night}.json" for night in nights])
        for night in nights:
            self.assertEqual(json.loads((folder / f"{night}.json").read_text(encoding="utf-8"))["night"], night)
        listed = json.loads(self.call("list", "--json").stdout)["executions"]
        self.assertEqual(len(listed), len(nights))
        self.assertEqual({execution["status"] for execution in listed}, {"SUCCEEDED"})


class StreamAnomalies(Case):
    """Planted anomalies in a stream, found by a forest; the server is killed in between."""

    def test_each_starts_a_workflow_once(self):
        done = subprocess.run([EXAMPLES / "stream-anomalies/run", self.home], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        self.assertIn("5 planted, 5 found", done.stdout)
        incidents = sorted((self.home / "objects/incidents/p1").iterdir())
        self.assertLessEqual(len(incidents), 15, done.stdout)  # in 3,000 rows
        for n, field in ((811, "temperature"), (1203, "pressure"), (1740, "temperature"), (1999, "pressure")):
            reading = json.loads((self.home / f"objects/incidents/p1/{n:05}.json").read_text(encoding="utf-8"))["readings"][0]
            self.assertEqual(reading["n"], n)
            shares = reading["anomaly"]["attribution"]
            self.assertEqual(max(shares, key=shares.get), field, reading)


class RetrainOnNewData(Case):
    """Files that are dropped into a folder train, compare and replace the model that serves; each starts one execution."""

    def test_files_arrive(self):
        done = subprocess.run([EXAMPLES / "retrain-on-new-data/run", self.home], capture_output=True, text=True, timeout=300,
                              check=False, env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        first, second, third = json.loads((self.home / "retrain.json").read_text(encoding="utf-8"))
        self.assertEqual([answer["file"] for answer in (first, second, third)],
                         ["arrived/monday.csv", "arrived/tuesday.csv", "arrived/wednesday.csv"])
        self.assertEqual(first["decision"], "serves")
        self.assertIsNone(first["gain"])
        self.assertEqual(second["decision"], "serves")
        self.assertTrue(second["package"].endswith("model-package/returns/2"))
        self.assertGreater(second["gain"]["interval_95"][0], 0)
        self.assertNotEqual(first["score"], second["score"])
        self.assertEqual(third["decision"], "stays as it is")
        self.assertLessEqual(third["gain"]["interval_95"][0], 0)
        self.assertEqual(third["score"], second["score"])
        listed = json.loads(self.call("list", "--json").stdout)["executions"]
        self.assertEqual(len(listed), 3)


class Drift(Case):
    """Requests change; a scheduled check finds it, once, and its event renews the model and the baseline."""

    def test_a_sale(self):
        begin = time.monotonic()
        done = subprocess.run([EXAMPLES / "drift/run", self.home], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        print(f"took {time.monotonic() - begin:.0f} s", flush=True)
        result = json.loads((self.home / "drift.json").read_text(encoding="utf-8"))
        self.assertTrue({"price", "items", "discount"} <= set(result["drifted"]), result["drifted"])
        self.assertNotIn("days_to_deliver", result["drifted"])
        first, second = result["told"]
        self.assertEqual((first["baseline"], second["baseline"]), ("s3://returns/labelled/1-spring.csv", "s3://returns/labelled/2-sale.csv"))
        self.assertEqual(second["decision"], "serves")
        self.assertNotEqual(first["model"], second["model"])
        self.assertEqual(result["last"], "Completed")
        self.assertNotEqual(result["means"][1], result["means"][2])
        page = (self.home / result["report"]).read_text(encoding="utf-8")
        self.assertIn("baseline_drift_check", page)
        self.assertIn("Over time", page)


class HumanApproval(Case):
    """Ada approves by mail, Grace rejects in a chat; each answer counts once."""

    def test_two_answers(self):
        done = subprocess.run([EXAMPLES / "human-approval/run", self.home], capture_output=True, text=True, timeout=120, check=False,
                              env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        result = json.loads((self.home / "approvals.json").read_text(encoding="utf-8"))
        self.assertEqual(result["first"]["approval"]["DecidedBy"], "ada@example.com")
        self.assertEqual(result["first"]["registry"]["Status"], "Approved")
        last = result["first"]["registry"]["History"][-1]
        self.assertEqual((last["Status"], last["By"], last["Description"]), ("Approved", "ada@example.com", "the report looks good"))
        self.assertIn("decided already: Approved by ada@example.com", result["again"])
        self.assertEqual((result["second"]["status"], result["second"]["cause"]), ("FAILED", "AUC fell"))
        self.assertEqual([(one["Status"], one["DecidedBy"]) for one in result["inbox"]], [("Rejected", "Grace"), ("Approved", "ada@example.com")])
class Labelling(Case):
    """Two rounds of asking people; accuracy rises, and the model labels most of the rest."""

    def test_two_rounds(self):
        done = subprocess.run([EXAMPLES / "labelling/run", self.home], capture_output=True, text=True, timeout=300,
                              check=False, env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        output = json.loads((self.home / "labelling.json").read_text(encoding="utf-8"))
        first, second = output["rounds"]
        self.assertEqual((first["labels"], second["labels"], output["human"]), (40, 80, 80))
        self.assertGreater(first["accuracy"], 0.75)
        self.assertGreater(second["accuracy"], first["accuracy"])
        self.assertEqual(output["human"] + output["machine"] + output["open"], 900)
        self.assertGreater(output["machine"], 450)
        self.assertGreater(output["right"], 0.93 * output["machine"])
        lines = (self.home / "objects/sms/sms/labels/sms-round-2/manifests/output/output.manifest").read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(lines), 40)
        self.assertEqual(json.loads(lines[0])["label-metadata"]["human-annotated"], "yes")
class AbTest(Case):
    """Two models behind one endpoint, outcomes of live requests, and the winner gets the traffic."""

    def test_the_better_one_wins(self):
        done = subprocess.run([EXAMPLES / "ab-test/run", self.home], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        self.assertIn("new is better than the other.", done.stdout)
        result = json.loads((self.home / "ab-test.json").read_text(encoding="utf-8"))
        self.assertEqual((result["winner"], result["weights"]), ("new", {"now": 0.0, "new": 1.0}))
        now, new = result["variants"]
        self.assertEqual((now["VariantName"], now["Verdict"], new["Verdict"]), ("now", "Control", "Better"))
        self.assertGreater(new["Interval"][0], 0)
        self.assertLess(abs(now["Requests"] - new["Requests"]), 5)


class Fraud(Case):
    """The whole example twice in one home, then with a margin out of reach."""

    def run_example(self):
        done = subprocess.run([EXAMPLES / "fraud/run", self.home], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, MILLRACE=program.MILLRACE))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        result = json.loads((self.home / "examples/fraud/result.json").read_text(encoding="utf-8"))
        return done.stdout, result["output"]

    def file_of(self, uri):
        return self.home / "objects" / uri.removeprefix("s3://")

    def check_models(self, output):
        baseline, tuned = (output["evaluated"][model] for model in ("baseline", "tuned"))
        self.assertGreater(tuned["auc"]["value"], 0.9)
        self.assertLess(tuned["auc"]["value"], 0.99)  # more would be a leak: the labels are drawn
        self.assertGreater(baseline["auc"]["value"], 0.7)
        low, high = output["evaluated"]["comparison"]["aucpr"]["interval_95"]
        self.assertGreater(low, 0.05)
        self.assertLess(low, tuned["aucpr"]["value"] - baseline["aucpr"]["value"])
        self.assertGreater(high, low)
        self.assertLess(tuned["logloss"]["value"], baseline["logloss"]["value"])
        trials = output["trained"]["tuned"]["trials"]
        self.assertEqual(trials["Completed"] + trials["Stopped"], 12)

    def check_split(self, output):
        """No customer is in two parts, and no row is lost."""
        raw = self.file_of(output["evaluation"]).parent / "raw"
        parts = []
        for part in ("train", "validation", "test"):
            with open(raw / part / "data.csv", encoding="utf-8") as file:
                parts.append(list(csv.DictReader(file)))
        self.assertEqual(sum(map(len, parts)), 20000)
        self.assertEqual(len(parts[2]), output["evaluated"]["rows"])
        customers = [{row["customer_id"] for row in part} for part in parts]
        for a, b in ((0, 1), (0, 2), (1, 2)):
            self.assertFalse(customers[a] & customers[b])

    def check_files(self, output):
        for model in ("tuned", "baseline"):
            folder = self.file_of(output["evaluation"]) / model
            metrics = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))["binary_classification_metrics"]
            self.assertEqual(metrics, output["evaluated"][model])
            for plot in ("roc", "precision_recall", "calibration", "confusion"):
                self.assertIn("<svg", (folder / f"{plot}.svg").read_text(encoding="utf-8"))
        tuning = self.file_of(output["trained"]["tuned"]["results"])
        self.assertIn("<svg", (tuning / "eta.svg").read_text(encoding="utf-8"))
        with open(self.file_of(output["scores"]) / "new.csv.out", encoding="utf-8") as file:
            scores = list(csv.DictReader(file))
        self.assertEqual([row["transaction_id"] for row in scores], [f"T{20001 + i:06d}" for i in range(500)])
        self.assertTrue(all(0 < float(row["score"]) < 1 for row in scores))
        self.assertGreater(max(float(row["score"]) for row in scores), 0.3)

    def check_endpoint(self):
        suspicious = float(self.call("invoke", "fraud-live", "--body", "2026-03-05T02:10:00Z,950,electronics,online,20,5").stdout)
        usual = float(self.call("invoke", "fraud-live", "--body", "2026-03-05T12:10:00Z,23.5,grocery,chip,900,1").stdout)
        self.assertGreater(suspicious, 0.5)
        self.assertLess(usual, 0.02)
        # Missing cells are no reason to refuse; too few are.
        self.call("invoke", "fraud-live", "--body", "2026-03-05T12:10:00Z,23.5,,chip,,")
        refused = self.call("invoke", "fraud-live", "--body", "950", code=2).stderr
        self.assertIn("Invalid data format. Input data has 1 while the model expects 6: time, amount, merchant_category, "
                      "channel, account_age_days, transactions_last_24h", refused)
        refused = self.call("invoke", "fraud-live", "--body", "2026-03-05T12:10:00Z,much,grocery,chip,900,1", code=2).stderr
        self.assertIn('row 1, column "amount": "much" is not a number', refused)

    def test_twice_in_one_home(self):
        shown, first = self.run_example()
        self.assertEqual((first["decision"], first["package"]["version"], first["package"]["approval"]),
                         ("deployed", 1, "Approved"))
        self.check_models(first)
        self.check_split(first)
        self.check_files(first)
        self.check_endpoint()
        self.assertIn("tuned xgboost", shown)
        self.assertIn("fraud/1: version 1, Approved", shown)
        self.assertIn("Input data has 1 while the model expects 6", shown)

        shown, second = self.run_example()
        self.assertEqual(second["package"]["version"], 2)
        self.assertIn("fraud/2: version 2, Approved", shown)
        self.assertEqual(second["evaluated"], first["evaluated"], "the same data and seeds give the same models")
        moved = [event for event in self.events("fraud") if event["type"] == "TaskStateEntered"
                 and event["stateEnteredEventDetails"]["name"] == "Move endpoint"]
        self.assertEqual(len(moved), 1)

        wanted = json.loads((EXAMPLES / "fraud/input.json").read_text(encoding="utf-8"))
        wanted["margin"] = 0.9
        output = self.run_json(EXAMPLES / "fraud/definition.json", "--input", json.dumps(wanted))["output"]
        self.assertEqual(output["decision"], "rejected")
        self.assertIn("not above the margin of 0.9", output["reason"])


def one_task(operation, parameters):
    return {"StartAt": "Work", "States": {"Work": {
        "Type": "Task", "Resource": f"arn:aws:states:::sagemaker:{operation}.sync", "Parameters": parameters, "End": True}}}


class BadData(Case):
    """Rows that can't be read fail the execution, and the error says where they are."""

    GOOD = "y,a,b\n1,2,3\n0,1,2\n1,3,4\n0,2,2\n"
    RAGGED = "y,a,b\n1,2,3\n0,1\n1,3,4\n0,2,2\n"
    TEXT = "y,a,b\n1,2,3\n0,1,2\n1,three,4\n0,2,2\n"

    TRAIN = one_task("createTrainingJob", {
        "TrainingJobName.$": "$$.Execution.Name",
        "AlgorithmSpecification": {"TrainingImage": "xgboost"},
        "HyperParameters": {"num_round": "3", "objective": "binary:logistic"},
        "InputDataConfig": [{"ChannelName": "train", "ContentType": "text/csv",
                             "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bad/rows.csv"}}}],
        "OutputDataConfig": {"S3OutputPath": "s3://bad/models"}})
    PREPARE = one_task("createProcessingJob", {
        "ProcessingJobName.$": "$$.Execution.Name",
        "AppSpecification": {"ImageUri": "prepare"},
        "ProcessingInputs": [{"InputName": "train", "S3Input": {"S3Uri": "s3://bad/good.csv"}},
                             {"InputName": "test", "S3Input": {"S3Uri": "s3://bad/rows.csv"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://bad/out"}}]},
        "Environment": {"SETTINGS": json.dumps({"target": "y"})}})

    def reason(self, workflow, rows):
        """FailureReason of the job that reads `rows`."""
        done = self.run_json(self.write("workflow.json", workflow), "--put", f"s3://bad/rows.csv={self.write('rows.csv', rows)}",
                             "--put", f"s3://bad/good.csv={self.write('good.csv', self.GOOD)}", code=1)
        self.assertEqual((done["status"], done["error"]), ("FAILED", "States.TaskFailed"))
        return json.loads(done["cause"])["FailureReason"]

    def test_ragged_rows(self):
        for workflow in (self.TRAIN, self.PREPARE):
            self.assertIn("s3://bad/rows.csv:3: 2 cells, expected 3", self.reason(workflow, self.RAGGED))

    def test_text_among_numbers(self):
        for workflow in (self.TRAIN, self.PREPARE):
            self.assertIn('s3://bad/rows.csv:4: column "a": "three" is not a number', self.reason(workflow, self.TEXT))

    def test_text_among_numbers_of_the_training_channel(self):
        workflow = json.loads(json.dumps(self.PREPARE).replace("good.csv", "rows.csv"))
        workflow["States"]["Work"]["Parameters"]["Environment"]["SETTINGS"] = json.dumps(
            {"target": "y", "steps": [{"step": "scale", "columns": ["a", "b"]}]})
        self.assertIn('steps[0]: step "scale": column "a" is text (s3://bad/rows.csv:4: column "a": "three" is not a number)',
                      self.reason(workflow, self.TEXT))

    def test_no_such_object(self):
        done = self.run_json(self.write("workflow.json", self.TRAIN), code=1)
        self.assertIn("s3://bad/rows.csv", done["cause"])


class Programs(Case):
    """How a program of the user's ended stands in the job's FailureReason."""

    WORKFLOW = one_task("createProcessingJob", {
        "ProcessingJobName.$": "$$.Execution.Name",
        "AppSpecification": {"ImageUri": "script", "ContainerEntrypoint": ["/bin/sh", "-c"],
                             "ContainerArguments.$": "States.Array($.script)"}})

    def reason(self, script):
        done = self.run_json(self.write("workflow.json", self.WORKFLOW), "--input", json.dumps({"script": script}), code=1)
        return json.loads(done["cause"])["FailureReason"]

    def test_killed_by_a_signal(self):
        self.assertIn("killed by signal 9 (Killed)", self.reason("kill -9 $$"))
        self.assertIn("killed by signal 11 (Segmentation fault)", self.reason("kill -SEGV $$"))

    def test_exit_code_and_last_words(self):
        self.assertEqual(self.reason("echo can not find the sea >&2; exit 3"), "AlgorithmError: can not find the sea, exit code: 3")


class Home(Case):
    WAIT = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
    HELLO = EXAMPLES / "hello/definition.json"

    def test_in_use(self):
        workflow = self.write("wait.json", self.WAIT)
        with subprocess.Popen([program.MILLRACE, "run", workflow, "--home", self.home, "--name", "first"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as running:
            try:
                self.wait_for_start("first")
                refused = self.call("run", self.HELLO, code=3).stderr
                self.assertIn(f"is in use by process {running.pid}", refused)
            finally:
                running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(timeout=30), 1)
        self.assertEqual(json.loads(self.call("describe", "first", "--json").stdout)["status"], "ABORTED")


class FullDisk(Case):
    """In a mount namespace of its own, where the home's disk has the size that a test gives it."""

    ON_SMALL_DISK = "mkdir -p {0} && mount -t tmpfs -o size={1} tmpfs {0} && "

    def on_disk(self, size, *commands):
        """Runs shell commands with $M, the program, and the home on a disk of that size; its exit code and stderr."""
        script = self.ON_SMALL_DISK.format(self.home, size) + "; ".join(commands)
        done = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script], capture_output=True,
                              text=True, timeout=120, check=False, env=dict(os.environ, M=program.MILLRACE, MILLRACE_HOME=str(self.home)))
        return done.returncode, done.stdout, done.stderr

    def setUp(self):
        super().setUp()
        if shutil.which("unshare") is None or self.on_disk("1m", "true")[0] != 0:
            self.skipTest("full disk: no mount namespaces here")

    def test_of_objects(self):
        big = self.write("big.csv", "a\n" + "1\n" * 300_000)
        code, _, said = self.on_disk("400k", f"$M run {EXAMPLES}/hello/definition.json --put s3://b/big.csv={big}")
        self.assertEqual(code, 3, said)
        self.assertIn("objects/b/big.csv: No space left on device", said)

    def test_of_the_engine(self):
        """What was said to be done is there when there is space again; the rest is not there in part."""
        fan_out = {"StartAt": "Each", "States": {"Each": {
            "Type": "Map", "ItemsPath": "$.items", "End": True, "ItemProcessor": {
                "StartAt": "Fill", "States": {"Fill": {"Type": "Pass", "Result": "0123456789" * 10, "End": True}}}}}}
        workflow, items = self.write("map.json", fan_out), self.write("items.json", {"items": list(range(3000))})
        hello = f"{EXAMPLES}/hello/definition.json -q -i {EXAMPLES}/hello/input.json"
        code, out, said = self.on_disk("420k", f"$M run {hello} --name before || exit 9", f"$M run {workflow} -i {items} -q; code=$?",
                                       f"mount -o remount,size=20m {self.home}", "$M resume >&2", f"$M run {hello} --name after",
                                       "$M list --json", "exit $code")
        self.assertEqual(code, 3, said)
        self.assertIn("the disk is full", said)
        statuses = {row["name"]: row["status"] for row in json.loads(out.strip().splitlines()[-1])["executions"]}
        self.assertEqual((statuses["before"], statuses["after"]), ("SUCCEEDED", "SUCCEEDED"))
        self.assertNotIn("RUNNING", statuses.values())

    def test_of_the_output(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([program.MILLRACE, "run", EXAMPLES / "parallel-and-map/definition.json", "--home", self.home, "--input",
                                   EXAMPLES / "parallel-and-map/input.json"], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("can't write the output", done.stderr)


if __name__ == "__main__":
    program.main()
