#!/usr/bin/env python3
"""`millrace serve` on a machine whose disk fails, fills up or has been damaged, and whose clock jumps: what was acknowledged
is there afterwards, what was not is there as a whole or not at all, and people are told what to do.

Usage: faulty_machine.py MILLRACE FAULTS [CASE...]       FAULTS: libmillrace_faults.so (tests/support/faults.cpp)

Environment: MILLRACE_FAULT_STEP, every how manieth call of the disk is made to fail (7; 1: all of them), MILLRACE_FAULT_JOBS, how
many of them are tried at the same time (2).
"""

import contextlib
import errno
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import faults  # noqa: E402
import history  # noqa: E402
import program  # noqa: E402
from faults import Faults  # noqa: E402
from program import Case  # noqa: E402
from server import ApiError, Server  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/any"
WAIT = '{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$.s","Next":"P"},"P":{"Type":"Pass","End":true}}}'
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:m:"
LOST = (OSError, http.client.HTTPException)
STEP = int(os.environ.get("MILLRACE_FAULT_STEP", "7"))
JOBS = int(os.environ.get("MILLRACE_FAULT_JOBS", "2"))
STARTS = 8


class Faulty(Case):
    def setUp(self):
        super().setUp()
        self.faults = Faults(self.directory / "faults")
        self.log = str(self.directory / "log")

    def serve(self, home=None, faults_=None, log=None, **how):
        server = Server(home or self.home, log=log or self.log, env=(faults_ or self.faults).environment(), **how)
        self.addCleanup(self.put_away, server)
        return server

    @staticmethod
    def put_away(server):
        if server.process.poll() is None:
            server.kill()

    def said(self, log=None):
        log = log or self.log
        return Path(log).read_text(encoding="utf-8")[-2000:] if os.path.exists(log) else ""

    def refusal(self, refused):
        """The code, message and hint with which a server did not start."""
        error = json.loads(str(refused).strip().splitlines()[-1])["error"]
        return error["code"], error["message"], error.get("hint", "")

    def make_home(self):
        server = self.serve()
        self.assertEqual(server.call("CreateStateMachine", name="m", definition=WAIT, roleArn=ROLE)["stateMachineArn"], MACHINE)
        self.assertEqual(server.stop(), 0)

    @staticmethod
    def start(server, name, seconds=0):
        return server.call("StartExecution", stateMachineArn=MACHINE, name=name, input=json.dumps({"s": seconds}))

    def check(self, server, names, wanted):
        """Those in `wanted` are there; of the others each is there as a whole or not at all."""
        for name in names:
            try:
                self.wait_for(lambda: server.call("DescribeExecution", executionArn=EXECUTION + name)["status"] != "RUNNING", name)  # noqa: B023
            except ApiError as error:
                self.assertEqual(error.code, "ExecutionDoesNotExist", name)
                self.assertNotIn(name, wanted)
                continue
            told = server.call("DescribeExecution", executionArn=EXECUTION + name)
            events = server.call("GetExecutionHistory", executionArn=EXECUTION + name, maxResults=1000)["events"]
            self.assertEqual(told["status"], "SUCCEEDED", name)
            self.assertEqual(history.problems(events, "SUCCEEDED"), [], name)
            self.assertEqual(len(events), 6, name)

    def check_database(self, home):
        with contextlib.closing(sqlite3.connect(home / "millrace.db")) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])


