"""The built program under test, each case with a home of its own. Python's standard library only."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MILLRACE = ""


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="millrace-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.home = self.directory / "home"

    def call(self, *arguments, code=0, **options):
        """Runs the program and checks its exit code; what it wrote to stdout and stderr."""
        done = subprocess.run([MILLRACE, *map(str, arguments), "--home", self.home], capture_output=True, text=True,
                              timeout=300, check=False, **options)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def run_json(self, definition, *arguments, code=0):
        return json.loads(self.call("run", definition, "--json", *arguments, code=code).stdout)

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return path

    def events(self, execution):
        return json.loads(self.call("history", execution, "--json").stdout)["events"]

    def skipTest(self, reason):
        print(f"skipped: {reason}", flush=True)  # unittest itself tells only how many
        super().skipTest(reason)

    def wait_for(self, condition, what, seconds=20):
        """Asks again until `condition` is true."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                self.fail(f"{what}: not within {seconds} s")
            time.sleep(0.05)

    def wait_for_start(self, name):
        self.wait_for(lambda: subprocess.run([MILLRACE, "describe", name, "--home", self.home], capture_output=True,
                                             check=False).returncode == 0, f"the start of {name}")


def main():
    """PROGRAM CASE...: runs the cases of the calling module against the program."""
    global MILLRACE
    MILLRACE = os.path.abspath(sys.argv[1])
    unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[2:]])
