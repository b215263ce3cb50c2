# SPDX-License-Identifier: MIT OR Apache-2.0
"""P11: a ring that can't start ends in a working /dev/fuse mount, or, where it
is required, in a clean error."""
import errno
import os
import subprocess

from harness import HERE, Failed, StartFailed, all_ok, check, cpus, in_parallel, stat_ok
from registry import test


def works(fs):
    all_ok(in_parallel([stat_ok(fs.path(f"f.{n}")) for n in range(16)], cpus()))


def falls_back(env, **kw):
    """The start with a ring that fails: /dev/fuse, or an error if required."""
    for loop in ([], ["-s"]):
        fs = env.probe(*loop, transport="dev", **kw)
        works(fs)
        fs.stop()
        code, text = env.start_fails("probe_ll", *loop, options=["-o", "io_uring=require"],
                                     mode="foreground", **kw)
        check(code not in (0, None) and code > 0, f"io_uring=require: exit {code}")
        check("io_uring" in text, f"io_uring=require: the message does not name it: {text!r}")


@test("P11", transports=("ring",), ours_only=True, timeout=60)
def seccomp_refuses_io_uring(env):
    """io_uring_setup refused, as in containers (EPERM) and old kernels (ENOSYS)."""
    deny = str(env.builder.build("deny_uring"))
    for number in (errno.EPERM, errno.ENOSYS):
        falls_back(env, wrapper=[deny, str(number)])


@test("P11", transports=("ring",), ours_only=True, timeout=60)
def no_sysfs(env):
    """Without /sys nobody knows how many queues there are, and a ring with too few would hang the mount."""
    hidden = env.dir / "hide_sys.so"
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", hidden,
                    HERE / "fs/hide_sys.c"], check=True)
    falls_back(env, extra_env={"LD_PRELOAD": str(hidden)})


def refused(env, fault):
    falls_back(env, builder=env.fault_builder, extra_env={"RINGFUSE_FAULT": fault})


@test("P11", transports=("ring",), ours_only=True, needs_fault=True, timeout=90)
def setup_refused(env):
    """io_uring_setup refused from the first and from a later one on."""
    for nth in (1, 2):
        refused(env, f"setup:{nth}")


@test("P11", transports=("ring",), ours_only=True, needs_fault=True, timeout=90)
def register_refused(env):
    """REGISTER refused from the first, and from the second on (half a ring)."""
    for nth in (1, 2):
        refused(env, f"register:{nth}")


@test("P11", transports=("ring",), ours_only=True, needs_fault=True, timeout=90)
def mapping_refused(env):
    """No memory for the first entry, for a later one, and for those that come with load."""
    for nth in (1, 2):
        refused(env, f"mmap:{nth}")
    fs = env.probe(transport="any", builder=env.fault_builder, extra_env={"RINGFUSE_FAULT": f"mmap:{len(cpus()) + 2}"})
    all_ok(in_parallel([stat_ok(fs.path(f"sleep.20.{n}")) for n in range(16)], cpus()))
    works(fs)
    fs.stop()


@test("P11", transports=("ring",), ours_only=True, needs_fault=True, timeout=90)
def thread_refused(env):
    """No thread at all, or not all of the ring's. (Under -s there is none to refuse.)"""
    for nth in (1, 2, 3, 4):
        fs = env.probe(transport="any", builder=env.fault_builder,
                       extra_env={"RINGFUSE_FAULT": f"thread:{nth}"})
        works(fs)
        fs.stop()


def sweep(env, limits):
    """Under no limit under which /dev/fuse works does the default not work."""
    for limit in limits:
        outcome = []
        for options in ([["-o", "no_io_uring"], []] if not env.peer else [env.transport_options()]):
            try:
                fs = env.probe(options=options, mode="foreground", **limit)
            except StartFailed as failure:
                check(failure.code > 0, f"{limit}: died by signal {-failure.code}")
                outcome.append(failure)
                continue
            works(fs)
            fs.stop()
            outcome.append(None)
        if outcome[0] is None and outcome[-1] is not None:
            raise Failed(f"{limit}: /dev/fuse works, the default does not: {outcome[-1]}")
    check(outcome[-1] is None, f"the last limit ({limit}) should have been enough: {outcome[-1]}")


@test("P11", transports=("ring",), timeout=60, peer_fails=("ring",))
def few_file_descriptors(env):
    """RLIMIT_NOFILE from too few for anything to enough for the ring."""
    sweep(env, [{"nofile": n} for n in [4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 64]])


@test("P11", transports=("ring",), timeout=60)
def little_address_space(env):
    """RLIMIT_AS from too little for anything to enough for the ring."""
    sweep(env, [{"limit_as": mb << 20} for mb in [4, 8, 12, *range(16, 52, 2), 64, 100, 200, 400, 2000]])


@test("P11", transports=("ring",), timeout=60)
def little_locked_memory(env):
    """RLIMIT_MEMLOCK of nothing."""
    sweep(env, [{"memlock": 0}, {"memlock": 65536}])


@test("P11", transports=("ring",), ours_only=True)
def ring_starts_with_usual_limits(env):
    """The sweep is not green because the ring never starts."""
    fs = env.probe(nofile=64, transport="ring")
    works(fs)
    check(os.path.exists(fs.path("f")), "stat")
    fs.stop()
