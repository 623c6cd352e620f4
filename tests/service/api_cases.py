#!/usr/bin/env python3
"""The API by data: tests/cases/api/*.json through `millrace serve`.

Usage: api_cases.py MILLRACE [CASE...]

A file is a list of {"name", "steps"}. A step is {"call", "with", "answer" | "error"}, or {"wait": EXECUTION ARN} until that
one has ended. "answer" is what the answer must hold: members may be missing in it, "<any>" is any value, "<none>" a member
that must not be there. "error" is the code, or [code, message]. "${N.member}" is a member of the answer to step N (from 1,
calls only), "${id}" a text of its own in each case. "definition", "input" and "output" are sent as JSON text.
"""

import json
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import ROOT, Case  # noqa: E402
from server import ApiError, Server  # noqa: E402

CASES = ROOT / "tests/cases/api"


def fill(value, answers, name):
    if isinstance(value, dict):
        return {fill(k, answers, name): fill(v, answers, name) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, answers, name) for v in value]
    if not isinstance(value, str):
        return value

    def known(match):
        if match[1] == "id":
            return name
        number, path = match[1].split(".", 1)
        found = answers[int(number) - 1]
        for part in path.split("."):
            found = found[int(part) if isinstance(found, list) else part]
        return found
    alone = re.fullmatch(r"\$\{([^}]*)\}", value)  # then it keeps its type
    return known(alone) if alone else re.sub(r"\$\{([^}]*)\}", known, value)


def differences(expected, actual, path=""):
    if expected == "<any>":
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key, value in expected.items():
            if value == "<none>":
                found += [f"{path}.{key}: not expected"] if key in actual else []
            elif key not in actual:
                found.append(f"{path}.{key}: missing")
            else:
                found += differences(value, actual[key], f"{path}.{key}")
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{path}: {len(actual)} elements, expected {len(expected)}: {actual}"]
        return [d for i, pair in enumerate(zip(expected, actual)) for d in differences(*pair, f"{path}[{i}]")]
    if path.endswith((".input", ".output", ".definition")) and isinstance(actual, str) and not isinstance(expected, str):
        return differences(expected, json.loads(actual), path + "<json>")
    return [] if expected == actual else [f"{path}: {actual!r}, expected {expected!r}"]