class Disk(Faulty):
    def work(self, server):
        """Some of everything that is written; what was acknowledged, and what was asked."""
        acknowledged, asked = [], []
        calls = [(f"e{i}", lambda name: self.start(server, name)) for i in range(STARTS)]
        calls.insert(3, ("activity", lambda name: server.call("CreateActivity", name=name)))
        for name, call in calls:
            asked.append(name)
            try:
                call(name)
                acknowledged.append(name)
            except ApiError as error:
                self.assertIn(error.status, (500, 503), str(error))
            except LOST:
                server.drop_connection()
                if server.process.poll() is not None:
                    break
        return acknowledged, asked

    def one_fault(self, kind, error, at):
        """True when the server ended by itself. Others are tried at the same time, so all it has is its own."""
        home, log, faulty = self.directory / f"home{at}", str(self.directory / f"log{at}"), Faults(self.directory / f"faults{at}")
        shutil.copytree(self.home, home)
        faulty.fail(kind, at=at, error=error)
        acknowledged, asked, server = [], [], None
        try:
            server = self.serve(home, faulty, log)
        except RuntimeError as refused:
            code, message, hint = self.refusal(refused)
            self.assertIn(code, ("Internal", "InvalidArgument", "DataLoss", "OutOfSpace"), message)
            self.assertIn(".db", message, "it says what can't be read or written")
            self.assertTrue(hint, message)
        if server:
            acknowledged, asked = self.work(server)
            time.sleep(0.02)
            failed = faulty.get("failed")
            faulty.end()
            try:
                asked.append("after")
                self.start(server, "after")  # it goes on by itself
                acknowledged.append("after")
                server.kill()
            except LOST:  # or it has ended, and said why
                self.assertEqual(server.process.wait(20), 3, self.said(log))
                self.assertGreater(failed, 0)
                self.assertRegex(self.said(log), r"reading or writing failed|damaged|can't write")
                server.close()
        faulty.end()
        again = self.serve(home, faulty, log)
        self.check(again, [name for name in asked if name != "activity"], acknowledged)
        if "activity" in acknowledged:
            self.assertEqual([a["name"] for a in again.call("ListActivities")["activities"]], ["activity"])
        self.assertEqual(again.stop(), 0)
        self.check_database(home)
        shutil.rmtree(home)
        for file in (log, faulty.path):
            os.unlink(file)
        return server is None or server.process.returncode == 3

    def at_call(self, kind, error, at):
        try:
            return self.one_fault(kind, error, at)
        except (AssertionError, ApiError, OSError) as wrong:
            raise AssertionError(f"{faults.NAMES[kind]} {at}, {errno.errorcode.get(error, 'half')}: {wrong}") from wrong

    def every_call(self, kind, error, step=STEP):
        self.make_home()
        home = self.directory / "counted"
        shutil.copytree(self.home, home)
        self.faults.count(kind)
        server = self.serve(home)
        self.work(server)
        calls = self.faults.get("calls")
        server.kill()
        self.assertGreater(calls, 3, "the library sees the calls")
        begin = time.monotonic()
        with ThreadPoolExecutor(JOBS) as pool:
            ends = sum(pool.map(lambda at: self.at_call(kind, error, at), range(1, calls + 3, step)))
        print(f"{faults.NAMES[kind]}, {errno.errorcode.get(error, 'half')}: {calls} calls, every {step}., {ends} ended the server, "
              f"{time.monotonic() - begin:.0f} s", flush=True)
        return ends

    def test_a_sync_fails(self):
        self.assertGreater(self.every_call(faults.SYNC, errno.EIO, step=max(1, STEP // 3)), 0)

    def test_a_write_fails(self):
        self.every_call(faults.WRITE, errno.EIO)

    def test_half_a_write(self):
        self.every_call(faults.WRITE, faults.HALF)

    def test_a_read_fails(self):
        self.every_call(faults.READ, errno.EIO)

    def test_an_open_fails(self):
        self.every_call(faults.OPEN, errno.EIO, step=max(1, STEP // 3))

    def test_a_full_disk_and_space_again(self):
        """Callers are refused, what can be read is; when there is space it goes on by itself, and nothing was lost."""
        self.make_home()
        server = self.serve()
        names = [f"before{i}" for i in range(20)]
        for name in names:
            self.start(server, name, seconds=int(name.endswith("7")))
        self.faults.fail(faults.WRITE | faults.RESIZE, error=errno.ENOSPC, on=True)
        until = time.monotonic() + 2.5  # some fall due meanwhile
        refused = 0
        while time.monotonic() < until:
            with self.assertRaises(ApiError) as caught:
                self.start(server, f"full{refused}")
            self.assertEqual((caught.exception.status, caught.exception.code), (503, "ServiceUnavailable"))
            self.assertIn("disk is full", str(caught.exception))
            self.assertEqual(server.call("DescribeExecution", executionArn=EXECUTION + names[0])["status"], "SUCCEEDED")
            refused += 1
            time.sleep(0.05)
        self.faults.end()
        self.assertGreater(refused, 15)
        self.assertLess(len(self.said().splitlines()), 15, "the log is not flooded")
        begin = time.monotonic()
        self.start(server, "after")
        self.assertLess(time.monotonic() - begin, 1)
        self.check(server, [*names, "after", *(f"full{i}" for i in range(refused))], [*names, "after"])
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual(server.stop(), 0)
        self.check_database(self.home)

    def test_a_disk_that_is_read_only(self):
        self.make_home()
        inside = f"mount --bind {self.home} {self.home} && mount -o remount,bind,ro {self.home} && exec \"$@\""
        before = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, "sh")
        if subprocess.run([*before, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("read-only disk: no mount namespaces here")
        with self.assertRaises(RuntimeError) as caught:
            self.serve(before=before)
        _, message, hint = self.refusal(caught.exception)
        self.assertRegex(message, "can't write the home directory .*: Read-only file system")
        self.assertTrue(hint)


class Damage(Faulty):
    def damage(self, page, size=4096):
        with open(self.home / "millrace.db", "r+b") as file:
            file.seek(page * 4096)
            file.write(os.urandom(size))

    def test_damaged_pages(self):
        """Damage is reported with the file and the remedy, or it does no harm; it is never answered with."""
        self.make_home()
        server = self.serve()
        names = [f"e{i}" for i in range(300)]
        for name in names:
            self.start(server, name)
        self.assertEqual(server.stop(), 0)
        kept = self.directory / "kept.db"
        shutil.copyfile(self.home / "millrace.db", kept)
        pages = kept.stat().st_size // 4096
        reported = 0
        for page in range(0, pages, max(1, pages // 12)):
            for file in self.home.glob("millrace.db*"):
                file.unlink()
            shutil.copyfile(kept, self.home / "millrace.db")
            self.damage(page)
            Path(self.log).unlink(missing_ok=True)
            reported += self.look(names)
            self.assertNotIn("terminate called", self.said())
        self.assertGreater(reported, 0)

    def look(self, names):
        """True when the damage was reported."""
        try:
            server = self.serve()
        except RuntimeError as refused:
            code, message, hint = self.refusal(refused)
            self.assertEqual(code, "DataLoss", message)
            self.assertIn("millrace.db", message)
            self.assertRegex(hint, "backup|another home")
            return True
        reported = False
        for name in [*names[::7], "new"]:
            try:
                if name == "new":
                    self.start(server, name)
                    continue
                told = server.call("DescribeExecution", executionArn=EXECUTION + name)
                events = server.call("GetExecutionHistory", executionArn=EXECUTION + name)["events"]
                self.assertEqual((told["status"], told["input"], len(events)), ("SUCCEEDED", '{"s":0}', 6))
            except ApiError as error:
                reported = True
                self.assertIn(error.status, (400, 500), str(error))
            except LOST:
                server.connection = None
                self.assertEqual(server.process.wait(10), 3, self.said())
                reported = True
                break
        if server.process.poll() is None:
            server.kill()
        if reported:
            self.assertIn("damage", self.said())
            self.assertIn("millrace.db", self.said())
        return reported

    def test_files_that_are_no_database(self):
        for content in (b"", b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 5000):
            self.home.mkdir(exist_ok=True)
            (self.home / "millrace.db").write_bytes(content)
            if content:
                with self.assertRaises(RuntimeError) as caught:
                    self.serve()
                code, message, hint = self.refusal(caught.exception)
                self.assertEqual(code, "DataLoss")
                self.assertIn("millrace.db", message)
                self.assertTrue(hint)
                self.assertEqual((self.home / "millrace.db").read_bytes(), content, "it is left as it is")
            else:
                self.assertEqual(self.serve().stop(), 0)
            shutil.rmtree(self.home)


class Clock(Faulty):
    DAY = 86_400_000

    def jump(self, by):
        self.make_home()
        server = self.serve()
        begin = time.monotonic()
        self.start(server, "waits", seconds=3)
        self.start(server, "long", seconds=3600 * 48)
        time.sleep(0.5)
        self.faults.set(clock_ms=by)
        for i in range(5):
            self.start(server, f"e{i}")
            time.sleep(0.1)
        return server, begin

    def times(self, server, name):
        events = server.call("GetExecutionHistory", executionArn=EXECUTION + name)["events"]
        return [event["timestamp"] for event in events]

    def test_a_day_forward(self):
        """What is due by the new time ends within a second or two; what is not waits on."""
        server, begin = self.jump(self.DAY)
        self.check(server, ["waits", *(f"e{i}" for i in range(5))], ["waits"])
        self.assertLess(time.monotonic() - begin, 3.0)
        self.assertEqual(server.call("DescribeExecution", executionArn=EXECUTION + "long")["status"], "RUNNING")
        self.assertEqual(server.stop(), 0)

    def test_a_day_back(self):
        """No history goes back in time, and a wait of seconds takes seconds."""
        server, begin = self.jump(-self.DAY)
        self.check(server, ["waits", *(f"e{i}" for i in range(5))], ["waits"])
        self.assertTrue(2.9 < time.monotonic() - begin < 6, time.monotonic() - begin)
        self.start(server, "later", seconds=1)
        self.check(server, ["later"], ["later"])
        for name in ("waits", "later", "e0"):
            times = self.times(server, name)
            self.assertEqual(times, sorted(times), name)
        self.assertEqual(server.stop(), 0)


def main():
    faults.LIBRARY = os.path.abspath(sys.argv.pop(2))
    program.main()


if __name__ == "__main__":
    main()
