#!/usr/bin/env python3
"""The recorded AWS behaviour beside the project (../shared/conformance), over HTTP.

Usage: conformance.py MILLRACE

Every case passes but those in conformance_known.txt; one that is listed there and passes is a mistake of the list.
Without the recordings it is skipped; tests/cases/api and tests/cases/states are our own cases for the same ground.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import ROOT  # noqa: E402
from server import Server  # noqa: E402

RUNNER = ROOT / "../shared/conformance/run_asl.py"
HISTORIES_IN_FULL = 0.98  # recordings of different years contradict each other
KNOWN = Path(__file__).with_name("conformance_known.txt")


def known():
    lines = (line.split("#")[0].strip() for line in KNOWN.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line}


def main():
    if not RUNNER.exists():
        print("skipped: ../shared/conformance is not there")
        return 0
    program.MILLRACE = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="millrace-test-") as directory:
        home, report = Path(directory) / "home", Path(directory) / "report.json"
        server = Server(home)
        try:
            subprocess.run([sys.executable, RUNNER, "--endpoint", server.url, "--functions-dir", home / "functions",
                            "--objects-dir", home / "objects", "--jobs", "8", "--timeout", "60", "--no-failures",
                            "--json", report], check=False, timeout=900)
        finally:
            ended = server.stop()
        results = json.loads(report.read_text(encoding="utf-8"))
    failed = {r["case"]: r["differences"] for r in results if r["skipped"] is None and not r["passed"]}
    wrong = [f"{case}: {differences[:1]}" for case, differences in sorted(failed.items()) if case not in known()]
    cases = {r["case"] for r in results}
    wrong += [f"{case}: passes, or is no case; take it off {KNOWN.name}" for case in sorted(known() - set(failed))
              if case in cases or not any(c.startswith(case) for c in cases)]
    histories = [r["history"] for r in results if r["history"]]
    full = sum(h["full"] for h in histories)
    print(f"histories in full: {full} of {len(histories)}")
    if full < HISTORIES_IN_FULL * len(histories):
        wrong.append(f"fewer than {HISTORIES_IN_FULL:.0%} of the histories are as recorded; docs/language.md says which are not")
    print("\n".join(wrong))
    return 1 if wrong or ended != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
