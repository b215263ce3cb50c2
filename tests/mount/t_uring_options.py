# SPDX-License-Identifier: MIT OR Apache-2.0
"""What io_uring_batch and io_uring_q_depth promise."""
import os
import time

from harness import all_ok, check, cpus, in_parallel, stat_ok
from registry import test
from t_stat import numbers
from t_threads import hammer


def crowd(fs, clients=12, requests=1500):
    """So many clients of one CPU that requests wait while others are served."""
    jobs = [lambda c=c: [os.stat(fs.path(f"f.{c}.{n}")) for n in range(requests)] for c in range(clients)]
    all_ok(in_parallel(jobs, cpus()[:1], 30))


def entries(env, fs):
    return numbers(env, fs.mnt)["queues"][cpus()[0]]["entries"]


def answered_together(env, fs):
    """Crowds until the queue has more than one entry: whether requests wait is the scheduler's doing."""
    for _ in range(10):
        crowd(fs)
        if entries(env, fs) > 1:
            return
    check(False, "the queue has a single entry: nothing is answered together, nothing is tested")


@test("P3", transports=("ring",), ours_only=True)
def a_crowd_is_not_held_up(env):
    """Whose requests are answered together does not wait for a handler that blocks, the first one or a later one."""
    fs = env.probe("-o", "max_threads=20")
    for n in range(3):
        answered_together(env, fs)

        def fast(c, n=n):
            times = []
            for i in range(150):
                begin = time.monotonic()
                os.stat(fs.path(f"f.{c}.{n}.{i}"))
                times.append(time.monotonic() - begin)
                time.sleep(0.003)
            return max(times)
        slow = [stat_ok(fs.path(f"sleep.400.{n}.{i}")) for i in range(4)]
        results = in_parallel(slow + [lambda c=c: fast(c) for c in range(6)], cpus()[:1], 30)
        all_ok(results)
        worst = max(results[len(slow):])
        check(worst < 0.2, f"round {n}: a fast one took {worst * 1e3:.0f} ms beside handlers of 400 ms")
    begin = time.monotonic()
    all_ok(in_parallel([stat_ok(fs.path(f"sleep.500.{n}")) for n in range(8)], cpus()[:1]))
    took = time.monotonic() - begin
    check(took < 1.0, f"8 x 500 ms took {took:.2f} s")
    fs.stop()


@test("P3", transports=("ring",), ours_only=True)
def clients_come_and_go(env):
    """Between crowds and single clients no request is lost or late, whoever holds the entries."""
    fs = env.probe("-o", "max_threads=20")
    for clients in (8, 1, 3, 12, 2, 1, 6, 2, 12, 1):
        hammer(fs, 0.3, clients)
        begin = time.monotonic()
        all_ok(in_parallel([stat_ok(fs.path(f"f.{clients}.{c}")) for c in range(clients)], cpus()))
        took = time.monotonic() - begin
        check(took < 0.2, f"{clients} requests took {took * 1e3:.0f} ms")
    fs.stop()


@test("ops", transports=("ring",), ours_only=True)
def batch_of_one(env):
    """io_uring_batch=1: a crowd of fast requests brings no second entry."""
    fs = env.probe("-o", "io_uring_batch=1")
    crowd(fs)
    count = entries(env, fs)
    fs.stop()
    check(count == 1, f"{count} entries")


@test("P5", transports=("ring",), ours_only=True)
def batches_and_late_replies(env):
    """Requests answered together with those that other threads answer, or that are answered after the handler."""
    for options in ([], ["-o", "io_uring_batch=16"]):
        fs = env.probe(*options)
        crowd(fs)
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
