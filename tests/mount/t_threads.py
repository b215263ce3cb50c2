# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which handlers run when and where: P2, P3, P4, P7, P10, P13."""
import os
import subprocess
import sys
import time
from pathlib import Path

from harness import FUSECTL, all_ok, check, cpus, in_parallel, parse_stats, stat_ok
from registry import test


def hammer(fs, seconds, clients=8, names="f"):
    """Clients on all CPUs look names up until the time is over."""
    end = time.monotonic() + seconds

    def job(index):
        def run():
            count = 0
            while time.monotonic() < end:
                os.stat(fs.path(f"{names}.{index}.{count}"))
                count += 1
            return count
        return run
    results = in_parallel([job(i) for i in range(clients)], cpus(), seconds + 15)
    all_ok(results)
    return sum(results)


ASK = """import os, sys, time
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    try:
        os.unlink(sys.argv[1])  # refused, each time
    except OSError:
        os.access(sys.argv[1] + str(time.monotonic_ns() % 50), os.F_OK)
"""


def crowd(fs, clients, seconds):
    """Clients that are processes, so that they really ask at the same time."""
    command = [sys.executable, "-c", ASK]
    started = [subprocess.Popen([*command, fs.path(f"f.{i}."), str(seconds)]) for i in range(clients)]
    check(all(client.wait() == 0 for client in started), "a client failed")


def threads_of(pid):
    return [int(task) for task in os.listdir(f"/proc/{pid}/task")]


def one_at_a_time(env, *options):
    fs = env.probe(*options)
    all_ok(in_parallel([stat_ok(fs.path(f"sleep.30.{i}")) for i in range(8)], cpus()))
    hammer(fs, 1)
    stats = fs.stats()
    fs.stop()
    check(stats["max_running"] == 1, f"{stats['max_running']} handlers ran at once")
    return stats


@test("P2", peer_fails=("ring",))
def single_threaded_loop(env):
    """-s: one handler at a time, on the thread that called fuse_session_loop."""
    stats = one_at_a_time(env, "-s")
    check(stats["foreign"] == 0, f"{stats['foreign']} calls on foreign threads")
    check(stats["tids"] == 1, f"handlers ran on {stats['tids']} threads")


@test("P2", peer_fails=("ring",))
def max_threads_one(env):
    """max_threads=1: one handler at a time."""
    one_at_a_time(env, "-o", "max_threads=1")


@test("P2", peer_fails=("ring",))
def single_threaded_daemon(env):
    """-s after fuse_daemonize: still the thread that called the loop."""
    fs = env.probe("-s", mode="daemon")
    hammer(fs, 0.5)
    stats = fs.stats()
    fs.stop()
    check(stats["max_running"] == 1 and stats["foreign"] == 0, str(stats))


@test("P3", peer_fails=("ring",))
def blocked_handlers_delay_nobody(env):
    """8 handlers of 500 ms, asked from one CPU, end together."""
    for threads in ("max_threads=10", "max_threads=8"):
        fs = env.probe("-o", threads)
        for i in range(2):  # cold, then with the threads already there
            begin = time.monotonic()
            all_ok(in_parallel([stat_ok(fs.path(f"sleep.500.{i}.{n}")) for n in range(8)], cpus()[:1]))
            took = time.monotonic() - begin
            check(took < 1.0, f"8 x 500 ms took {took:.2f} s ({threads})")
        fs.stop()


@test("P3", peer_fails=("ring",))
def fast_request_beside_blocked_ones(env):
    """While fewer than max_threads handlers run, another one starts at once."""
    fs = env.probe("-o", "max_threads=10")
    slow = [stat_ok(fs.path(f"sleep.1000.{n}")) for n in range(6)]

    def fast():
        time.sleep(0.2)
        times = []
        for n in range(100):
            begin = time.monotonic()
            os.stat(fs.path(f"f.{n}"))
            times.append(time.monotonic() - begin)
        return sorted(times)
    results = in_parallel(slow + [fast], cpus()[:1])
    all_ok(results)
    fs.stop()
    median, worst = results[-1][50], results[-1][99]
    check(median < 0.005, f"median {median * 1e3:.1f} ms beside six sleeping handlers")
    check(worst < 0.15, f"slowest of 100: {worst * 1e3:.1f} ms")


@test("P3", timeout=40, peer_fails=("ring",))
def slow_after_fast(env):
    """Handlers proven fast that become slow hold nobody up either."""
    fs = env.probe("-o", "max_threads=10")
    hammer(fs, 1.0)
    for n in range(3):
        begin = time.monotonic()
        all_ok(in_parallel([stat_ok(fs.path(f"sleep.300.{n}.{i}")) for i in range(8)], cpus()[:1]))
        took = time.monotonic() - begin
        check(took < 0.9, f"8 x 300 ms took {took:.2f} s after a burst of fast ones")
        hammer(fs, 0.2)
    fs.stop()


@test("P3", timeout=40, peer_fails=("ring",))
def nothing_is_left_with_a_handler_that_blocks_long(env):
    """When handlers were fast and one has blocked for long, other requests of its CPU are served, whoever served them before."""
    fs = env.probe("-o", "max_threads=20")
    all_ok(in_parallel([stat_ok(fs.path(f"sleep.50.{i}")) for i in range(8)], cpus()[:1]))
    worst = 0
    for n in range(6):
        fast = [stat_ok(fs.path(f"f.{n}.{i}")) for i in range(600)]
        all_ok(in_parallel([lambda fast=fast: [ask() for ask in fast]], cpus()[:1]))

        def others(index, n=n):
            def run():
                time.sleep(0.2 + index * 0.05)  # the library has stopped to look after the handler
                begin = time.monotonic()
                os.stat(fs.path(f"f.late.{n}.{index}"))
                return time.monotonic() - begin
            return run
        jobs = [stat_ok(fs.path(f"sleep.600.{n}"))] + [others(i) for i in range(4)]
        results = in_parallel(jobs, cpus()[:1])
        all_ok(results)
        worst = max(worst, *results[1:])
    fs.stop()
    check(worst < 0.15, f"a request waited {worst * 1e3:.0f} ms beside one handler that sleeps")


