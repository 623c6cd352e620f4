"""What must hold of every history, whatever the workflow: problems(events, status) lists what does not.

A history is what GetExecutionHistory gives, oldest first, of an execution that has ended and was not redriven.
"""

TERMINAL = {"ExecutionSucceeded": "SUCCEEDED", "ExecutionFailed": "FAILED", "ExecutionAborted": "ABORTED",
            "ExecutionTimedOut": "TIMED_OUT"}
# What may come directly before an event of a task, and what ends an attempt.
BEFORE = {
    "LambdaFunctionStarted": {"LambdaFunctionScheduled"},
    "LambdaFunctionSucceeded": {"LambdaFunctionStarted"},
    "LambdaFunctionFailed": {"LambdaFunctionStarted"},
    "LambdaFunctionTimedOut": {"LambdaFunctionStarted"},
    "ActivityStarted": {"ActivityScheduled"},
    "ActivitySucceeded": {"ActivityStarted"},
    "ActivityFailed": {"ActivityStarted"},
    "ActivityTimedOut": {"ActivityScheduled", "ActivityStarted"},
    "TaskStarted": {"TaskScheduled"},
    "TaskSubmitted": {"TaskStarted"},
    "TaskSucceeded": {"TaskStarted", "TaskSubmitted"},
    "TaskFailed": {"TaskStarted", "TaskSubmitted"},
    "TaskTimedOut": {"TaskStarted", "TaskSubmitted"},
}
SCHEDULED = ("LambdaFunctionScheduled", "ActivityScheduled", "TaskScheduled")


def problems(events, status):
    found = []
    if [event["id"] for event in events] != list(range(1, len(events) + 1)):
        return [f"ids are not 1..{len(events)}: {[event['id'] for event in events][:20]}"]
    types = [event["type"] for event in events]
    if not events or types[0] != "ExecutionStarted":
        return ["it does not begin with ExecutionStarted"]
    ends = [t for t in types if t in TERMINAL]
    if len(ends) != 1 or types[-1] != ends[0]:
        found.append(f"{len(ends)} ends, the last event is {types[-1]}")
    elif TERMINAL[ends[0]] != status:
        found.append(f"it ends with {ends[0]} and its status is {status}")
    if types.count("ExecutionStarted") != 1:
        found.append("it starts more than once")
    taken = {}  # event id -> the event of its attempt that follows it
    last = 0
    for event in events:
        before, kind = event["previousEventId"], event["type"]
        if event["timestamp"] < last:
            found.append(f"time goes back at event {event['id']}")
        last = event["timestamp"]
        # What comes from outside, a stop or the time limit, follows nothing.
        if not 0 <= before < event["id"] or (before == 0 and event["id"] > 2 and kind not in TERMINAL):
            found.append(f"event {event['id']} {kind} follows {before}")
            continue
        if kind not in BEFORE:
            continue
        if types[before - 1] not in BEFORE[kind]:
            found.append(f"event {event['id']} {kind} follows {types[before - 1]}")
        if before in taken:
            found.append(f"events {taken[before]} and {event['id']} both follow {before}")
        taken[before] = event["id"]
    if status == "SUCCEEDED":
        found += states_left(events)
        found += [f"{kind} at event {i} has no end" for i, kind in enumerate(types, 1) if kind in SCHEDULED and i not in taken]
    return found


def states_left(events):
    """States that were entered and not left, or left twice: in an execution that succeeded there are none."""
    balance = {}
    for event in events:
        if event["type"].endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            balance[name] = balance.get(name, 0) + 1
        elif event["type"].endswith("StateExited"):
            name = event["stateExitedEventDetails"]["name"]
            balance[name] = balance.get(name, 0) - 1
    return [f"state {name}: entered {'more' if n > 0 else 'less'} often than left" for name, n in balance.items() if n]


def count(events, kind):
    return sum(event["type"] == kind for event in events)
