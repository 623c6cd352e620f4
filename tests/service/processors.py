#!/usr/bin/env python3
"""The built-in processors as their user meets them: every example of docs/processors.md through the built program.

Usage: processors.py MILLRACE [CASE...]
"""

import html.parser
import json
import re
import sys
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import ROOT, Case  # noqa: E402


class Balanced(html.parser.HTMLParser):
    """Every element that opens closes."""
    VOID = {"meta", "img", "br", "link"}

    def __init__(self):
        super().__init__()
        self.open, self.pictures = [], 0

    def handle_starttag(self, tag, attrs):
        self.pictures += tag == "img"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")


class Processors(Case):
    def setUp(self):
        super().setUp()
        rows = [f"{int(i * 37 % 101 + i % 13 > 60)},{18 + i * 37 % 101 if i % 9 else ''},{i * 53 % 97 * 100 if i % 11 else ''},"
                f"{('Ulm', 'Linz', 'Genoa')[i % 3]}" for i in range(600)]
        self.call("objects", "put", self.write("customers.csv", "bought,age,income,city\n" + "\n".join(rows) + "\n"),
                  "s3://shop/customers.csv")
        page = (ROOT / "docs/ml.md").read_text(encoding="utf-8")
        shop = re.search(r"^```json\n(.*?)^```", page, re.S | re.M).group(1)
        self.run_json(self.write("shop.json", shop), "--name", "first")

    def job(self, name, parameters):
        state = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync",
                 "Parameters": {"ProcessingJobName": name, **parameters}, "End": True}
        definition = {"StartAt": "Job", "States": {"Job": state}}
        return self.run_json(self.write(name + ".json", json.dumps(definition)))["output"]

    def object(self, uri):
        return (self.home / "objects" / uri.removeprefix("s3://")).read_text(encoding="utf-8")

    def check_reports(self, folder):
        for path in (self.home / "objects" / folder.removeprefix("s3://")).rglob("*"):
            if path.suffix == ".svg":
                xml.etree.ElementTree.parse(path)
            elif path.suffix == ".html":
                page = Balanced()
                page.feed(path.read_text(encoding="utf-8"))
                self.assertEqual(page.open, [], path)

    def test_examples_of_the_page(self):
        page = (ROOT / "docs/processors.md").read_text(encoding="utf-8")
        blocks = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", page, re.S | re.M)]
        summaries = {}
        for number, block in enumerate(blocks):
            image = block["AppSpecification"]["ImageUri"]
            done = self.job(f"{image}-{number}", block)
            self.assertEqual(done["ProcessingJobStatus"], "Completed")
            (output,) = block["ProcessingOutputConfig"]["Outputs"]
            self.check_reports(output["S3Output"]["S3Uri"])
            summaries[output["OutputName"]] = done["Summary"]
        self.assertEqual(summaries["cities"]["rows"], 3)
        self.assertEqual(self.object("s3://shop/cities/data.csv").splitlines()[0], "city,customers,age,bought")
        self.assertEqual(summaries["profile"]["rows"], 600)
        metrics = summaries["report"]["binary_classification_metrics"]
        self.assertEqual(metrics["chosen_threshold"]["chosen_on"], "validation")
        self.assertEqual(set(summaries["report"]["slices"]["city"]), {"Ulm", "Linz", "Genoa"})
        shap = summaries["why"]["explanations"]["tree_shap"]["label0"]["global_shap_values"]
        self.assertEqual(max(shap, key=shap.get), "age")
        self.assertEqual(len(summaries["bias"]["post_training_bias_metrics"]["facets"]["city"][0]["metrics"]), 13)
        self.assertEqual(summaries["check"]["violation_count"], len(summaries["check"]["violations"]))
        self.assertIn("binary_classification_constraints", self.object("s3://shop/quality/constraints.json"))
        self.assertIn("analysis.json", self.call("objects", "ls", "s3://shop/why/").stdout)

    def test_wrong_settings_are_refused_before_a_job_exists(self):
        state = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync", "End": True,
                 "Parameters": {"ProcessingJobName": "wrong", "AppSpecification": {"ImageUri": "profile", "ContainerArguments": ["--header", "x"]},
                                "ProcessingInputs": [{"InputName": "dataset", "S3Input": {"S3Uri": "s3://shop/customers.csv"}}],
                                "ProcessingOutputConfig": {"Outputs": [{"OutputName": "p", "S3Output": {"S3Uri": "s3://shop/p"}}]}}}
        done = self.run_json(self.write("wrong.json", json.dumps({"StartAt": "Job", "States": {"Job": state}})), code=1)
        self.assertRegex(json.dumps(done), r'did you mean \\*"headers\\*"')


if __name__ == "__main__":
    program.main()
