#!/usr/bin/env python3
"""Jobs, their step cache, lineage and the model registry as their user meets them: on a home and through a server.

Usage: lineage_registry.py MILLRACE [CASE...]
"""

import json
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import ROOT, Case  # noqa: E402
from server import Server  # noqa: E402

try:
    import boto3
except ImportError:
    boto3 = None

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
STEPS = ("split", "prepare", "train", "evaluate")


class Shop(Case):
    """A home with the first workflow of docs/ml.md."""

    def setUp(self):
        super().setUp()
        page = (ROOT / "docs/ml.md").read_text(encoding="utf-8")
        self.definition = self.write("shop.json", re.search(r"^```json\n(.*?)^```", page, re.S | re.M).group(1))
        self.put(0)

    def put(self, shift):
        rows = [f"{int(i * 37 % 101 + i % 13 > 60)},{18 + (i + shift) * 37 % 101 if i % 9 else ''},{i * 53 % 97 * 100 if i % 11 else ''},"
                f"{('Ulm', 'Linz', 'Genoa')[i % 3]}" for i in range(600)]
        self.call("objects", "put", self.write("customers.csv", "bought,age,income,city\n" + "\n".join(rows) + "\n"),
                  "s3://shop/customers.csv")

    def run_shop(self, name, *more):
        return self.run_json(self.definition, "--machine", "shop", "--name", name, *more)

    def ask(self, *arguments, **options):
        return json.loads(self.call(*arguments, "--json", **options).stdout)

    def cache(self, job):
        return self.ask("jobs", "why", job)["Cache"]

    def register(self, run, report="s3://shop/evaluation/evaluation.json"):
        job = self.ask("call", "describeTrainingJob", json.dumps({"TrainingJobName": f"{run}-train"}))
        return self.ask("call", "createModelPackage", json.dumps({
            "ModelPackageGroupName": "shop",
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}]},
            "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": report}}}}))["ModelPackageArn"]


