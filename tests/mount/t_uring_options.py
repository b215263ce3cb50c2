# SPDX-License-Identifier: MIT OR Apache-2.0
"""What io_uring_batch and io_uring_q_depth promise."""
import os
import time

from harness import all_ok, check, cpus, in_parallel, stat_ok
from registry import test
from t_threads import hammer


@test("P3", transports=("ring",), ours_only=True)
def batches_end_with_the_first_handler_that_blocks(env):
    """io_uring_batch: what a handler holds up ends with it, and the next ones hold up nobody."""
    fs = env.probe("-o", "max_threads=10,io_uring_batch=8")
    names = [[os.fsencode(fs.path(f"f.{c}.{n}")) for n in range(3000)] for c in range(12)]

    def crowd(cpu):
        """Requests wait while others are served: batches come about."""
        all_ok(in_parallel([lambda mine=mine: [os.stat(name) for name in mine] for mine in names], cpu, 30))

    crowd(cpus()[:1])
    for n in range(3):
        all_ok(in_parallel([stat_ok(fs.path(f"sleep.200.{n}.{c}")) for c in range(8)], cpus()[:1]))
    begin = time.monotonic()
    all_ok(in_parallel([stat_ok(fs.path(f"sleep.500.{n}")) for n in range(8)], cpus()[:1]))
    took = time.monotonic() - begin
    check(took < 1.0, f"8 x 500 ms took {took:.2f} s")
    fs.stop()


@test("P5", transports=("ring",), ours_only=True)
def batches_and_late_replies(env):
    """io_uring_batch with replies from other threads and after the handler."""
    fs = env.probe("-o", "io_uring_batch=16")
    kinds = ["f.{}", "after.5.{}", "thread.{}", "f.x{}"]
    jobs = [stat_ok(fs.path(kinds[n % 4].format(n))) for n in range(400)]
    all_ok(in_parallel(jobs, cpus(), 30))
    fs.stop()


@test("ops", transports=("ring",), ours_only=True)
def q_depth_bounds_what_is_under_way(env):
    """io_uring_q_depth=2: of six requests of one CPU two are with the filesystem, and the others follow."""
    fs = env.probe("-o", "io_uring_q_depth=2")
    begin = time.monotonic()
    all_ok(in_parallel([stat_ok(fs.path(f"sleep.200.{n}")) for n in range(6)], cpus()[:1]))
    took = time.monotonic() - begin
    most = fs.stats()["max_running"]
    fs.stop()
    check(most == 2 and took > 0.55, f"{most} at once, {took:.2f} s")


@test("P5", transports=("ring",), ours_only=True)
def q_depth_of_one(env):
    """io_uring_q_depth=1: one entry for each queue serves everything, late replies included."""
    for loop in ([], ["-s"]):
        fs = env.probe(*loop, "-o", "io_uring_q_depth=1")
        all_ok(in_parallel([stat_ok(fs.path(f"after.5.{n}")) for n in range(40)], cpus(), 20))
        hammer(fs, 0.5)
        fs.stop()
