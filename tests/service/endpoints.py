#!/usr/bin/env python3
"""What answers behind an endpoint through `millrace serve`: programs of users, pipelines, many models, serverless variants.

Usage: endpoints.py MILLRACE [CASE...]
"""

import json
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from sagemaker_api import ROLE, SageMakerCase  # noqa: E402

INFERENCE = '''
import json, os, time

def model_fn(model_dir):
    with open(os.path.join(model_dir, "factor.json")) as file:
        return json.load(file)

def input_fn(body, content_type):
    if content_type != "text/csv":
        raise ValueError("only text/csv, got " + content_type)
    return [[float(cell) for cell in line.split(",")] for line in body.splitlines()]

def predict_fn(rows, model):
    if rows[0][0] == -1:
        os._exit(7)
    if rows[0][0] == -2:
        raise KeyError("no such thing")
    if rows[0][0] == -3:
        time.sleep(0.4)
    print("asked for", len(rows), "rows")
    return [sum(row) * model["factor"] for row in rows]

def output_fn(prediction, accept):
    if accept == "application/json":
        return json.dumps({"sums": prediction}), accept
    return "".join(f"{value}\\n" for value in prediction), "text/csv"
'''

SERVER = '''#!/usr/bin/env python3
import http.server, os, pathlib

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ping" else 404)
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 422 if body == b"wrong" else 200
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"I don't like it" if status == 422 else body.upper() + pathlib.Path(os.environ["SM_MODEL_DIR"], "name").read_bytes())

    def log_message(self, *_):
        pass

print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
'''


class EndpointCase(SageMakerCase):
    options = ("--set", "endpoints.script_idle_max=1s", "--set", "endpoints.models_idle_max=1s")

    def setUp(self):
        super().setUp()
        self.put("b/sum/factor.json", '{"factor": 10}')
        self.put("b/code/inference.py", INFERENCE)

    def script(self, name, environment=None, **container):
        self.sm("CreateModel", ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={
            "Image": "script", "ModelDataUrl": "s3://b/sum/",
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/code/", **(environment or {})}, **container})

    @staticmethod
    def variant(name, model, **more):
        return {"VariantName": name, "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", **more}

    def metric(self, name):
        _, _, text = self.request("GET", "/metrics", None)
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)]
        return sum(values)

    def together(self, count, body, endpoint="e"):
        """Statuses of so many requests at the same time, and how long they took."""
        statuses, begun = [], time.monotonic()

        def ask():
            statuses.append(self.request("POST", f"/endpoints/{endpoint}/invocations", body, Content_Type="text/csv")[0])
        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return statuses, time.monotonic() - begun


