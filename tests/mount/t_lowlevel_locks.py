# SPDX-License-Identifier: MIT OR Apache-2.0
"""Locks of fcntl(2) and flock(2) between processes, kept by the filesystem, with clients that are interrupted."""
import errno
import fcntl
import os
import signal
import struct
import time

from harness import check, wait_for
from registry import test
from t_lowlevel_ops import STOP, calls, error_arrives, interrupted, last_call, python_client, said
from t_ops import outcome

LOCK = STOP + """
fd = os.open(sys.argv[1], os.O_RDWR)
how = {"sh": fcntl.LOCK_SH, "ex": fcntl.LOCK_EX, "nb": fcntl.LOCK_EX | fcntl.LOCK_NB}[sys.argv[3]]
if sys.argv[2] == "posix":
    fcntl.lockf(fd, how, int(sys.argv[5]), int(sys.argv[4]))
else:
    fcntl.flock(fd, how)
print("locked", flush=True)
time.sleep(float(sys.argv[6]))
"""


def locker(fs, kind, how, start=0, length=0, hold=0):
    return python_client(LOCK, fs.path("a"), kind, how, start, length, hold)


def holder(fs, kind, how, start=0, length=0):
    """A client that has the lock and keeps it until it is killed."""
    process = locker(fs, kind, how, start, length, 60)
    check(process.stdout.readline() == "locked\n", "the first lock")
    return process


def end(process):
    process.kill()
    process.communicate(timeout=5)


@test("ops")
def fcntl_locks(env):
    """Ranges exclude each other between processes, F_GETLK names the owner, closing gives up."""
    fs = env.start("lowops_ll")
    first = holder(fs, "posix", "ex", 10, 90)
    check("EAGAIN" in said(locker(fs, "posix", "nb", 99, 5)) or "BlockingIOError" in said(
        locker(fs, "posix", "nb", 99, 5)), "an overlapping range")
    check(said(locker(fs, "posix", "nb", 100, 0)) == "locked", "a range beside it, to the end of the file")
    fd = os.open(fs.path("a"), os.O_RDWR)

    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    kind, _, start, length, pid = struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    check((kind, start, length, pid) == (fcntl.F_WRLCK, 10, 90, first.pid), f"{kind} {start} {length} {pid}")
    check(last_call(fs, "getlk") == "getlk write 0 0", last_call(fs, "getlk"))
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 200, 5, 0)
    check(struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0] == fcntl.F_UNLCK, "nobody's range")
    end(first)
    wait_for(lambda: outcome(lambda: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)) == "ok", 3, "the lock of the dead")
    fcntl.lockf(fd, fcntl.LOCK_UN)
    for op, action in (("setlk", lambda: fcntl.lockf(fd, fcntl.LOCK_EX)),
                       ("getlk", lambda: fcntl.fcntl(fd, fcntl.F_GETLK, asked))):
        error_arrives(fs, op, action, errno.ENOLCK)
    os.close(fd)
    fs.stop()


@test("ops")
def fcntl_locks_wait(env):
    """F_SETLKW waits for the other process; shared locks do not exclude each other."""
    fs = env.start("lowops_ll")
    shared = [holder(fs, "posix", "sh"), holder(fs, "posix", "sh")]
    waiting = locker(fs, "posix", "ex")
    wait_for(lambda: calls(fs, "setlk write 0 0 wait"), 5, "the third")
    end(shared[0])
    time.sleep(0.3)
    check(waiting.poll() is None, "did not wait for the second")
    end(shared[1])
    check(said(waiting) == "locked", "afterwards")
    fs.stop()


@test("P6", peer_fails=("ring",))
def fcntl_locks_interrupted(env):
    """A client that waits in F_SETLKW is ended by a signal it handles, and by SIGKILL."""
    fs = env.start("lowops_ll")
    first = holder(fs, "posix", "ex")
    for signum in (signal.SIGUSR1, signal.SIGKILL):
        interrupted(fs, lambda: locker(fs, "posix", "ex"), "setlk write 0 0 wait", signum)
    end(first)
    check(said(locker(fs, "posix", "nb")) == "locked", "afterwards")
    fs.stop()


@test("ops")
def flock_between_processes(env):
    """Exclusive, shared, without waiting, downgraded; given up by the last close."""
    fs = env.start("lowops_ll")
    first = holder(fs, "flock", "sh")
    check(said(locker(fs, "flock", "sh")) == "locked", "shared")
    check("BlockingIOError" in said(locker(fs, "flock", "nb")), "exclusive beside a shared one")
    check("flock write" in calls(fs, "flock"), str(calls(fs, "flock")))
    waiting = locker(fs, "flock", "ex")
    wait_for(lambda: "flock write wait" in calls(fs, "flock"), 5, "the one that waits")
    check(waiting.poll() is None, "did not wait")
    end(first)
    check(said(waiting) == "locked", "afterwards")
    wait_for(lambda: "release 2 flock" in calls(fs, "release"), 5, "release with flock_release")
    fd = os.open(fs.path("a"), os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.flock(fd, fcntl.LOCK_UN)
    check(last_call(fs, "flock") == "flock none wait", last_call(fs, "flock"))
    error_arrives(fs, "flock", lambda: fcntl.flock(fd, fcntl.LOCK_EX), errno.ENOLCK)
    os.close(fd)
    fs.stop()


@test("P6", peer_fails=("ring",))
def flock_interrupted(env):
    """A client that waits in flock(2) is ended by a signal it handles, and by SIGKILL."""
    fs = env.start("lowops_ll")
    first = holder(fs, "flock", "ex")
    for signum in (signal.SIGUSR1, signal.SIGKILL):
        interrupted(fs, lambda: locker(fs, "flock", "ex"), "flock write wait", signum)
    end(first)
    check(said(locker(fs, "flock", "nb")) == "locked", "afterwards")
    fs.stop()


CONTEND = """
fd = os.open(sys.argv[1], os.O_RDWR)
for n in range(int(sys.argv[3])):
    fcntl.flock(fd, fcntl.LOCK_EX) if sys.argv[2] == "flock" else fcntl.lockf(fd, fcntl.LOCK_EX)
    value = int(os.pread(fd, 20, 0) or b"0")
    os.pwrite(fd, b"%020d" % (value + 1), 0)
    fcntl.flock(fd, fcntl.LOCK_UN) if sys.argv[2] == "flock" else fcntl.lockf(fd, fcntl.LOCK_UN)
print("done")
"""


@test("P3", peer_fails=("ring",))
def eight_contend_for_a_lock(env):
    """8 processes count up under one lock, each turn waiting for the others; none is lost, none hangs."""
    fs = env.start("lowops_ll", "-o", "max_threads=16", mode="foreground")
    for kind in ("flock", "posix"):
        clients = [python_client(CONTEND, fs.path("c"), kind, 60) for _ in range(8)]
        told = [said(process, 15) for process in clients]
        check(told == ["done"] * 8, str(told))
    with open(fs.path("c"), "rb") as file:
        check(int(file.read()) == 960, "a count was lost")
    fs.stop()
