"""Faults of the disk and the clock in a process that has libmillrace_faults.so preloaded (faults.cpp)."""

import errno
import mmap
import os
import struct
from pathlib import Path

READ, WRITE, SYNC, OPEN, RESIZE = 1, 2, 4, 8, 16
HALF = -1  # as an errno of WRITE: half of it is written
NAMES = {READ: "read", WRITE: "write", SYNC: "sync", OPEN: "open", RESIZE: "resize"}
FIELDS = ("kinds", "at", "on", "error", "calls", "failed", "clock_ms")
LIBRARY = ""  # set by main programs: where the library is


class Faults:
    def __init__(self, path):
        self.path = Path(path)
        self.path.write_bytes(bytes(8 * len(FIELDS)))
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def environment(self):
        return {**os.environ, "LD_PRELOAD": LIBRARY, "MILLRACE_FAULTS": str(self.path)}

    def set(self, **fields):
        for name, value in fields.items():
            struct.pack_into("=q", self.memory, 8 * FIELDS.index(name), value)

    def get(self, name):
        return struct.unpack_from("=q", self.memory, 8 * FIELDS.index(name))[0]

    def fail(self, kinds, at=1, error=errno.EIO, on=False):
        """The at-th call from now on of these kinds fails, or all from it on."""
        self.set(at=0, kinds=kinds, calls=0, failed=0, error=error, on=int(on))
        self.set(at=at)

    def count(self, kinds):
        """Nothing fails; calls of these kinds are counted from now on."""
        self.set(at=0, kinds=kinds, calls=0, failed=0)

    def end(self):
        self.set(at=0)