class Scripts(EndpointCase):
    def test_an_inference_script(self):
        self.script("m")
        self.deploy("e", [self.variant("v", "m")])
        text, headers = self.invoke("e", "1,2\n3,4\n")
        self.assertEqual((text, headers["Content-Type"], headers["x-Amzn-Invoked-Production-Variant"]), ("30.0\n70.0\n", "text/csv", "v"))
        self.assertEqual(json.loads(self.invoke("e", "1,2", Accept="application/json")[0]), {"sums": [30.0]})
        text, _ = self.invoke("e", "{}", 424, Content_Type="application/json")
        error = json.loads(text)
        self.assertEqual((error["OriginalStatusCode"], error["OriginalMessage"]), (500, "ValueError: only text/csv, got application/json"))
        self.assertIn("no such thing", json.loads(self.invoke("e", "-2,1", 424)[0])["OriginalMessage"])
        log = self.home / "logs/Endpoint/e/v.log"
        self.wait_for(lambda: "KeyError" in log.read_text(), "the log")
        self.assertIn("asked for 2 rows", log.read_text())
        # It dies while it answers: the answer says so, and the next one comes from a new process.
        error = json.loads(self.invoke("e", "-1,1", 424)[0])
        self.assertEqual(error["OriginalStatusCode"], 500)
        self.assertIn("the program inference.py ended while it answered: exit status 7", error["OriginalMessage"])
        self.assertEqual(self.invoke("e", "1,2")[0], "30.0\n")
        self.wait_for(lambda: self.metric("millrace_endpoint_workers") == 1, "one worker")
        self.server.kill()
        self.serve()
        self.assertEqual(self.invoke("e", "1,2")[0], "30.0\n")
        self.sm("DeleteEndpoint", EndpointName="e")
        self.invoke("e", "1,2", 400)

    def test_a_program_that_serves(self):
        self.put("b/up/name", "!")
        self.put("b/up/code/serve", SERVER)
        self.sm("CreateModel", ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={
            "Image": "mine", "ModelDataUrl": "s3://b/up/", "Environment": {"SAGEMAKER_PROGRAM": "serve"}})
        self.deploy("e", [self.variant("v", "m")])
        self.assertEqual(self.invoke("e", "abc", Content_Type="text/plain")[0], "ABC!")
        error = json.loads(self.invoke("e", "wrong", 424)[0])
        self.assertEqual((error["OriginalStatusCode"], error["OriginalMessage"], error["ErrorCode"]), (422, "I don't like it", "CLIENT_ERROR_FROM_MODEL"))

    def test_what_does_not_start_is_refused(self):
        self.put("b/bad/inference.py", "def model_fn(d):\n    raise RuntimeError('the weights are missing')\n")
        self.put("b/none/inference.py", "x = 1\n")
        for name, code, said in (("bad", "s3://b/bad/", "the weights are missing"), ("none", "s3://b/none/", "inference.py has no model_fn"),
                                 ("gone", "s3://b/nothing/", "nothing")):
            self.script(name, {"SAGEMAKER_SUBMIT_DIRECTORY": code})
            self.sm("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[self.variant("v", name)])
            self.assertIn(said, self.error("CreateEndpoint", "ValidationException", EndpointName=name, EndpointConfigName=name))
        wrong = {"Image": "x", "ModelDataUrl": "s3://b/sum/", "Environment": {"SAGEMAKER_PROGRAM": "../x.py"}}
        self.assertIn("is not a file of the code", self.error("CreateModel", "ValidationException", ModelName="w", PrimaryContainer=wrong))
        self.assertIn("SAGEMAKER_PROGRAM is required", self.error("CreateModel", "ValidationException", ModelName="w", PrimaryContainer={"Image": "x"}))
        self.script("m")
        self.assertIn("runs a program of yours", self.error("CreateTransformJob", "ValidationException", TransformJobName="t", ModelName="m",
                      TransformInput={"ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/train/"}}},
                      TransformOutput={"S3OutputPath": "s3://b/x"}, TransformResources={"InstanceCount": 1, "InstanceType": "ml.m5.large"}))

    def test_a_pipeline(self):
        """A script prepares, a model of ours scores, a script judges."""
        self.put("b/before/prepare.py", "def model_fn(d):\n    return None\n\ndef transform_fn(model, body, content_type, accept):\n"
                                        "    return ''.join(','.join(line.split(';')[1:]) + '\\n' for line in body.splitlines()), 'text/csv'\n")
        self.put("b/after/post.py", "import json\n\ndef model_fn(d):\n    return 0.5\n\ndef input_fn(body, kind):\n    return [float(line) for line in body.splitlines()]\n\n"
                                    "def predict_fn(scores, limit):\n    return ['yes' if score > limit else 'no' for score in scores]\n\n"
                                    "def output_fn(answers, accept):\n    return json.dumps(answers), 'application/json'\n")
        job = self.train()
        self.sm("CreateModel", ModelName="m", ExecutionRoleArn=ROLE, Containers=[
            {"Image": "script", "Environment": {"SAGEMAKER_PROGRAM": "prepare.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/before/"}},
            {"Image": "xgboost", "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]},
            {"Image": "script", "Environment": {"SAGEMAKER_PROGRAM": "post.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/after/"}}])
        self.deploy("e", [self.variant("v", "m")])
        self.assertEqual(json.loads(self.invoke("e", "id-1;90;10\nid-2;10;90\n")[0]), ["yes", "no"])
        error = json.loads(self.invoke("e", "id-1;90\n", 424)[0])
        self.assertIn("Input data has 1 while the model expects 2", error["OriginalMessage"])

    def test_an_update_fails_no_request(self):
        self.script("m")
        self.put("b/other/factor.json", '{"factor": 100}')
        self.script("n", ModelDataUrl="s3://b/other/")
        self.deploy("e", [self.variant("v", "m")])
        self.sm("CreateEndpointConfig", EndpointConfigName="n", ProductionVariants=[self.variant("v", "n")])
        stop, failures, seen = threading.Event(), [], []

        def ask():
            while not stop.is_set():
                status, _, text = self.request("POST", "/endpoints/e/invocations", "1,2", Content_Type="text/csv")
                (seen if status == 200 else failures).append(text)
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        self.sm("UpdateEndpoint", EndpointName="e", EndpointConfigName="n")
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual((seen[0], seen[-1], len(set(seen))), ("30.0\n", "300.0\n", 2))


class Scaling(EndpointCase):
    def test_more_workers_while_they_are_needed(self):
        self.script("m")
        self.deploy("e", [self.variant("v", "m", ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 3})])
        self.assertEqual(self.invoke("e", "1,2")[0], "30.0\n")
        self.wait_for(lambda: self.metric("millrace_endpoint_workers") == 1, "one worker")
        statuses, _ = self.together(6, "-3,1")
        self.assertEqual(statuses, [200] * 6)
        self.wait_for(lambda: self.metric("millrace_endpoint_workers") == 3, "three workers")
        _, took = self.together(3, "-3,1")
        self.assertLess(took, 1.1, "three at a time")
        self.wait_for(lambda: self.metric("millrace_endpoint_workers") == 1, "the others to end")
        self.assertIn("MaxInstanceCount", self.error("CreateEndpointConfig", "ValidationException", EndpointConfigName="w", ProductionVariants=[
            self.variant("v", "m", ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 3, "MaxInstanceCount": 1})]))

    def test_a_serverless_program(self):
        self.script("m")
        serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
        self.deploy("e", [{"VariantName": "v", "ModelName": "m", "ServerlessConfig": serverless}])
        self.assertEqual(self.sm("DescribeEndpoint", EndpointName="e")["ProductionVariants"][0]["CurrentServerlessConfig"], serverless)
        self.assertEqual(self.invoke("e", "1,2")[0], "30.0\n")
        self.wait_for(lambda: self.metric("millrace_endpoint_workers") == 0, "it to be idle")
        self.assertEqual(self.invoke("e", "1,2")[0], "30.0\n", "started on demand")
        statuses, _ = self.together(5, "-3,1")
        self.assertEqual(statuses.count(200) + statuses.count(429), 5)
        self.assertGreaterEqual(statuses.count(429), 1)
        for wrong, said in (({"MemorySizeInMB": 100, "MaxConcurrency": 1}, "MemorySizeInMB"), ({"MemorySizeInMB": 1024, "MaxConcurrency": 0}, "MaxConcurrency")):
            self.assertIn(said, self.error("CreateEndpointConfig", "ValidationException", EndpointConfigName="w", ProductionVariants=[
                {"VariantName": "v", "ModelName": "m", "ServerlessConfig": wrong}]))

    def test_a_serverless_model(self):
        self.model("m", self.train())
        self.deploy("e", [{"VariantName": "v", "ModelName": "m", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5}}])
        self.assertEqual(self.metric("millrace_endpoint_models_loaded"), 0)
        self.assertGreater(float(self.invoke("e", "90,10")[0]), 0.5)
        self.assertEqual(self.metric("millrace_endpoint_models_loaded"), 1)
        self.wait_for(lambda: self.metric("millrace_endpoint_models_loaded") == 0, "it to be let go of")
        self.assertGreater(float(self.invoke("e", "90,10")[0]), 0.5)
        self.assertEqual(self.metric("millrace_endpoint_model_loads_total"), 2)