class Api(Case):
    def setUp(self):
        super().setUp()
        self.server = Server(self.home)
        self.addCleanup(self.server.stop)

    def run_step(self, step, answers, name):
        if "wait" in step:
            arn = fill(step["wait"], answers, name)
            self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=arn)["status"] != "RUNNING", arn)
            return
        parameters = fill(step.get("with", {}), answers, name)
        for key in ("definition", "input", "output"):
            if key in parameters and not isinstance(parameters[key], str):
                parameters[key] = json.dumps(parameters[key])
        try:
            answer = self.server.call(step["call"], **parameters)
        except ApiError as error:
            answers.append(None)
            self.assertIn("error", step, f"{step['call']}: {error}")
            expected = step["error"] if isinstance(step["error"], list) else [step["error"]]
            self.assertEqual([error.code, error.message][:len(expected)], fill(expected, answers, name), step["call"])
            return
        answers.append(answer)
        self.assertNotIn("error", step, f"{step['call']} was accepted: {answer}")
        self.assertEqual(differences(fill(step.get("answer", {}), answers, name), answer), [], step["call"])

    def test_cases(self):
        count = 0
        for path in sorted(CASES.glob("*.json")):
            for case in json.loads(path.read_text(encoding="utf-8")):
                count += 1
                name = f"{path.stem}-{count}"
                with self.subTest(file=path.name, case=case["name"]):
                    answers = []
                    for step in case["steps"]:
                        self.run_step(step, answers, name)
        self.assertGreater(count, 15)

    def test_what_is_known_survives_a_restart(self):
        call = self.server.call
        definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "End": True}}})
        arn = call("CreateStateMachine", name="kept", definition=definition, roleArn="r", publish=True,
                   tags=[{"key": "k", "value": "v"}])["stateMachineArn"]
        alias = call("CreateStateMachineAlias", name="live",
                     routingConfiguration=[{"stateMachineVersionArn": arn + ":1", "weight": 100}])["stateMachineAliasArn"]
        activity = call("CreateActivity", name="by-hand")["activityArn"]
        execution = call("StartExecution", stateMachineArn=alias, input='{"n":1.10}')["executionArn"]
        page = call("ListExecutions", stateMachineArn=arn, maxResults=1)
        self.assertNotIn("nextToken", page)
        call("StartExecution", stateMachineArn=arn)
        token = call("ListExecutions", stateMachineArn=arn, maxResults=1)["nextToken"]
        self.assertEqual(self.server.stop(), 0)
        self.server = Server(self.home)
        self.addCleanup(self.server.stop)
        call = self.server.call
        self.assertEqual(call("ListTagsForResource", resourceArn=arn)["tags"], [{"key": "k", "value": "v"}])
        self.assertEqual(call("DescribeStateMachineAlias", stateMachineAliasArn=alias)["routingConfiguration"],
                         [{"stateMachineVersionArn": arn + ":1", "weight": 100}])
        self.assertEqual(call("DescribeActivity", activityArn=activity)["name"], "by-hand")
        rest = call("ListExecutions", stateMachineArn=arn, maxResults=1, nextToken=token)
        self.assertEqual([e["executionArn"] for e in rest["executions"]], [execution], "a token outlives the process")
        self.wait_for(lambda: call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", "the end")
        shown = call("DescribeExecution", executionArn=execution)
        self.assertEqual((shown["status"], shown["output"]), ("SUCCEEDED", '{"n":1.10}'))
        self.assertEqual(shown["stateMachineAliasArn"], alias)

    def test_a_client_token_is_remembered_over_a_restart(self):
        call = self.server.call
        definition = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}})
        arn = call("CreateStateMachine", name="fails", definition=definition, roleArn="r")["stateMachineArn"]
        execution = call("StartExecution", stateMachineArn=arn)["executionArn"]

        def wait_for_end():
            self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=execution)["status"] == "FAILED", "the end")
        wait_for_end()
        first = call("RedriveExecution", executionArn=execution, clientToken="again")
        wait_for_end()
        self.server.stop(signal.SIGKILL)
        self.server = Server(self.home)
        self.addCleanup(self.server.stop)
        self.assertEqual(self.server.call("RedriveExecution", executionArn=execution, clientToken="again"), first)
        self.assertEqual(self.server.call("DescribeExecution", executionArn=execution)["redriveCount"], 1)
        self.server.call("RedriveExecution", executionArn=execution, clientToken="another")
        wait_for_end()
        self.assertEqual(self.server.call("DescribeExecution", executionArn=execution)["redriveCount"], 2)

    def test_deleting_stops_what_runs_and_frees_the_name(self):
        call = self.server.call
        definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": True}}})
        arn = call("CreateStateMachine", name="gone", definition=definition, roleArn="r")["stateMachineArn"]
        execution = call("StartExecution", stateMachineArn=arn, name="one")["executionArn"]
        self.assertEqual(call("DeleteStateMachine", stateMachineArn=arn), {})

        def is_gone():
            try:
                return call("DescribeStateMachine", stateMachineArn=arn)["status"] != "DELETING"
            except ApiError as error:
                return error.code == "StateMachineDoesNotExist"
        self.wait_for(is_gone, "the state machine's end")
        self.assertEqual(call("DescribeExecution", executionArn=execution)["status"], "ABORTED")
        self.assertEqual(call("CreateStateMachine", name="gone", definition=definition, roleArn="r")["stateMachineArn"], arn)
        self.assertEqual(call("ListExecutions", stateMachineArn=arn)["executions"], [])
        call("StartExecution", stateMachineArn=arn, name="one")

    def test_an_alias_shares_executions_out_by_weight(self):
        call = self.server.call
        definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
        arn = call("CreateStateMachine", name="two", definition=json.dumps(definition), roleArn="r",
                   publish=True)["stateMachineArn"]
        call("UpdateStateMachine", stateMachineArn=arn, definition=json.dumps({**definition, "Comment": "2"}), publish=True)
        alias = call("CreateStateMachineAlias", name="shared", routingConfiguration=[
            {"stateMachineVersionArn": arn + ":1", "weight": 75},
            {"stateMachineVersionArn": arn + ":2", "weight": 25}])["stateMachineAliasArn"]
        for _ in range(200):
            call("StartExecution", stateMachineArn=alias)
        first = len(call("ListExecutions", stateMachineArn=arn + ":1", maxResults=1000)["executions"])
        second = len(call("ListExecutions", stateMachineArn=arn + ":2", maxResults=1000)["executions"])
        self.assertEqual(first + second, 200)
        self.assertTrue(120 <= first <= 180, f"{first} of 200 with weight 75")  # 5 standard deviations
        self.assertEqual(len(call("ListExecutions", stateMachineArn=alias, maxResults=1000)["executions"]), 200)


if __name__ == "__main__":
    program.main()
