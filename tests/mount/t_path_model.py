# SPDX-License-Identifier: MIT OR Apache-2.0
"""Paths under load: several processes change a mount at random and compare it with what they expect, while others
rename the directories above them. RINGFUSE_MODEL_SECONDS says for how long."""
import ctypes
import os
import random
import re
import signal
import time
import traceback
from pathlib import Path

import model
from harness import check, wait_for
from registry import test

SECONDS = float(os.environ.get("RINGFUSE_MODEL_SECONDS", "5"))
# RINGFUSE_MODEL_NODES=1000000 for a table of a million.
NODES = int(os.environ.get("RINGFUSE_MODEL_NODES", "60000"))


def in_process(function):
    """Runs in a process of its own; returns its pid and where its last word will be."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write_end)
        return pid, read_end
    os.close(read_end)
    try:
        word = f"ok {function()}"
    except BaseException:  # reported to the test, whatever it is
        word = traceback.format_exc()[-6000:]
    os.write(write_end, word.encode())
    os._exit(0)


def last_word(pid, read_end):
    text = b""
    while piece := os.read(read_end, 65536):
        text += piece
    os.close(read_end)
    os.waitpid(pid, 0)
    return text.decode()


def mover(top, seconds, seed):
    """Renames the directories between the mount and the workers' own, in all ways."""
    rng, end, count = random.Random(seed), time.monotonic() + seconds, 0
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    while time.monotonic() < end:
        upper = sorted(os.listdir(fd))
        names = [f"{name}/{below}" for name in upper for below in os.listdir(f"{top}/{name}")]
        one, other = rng.choice(upper), rng.choice(upper)
        try:
            match rng.randrange(4):
                case 0:
                    model.renameat2(fd, one, fd, f"p{rng.randrange(6)}", model.NOREPLACE)
                case 1 if one != other:
                    model.renameat2(fd, one, fd, other, model.EXCHANGE)
                case 2 if len(names) > 1:
                    model.renameat2(fd, *sum(zip(rng.sample(names, 2), (fd, model.EXCHANGE)), ()))
                case 3 if names:
                    model.renameat2(fd, rng.choice(names), fd, f"{other}/q{rng.randrange(6)}", model.NOREPLACE)
        except FileExistsError:
            pass
        count += 1
        time.sleep(0.001)
    os.close(fd)
    return count


