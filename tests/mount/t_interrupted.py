# SPDX-License-Identifier: MIT OR Apache-2.0
"""Clients that are interrupted in the middle of a request: of each operation that a client waits for, by a signal that
it handles and by one that ends it. The handler learns of it, and the client goes on with its answer."""
import errno
import fcntl
import os
import select
import signal
import time
from pathlib import Path

from harness import check, wait_for
from pathfs import path_fs
from registry import test
from t_basic import memfs, triggers
from t_lowlevel_ops import AT_FORCE_SYNC, BASIC, BTIME, calls, fail, fallocate, ioc, no_fail, statx
from t_path_errors import failing, without

SIGNALS = (signal.SIGUSR1, signal.SIGKILL)


def stop(*_):
    raise InterruptedError(errno.EINTR, "told to stop")


def client(action):
    """Does it in a process of its own; returns its pid and where its word will be."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write_end)
        return pid, read_end
    signal.signal(signal.SIGUSR1, stop)
    try:
        word = f"done: {action()}"
    except OSError as error:
        word = str(error)
    os.write(write_end, word.encode())
    os._exit(0)


def interrupted(what, action, arrived, signum):
    """A client is in the operation, gets the signal, and has to end soon."""
    pid, read_end = client(action)
    wait_for(arrived, 5, f"the call of {what}")
    time.sleep(0.02)
    begin = time.monotonic()
    os.kill(pid, signum)
    wait_for(lambda: os.waitpid(pid, os.WNOHANG)[0], 5, f"{what}: the client's end after {signum.name}")
    took = time.monotonic() - begin
    with os.fdopen(read_end) as pipe:
        word = pipe.read()
    check(took < 1, f"{what}: the client ended {took:.1f} s after {signum.name}")
    check("told to stop" in word or signum == signal.SIGKILL, f"{what}: the client said {word!r}")


def said(fs, line):
    """How often the filesystem has said it."""
    return fs.stderr().split("\n").count(line)


@test("P6", timeout=60, peer_fails=("ring",))
def each_operation_interrupted(env):
    """Everything that memfs_ll has and a client waits for."""
    with memfs(env, MEMFS_DIRECT="1") as fs:
        p = fs.path
        Path(p("file")).write_text("content")
        os.mkdir(p("dir"))
        os.symlink("target", p("sym"))
        os.setxattr(p("file"), "user.x", b"1")
        fd, dirfd, actions = triggers(p)
        for signum in SIGNALS:
            for op, action in actions.items():
                before = said(fs, f"waits: {op}")
                os.setxattr(fs.mnt, "user.fail", f"{op} 0".encode())
                interrupted(op, action, lambda: said(fs, f"waits: {op}") > before, signum)
                wait_for(lambda: said(fs, f"waited: {op} 1") > before, 2, f"{op}: the handler to learn of it")
        os.close(fd)
        os.close(dirfd)


@test("P6", timeout=60, peer_fails=("ring",))
def each_later_operation_interrupted(env):
    """The same for what lowops_ll has."""
    fs = env.start("lowops_ll")
    fd, other = os.open(fs.path("a"), os.O_RDWR), os.open(fs.path("c"), os.O_RDWR)
    os.pwrite(fd, b"content", 0)
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    actions = {
        "fallocate": lambda: fallocate(fd, 0, 0, 100), "lseek": lambda: os.lseek(fd, 0, os.SEEK_HOLE),
        "copy": lambda: os.copy_file_range(fd, other, 5, 0, 0),
        "statx": lambda: statx(-100, fs.path("a"), AT_FORCE_SYNC, BASIC | BTIME),
        "tmpfile": lambda: os.open(fs.mnt, os.O_TMPFILE | os.O_RDWR),
        "ioctl": lambda: fcntl.ioctl(fd, ioc(0, 4, 0), 1), "poll": lambda: poller.poll(5000),
        "read": lambda: os.pread(other, 100, 0), "write": lambda: os.pwrite(other, b"x", 0),
        "getlk": lambda: fcntl.fcntl(fd, fcntl.F_GETLK, bytes(32)),
        "setlk": lambda: fcntl.lockf(fd, fcntl.LOCK_EX), "flock": lambda: fcntl.flock(fd, fcntl.LOCK_EX),
        "readdir": lambda: os.listdir(fs.path("d"))}
    os.setxattr(fs.mnt, "user.fail", b"")
    for signum in SIGNALS:
        for op, action in actions.items():
            before, told = len(calls(fs, f"waits {op}")), len(calls(fs, "interrupted (1)"))
            fail(fs, "readdirplus" if op == "readdir" else op, 0)
            interrupted(op, action, lambda: len(calls(fs, f"waits {op}")) > before, signum)
            wait_for(lambda: len(calls(fs, "interrupted (1)")) > told, 2, f"{op}: the handler to learn of it")
            no_fail(fs)
    for each in (fd, other):
        os.close(each)
    fs.stop()


@test("P6", timeout=90, peer_fails=("ring",))
def each_path_operation_interrupted(env):
    """Operations of `fuse.h` with intr: fuse_interrupted() tells."""
    for op, action in failing().items():
        words = {"fail": f"{op}={errno.EINTR}", "extra": "wait", "cfg": "intr=1,direct_io=1", "without": without(op)}
        with path_fs(env, **words) as fs:
            (fs.source / "f").write_text("content")
            (fs.source / "d").mkdir()
            (fs.source / "l").symlink_to("f")
            fs.mark()
            interrupted(op, lambda: action(fs), lambda: fs.new(op), signal.SIGUSR1)
            fs.called(rf"interrupted {op} signals=\d+")
