# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which transport a mount gets, and how that is seen: P1, P9."""
import os
import time

from harness import all_ok, check, cpus, in_parallel, ring_completions, ring_fds, set_enable_uring
from registry import test


def works(fs, count=50):
    for n in range(count):
        os.stat(fs.path(f"f.{n}"))


@test("P1")
def requests_take_the_transport(env):
    """On the ring the requests are completions of the ring; else there is none."""
    fs = env.probe()
    before = ring_completions(fs.pid) if env.ring else 0

    def job(index):
        return lambda: [os.stat(fs.path(f"f.{index}.{n}")) for n in range(100)]
    all_ok(in_parallel([job(i) for i in range(4)], cpus()))
    if env.ring:
        seen = ring_completions(fs.pid) - before
        check(seen >= 390, f"400 requests, {seen} completions on the ring")
    else:
        check(not ring_fds(fs.pid), "a ring on the device transport")
    fs.stop()


@test("P1", transports=("ring",), ours_only=True)
def kernel_switch_off(env):
    """enable_uring=N: silently /dev/fuse, the reason only with -d."""
    set_enable_uring("N")
    try:
        fs = env.probe(transport="dev")
        works(fs)
        line = fs.transport()
        check("enable_uring" in line, f"the reason does not name enable_uring: {line}")
        fs.stop()
        fs = env.probe(transport="dev", mode="foreground")
        works(fs)
        check(fs.stderr() == "", f"not silent: {fs.stderr()}")
        fs.stop()
        code, text = env.start_fails("probe_ll", options=["-o", "io_uring=require"], mode="foreground")
        check(code != 0 and "enable_uring" in text, f"require: exit {code}: {text}")
    finally:
        set_enable_uring("Y")


@test("P1", transports=("ring",), ours_only=True)
def options_choose(env):
    """Each option and variable that turns the ring off, on, or must have it."""
    cases = [
        (["-o", "no_io_uring"], {}, "dev"),
        ([], {"FUSE_URING_ENABLE": "0"}, "dev"),
        ([], {"FUSE_URING_ENABLE": "1"}, "ring"),
        ([], {}, "ring"),
        (["-o", "io_uring"], {}, "ring"),
        (["-o", "io_uring"], {"FUSE_URING_ENABLE": "0"}, "ring"),
        (["-o", "io_uring=require"], {}, "ring"),
        (["-o", "io_uring_q_depth=4"], {}, "ring"),
        (["-o", "io_uring,io_uring_q_depth=1"], {}, "ring"),
        ([], {"FUSE_URING_QUEUE_DEPTH": "2"}, "ring"),
    ]
    for options, variables, want in cases:
        for loop in ([], ["-s"]):
            fs = env.probe(*loop, options=options, extra_env=variables, transport=want)
            works(fs)
            fs.stop()


@test("P1", ours_only=True)
def silent_without_debug(env):
    """Without -d a working mount says nothing on either transport."""
    fs = env.probe(mode="foreground")
    works(fs)
    fs.stop()
    check(fs.stderr() == "", f"said: {fs.stderr()}")


@test("P1", ours_only=True)
def says_its_transport_once(env):
    """-d prints exactly one transport line."""
    fs = env.probe()
    works(fs)
    time.sleep(0.1)
    fs.stop()
    count = fs.stderr().count("fuse: transport: ")
    check(count == 1, f"{count} transport lines")


@test("P9", peer_fails=("ring",))
def old_style_want_keeps_the_ring(env):
    """conn->want assigned as filesystems for 3.0 to 3.16 do."""
    for binary in ("want_ll@30", "want_ll@35"):
        for how in ("subset", "zero", "mask", "or", ""):
            fs = env.start(binary, extra_env={"WANT": how})
            check(open(fs.path("hello")).read() == "hello\n", "content")
            fs.stop()