def run_model(fs, source, seconds, workers=3):
    """Returns the workers' steps."""
    seed = int(os.environ.get("RINGFUSE_MODEL_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    for above in ("p0", "p1"):
        os.mkdir(fs / above)
    for n in range(workers):
        os.makedirs(fs / f"p{n % 2}" / f"q{n}" / "w")

    def work(n, directory):
        return lambda: model.Worker(directory, seed + n).run(seconds)
    # All find their directory before any moves.
    ready = [model.Worker(fs / f"p{n % 2}" / f"q{n}" / "w", seed + n) for n in range(workers)]
    jobs = [in_process(lambda worker=worker: worker.run(seconds)) for worker in ready]
    jobs.append(in_process(lambda: mover(fs, seconds, seed)))
    for worker in ready:
        os.close(worker.top)
    words = [last_word(*job) for job in jobs]
    bad = [word for word in words if not word.startswith("ok ")]
    check(not bad, f"seed {seed}: {bad and bad[0]}")
    hidden = [name for _, _, names in os.walk(source) for name in names if name.startswith(".fuse_hidden")]
    check(not hidden, f"seed {seed}: left behind: {hidden}")
    time.sleep(1.1)  # what the kernel remembers of files with several links is old by then
    check(tree(fs) == tree(source), f"seed {seed}: mount and source differ")
    return [int(word.split()[1]) for word in words]


def tree(top):
    """Names and contents."""
    found = {}
    for place, _, names in os.walk(top):
        for name in names:
            path = Path(place) / name
            found[path.relative_to(top)] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found


def source_of(env):
    source = env.dir / "source"
    source.mkdir()
    return source


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("2")


@test("paths", timeout=60 + 2 * SECONDS)
def model_agrees_with_the_mount(env):
    """Create, rename of all kinds, unlink, open-unlinked I/O, readdir, truncate, links by several processes."""
    source = source_of(env)
    daemon = env.start("passthrough_path", "-o", f"source={source}", mode="foreground")
    steps = run_model(Path(daemon.mnt), source, SECONDS)
    check(min(steps) > 100, f"hardly anything was done: {steps}")
    daemon.stop()


@test("paths", timeout=60)
def lookup_counts_end_at_zero(env):
    """After the same for a short time, and once the kernel has forgotten everything, no node is left."""
    source = source_of(env)
    daemon = env.start("passthrough_path", "-o", f"source={source}", "-o", "entry_timeout=0.01")
    run_model(Path(daemon.mnt), source, 2)
    drop_caches()
    time.sleep(0.3)
    daemon.stop()
    said = re.search(r"fuse: at the end: (\d+) nodes, (\d+) lookups", daemon.stderr())
    check(said and said.groups() == ("0", "0"), f"left: {said and said.group()}")


@test("paths", timeout=60)
def forget_races_with_lookup(env):
    """Lookups of names that the kernel is just forgetting: numbers and generations stay right."""
    source = source_of(env)
    for n in range(200):
        (source / f"f{n}").write_text(str(n))
    daemon = env.start("passthrough_path", "-o", f"source={source}", "-o", "entry_timeout=0", "-o", "attr_timeout=0")
    mnt, end = Path(daemon.mnt), time.monotonic() + 3

    def look(seed):
        rng, count = random.Random(seed), 0
        while time.monotonic() < end:
            n = rng.randrange(200)
            if (mnt / f"f{n}").read_text() != str(n):
                raise model.Mismatch(f"f{n} has other data")
            count += 1
        return count

    def forget():
        while time.monotonic() < end:
            drop_caches()
        return 0
    words = [last_word(*job) for job in [in_process(lambda s=s: look(s)) for s in range(3)] + [in_process(forget)]]
    check(all(word.startswith("ok ") for word in words), str(words))
    drop_caches()
    time.sleep(0.3)
    daemon.stop()
    said = re.search(r"fuse: at the end: (\d+) nodes, (\d+) lookups", daemon.stderr())
    check(said and said.groups() == ("0", "0"), f"left: {said and said.group()}")


def hidden_below(directory):
    return [name for name in os.listdir(directory) if name.startswith(".fuse_hidden")]


@test("paths")
def a_removed_open_file_is_hidden_until_its_last_close(env):
    """By unlink and by rename over it; two opens; I/O through the descriptor; and its links do not count the name."""
    source = source_of(env)
    daemon = env.start("passthrough_path", "-o", f"source={source}", mode="foreground")
    mnt = Path(daemon.mnt)
    for remove in (lambda: os.unlink(mnt / "file"), lambda: os.rename(mnt / "new", mnt / "file")):
        (mnt / "file").write_text("old")
        (mnt / "new").write_text("new")
        first, second = os.open(mnt / "file", os.O_RDWR), os.open(mnt / "file", os.O_RDONLY)
        remove()
        check(len(hidden_below(source)) == 1, "not hidden")
        os.pwrite(first, b"more", 3)
        check(os.pread(second, 100, 0) == b"oldmore", "data through another descriptor")
        check(os.fstat(first).st_nlink == 0, f"{os.fstat(first).st_nlink} links")
        os.close(first)
        check(len(hidden_below(source)) == 1 and os.pread(second, 3, 0) == b"old", "gone with the first close")
        os.close(second)
        wait_for(lambda: not hidden_below(source), 2, "the hidden file's end")
    check((mnt / "file").read_text() == "new", "what replaced it")
    (mnt / "file").unlink()
    check(sorted(os.listdir(source)) == [], f"{os.listdir(source)}")
    daemon.stop()


@test("paths")
def a_hidden_file_goes_with_the_filesystem(env):
    """If it is never closed: the daemon removes it when it ends."""
    source = source_of(env)
    daemon = env.start("passthrough_path", "-o", f"source={source}", mode="foreground")
    mnt = Path(daemon.mnt)
    (mnt / "file").write_text("x")
    fd = os.open(mnt / "file", os.O_RDONLY)
    os.unlink(mnt / "file")
    check(hidden_below(source), "not hidden")
    daemon.kill(signal.SIGTERM)
    wait_for(lambda: daemon.poll() is not None, 5, "the daemon's end")
    os.close(fd)
    check(not hidden_below(source), "left behind")
    check(daemon.poll() == 0 or ctypes.sizeof(ctypes.c_int) == 4, "exit code")


@test("paths")
def hard_remove_hides_nothing(env):
    """A filesystem that asks for it has open files removed at once, and goes on with their handles."""
    source = source_of(env)
    daemon = env.start("passthrough_hard", "-o", f"source={source}", mode="foreground")
    mnt = Path(daemon.mnt)
    (mnt / "file").write_text("data")
    fd = os.open(mnt / "file", os.O_RDWR)
    os.unlink(mnt / "file")
    check(os.listdir(source) == [], f"{os.listdir(source)}")
    os.pwrite(fd, b"D", 0)
    check(os.pread(fd, 10, 0) == b"Data", "data of a removed file")
    status = os.fstat(fd)
    check((status.st_size, status.st_nlink) == (4, 0), f"attributes of a removed file: {status}")
    os.fchmod(fd, 0o600)
    check(os.fstat(fd).st_mode & 0o777 == 0o600, "mode of a removed file")
    os.close(fd)
    daemon.stop()


def memory(pid):
    """Bytes of a process, in memory or swapped out."""
    text = Path(f"/proc/{pid}/status").read_text()
    return 1024 * sum(int(n) for n in re.findall(r"^Vm(?:RSS|Swap):\s+(\d+)", text, re.MULTILINE))


def cpu(pid):
    """Seconds that the threads of a process have run so far."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@test("paths", timeout=60 + NODES / 5000)
def a_large_table_is_small(env):
    """Memory for each node that the kernel knows, given back to later ones when they are forgotten. What a lookup costs
    with few and with many is printed: times prove nothing."""
    daemon = env.start("path_any", "-o", "entry_timeout=1000", "-o", "attr_timeout=1000", mode="foreground")
    part = NODES // 10

    def look(kind, first=0, end=NODES):
        begin = cpu(daemon.pid)
        for n in range(first, end):
            os.stat(f"{daemon.mnt}/dir{n // 1000}/{kind}{n}")
        return (cpu(daemon.pid) - begin) / (end - first) * 1e6
    os.stat(f"{daemon.mnt}/dir0/file")
    before = memory(daemon.pid)
    early = look("file", 0, part)
    look("file", part, NODES - part)
    late = look("file", NODES - part)
    first = (memory(daemon.pid) - before) / NODES
    print(f"{first:.0f} bytes per node; {early:.1f} us of CPU per lookup at first, {late:.1f} with {NODES} nodes")
    check(first < 100, f"{first:.0f} bytes per node")
    for _ in range(3):
        drop_caches()
        time.sleep(0.3)
    look("other")
    both = (memory(daemon.pid) - before) / NODES
    check(both < 1.4 * first, f"{both:.0f} bytes per node after as many others")
    daemon.stop()