class Many(EndpointCase):
    options = ("--set", "endpoints.models_bytes_max=1KiB")

    def test_a_model_a_request(self):
        targets = []
        for number in range(3):
            uri = self.train(f"t{number}", rounds=20 + 10 * number)["ModelArtifacts"]["S3ModelArtifacts"]
            targets.append(uri.removeprefix("s3://b/models/"))
        self.sm("CreateModel", ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "xgboost", "Mode": "MultiModel", "ModelDataUrl": "s3://b/models/"})
        self.deploy("e", [self.variant("v", "m")])
        scores = [self.invoke("e", "90,10\n50,45\n10,90", X_Amzn_SageMaker_Target_Model=target)[0] for target in targets]
        self.assertEqual(len(set(scores)), 3)
        for target, score in zip(targets, scores):
            self.assertEqual(self.invoke("e", "90,10\n50,45\n10,90", X_Amzn_SageMaker_Target_Model=target)[0], score)
        self.assertEqual(self.metric("millrace_endpoint_models_loaded"), 1, "each is larger than the limit: only the last one stays")
        self.assertEqual(self.metric("millrace_endpoint_model_loads_total"), 6)
        for target, said in (("none/", "Failed to download model data"), ("../secret", "is no name below the prefix"), ("", "TargetModel is required")):
            text, headers = self.invoke("e", "90,10", 400, X_Amzn_SageMaker_Target_Model=target)
            self.assertEqual(headers["x-amzn-ErrorType"], "ValidationError")
            self.assertIn(said, text)
        # A model that comes later is there at once.
        uri = self.train("late", rounds=7)["ModelArtifacts"]["S3ModelArtifacts"]
        self.invoke("e", "90,10", X_Amzn_SageMaker_Target_Model=uri.removeprefix("s3://b/models/"))
        self.assertIn("MultiModel", self.error("CreateModel", "ValidationException", ModelName="w", PrimaryContainer={
            "Image": "x", "Mode": "MultiModel", "ModelDataUrl": "s3://b/x", "Environment": {"SAGEMAKER_PROGRAM": "a.py"}}))