@test("P3")
def no_handler_is_bound_to_a_cpu(env):
    """Whatever the library does with its threads while they wait, handlers may run wherever the program may."""
    fs = env.probe("-o", "max_threads=20")
    all_ok(in_parallel([stat_ok(fs.path(f"sleep.50.{i}")) for i in range(8)], cpus()[:1]))
    crowd(fs, 8, 1.0)
    stats = fs.stats()
    check(stats["bound"] == 0, f"{stats['bound']} of {stats['calls']} handlers ran with fewer CPUs than the program")
    one = {cpus()[-1]}
    for thread in threads_of(fs.pid):
        os.sched_setaffinity(thread, one)
    hammer(fs, 0.4, 16)
    elsewhere = [thread for thread in threads_of(fs.pid) if os.sched_getaffinity(thread) != one]
    fs.stop()
    check(not elsewhere, f"threads {elsewhere} may run elsewhere than they were told to from outside")


@test("P3", timeout=40)
def what_nobody_waits_for_is_served_in_time(env):
    """Files that many clients have closed do not stay open in the daemon because new requests come faster."""
    clients, most = 48, 0
    fs = env.start("slow_release_ll", mode="daemon")
    waiting = FUSECTL / str(fs.conn) / "waiting"
    for _ in range(8):
        command = [env.builder.build("slow_release_ll"), "--clients", fs.mnt, str(clients), "0.5"]
        with subprocess.Popen(command) as crowd:
            while crowd.poll() is None:
                time.sleep(0.05)
                most = max(most, int(waiting.read_text()))
        check(crowd.returncode == 0, f"the clients ended with {crowd.returncode}")
    fs.stop()
    check(most < 10 * clients, f"{most} requests of {clients} clients were waiting")


@test("P4", peer_fails=("ring",))
def max_threads_bounds_handlers(env):
    """Never more than max_threads at once, over all CPUs, and no fewer."""
    for limit in (2, 3, 10):
        fs = env.probe("-o", f"max_threads={limit}")
        all_ok(in_parallel([stat_ok(fs.path(f"sleep.100.{i}")) for i in range(24)], cpus()))
        stats = fs.stats()
        fs.stop()
        check(stats["max_running"] <= limit, f"{stats['max_running']} at once, max_threads={limit}")
        check(stats["max_running"] == limit, f"only {stats['max_running']} at once, max_threads={limit}")


@test("P7", peer_fails=("ring",))
def no_eintr_in_handlers(env):
    """nanosleep, pipe, epoll, recv, semop and other waits are not broken off by other requests."""
    every = ["nanosleep", "pipe", "poll", "epoll", "recv", "semop", "sem"]
    for options, kinds in ((["-o", "max_threads=20"], every), (["-s"], ["epoll", "recv"])):
        fs = env.probe(*options)
        slow = [stat_ok(fs.path(f"eintr.{k}.500.{i}")) for k in kinds for i in range(1 if options else 2)]

        def later(n):
            def run():
                time.sleep(0.05 + n * 0.015)
                os.stat(fs.path(f"f.{n}"))
            return run
        all_ok(in_parallel(slow + [later(n) for n in range(40)], cpus()))
        stats = fs.stats()
        fs.stop()
        check(stats["eintr"] == 0, f"{stats['eintr']} system calls broken off {options}")


def task_numbers(pid):
    """(voluntary switches, CPU ticks) of all threads."""
    switches = ticks = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        status = Path(f"/proc/{pid}/task/{task}/status").read_text()
        switches += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        stat = Path(f"/proc/{pid}/task/{task}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(stat[11]) + int(stat[12])
    return switches, ticks


@test("P10")
def idle_is_idle(env):
    """No wake-up and no CPU time while idle after work."""
    for options in ([], ["-s"]):
        fs = env.probe(*options, mode="foreground")
        hammer(fs, 0.5)
        time.sleep(1)
        before = task_numbers(fs.pid)
        time.sleep(1.5)
        after = task_numbers(fs.pid)
        rss = Path(f"/proc/{fs.pid}/status").read_text().split("VmRSS:")[1].split()[0]
        print(f"     note: {env.transport} {options}: RSS {rss} kB, "
              f"{len(os.listdir(f'/proc/{fs.pid}/task'))} threads", flush=True)
        fs.stop()
        check(after[0] - before[0] <= 2, f"{after[0] - before[0]} wake-ups while idle {options}")
        check(after[1] == before[1], f"CPU time while idle {options}")


@test("P13")
def no_thread_before_the_loop(env):
    """Up to the loop call, fuse_daemonize included, there is one thread."""
    for mode in ("debug", "daemon"):
        fs = env.probe(mode=mode)
        hammer(fs, 0.2)
        stats = fs.stats()
        fs.stop()
        check(stats["tasks_before_loop"] == 1, f"{stats['tasks_before_loop']} threads before the loop")


@test("P13")
def no_thread_after_destroy(env):
    """fuse_session_destroy leaves the caller's thread alone."""
    out = env.dir / "out"
    fs = env.probe(extra_env={"PROBE_OUT": str(out)})
    hammer(fs, 0.5)
    fs.stop()
    check(parse_stats(out.read_text())["tasks_at_end"] == 1, out.read_text())
