# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who may answer, and when (P5), and interrupts (P6)."""
import os
import random
import signal
import subprocess
import time

from harness import all_ok, check, client, cpus, in_parallel, stat_ok, wait_for
from registry import test


def both_loops(env, **kw):
    """The probe filesystem under loop_mt and under -s."""
    for options in ([], ["-s"]):
        fs = env.probe(*options, **kw)
        yield fs
        fs.stop()


@test("P5")
def reply_by_another_thread(env):
    """A long-lived thread answers after the handler returned."""
    for fs in both_loops(env):
        all_ok(in_parallel([stat_ok(fs.path(f"after.{n % 7 * 20}.{n}")) for n in range(40)], cpus()))
        for n in range(200):
            os.stat(fs.path(f"after.0.s{n}"))


@test("P5", peer_fails=("ring",))
def reply_by_thread_that_ends(env):
    """The answering thread ends right after its reply; the mount works on."""
    for fs in both_loops(env):
        for n in range(100):
            os.stat(fs.path(f"thread.{n}"))
        all_ok(in_parallel([stat_ok(fs.path(f"thread.p{n}")) for n in range(60)], cpus()))
        os.stat(fs.path("f.after"))


@test("P5", peer_fails=("ring",))
def five_hundred_outstanding(env):
    """500 requests wait at once and are answered in random order."""
    for fs in both_loops(env, extra_env={"PROBE_HOLD": "500"}):
        all_ok(in_parallel([stat_ok(fs.path(f"hold.{n}")) for n in range(500)], cpus(), 15))
        os.stat(fs.path("f.after"))


@test("P5", peer_fails=("ring",))
def mixed_replies(env):
    """Direct, late and foreign replies together."""
    for fs in both_loops(env):
        rng = random.Random(7)
        kinds = ["f.{}", "after.5.{}", "after.0.{}", "thread.{}", "sleep.2.{}"]

        def job(names):
            return lambda: [os.stat(fs.path(name)) for name in names]
        jobs = [job([rng.choice(kinds).format(f"{c}-{n}") for n in range(60)]) for c in range(8)]
        all_ok(in_parallel(jobs, cpus()))


@test("P5", peer_fails=("ring",))
def reply_while_all_handlers_block(env):
    """A foreign reply gets out although every handler waits for its client."""
    for options, blockers in ((["-o", "max_threads=2"], 2), (["-s"], 1), (["-o", "max_threads=1"], 1)):
        flag = env.dir / f"flag{env.count}"
        fs = env.probe(*options, extra_env={"PROBE_FLAG": str(flag)})

        def waiting_client():
            begin = time.monotonic()
            os.stat(fs.path("after.400.b"))
            flag.touch()
            return time.monotonic() - begin

        def blocker(n):
            def run():
                time.sleep(0.15)
                os.stat(fs.path(f"block.{n}"))
            return run
        results = in_parallel([waiting_client] + [blocker(n) for n in range(blockers)], cpus())
        all_ok(results)
        fs.stop()
        check(results[0] < 1.5, f"the reply took {results[0]:.1f} s to get out {options}")


def interrupted_client(fs, name, signum):
    """Seconds from the signal to the client's end."""
    child = client("stat", fs.path(name))
    time.sleep(0.3)
    check(child.poll() is None, f"{name} was answered at once")
    begin = time.monotonic()
    child.send_signal(signum)
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        return 5.0
    return time.monotonic() - begin


@test("P6", timeout=60, peer_fails=("ring",))
def interrupts(env):
    """SIGINT and SIGKILL of the client reach the handler, however it asks."""
    fs = env.probe()
    slow = []
    for name in ("intr-func", "intr-poll", "intr-late"):
        for signum in (signal.SIGINT, signal.SIGKILL):
            took = interrupted_client(fs, f"{name}.{signum}", signum)
            if took > 1:
                slow.append(f"{name} {signal.Signals(signum).name} {took:.1f} s")
    check(not slow, f"interrupts came late or not at all: {slow}")
    check(fs.stats()["interrupted"] == 6, str(fs.stats()))
    fs.stop()


@test("P6")
def interrupt_of_answered_requests(env):
    """Interrupts that meet a finished request harm nothing."""
    fs = env.probe()
    for n in range(40):
        child = client("stat", fs.path(f"after.{n % 4}.{n}"), fs.path(f"sleep.{n % 3}.{n}"))
        time.sleep(random.Random(n).random() * 0.01)
        child.send_signal(signal.SIGINT)
        child.wait(5)
    os.stat(fs.path("f.alive"))
    fs.stop()


@test("P6", peer_fails=("ring",))
def many_interrupts_at_once(env):
    """8 interrupted clients end together, handlers asking in both ways."""
    fs = env.probe("-o", "max_threads=10")
    names = [f"intr-{'func' if n % 2 else 'poll'}.{n}" for n in range(8)]
    children = [client("stat", fs.path(name)) for name in names]
    time.sleep(0.4)
    begin = time.monotonic()
    for child in children:
        child.send_signal(signal.SIGINT)
    wait_for(lambda: all(c.poll() is not None for c in children), 3, "the interrupted clients' end")
    check(time.monotonic() - begin < 1, "slow")
    fs.stop()


@test("P6")
def deferred_request_survives_interrupt(env):
    """A request that nobody watches for interrupts is answered as usual."""
    fs = env.probe()
    child = client("stat", fs.path("after.500.x"))
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    child.wait(5)
    os.stat(fs.path("f.alive"))
    fs.stop()


@test("args", peer_fails=("ring",))
def arguments_live_until_return(env):
    """A handler may look at its arguments after its reply, until it returns."""
    fs = env.probe("-o", "max_threads=4")

    def job(index):
        return lambda: [os.stat(fs.path(f"args.{index}.{n:040d}")) for n in range(20)]
    all_ok(in_parallel([job(i) for i in range(8)], cpus()))
    lost = fs.stats()["args_lost"]
    fs.stop()
    check(lost == 0, f"{lost} times a name had changed under the handler")
