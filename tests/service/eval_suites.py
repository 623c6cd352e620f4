#!/usr/bin/env python3
"""Runs the shared suites of expressions through `millrace eval --lines`: what stands in the way of an answer is shown by name.

Usage: eval_suites.py MILLRACE [NAME]      NAME: only cases whose name contains it, each with what differs
"""

import json
import subprocess
import sys
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared/conformance"


def close(a, b, tolerance):
    """Equal as JSON; numbers as doubles, with a relative error where the case allows one."""
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        a, b = float(a), float(b)
        return a == b or (tolerance and abs(a - b) <= 1e-12 * max(abs(a), abs(b)))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k], tolerance) for k in a)
    return a == b


def in_order(values):
    return sorted(values, key=lambda v: json.dumps(v, sort_keys=True)) if isinstance(values, list) else values


def agrees(case, got):
    expect = case["expect"]
    if "error" in expect:
        code = got.get("error", {}).get("code")
        if expect["error"] in (True, "*") or expect["error"] == "U1001":
            return "error" in got
        return code == expect["error"] or code in expect.get("alternatives", [])
    if "uuidV4" in expect:
        return isinstance(got.get("result"), str) and len(got["result"]) == 36 and got["result"][14] == "4"
    if "integerInRange" in expect:
        low, high = expect["integerInRange"]
        return isinstance(got.get("result"), int) and low <= got["result"] < high
    if "result" not in expect:
        return got == {k: True for k in expect if k in ("undefined", "noMatch")}
    if "result" not in got:
        return False
    wanted, answer = expect["result"], got["result"]
    if case.get("unordered"):
        wanted, answer = in_order(wanted), in_order(answer)
    return close(wanted, answer, "float-tolerance" in case.get("tags", []))


def request_of(case, datasets):
    request = {"expr": case.get("expr", case.get("path"))}
    for name in ("data", "input", "bindings", "context"):
        if name in case:
            request[name] = case[name]
    if "dataset" in case:
        request["data"] = datasets[case["dataset"]]
    return json.dumps(request)


def run(program, name, arguments, skip, known, only):
    """How many cases disagree that should not."""
    path = SHARED / name
    if not path.exists():
        print(f"skipped: conformance/{name} is not there")
        return 0
    datasets = {f.stem: json.loads(f.read_text(encoding="utf-8")) for f in (path.parent / "datasets").glob("*.json")}
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    cases = [c for c in cases if not skip(c) and (not only or only in c["name"])]
    lines = "".join(request_of(c, datasets) + "\n" for c in cases)
    done = subprocess.run([program, "eval", "--lines", *arguments], input=lines.encode(), capture_output=True, timeout=600, check=False)
    answers = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    if len(answers) != len(cases) or done.returncode != 0:
        print(f"{name}: {len(answers)} answers to {len(cases)} requests, exit code {done.returncode}\n{done.stderr.decode()[-2000:]}")
        return 1
    failing = {c["name"]: (c, got) for c, got in zip(cases, answers) if not agrees(c, got)}
    unexpected = [n for n in failing if n not in known]
    for n in unexpected[: None if only else 20]:
        case, got = failing[n]
        print(f"  {n}: {request_of(case, datasets)[:300]}\n    expected {json.dumps(case['expect'])[:300]}\n    got      {json.dumps(got)[:300]}")
    stale = [] if only else sorted(set(known) - set(failing))
    for n in stale:
        print(f"  {n} agrees by now")
    print(f"{name}: {len(cases) - len(failing)} of {len(cases)} agree")
    return len(unexpected) + len(stale)


def main():
    program, only = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    tagged = lambda *tags: lambda c: bool(set(tags) & set(c.get("tags", [])))
    wrong = run(program, "jsonata/cases.jsonl", [], tagged("no-asl", "reference-quirk", "integer-keys", "depth-exact"), [], only)
    wrong += run(program, "jsonata/asl-cases.jsonl", ["--dialect", "states"], lambda c: False, [], only)
    wrong += run(program, "jsonpath/cases.jsonl", ["--language", "jsonpath"], lambda c: c["dialect"] != "jayway", [], only)
    wrong += run(program, "jsonpath/cases.jsonl", ["--language", "jsonpath", "--dialect", "states"], lambda c: c["dialect"] in ("jayway", "rfc9535"), [], only)
    wrong += run(program, "intrinsics/cases.jsonl", ["--language", "intrinsic"], lambda c: False, [], only)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
