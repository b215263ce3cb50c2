# SPDX-License-Identifier: MIT OR Apache-2.0
"""`ringfuse stat`: its numbers are those of what a client did."""
import json
import os
import signal
import subprocess
import time

from harness import Failed, all_ok, check, client, cpus, in_parallel, stat_ok, wait_for
from registry import test
from t_basic import calls, memfs

NOBODY = 65534
# Counted by the filesystem by another name, or not at all.
NAMES = {"BATCH_FORGET": None, "FORGET": None, "INIT": None, "INTERRUPT": None, "DESTROY": None}


def tool(env, *arguments, seconds=20, variables=(), **kw):
    """Runs the command; (exit code, stdout, stderr)."""
    kw["env"] = {**os.environ, **dict(variables)}
    done = subprocess.run([str(env.prefix / "bin/ringfuse"), *map(str, arguments)], timeout=seconds, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, **kw)
    return done.returncode, done.stdout, done.stderr


def numbers(env, mnt):
    code, out, err = tool(env, "stat", "--json", mnt)
    check(code == 0 and out.count("\n") == 1, f"exit {code}: {err}")
    return json.loads(out)


def equal(got, want, what):
    check(got == want, f"{what}: {got}, wanted {want}")


def looks_right(env, stat, fs, single):
    """What does not depend on what was done."""
    equal(stat["transport"], "io_uring" if env.ring else "/dev/fuse", "transport")
    equal((stat["pid"], stat["single_threaded"], stat["max_threads"]), (fs.pid, single, 1 if single else 10), "mount")
    roles = [thread["role"] for thread in stat["threads"]]
    equal(roles.count("keeper"), int(env.ring), "keepers")
    check(single or ("worker" in roles) == env.ring, f"threads: {roles}")
    tasks = {int(task) for task in os.listdir(f"/proc/{fs.pid}/task")}
    check({thread["tid"] for thread in stat["threads"]} <= tasks, "threads that there are not")
    for queue in stat["queues"]:
        check(queue["entries"] == queue["busy"] + queue["armed"], f"queue {queue}")
    equal(len(stat["queues"]), os.cpu_count() if env.ring else 0, "queues")