class Steps(Shop):
    def test_a_workflow_twice(self):
        first = self.run_shop("one", "--cache", "P30D")
        self.assertEqual({step: self.cache(f"one-{step}")["Result"] for step in STEPS}, dict.fromkeys(STEPS, "miss"))
        again = self.run_shop("two", "--cache", "P30D")
        self.assertEqual({step: self.cache(f"two-{step}")["Result"] for step in STEPS}, dict.fromkeys(STEPS, "hit"))
        self.assertEqual(again["output"]["evaluated"], first["output"]["evaluated"])
        self.assertEqual(again["output"]["trained"], first["output"]["trained"])
        why = self.call("jobs", "why", "two-train").stdout
        self.assertRegex(why, r"did not run: an earlier result was taken over\n.*same inputs, parameters, code and program as one-train")
        # The history holds SageMaker's documents, which say it, too.
        text = json.dumps(self.events("shop/two"))
        self.assertIn("Cached: the result of TrainingJob one-train", text)
        self.assertNotIn("Millrace", text)

        self.put(1)
        self.run_shop("three", "--cache", "P30D")
        self.assertEqual({step: self.cache(f"three-{step}")["Result"] for step in STEPS}, dict.fromkeys(STEPS, "miss"))
        self.assertRegex("\n".join(self.cache("three-split")["Why"]), r"all: customers.csv changed: sha256 [0-9a-f]{8} → [0-9a-f]{8}")
        # What had been put where these wrote is not there any more: it is made again, not believed.
        self.put(0)
        self.run_shop("four", "--cache", "P30D")
        self.assertRegex("\n".join(self.cache("four-split")["Why"]), r"one-split was the same, but its output s3://shop/raw/\S+ changed")
        self.assertEqual(self.run_shop("five")["output"]["evaluated"]["auc"]["value"], first["output"]["evaluated"]["auc"]["value"])
        self.assertEqual(self.cache("five-train")["Result"], "off")

    def test_a_transform_twice(self):
        self.run_shop("one")
        job = self.ask("call", "describeTrainingJob", '{"TrainingJobName":"one-train"}')
        self.ask("call", "createModel", json.dumps({"ModelName": "m", "PrimaryContainer": {
            "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}}))
        for name in ("first", "second"):
            state = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTransformJob.sync", "End": True, "Parameters": {
                "TransformJobName": name, "ModelName": "m", "TransformOutput": {"S3OutputPath": f"s3://shop/{name}"},
                "TransformInput": {"ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3Uri": "s3://shop/customers.csv"}}},
                "Tags": [{"Key": "millrace:cache", "Value": "PT1H"}]}}
            self.run_json(self.write("transform.json", {"StartAt": "T", "States": {"T": state}}))
        self.assertEqual([self.cache(name)["Result"] for name in ("first", "second")], ["miss", "hit"])
        scored = [(self.home / f"objects/shop/{name}/customers.csv.out").read_bytes() for name in ("first", "second")]
        self.assertEqual(scored[0], scored[1])
        self.assertEqual(len(scored[0].splitlines()), 600)

    def test_describe_and_list(self):
        self.run_shop("one")
        text = self.call("jobs", "describe", "one-train").stdout
        for words in ("TrainingJob one-train Completed in ", "by          execution one, state Train", "max_depth = 3",
                      "train  s3://shop/prepared/train", "sha256 ", "s of processor time", "validation:auc = ", "█"):
            self.assertIn(words, text)
        listed = self.ask("jobs", "list")["JobSummaries"]
        self.assertEqual({job["JobName"] for job in listed}, {f"one-{step}" for step in STEPS})
        self.assertEqual(len(self.ask("jobs", "list", "--kind", "training")["JobSummaries"]), 1)
        self.assertEqual(len(self.call("jobs", "list").stdout.splitlines()), 5)
        self.assertIn("there is no job", self.call("jobs", "why", "none", code=2).stderr)
        self.assertIn("is not one of", self.call("jobs", "list", "--kind", "mining", code=2).stderr)
        self.assertIn("millrace:cache", self.call("run", self.definition, "--cache", "a month", code=2).stderr)

    def test_killed_at_any_moment(self):
        """Whenever it dies, it ends as if it had not, and what ran is there once."""
        first = self.run_shop("one", "--cache", "on")
        for moment in (0.05, 0.15, 0.3):
            name = f"killed-{int(moment * 100)}"
            started = subprocess.Popen([program.MILLRACE, "run", self.definition, "--machine", "shop", "--name", name, "--cache", "on",
                                        "--home", self.home, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moment)
            started.send_signal(signal.SIGKILL)
            started.wait()
            self.call("resume", "--cache", "on")
            there = subprocess.run([program.MILLRACE, "describe", f"shop/{name}", "--json", "--home", self.home], capture_output=True, check=False)
            if there.returncode:  # it died before the execution was
                self.run_shop(name, "--cache", "on")
            ended = self.ask("describe", f"shop/{name}")
            self.assertEqual(ended["status"], "SUCCEEDED")
            self.assertEqual(json.loads(ended["output"])["evaluated"], first["output"]["evaluated"])
            names = [job["JobName"] for job in self.ask("jobs", "list", "--name", name)["JobSummaries"]]
            self.assertEqual(sorted(names), sorted(f"{name}-{step}" for step in STEPS))


class Lineage(Shop):
    def test_both_ways(self):
        self.run_shop("one")
        package = self.register("one")
        self.call("registry", "approve", "shop/1", "--because", "good enough")
        for operation, request in (("createModel", {"ModelName": "shop-model", "PrimaryContainer": {"ModelPackageName": package}}),
                                   ("createEndpointConfig", {"EndpointConfigName": "shop-config", "ProductionVariants": [
                                       {"VariantName": "a", "ModelName": "shop-model"}]}),
                                   ("createEndpoint", {"EndpointName": "shop-live", "EndpointConfigName": "shop-config"})):
            self.ask("call", operation, json.dumps(request))
        up = self.call("lineage", "endpoint/shop-live", "--direction", "up").stdout
        story = ["ModelDeployment  shop-live-aws-endpoint", "SageMakerModel  shop-model", "ModelPackage  shop/1",
                 "SageMakerTrainingJob  one-train", "SageMakerProcessingJob  one-prepare", "SageMakerProcessingJob  one-split",
                 "DataSet  s3://shop/customers.csv"]
        places = [up.index(words) for words in story]
        self.assertEqual(places, sorted(places), up)
        down = self.call("lineage", "s3://shop/customers.csv", "--direction", "down").stdout
        for words in ("SageMakerProcessingJob  one-split", "SageMakerTrainingJob  one-train", "Endpoint  shop-live-aws-endpoint",
                      "Approval  shop-1-approval-2"):
            self.assertIn(words, down)
        found = self.ask("lineage", "model-package/shop/1")
        arns = {vertex["Arn"] for vertex in found["Vertices"]}
        self.assertTrue(all(edge["SourceArn"] in arns and edge["DestinationArn"] in arns for edge in found["Edges"]))
        picture = self.directory / "lineage.svg"
        self.call("lineage", "endpoint/shop-live", "--svg", picture)
        texts = [e.text for e in xml.etree.ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("one-train", texts)
        self.assertIn("nothing in the lineage", self.call("lineage", "endpoint/none", code=2).stderr)


class Registry(Shop):
    def test_versions(self):
        self.run_shop("one")
        self.register("one")
        self.put(1)
        self.run_shop("two")
        self.register("two")
        for version in ("1", "2"):
            self.call("registry", "approve", f"shop/{version}", "--because", f"version {version}")
            self.call("registry", "alias", "shop", "champion", version)
        listed = self.call("registry", "list").stdout
        self.assertRegex(listed, r"shop +2 +2 +2 +champion → 2")
        self.assertRegex(self.call("registry", "list", "shop").stdout, r"2 +Approved +champion +")
        shown = self.call("registry", "show", "shop@champion").stdout
        self.assertRegex(shown, r"Approved by .*the command line: version 2")
        compared = self.call("registry", "compare", "shop", "1", "champion", "--html", self.directory / "compare.html").stdout
        self.assertRegex(compared, r"auc +0\.\d+ +0\.\d+")
        self.assertRegex(compared, r"train sha256 +[0-9a-f]{12} +[0-9a-f]{12}")
        self.assertIn("the same)", compared)
        page = (self.directory / "compare.html").read_text(encoding="utf-8")
        self.assertIn("version 2 @champion", page)
        self.assertNotIn("<script", page)
        for operation, request in (("createModel", {"ModelName": "shop-model", "PrimaryContainer": {"ModelPackageName": "shop@champion"}}),
                                   ("createEndpointConfig", {"EndpointConfigName": "shop-config", "ProductionVariants": [
                                       {"VariantName": "a", "ModelName": "shop-model"}]}),
                                   ("createEndpoint", {"EndpointName": "shop-live", "EndpointConfigName": "shop-config"})):
            self.ask("call", operation, json.dumps(request))
        served = lambda: self.call("lineage", "endpoint/shop-live", "--direction", "up").stdout  # noqa: E731
        self.assertIn("two-train", served())
        self.call("registry", "reject", "shop/2", "--because", "drift")
        back = self.call("registry", "rollback", "shop", "--endpoint", "shop-live").stdout
        self.assertIn("shop@champion is version 1 again; it was 2", back)
        # The report's place was written by both; the model is the first version's.
        self.assertRegex(served(), r"ModelPackage +shop/1 .*\n.* Model +s3://shop/models/one-train/")
        self.assertIn("there is no approved version before 1", self.call("registry", "rollback", "shop", code=2).stderr)
        self.assertIn("has the alias", self.call("call", "deleteModelPackage", '{"ModelPackageName":"shop/1"}', code=2).stderr)
        self.call("registry", "alias", "shop", "champion", "--delete")
        self.assertIn("has no alias", self.call("registry", "show", "shop@champion", code=2).stderr)

    def test_through_a_server(self):
        self.run_shop("one")
        self.register("one")
        alone = self.ask("jobs", "list")
        server = Server(self.home)
        self.addCleanup(server.stop)
        self.assertEqual(self.ask("jobs", "list"), alone)
        self.call("registry", "approve", "shop/1", "--because", "on a server")
        self.call("registry", "alias", "shop", "champion", "1")
        self.assertIn("Approved by the SageMaker API: on a server", self.call("registry", "show", "shop@champion").stdout)
        self.assertIn("one-train", self.call("lineage", "model-package/shop/1").stdout)
        self.assertEqual(self.cache("one-train")["Result"], "off")
        self.assertIn("letters, digits and hyphens", self.call("registry", "alias", "shop", "not good", "1", code=2).stderr)


class Clients(Shop):
    def test_boto3(self):
        """AWS's own client asks for lineage, aliases and versions, and understands the answers."""
        if boto3 is None:
            self.skipTest("boto3 not there")
        self.run_shop("one")
        self.register("one")
        server = Server(self.home)
        self.addCleanup(server.stop)
        sagemaker = boto3.client("sagemaker", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        (raw,) = sagemaker.list_artifacts(SourceUri="s3://shop/customers.csv")["ArtifactSummaries"]
        found = sagemaker.query_lineage(StartArns=[raw["ArtifactArn"]], Direction="Descendants", IncludeEdges=True, MaxDepth=20,
                                        Filters={"LineageTypes": ["TrialComponent"]})
        self.assertEqual({vertex["Type"] for vertex in found["Vertices"]}, {"SageMakerProcessingJob", "SageMakerTrainingJob"})
        self.assertEqual(len(found["Vertices"]), 4)
        mine = sagemaker.create_artifact(ArtifactName="ledger", ArtifactType="Ledger", Source={"SourceUri": "https://ledger.example"})
        sagemaker.add_association(SourceArn=mine["ArtifactArn"], DestinationArn=raw["ArtifactArn"], AssociationType="DerivedFrom")
        (joined,) = sagemaker.list_associations(SourceArn=mine["ArtifactArn"])["AssociationSummaries"]
        self.assertEqual((joined["AssociationType"], joined["DestinationArn"]), ("DerivedFrom", raw["ArtifactArn"]))
        self.assertEqual(sagemaker.describe_artifact(ArtifactArn=mine["ArtifactArn"])["Source"]["SourceUri"], "https://ledger.example")
        sagemaker.delete_association(SourceArn=mine["ArtifactArn"], DestinationArn=raw["ArtifactArn"])
        sagemaker.delete_artifact(ArtifactArn=mine["ArtifactArn"])
        with self.assertRaises(sagemaker.exceptions.ResourceNotFound):
            sagemaker.describe_artifact(ArtifactArn=mine["ArtifactArn"])
        context = sagemaker.describe_context(ContextName="shop-aws-model-group")
        self.assertEqual(context["ContextType"], "ModelGroup")

        package = ARN + "model-package/shop/1"
        sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription="by boto3")
        group = sagemaker.describe_model_package_group(ModelPackageGroupName="shop")["ModelPackageGroupArn"]
        sagemaker.add_tags(ResourceArn=group, Tags=[{"Key": "millrace:alias:champion", "Value": "1"}])
        self.assertEqual(sagemaker.describe_model_package(ModelPackageName="shop@champion")["ModelPackageArn"], package)
        self.assertEqual([p["ModelPackageVersion"] for p in sagemaker.list_model_packages(
            ModelPackageGroupName="shop", ModelPackageType="Versioned", ModelApprovalStatus="Approved")["ModelPackageSummaryList"]], [1])
        with self.assertRaises(sagemaker.exceptions.ConflictException):
            sagemaker.delete_model_package(ModelPackageName=package)


if __name__ == "__main__":
    program.main()
