"""The workflows that the crash loop and the power cut run, what their executions must come to, and their functions."""

import json

REGION = "arn:aws:lambda:us-east-1:123456789012:function:"
# One line an effect, written at once: time, execution, state, item, attempt, token.
EFFECT = '''import json, os, time
LOG = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

class Again(Exception):
    pass

def handler(event, context):
    os.write(LOG, (json.dumps([time.time(), event["name"], event["state"], event.get("item"), event["retry"],
                               event.get("token")]) + "\\n").encode())
    if event["retry"] < event.get("fails", 0):
        raise Again("by design")
    return {"done": event["state"], "item": event.get("item")}
'''


def task(state, more=None, **fields):
    arguments = {"name.$": "$$.Execution.Name", "state": state, "retry.$": "$$.State.RetryCount", **(more or {})}
    return {"Type": "Task", "Resource": REGION + "effect", "Parameters": arguments,
            "TimeoutSeconds": 60, **fields}


AGAIN = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 5, "JitterStrategy": "FULL"}]
ITEM = {"item.$": "$"}
ONE_TASK = {"StartAt": "Item", "States": {"Item": task("Item", ITEM, End=True)}}


def machines(activity):
    """Definitions by name."""
    chain = {f"P{i}": {"Type": "Pass", "Result": i, "ResultPath": f"$.p{i}", "Next": f"P{i + 1}"} for i in range(9)}
    chain["P9"] = {"Type": "Pass", "End": True}
    return {
        "chain": {"StartAt": "P0", "States": chain},
        "task": {"StartAt": "First", "States": {
            "First": task("First", {"fails.$": "$.fails"}, Retry=AGAIN, ResultPath="$.first", Next="Second"),
            "Second": task("Second", ResultPath="$.second", End=True)}},
        "wait": {"StartAt": "Pause", "States": {
            "Pause": {"Type": "Wait", "SecondsPath": "$.pause", "Next": "After"},
            "After": task("After", ResultPath="$.after", End=True)}},
        "fork": {"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "ResultPath": "$.both", "End": True, "Branches": [
            {"StartAt": "Nap", "States": {"Nap": {"Type": "Wait", "Seconds": 1, "End": True}}},
            {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2,
                                                    "ItemProcessor": ONE_TASK, "End": True}}}]}}},
        "spread": {"StartAt": "Spread", "States": {"Spread": {
            "Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"name.$": "$$.Execution.Name", "item.$": "$$.Map.Item.Value"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Part",
                "States": {"Part": {**task("Part", {"name.$": "$.name", "item.$": "$.item"}), "End": True}}}, "End": True}}},
        "callback": {"StartAt": "Ask", "States": {
            "Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "ResultPath": "$.answer",
                    "Parameters": {"FunctionName": "effect", "Payload": {
                        "name.$": "$$.Execution.Name", "state": "Ask", "retry.$": "$$.State.RetryCount",
                        "token.$": "$$.Task.Token"}}, "TimeoutSeconds": 300, "End": True}}},
        # A worker may take a task and never hear of it, when the answer is lost with the server: then its heartbeat is missed.
        "activity": {"StartAt": "Work", "States": {
            "Work": {"Type": "Task", "Resource": activity, "ResultPath": "$.answer", "HeartbeatSeconds": 3,
                     "Parameters": {"name.$": "$$.Execution.Name"},
                     "Retry": [{"ErrorEquals": ["States.Timeout", "States.HeartbeatTimeout"], "IntervalSeconds": 1,
                                "BackoffRate": 1, "MaxAttempts": 99}], "End": True}}},
        "long": {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 86400, "End": True}}},
    }


SHARES = [("chain", 30), ("task", 30), ("wait", 12), ("fork", 10), ("callback", 6), ("activity", 5), ("long", 4), ("spread", 3)]


def pick(random):
    """A machine's name and an input."""
    name = random.choices([n for n, _ in SHARES], [w for _, w in SHARES])[0]
    if name == "task":
        return name, {"fails": random.choice([0, 0, 0, 1, 2])}
    if name == "wait":
        return name, {"pause": random.choice([1, 1, 2])}
    if name in ("fork", "spread"):
        return name, {"items": list(range(random.randint(1, 5)))}
    return name, {"n": random.randrange(1000)}


def done(state, item=None):
    return {"done": state, "item": item}


def expected(name, given):
    """The output of a machine for an input; tokens are answered with {"by": "hand"}."""
    if name == "chain":
        return {**given, **{f"p{i}": i for i in range(9)}}
    if name == "task":
        return {**given, "first": done("First"), "second": done("Second")}
    if name == "wait":
        return {**given, "after": done("After")}
    if name == "fork":
        return {**given, "both": [given, [done("Item", i) for i in given["items"]]]}
    if name == "spread":
        return [done("Part", i) for i in given["items"]]
    return {**given, "answer": {"by": "hand"}}


def effects_of(name, given):
    """(state, item, retry): what must have been done, each at least once."""
    if name == "task":
        return {("First", None, r) for r in range(given["fails"] + 1)} | {("Second", None, 0)}
    if name == "wait":
        return {("After", None, 0)}
    if name == "fork":
        return {("Item", i, 0) for i in given["items"]}
    if name == "spread":
        return {("Part", i, 0) for i in given["items"]}
    return {("Ask", None, 0)} if name == "callback" else set()


def put_function(home, log):
    folder = home / "functions" / "effect"
    folder.mkdir(parents=True)
    (folder / "handler.py").write_text(EFFECT, encoding="utf-8")
    (folder / "function.json").write_text(json.dumps({"concurrency": 3, "environment": {"EFFECTS": str(log)}}), encoding="utf-8")