@test("stat", ours_only=True)
def stat_counts_requests(env):
    """As many LOOKUPs as names were looked up, over all threads; the times are plausible."""
    for options in ([], ["-s"]):
        fs = env.probe(*options, mode="foreground")
        before = numbers(env, fs.mnt)
        looks_right(env, before, fs, bool(options))
        all_ok(in_parallel([lambda i=i: [os.stat(fs.path(f"f.{i}.{n}")) for n in range(250)] for i in range(4)],
                           cpus()))
        # So many that some of them are timed: one in sixteen is.
        for n in range(200):
            os.stat(fs.path(f"sleep.2.{n}"))
        now = numbers(env, fs.mnt)
        looks_right(env, now, fs, bool(options))
        equal(now["operations"]["LOOKUP"] - before["operations"].get("LOOKUP", 0), 1200, "LOOKUPs")
        equal(now["operations"]["INIT"], 1, "INITs")
        equal((now["foreign_replies"], now["interrupts"]), (0, 0), "nothing of that")
        check(now["handed_over"] < 40, "a worker commits its replies itself, unless it is needed otherwise")
        equal(now["handler_ns"]["timed"], now["until_reply_ns"]["timed"], "timed requests")
        for times in (now["handler_ns"], now["until_reply_ns"]):
            check(1200 // 30 < times["timed"] < 1300 // 8, f"of 1200 requests were timed: {times}")
            check(128 <= times["p50"] < 2_000_000 < times["max"] < 100_000_000, f"200 of 1200 took 2 ms: {times}")
        check(now["wakeups"] > 0, "200 requests 2 ms apart, and nobody slept")
        check(now["spins_rewarded"] <= now["spins"], "more rewards than spins")
        fs.stop()


@test("stat", ours_only=True)
def stat_agrees_with_the_filesystem(env):
    """Operation by operation what memfs itself has counted."""
    with memfs(env) as fs:
        for n in range(7):
            os.mkdir(fs.path(f"d{n}"))
            with open(fs.path(f"d{n}/f"), "wb") as file:
                file.write(b"x" * 10000)
            os.rename(fs.path(f"d{n}/f"), fs.path(f"d{n}/g"))
            os.symlink("g", fs.path(f"d{n}/s"))
            os.readlink(fs.path(f"d{n}/s"))
            with open(fs.path(f"d{n}/g"), "rb") as file:
                file.read()
            os.listdir(fs.path(f"d{n}"))
            os.unlink(fs.path(f"d{n}/g"))
        own = calls(fs)
        stat = numbers(env, fs.mnt)
        compared = 0
        for name, number in stat["operations"].items():
            key = {"RENAME2": "rename", "READDIRPLUS": "readdirplus"}.get(name, name.lower())
            if NAMES.get(name, key) in own:
                # The request for the counts is in one of them.
                check(0 <= number - own[key] <= 1, f"{name}: {number}, memfs says {own[key]}")
                compared += 1
        check(compared >= 8, f"only {compared} operations compared: {stat['operations']} and {own}")
        equal(stat["operations"]["MKDIR"], 7, "MKDIRs")


@test("stat", ours_only=True)
def stat_counts_foreign_replies_and_interrupts(env):
    """Replies of other threads, late ones, and interrupts."""
    fs = env.probe(mode="foreground")
    for n in range(30):
        os.stat(fs.path(f"thread.{n}"))
        os.stat(fs.path(f"after.0.{n}"))
        os.stat(fs.path(f"f.{n}"))
    stat = numbers(env, fs.mnt)
    equal(stat["foreign_replies"], 60, "foreign replies")
    check(stat["handed_over"] <= 60 and (stat["handed_over"] > 0) == env.ring, f"handed over: {stat['handed_over']}")
    victim = client("stat", fs.path("intr-func.x"))
    wait_for(lambda: any(t["serving"] == "LOOKUP" for t in numbers(env, fs.mnt)["threads"]), 5, "a running handler")
    busy = numbers(env, fs.mnt)
    equal(busy["unanswered"], 1, "requests that the kernel waits for")
    equal(sum(queue["busy"] for queue in busy["queues"]), int(env.ring), "entries in use")
    victim.send_signal(signal.SIGINT)
    victim.wait(10)
    check(numbers(env, fs.mnt)["interrupts"] >= 1, "no interrupt counted")
    fs.stop()


@test("stat", ours_only=True)
def stat_of_a_real_daemon(env):
    """In the background, as text, and line by line until the unmount."""
    fs = env.probe(mode="daemon", new_session=True)
    code, out, err = tool(env, "stat", fs.mnt)
    check(code == 0, err)
    for word in (str(fs.mnt), f"process {fs.pid} (probe_ll)", "io_uring" if env.ring else "/dev/fuse (disabled by option"):
        check(word in out, f"no {word!r} in:\n{out}")
    for arguments in ([], ["--json"]):
        watch = subprocess.Popen([str(env.prefix / "bin/ringfuse"), "stat", "--watch=0.1", *arguments, str(fs.mnt)],
                                 stdout=subprocess.PIPE, text=True)
        lines = [watch.stdout.readline() for _ in range(4)]
        if arguments:
            check(all(json.loads(line)["pid"] == fs.pid for line in lines), "JSON lines")
            break
        check("requests/s" in lines[0] and all(line.strip()[0].isdigit() for line in lines[1:]), f"lines: {lines}")
        watch.kill()
        watch.wait()
    fs.stop()
    equal(watch.wait(10), 0, "exit code of --watch after the unmount")


@test("stat", ours_only=True)
def stat_says_what_is_missing(env):
    """No mount, another kind of mount, no statistics, not the owner."""
    code, _, err = tool(env, "stat", env.dir)
    check(code == 1 and "nothing is mounted" in err, f"{code}: {err}")
    code, _, err = tool(env, "stat", "/proc")
    check(code == 1 and "not of FUSE" in err, f"{code}: {err}")
    equal(tool(env, "stat")[0], 64, "exit code without a mount point")
    fs = env.probe(extra_env={"FUSE_STATS": "0"}, mode="foreground")
    os.stat(fs.path("f.x"))
    check(not stats_files(fs.pid), "a file of statistics despite FUSE_STATS=0")
    code, _, err = tool(env, "stat", fs.mnt)
    check(code == 1 and "FUSE_STATS=0" in err, f"{code}: {err}")
    fs.stop()
    fs = env.probe(mode="foreground")
    code, out, err = tool(env, "stat", fs.mnt, user=NOBODY, group=NOBODY, extra_groups=[])
    check(code == 1 and out == "" and "only root, or their owner" in err, f"as nobody: {code}: {err}")
    fs.stop()


def stats_files(pid):
    links = [os.path.join(f"/proc/{pid}/fd", fd) for fd in os.listdir(f"/proc/{pid}/fd")]
    return [link for link in links if "ringfuse-stats" in os.readlink(link)]


@test("stat", ours_only=True)
def stat_is_not_fooled(env):
    """Files of that name with anything in them, and a process that claims the mount point."""
    fs = env.probe(mode="foreground")
    honest = open(stats_files(fs.pid)[0], "rb").read()
    lies = [b"", b"x" * 100, honest[:4096], honest[:24] + b"\xff" * 4072, honest[:-1],
            honest[:8] + b"\x09" + honest[9:], honest[:16] + b"\xff" * 8 + honest[24:]]
    files = []
    for lie in [*lies, honest]:
        files.append(os.memfd_create("ringfuse-stats"))
        os.write(files[-1], lie)
    equal(numbers(env, fs.mnt)["pid"], fs.pid, "daemon, among liars")
    fs.stop()
    fs = env.probe(mode="foreground", extra_env={"FUSE_STATS": "0"})
    code, _, err = tool(env, "stat", fs.mnt)
    check(code == 1, "statistics of a mount that has none")
    equal(err.count("the file "), len(lies), f"complaints in {err}")
    for file in files:
        os.close(file)
    fs.stop()


@test("stat", ours_only=True)
def stat_file_is_read_only(env):
    """Nobody can change the statistics of a daemon, or take their memory away."""
    fs = env.probe(mode="foreground")
    path = stats_files(fs.pid)[0]
    with open(path, "r+b", buffering=0) as file:
        for attempt in (lambda: os.truncate(file.fileno(), 0), lambda: os.truncate(file.fileno(), 1 << 30),
                        lambda: file.write(b"x")):
            try:
                attempt()
            except OSError:
                continue
            raise Failed("the file could be changed")
    os.stat(fs.path("f.x"))
    fs.stop()


@test("stat", ours_only=True, needs_fault=True)
def no_memory_for_statistics(env):
    """Without a memory file everything works; so it does when files may not grow."""
    fs = env.start("probe_ll", mode="foreground", builder=env.fault_builder, extra_env={"RINGFUSE_FAULT": "memfd"})
    all_ok(in_parallel([stat_ok(fs.path(f"after.0.{n}")) for n in range(20)], cpus()))
    equal(tool(env, "stat", fs.mnt)[0], 1, "exit code")
    fs.stop()
    fs = env.start("probe_ll", mode="foreground", wrapper=["prlimit", "--fsize=4096"])
    all_ok(in_parallel([stat_ok(fs.path(f"f.{n}")) for n in range(20)], cpus()))
    check(not stats_files(fs.pid), "a file although none may be made")
    fs.stop()


@test("stat", ours_only=True)
def statistics_take_few_pages(env):
    """What an idle mount spends on them."""
    fs = env.probe(mode="foreground")
    time.sleep(0.1)
    text = open(f"/proc/{fs.pid}/smaps", encoding="utf-8").read()
    part = text.split("memfd:ringfuse-stats")[1]
    rss = next(int(line.split()[1]) for line in part.splitlines() if line.startswith("Rss:"))
    check(rss <= 32, f"{rss} KiB of statistics")
    fs.stop()
