# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sizes at their limits: attributes of 64 KiB, directories of 100 000 names."""
import os

from harness import check
from registry import test
from t_lowlevel_ops import error_arrives
from t_ops import outcome

COUNT = 100_000


def expected(number):
    return f"{number:08d}" + ("0" * 247 if number % 1000 == 0 else "")


@test("ops", timeout=60)
def hundred_thousand_names(env):
    """All names once and in order, by readdir and readdirplus, from one reader and from two."""
    for options in ("readdirplus=no", "readdirplus=yes"):
        fs = env.start("lowops_ll", "-o", options, mode="foreground", extra_env={"CONN_OPTS": "1"})
        names = os.listdir(fs.path("d"))
        check(len(names) == COUNT, f"{options}: {len(names)} names")
        wrong = [name for number, name in enumerate(names) if name != expected(number)]
        check(not wrong, f"{options}: {wrong[:3]}")
        with os.scandir(fs.path("d")) as one, os.scandir(fs.path("d")) as two:
            pairs = sum(a.name == b.name for a, b in zip(one, two))
        check(pairs == COUNT, f"{options}: two readers at once: {pairs}")
        check(os.stat(fs.path(f"d/{expected(99_000)}")).st_mode == 0o100444, "a long name of it")
        op = "readdirplus" if options.endswith("yes") else "readdir"
        error_arrives(fs, op, lambda: os.listdir(fs.path("d")))
        fs.stop()


@test("ops")
def attributes_of_64_kib(env):
    """Values of 0, 1, 65535 and 65536 bytes; a list of names as long as one can be; more is the kernel's to refuse."""
    fs = env.start("memfs_ll")
    path = fs.path("file")
    open(path, "w").close()
    for size in (0, 1, 65535, 65536):
        value = os.urandom(size)
        os.setxattr(path, "user.x", value)
        check(os.getxattr(path, "user.x") == value, f"a value of {size} bytes")
    check(outcome(lambda: os.setxattr(path, "user.x", bytes(65537))) == "E2BIG", "a value of 65537 bytes")
    os.removexattr(path, "user.x")
    names = [f"user.{n:0250d}" for n in range(256)]  # with their NULs 65536 bytes
    for name in names:
        os.setxattr(path, name, b"")
    check(sorted(os.listxattr(path)) == names, "the list")
    check(outcome(lambda: os.setxattr(path, "user." + "n" * 251, b"")) == "ERANGE", "a name of 256 bytes")
    fs.stop()
