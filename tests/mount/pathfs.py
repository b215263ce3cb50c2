# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mounts of path_fs, the high-level test filesystem: a directory seen through `fuse.h`, with a record of all calls."""
import contextlib
import functools
import itertools
import re
from pathlib import Path

from harness import check, wait_for

COUNT = itertools.count()
BOTH = ((), ("-s",))  # several threads, and one


def both_loops(function):
    """Runs a test with several threads, and then with one."""
    @functools.wraps(function)
    def run(env):
        for env.loop in BOTH:
            function(env)
        env.loop = ()
    return run


class PathFs:
    """One mount: `mnt` and what is below it, `source`."""

    def __init__(self, env, options, words, mode, expect=0, wait=True):
        number = next(COUNT)
        self.env, self.expect = env, expect
        self.source = env.dir / f"source{number}"
        self.source.mkdir()
        self.source.chmod(0o755)
        self.record = env.dir / f"record{number}"
        variables = {"PATHFS_SOURCE": str(self.source), "PATHFS_LOG": str(self.record),
                     **{f"PATHFS_{k.upper()}": v for k, v in words.items()}}
        self.daemon = env.start("path_fs", *getattr(env, "loop", ()), *options, extra_env=variables, mode=mode, wait=wait)
        self.mnt = Path(self.daemon.mnt)
        self.seen = 0

    def __call__(self, name=""):
        return f"{self.mnt}/{name}"

    def lines(self):
        return self.record.read_text(errors="replace").splitlines() if self.record.exists() else []

    def mark(self):
        """What is recorded from here on is new."""
        self.seen = len(self.lines())

    def new(self, operation=""):
        """New lines of the record, those of one operation."""
        return [line for line in self.lines()[self.seen:] if line.split()[0].startswith(operation)]

    def called(self, pattern):
        """An operation was called like that (a regular expression) since the mark; waits for late ones."""
        def found():
            return any(re.fullmatch(pattern, line) for line in self.new())
        try:
            wait_for(found, 3, pattern)
        except Exception:
            check(False, f"no call like {pattern!r} in {self.new()}")

    def not_called(self, operation):
        check(not self.new(operation), f"called: {self.new(operation)}")

    def count(self, operation):
        return len([line for line in self.new() if line.split()[0] == operation])

    def end(self):
        self.daemon.stop(self.expect)
        lines = self.lines()
        check(lines and lines[-1].startswith(f"end {self.expect}"), f"the end of the record: {lines[-3:]}")
        return lines


@contextlib.contextmanager
def path_fs(env, *options, mode="foreground", expect=0, wait=True, **words):
    """Mounts and unmounts; keyword arguments are the PATHFS_ variables."""
    fs = PathFs(env, options, words, mode, expect, wait)
    yield fs
    fs.end()