class Async(EndpointCase):
    def accept(self, location, status=202, endpoint="e", **headers):
        got, headers, text = self.request("POST", f"/endpoints/{endpoint}/async-invocations", "", X_Amzn_SageMaker_InputLocation=location,
                                          X_Amzn_SageMaker_Content_Type="text/csv", **headers)
        self.assertEqual(got, status, text)
        return json.loads(text), headers

    def object(self, uri):
        path = self.home / "objects" / uri.removeprefix("s3://")
        return path.read_text() if path.exists() else None

    def test_answers_become_objects(self):
        self.script("m")
        self.sm("CreateModel", ModelName="n", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "xgboost", "ModelDataUrl": self.train()["ModelArtifacts"]["S3ModelArtifacts"]})
        _, _, text = self.request("POST", "/", "Action=CreateTopic&Name=done&Version=2010-03-31", Content_Type="application/x-www-form-urlencoded")
        topic = text.split("<TopicArn>")[1].split("<")[0]
        self.request("POST", "/", f"Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint=arn:aws:sqs:us-east-1:123456789012:notices&Version=2010-03-31",
                     Content_Type="application/x-www-form-urlencoded")
        sqs = {"Content_Type": "application/x-amz-json-1.0"}
        self.request("POST", "/", json.dumps({"QueueName": "notices"}), X_Amz_Target="AmazonSQS.CreateQueue", **sqs)
        self.deploy("e", [self.variant("v", "m")], AsyncInferenceConfig={"OutputConfig": {
            "S3OutputPath": "s3://b/answers", "NotificationConfig": {"SuccessTopic": topic, "ErrorTopic": topic}}})
        self.deploy("f", [self.variant("v", "n")])
        self.put("b/in/1.csv", "1,2\n3,4\n")
        self.put("b/in/bad.csv", "-2,1\n")
        body, headers = self.accept("s3://b/in/1.csv", X_Amzn_SageMaker_Inference_Id="mine")
        self.assertEqual(body, {"InferenceId": "mine"})
        self.wait_for(lambda: self.object(headers["X-Amzn-SageMaker-OutputLocation"]) == "30.0\n70.0\n", "the answer")
        _, headers = self.accept("s3://b/in/bad.csv")
        self.wait_for(lambda: "no such thing" in (self.object(headers["X-Amzn-SageMaker-FailureLocation"]) or ""), "the failure")
        _, headers = self.accept("s3://b/in/none.csv")
        self.wait_for(lambda: self.object(headers["X-Amzn-SageMaker-FailureLocation"]), "the failure")
        notices = []

        def all_notices():
            _, _, text = self.request("POST", "/", json.dumps({"QueueUrl": "http://x/123456789012/notices", "MaxNumberOfMessages": 10}),
                                      X_Amz_Target="AmazonSQS.ReceiveMessage", **sqs)
            notices.extend(json.loads(json.loads(message["Body"])["Message"]) for message in json.loads(text).get("Messages", []))
            return len(notices) == 3
        self.wait_for(all_notices, "three notices")
        self.assertEqual(sorted(notice["invocationStatus"] for notice in notices), ["Completed", "Failed", "Failed"])
        self.assertEqual([notice["inferenceId"] for notice in notices if notice["invocationStatus"] == "Completed"], ["mine"])
        self.assertIn("takes no asynchronous requests", self.accept("s3://b/in/1.csv", 400, "f")[0]["Message"])
        self.accept("s3://b/in/1.csv", 400, "none")
        self.accept("", 400)

    def test_what_was_accepted_is_answered_after_a_crash(self):
        self.script("m")
        self.deploy("e", [self.variant("v", "m")], AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://b/answers"}})
        self.put("b/in/1.csv", "-3,13\n")  # takes a while
        outputs = [self.accept("s3://b/in/1.csv")[1]["X-Amzn-SageMaker-OutputLocation"] for _ in range(5)]
        self.server.kill()
        self.serve()
        self.wait_for(lambda: [self.object(output) for output in outputs] == ["100.0\n"] * 5, "all answers")


if __name__ == "__main__":
    program.main()
