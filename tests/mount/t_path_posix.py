# SPDX-License-Identifier: MIT OR Apache-2.0
"""The POSIX test suite (pjdfstest) and the file system exerciser (fsx) on the passthrough examples.

POSIX_TOOLS is a directory with both programs (`cargo install --root` made its `bin`); without it there is nothing to
run. FSX_OPERATIONS says how many operations fsx does in each way.
"""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from harness import check
from registry import test

TOOLS = os.environ.get("POSIX_TOOLS")
OPERATIONS = int(os.environ.get("FSX_OPERATIONS", "20000"))
PIECE = 10_000
CONFIG = """
[features]
posix_fallocate = {}
utime_now = {}
utimensat = {}
[settings]
naptime = 0.01
[dummy_auth]
entries = [["nobody", "nogroup"], ["daemon", "daemon"]]
"""
# pathconf tells the largest number of links for filesystems that the C library knows, so the suite skips this one.
NOT_FOR_FUSE = {"link::link_count_max"}
FSX = """
flen = 65536
[opsize]
min = 1
max = 8192
[weights]
close_open = 1
read = 10
write = 10
truncate = 5
fsync = 0.2
fdatasync = 0.2
posix_fallocate = 1
punch_hole = 1
sendfile = 3
posix_fadvise = 1
copy_file_range = 3
"""
MAPPED = "mapread = 5\nmapwrite = 5\ninvalidate = 1\n"
UNMAPPED = "mapread = 0\nmapwrite = 0\ninvalidate = 0\n"


def run_suite(directory, config):
    """Names of tests by outcome."""
    found = subprocess.run([f"{TOOLS}/pjdfstest", "-c", config, "-p", directory], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=150)
    outcomes = {"ok": set(), "skipped": set(), "FAILED": set()}
    for name, outcome in re.findall(r"^(\w+(?:::\w+)+) +(ok|skipped|FAILED)$", found.stdout, re.MULTILINE):
        outcomes[outcome].add(name)
    check(outcomes["ok"], f"the suite did not run: {found.stdout[-500:]} {found.stderr[-500:]}")
    return outcomes


def posix(env, program):
    source, native, config = (env.dir / name for name in ("source", "native", "pjdfstest.toml"))
    for directory in (source, native):
        directory.mkdir(mode=0o755)
    config.write_text(CONFIG)
    wanted = run_suite(native, config)["ok"]
    daemon = env.start(program, "-o", f"allow_other,source={source}", mode="foreground")
    got = run_suite(daemon.mnt, config)
    daemon.stop()
    missing = wanted - got["ok"] - NOT_FOR_FUSE
    check(not missing, f"{len(missing)} of {len(wanted)} tests that pass below fail: {sorted(missing)}")


def exercise(env, program, extra):
    source, config = env.dir / "source", env.dir / "fsx.toml"
    source.mkdir()
    config.write_text(FSX + extra)
    daemon = env.start(program, "-o", f"source={source}", mode="foreground")
    # It never unmaps what it has mapped, and each truncate has to look at all of it: so not in one go.
    first, pieces = time.time_ns() % 1_000_000, -(-OPERATIONS // PIECE) if extra == MAPPED else 1
    for seed in range(first, first + pieces):
        done = subprocess.run([f"{TOOLS}/fsx", "-f", config, "-S", str(seed), "-N", str(OPERATIONS // pieces),
                               "-P", env.dir, Path(daemon.mnt) / "file"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60 + OPERATIONS / 200)
        check(done.returncode == 0, f"fsx -S {seed}: {done.stdout[-300:]} {done.stderr[-1500:]}")
    daemon.stop()


if TOOLS:
    @test("paths", timeout=300)
    def posix_suite_by_path(env):
        """pjdfstest passes what it passes on the filesystem below."""
        posix(env, "passthrough_path")

    @test("paths", timeout=300)
    def posix_suite_by_handle(env):
        """The same with nullpath_ok and hard_remove."""
        posix(env, "passthrough_handle")

    @test("paths", timeout=90 + OPERATIONS / 200)
    def fsx_by_path(env):
        """fsx: buffered and mapped."""
        exercise(env, "passthrough_path", MAPPED)

    @test("paths", timeout=90 + OPERATIONS / 200)
    def fsx_by_handle(env):
        """The same with read_buf and write_buf."""
        exercise(env, "passthrough_handle", MAPPED)

    @test("paths", timeout=90 + OPERATIONS / 200)
    def fsx_direct(env):
        """fsx: direct I/O."""
        exercise(env, "passthrough_direct", UNMAPPED)
else:
    print("note: posix_suite_* and fsx_* need POSIX_TOOLS", file=sys.stderr)
