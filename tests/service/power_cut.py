#!/usr/bin/env python3
"""The crash loop with the power cut instead of the process killed: the home lies on a file system of its own, which is shut
down under the server, so that all that was not synced is gone. As root only: it needs a loop device.

Usage: power_cut.py MILLRACE [--cuts 10] [--executions 600] [--seed N] [--without-sync]

--without-sync is the check of the check: fsync does nothing (by strace), so acknowledged executions must be found missing.
"""

import argparse
import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import program  # noqa: E402
from crash_loop import Check, Run, check_database  # noqa: E402

NO_SYNC = ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0")
SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
NO_LOG_FLUSH = 2       # not even the file system's own journal is written
IMAGE_MIB = 512


class Disk:
    """A file system in a file, mounted; cut() loses what was not synced."""

    def __init__(self, folder):
        self.image, self.mount = folder / "disk.img", folder / "disk"
        self.mount.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(IMAGE_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True)
        self.attach()

    def attach(self):
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.mount)], check=True)

    def detach(self):
        for _ in range(50):  # what ran on it may take a moment to be gone
            if subprocess.run(["umount", str(self.mount)], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"can't unmount {self.mount}")

    def cut(self):
        handle = os.open(self.mount, os.O_RDONLY)
        fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(handle)

    def sync(self):
        subprocess.run(["sync", "-f", str(self.mount)], check=True)


class PoweredRun(Run):
    """The home on the disk, what is done by tasks noted elsewhere."""

    def __init__(self, folder, disk, seed):
        self.disk = disk
        (disk.mount / "home").mkdir()
        super().__init__(disk.mount / "home", seed, log=folder / "effects.jsonl")
        disk.sync()  # the function is there before the first cut

    def kill(self):
        witness = self.disk.mount / "not-synced"
        witness.write_text("gone with the power", encoding="utf-8")
        self.ledger.up.clear()
        self.disk.cut()
        self.server.kill()
        self.disk.detach()
        self.disk.attach()
        if witness.exists() and witness.read_text(encoding="utf-8"):
            raise RuntimeError("the cut lost nothing: it is none")


def why_not():
    if os.geteuid() != 0:
        return "only root may mount a file system"
    if not shutil.which("mkfs.ext4") or not os.path.exists("/dev/loop-control"):
        return "no ext4 or no loop devices here"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millrace")
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--executions", type=int, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--without-sync", action="store_true")
    options = parser.parse_args()
    program.MILLRACE = os.path.abspath(options.millrace)
    reason = why_not()
    folder = Path(tempfile.mkdtemp(prefix="millrace-power-"))
    try:
        disk = Disk(folder) if not reason else None
    except subprocess.CalledProcessError as error:
        reason = f"no file system can be mounted here: {error}"
    if reason:
        print(f"skipped: {reason}")
        return
    print(f"seed {options.seed}, {folder}", flush=True)
    run = PoweredRun(folder, disk, options.seed)
    ledger = run.ledger
    if options.without_sync:
        run.how = {"before": NO_SYNC}
    code = 1
    try:
        run.start()
        run.create()
        disk.sync()  # for --without-sync: the state machines, at least, are there
        run.begin_clients()
        for _ in range(options.cuts):
            run.round(max(1, options.executions // options.cuts))
        run.settle()
        ledger.finish()
        check = Check(run)
        check.all()
        if run.server.stop() != 0:
            ledger.wrong("the server did not end well")
        check_database(run.home, ledger.wrong)
        print(json.dumps({"cuts": options.cuts, "asked": len(ledger.asked), "acknowledged": len(ledger.acknowledged),
                          "answers": len(ledger.answered), "effects_repeated": check.repeated,
                          "violations": len(ledger.violations)}), flush=True)
        code = 1 if ledger.violations else 0
    finally:
        run.server.process.kill()
        disk.detach()
        shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()
    os._exit(code)  # threads may still wait for a server that is gone


if __name__ == "__main__":
    main()
