# SPDX-License-Identifier: MIT OR Apache-2.0
"""Operations and replies of the low-level interface that memfs_ll has not: each does what it should, and an error of
its handler is the client's error."""
import ctypes
import errno
import fcntl
import os
import re
import select
import signal
import subprocess
import threading
import time

from harness import check, libc, wait_for
from registry import test
from t_ops import outcome

SLOW_CLIENT = 0.3


def calls(fs, first=""):
    """What the filesystem was asked, oldest first."""
    return [line for line in re.findall(r"^call: (.*)$", fs.stderr(), re.M) if line.startswith(first)]


def last_call(fs, first):
    found = calls(fs, first)
    check(found, f"{first!r} was never called: {calls(fs)[-5:]}")
    return found[-1]


def fail(fs, op, number):
    os.setxattr(fs.mnt, "user.fail", f"{op} {number}".encode())


def no_fail(fs):
    os.setxattr(fs.mnt, "user.fail", b"")


def error_arrives(fs, op, action, number=errno.EDOM):
    """The error of the handler is the client's, and the next call works again."""
    fail(fs, op, number)
    got = outcome(action)
    no_fail(fs)
    check(got == errno.errorcode[number], f"{op}: {got} instead of {errno.errorcode[number]}")


def last_outcome(fs):
    """What the last reply function returned to the filesystem."""
    return int(os.getxattr(fs.mnt, "user.outcome"))


def ioc(direction, number, size):
    """_IOC() of the C headers; direction is a sum of 1 (write, towards the filesystem) and 2 (read)."""
    return direction << 30 | size << 16 | ord("T") << 8 | number


def python_client(code, *args):
    """A client in a process of its own that says "ready" before it may block."""
    lines = "import os, sys, fcntl, signal, time\n" + code
    return subprocess.Popen(["python3", "-c", lines, *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def said(process, seconds=5):
    """All that a client said until its end."""
    try:
        return process.communicate(timeout=seconds)[0].strip()
    except subprocess.TimeoutExpired:
        process.kill()
        return f"still there after {seconds} s"


def interrupted(fs, start, call, signum=signal.SIGUSR1):
    """Starts a client, signals it once its call has arrived, sees it end, and returns what it said."""
    before, earlier = len(calls(fs, "interrupted")), len(calls(fs, call))
    process = start()
    wait_for(lambda: len(calls(fs, call)) > earlier, 5, f"the call {call!r}")
    time.sleep(SLOW_CLIENT)
    check(process.poll() is None, f"{call} did not block")
    begin = time.monotonic()
    process.send_signal(signum)
    process.wait(5)
    took = time.monotonic() - begin
    check(took < 1, f"{took:.1f} s from the signal to the client's end")
    wait_for(lambda: len(calls(fs, "interrupted")) > before, 2, "the handler to learn of it")
    told = said(process)
    check(signum == signal.SIGKILL or "told to stop" in told, f"the client said {told!r}")


# A Python system call that gets EINTR is tried again unless the handler raises.
STOP = "def stop(*_): raise InterruptedError(4, 'told to stop')\n" + "signal.signal(signal.SIGUSR1, stop)\n"


# ---- ioctl ----

@test("ops")
def ioctl_moves_data(env):
    """In, out, both, none; the result; the sizes of a command from 1 byte to the largest."""
    fs = env.start("lowops_ll")
    fd = os.open(fs.path("a"), os.O_RDWR)
    for size in (1, 8, 4096, 4097, 16383):
        buf = bytearray(size)
        check(fcntl.ioctl(fd, ioc(2, 1, size), buf) == 7 and buf == b"r" * size, f"out {size}")
        check(last_outcome(fs) == 0, "fuse_reply_ioctl")
        data = bytearray(os.urandom(size))
        check(fcntl.ioctl(fd, ioc(1, 2, size), data) == sum(data), f"in {size}")
        want = bytes(data[::-1])
        check(fcntl.ioctl(fd, ioc(3, 3, size), data) == 0 and data == want, f"both {size}")
        want = bytes(data[::-1])
        check(fcntl.ioctl(fd, ioc(3, 6, size), data) == 3 and data == want, f"in parts {size}")
    check(last_call(fs, "ioctl 2 3") == "ioctl 2 3 in 16383 out 16383", last_call(fs, "ioctl 2 3"))
    check(fcntl.ioctl(fd, ioc(0, 4, 0), 12345) == 12345, "a number as argument")
    check(outcome(lambda: fcntl.ioctl(fd, ioc(0, 4, 0), -errno.EACCES)) == "EACCES", "a negative result is an error")
    buf = bytearray(b"x" * 100)
    check(fcntl.ioctl(fd, ioc(2, 9, 100), buf) == 0 and buf[:50] == b"s" * 50, "less than there is room for")
    os.close(fd)
    fs.stop()


@test("ops")
def ioctl_refusals(env):
    """Errors, unknown commands, retry where it is not allowed, more data than asked for, directories."""
    fs = env.start("lowops_ll")
    fd = os.open(fs.path("a"), os.O_RDWR)
    error_arrives(fs, "ioctl", lambda: fcntl.ioctl(fd, ioc(0, 4, 0), 1))
    check(outcome(lambda: fcntl.ioctl(fd, ioc(0, 99, 0), 1)) == "ENOTTY", "unknown command")
    check(outcome(lambda: fcntl.ioctl(fd, ioc(3, 5, 8), bytearray(8))) == "EIO", "retry of a restricted ioctl")
    check(outcome(lambda: fcntl.ioctl(fd, ioc(2, 8, 64), bytearray(64))) in ("EIO", "EINVAL"), "too much data")
    check(fcntl.ioctl(fd, ioc(0, 4, 0), 5) == 5, "after the refusals")
    os.close(fd)
    directory = os.open(fs.mnt, os.O_RDONLY | os.O_DIRECTORY)
    check(fcntl.ioctl(directory, ioc(0, 4, 0), 6) == 6, "of a directory")
    check(last_call(fs, "ioctl") == "ioctl 1 4 dir in 0 out 0", last_call(fs, "ioctl"))
    os.close(directory)
    fs.stop()


@test("ops")
def ioctl_of_directories_unwanted(env):
    """Without FUSE_CAP_IOCTL_DIR a directory has no ioctl, and the handler is not asked."""
    fs = env.start("lowops_ll", extra_env={"UNSET": "0x800"})
    directory = os.open(fs.mnt, os.O_RDONLY | os.O_DIRECTORY)
    check(outcome(lambda: fcntl.ioctl(directory, ioc(0, 4, 0), 6)) == "ENOTTY", "ioctl of a directory")
    check(not calls(fs, "ioctl"), "it was called")
    os.close(directory)
    fs.stop()


@test("ops", peer_fails=("ring",))
def ioctl_interrupted(env):
    """A signal ends a client's ioctl; without one it goes on when the filesystem lets it."""
    fs = env.start("lowops_ll")
    code = STOP + "fd = os.open(sys.argv[1], os.O_RDWR)\nprint(fcntl.ioctl(fd, int(sys.argv[2]), 0))\n"
    for signum in (signal.SIGUSR1, signal.SIGKILL):
        interrupted(fs, lambda: python_client(code, fs.path("a"), ioc(0, 7, 0)), "ioctl 2 7", signum)
    waiting = python_client(code, fs.path("a"), ioc(0, 7, 0))
    wait_for(lambda: len(calls(fs, "ioctl 2 7")) == 3, 5, "the third call")
    os.setxattr(fs.mnt, "user.release", b"")
    check(said(waiting) == "1", "released")
    fs.stop()


@test("ops", peer_fails=())
def ioctl_of_32_bit_programs(env):
    """A call through the 32-bit entry of the kernel is marked as such."""
    fs = env.start("lowops_ll")
    done = subprocess.run([str(env.builder.build("ioctl_compat")), fs.path("a")], capture_output=True, text=True,
                          timeout=10)
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    check(last_call(fs, "ioctl") == "ioctl 2 3 compat in 8 out 8", last_call(fs, "ioctl"))
    fs.stop()


# ---- poll ----

@test("ops")
def poll_and_epoll(env):
    """poll asks, epoll waits until the filesystem tells; errors; a client that goes away while it waits."""
    fs = env.start("lowops_ll")
    fd = os.open(fs.path("a"), os.O_RDWR)
    poller = select.poll()
    poller.register(fd, select.POLLIN | select.POLLOUT)
    check(poller.poll(1000) == [(fd, select.POLLOUT)], "writable only")
    epoll = select.epoll()
    epoll.register(fd, select.EPOLLIN)
    check(epoll.poll(0.2) == [], "readable too early")
    got = []
    waiter = threading.Thread(target=lambda: got.extend(epoll.poll(5)))
    waiter.start()
    time.sleep(0.2)
    begin = time.monotonic()
    os.setxattr(fs.mnt, "user.ready", b"5")
    waiter.join(6)
    check(got == [(fd, select.EPOLLIN)] and time.monotonic() - begin < 1, f"epoll: {got}")
    check(last_call(fs, "notify_poll") == "notify_poll 0", "notification")
    check(any(line.endswith(" notify") for line in calls(fs, "poll")), "no handle was given")
    epoll.close()
    fail(fs, "poll", errno.EDOM)
    check(poller.poll(1000)[0][1] & select.POLLERR, "an error of the handler")
    no_fail(fs)
    os.close(fd)
    os.setxattr(fs.mnt, "user.ready", b"1")  # nobody waits any more
    fs.stop()


@test("ops")
def poll_interrupted(env):
    """A client killed while it waits in poll(2) ends at once."""
    fs = env.start("lowops_ll")
    waiting = python_client("import select\np = select.poll()\np.register(os.open(sys.argv[1], os.O_RDWR), select.POLLIN)\n"
                            "p.poll()\n", fs.path("a"))
    wait_for(lambda: calls(fs, "poll"), 5, "poll")
    time.sleep(SLOW_CLIENT)
    begin = time.monotonic()
    waiting.kill()
    waiting.wait(5)
    check(time.monotonic() - begin < 1, "slow end")
    os.setxattr(fs.mnt, "user.ready", b"1")
    fs.stop()


# ---- data without read and write ----

def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


@test("ops")
def fallocate_modes(env):
    """Sizes grow, holes are punched, what is not supported is said."""
    fs = env.start("lowops_ll")
    fd = os.open(fs.path("a"), os.O_RDWR)
    fallocate(fd, 0, 0, 10000)
    check(os.fstat(fd).st_size == 10000, "size")
    fallocate(fd, 1, 0, 20000)
    check(os.fstat(fd).st_size == 10000, "KEEP_SIZE")
    os.pwrite(fd, b"x" * 10000, 0)
    fallocate(fd, 3, 1000, 3000)
    check(os.pread(fd, 10000, 0) == b"x" * 1000 + bytes(3000) + b"x" * 6000, "PUNCH_HOLE")
    check(last_call(fs, "fallocate") == "fallocate 3 1000 3000", last_call(fs, "fallocate"))
    check(outcome(lambda: fallocate(fd, 0x10, 0, 4096)) == "ENOTSUP", "ZERO_RANGE")
    error_arrives(fs, "fallocate", lambda: fallocate(fd, 0, 0, 1), errno.ENOSPC)
    os.close(fd)
    fs.stop()


@test("ops")
def lseek_data_and_holes(env):
    """SEEK_DATA and SEEK_HOLE; past the end; offsets beyond 4 GiB."""
    fs = env.start("lowops_ll")
    fd = os.open(fs.path("a"), os.O_RDWR)
    os.pwrite(fd, b"x", 3 * 4096 + 5)
    os.pwrite(fd, b"x", 8 * 4096 - 1)
    found = [os.lseek(fd, at, how) // 4096 for at, how in
             ((0, os.SEEK_HOLE), (0, os.SEEK_DATA), (3 * 4096, os.SEEK_HOLE), (4 * 4096, os.SEEK_DATA),
              (7 * 4096, os.SEEK_HOLE))]
    check(found == [0, 3, 4, 7, 8], str(found))
    check(outcome(lambda: os.lseek(fd, 1 << 33, os.SEEK_DATA)) == "ENXIO", "past the end")
    check(last_call(fs, "lseek") == f"lseek {1 << 33} 3", last_call(fs, "lseek"))
    error_arrives(fs, "lseek", lambda: os.lseek(fd, 0, os.SEEK_DATA))
    os.close(fd)
    fs.stop()


@test("ops")
def copy_file_range_(env):
    """Within and between files, short at the end, errors; not implemented becomes a copy of the kernel's."""
    fs = env.start("lowops_ll")
    a, b = os.open(fs.path("a"), os.O_RDWR), os.open(fs.path("b"), os.O_RDWR)
    data = os.urandom(3 << 20)
    os.pwrite(a, data, 0)
    check(os.copy_file_range(a, b, 2 << 20, 1 << 20, 5) == 2 << 20, "count")
    check(os.pread(b, 2 << 20, 5) == data[1 << 20:], "content")
    check(last_call(fs, "copy") == f"copy 2 {1 << 20} 3 5 {2 << 20} 0", last_call(fs, "copy"))
    check(os.copy_file_range(a, b, 1 << 20, (3 << 20) - 10, 0) == 10, "short at the end")
    check(os.copy_file_range(a, b, 100, 3 << 20, 0) == 0, "at the end")
    error_arrives(fs, "copy", lambda: os.copy_file_range(a, b, 10, 0, 0), errno.ENOSPC)
    fail(fs, "copy", errno.ENOSYS)
    check(os.copy_file_range(a, b, 100, 7, 0) == 100 and os.pread(b, 100, 0) == data[7:107], "by the kernel")
    os.close(a)
    os.close(b)
    fs.stop()


@test("ops")
def tmpfile_(env):
    """O_TMPFILE: the mode and umask arrive, the file can be used; an error is the client's."""
    fs = env.start("lowops_ll")
    old = os.umask(0o027)
    fd = os.open(fs.mnt, os.O_TMPFILE | os.O_RDWR, 0o666)
    os.umask(old)
    check(last_call(fs, "tmpfile") == "tmpfile 100640 umask 27", last_call(fs, "tmpfile"))
    os.write(fd, b"nameless")
    check(os.pread(fd, 10, 0) == b"nameless" and os.fstat(fd).st_nlink in (0, 1), "content")
    os.close(fd)
    wait_for(lambda: calls(fs, "release"), 5, "release")
    error_arrives(fs, "tmpfile", lambda: os.open(fs.mnt, os.O_TMPFILE | os.O_RDWR), errno.ENOSPC)
    fs.stop()


class Statx(ctypes.Structure):
    _fields_ = [("mask", ctypes.c_uint32), ("blksize", ctypes.c_uint32), ("attributes", ctypes.c_uint64),
                ("nlink", ctypes.c_uint32), ("uid", ctypes.c_uint32), ("gid", ctypes.c_uint32),
                ("mode", ctypes.c_uint16), ("pad", ctypes.c_uint16), ("ino", ctypes.c_uint64),
                ("size", ctypes.c_uint64), ("blocks", ctypes.c_uint64), ("attributes_mask", ctypes.c_uint64),
                ("atime", ctypes.c_int64 * 2), ("btime", ctypes.c_int64), ("btime_nsec", ctypes.c_uint32),
                ("rest", ctypes.c_uint8 * 164)]


def statx(dirfd, path, flags, mask):
    found = Statx()
    if libc.statx(dirfd, path.encode(), flags, mask, ctypes.byref(found)) != 0:
        raise OSError(ctypes.get_errno(), "statx")
    return found


AT_EMPTY_PATH, AT_FORCE_SYNC, BASIC, BTIME = 0x1000, 0x2000, 0x7ff, 0x800


@test("ops")
def statx_with_birth_time(env):
    """The birth time arrives, by name and by open file; ENOSYS falls back to getattr."""
    fs = env.start("lowops_ll")
    found = statx(-100, fs.path("a"), AT_FORCE_SYNC, BASIC | BTIME)
    check((found.btime, found.btime_nsec) == (77, 99) and found.mask & BTIME, f"{found.btime} {found.btime_nsec}")
    check(found.ino == 2 and found.mode == 0o100644, "the rest")
    check("statx 2 " in last_call(fs, "statx") and "btime 1" in last_call(fs, "statx"), last_call(fs, "statx"))
    fd = os.open(fs.path("a"), os.O_RDWR)
    check(statx(fd, "", AT_EMPTY_PATH | AT_FORCE_SYNC, BASIC | BTIME).btime == 77, "of an open file")
    os.close(fd)
    error_arrives(fs, "statx", lambda: statx(-100, fs.path("a"), AT_FORCE_SYNC, BASIC | BTIME))
    fail(fs, "statx", errno.ENOSYS)
    found = statx(-100, fs.path("a"), AT_FORCE_SYNC, BASIC | BTIME)
    check(found.mask & BTIME == 0 and found.ino == 2, "without the operation")
    fs.stop()


# ---- what a request tells ----

def who(fs):
    text = os.getxattr(fs.mnt, "user.who").decode()
    return dict(field.split("=") for field in text.split())


def as_groups(groups, action):
    """Runs in a child with these supplementary groups; returns what it says."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups(groups)
        os.write(write_end, action().encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


@test("ops")
def groups_of_the_caller(env):
    """fuse_req_getgroups: none, some, very many; counting only; fuse_req_ctx; fuse_req_is_uring."""
    fs = env.start("lowops_ll")
    for groups in ([], [5], [4, 24, 1000], list(range(100, 900))):
        told = dict(field.split("=") for field in as_groups(
            groups, lambda: f"me={os.getpid()} " + os.getxattr(fs.mnt, "user.who").decode()).split())
        check(told["groups"] == "".join(f"{g}," for g in groups), f"{told['groups'][:80]} for {groups[:5]}")
        check(told["n"] == told["count"] == str(len(groups)), str(told)[:200])
        check(told["ctx"] == f"0:0:{told['me']}", told["ctx"])
        check(told["uring"] == str(int(env.ring)), "fuse_req_is_uring")
    fs.stop()


@test("ops")
def groups_of_nobody(env):
    """A request that no process sends has no groups to be found."""
    fs = env.start("lowops_ll")
    os.close(os.open(fs.path("a"), os.O_RDWR))
    wait_for(lambda: calls(fs, "release"), 5, "release")
    check(last_call(fs, "groups") == f"groups {-errno.EIO} of pid 0", last_call(fs, "groups"))
    fs.stop()


@test("ops")
def reply_in_place(env):
    """fuse_req_get_payload: a reply written where it goes; -EINVAL on the device."""
    fs = env.start("lowops_ll")
    fd = os.open(fs.path("c"), os.O_RDWR)  # direct I/O: each read is a request
    data = os.urandom(3 << 20)
    check(os.pwrite(fd, data, 0) == len(data), "write")
    for size in (1, 4096, 100001, 1 << 20, (1 << 20) + 1, 3 << 20):
        check(os.pread(fd, size, 7) == data[7:7 + size], f"{size} bytes")
    check(os.pread(fd, 10, 3 << 20) == b"", "past the end")
    os.close(fd)
    told = calls(fs, "get_payload")
    if env.ring:
        check(not told, str(told))
    else:
        check(told and set(told) == {f"get_payload {-errno.EINVAL} uring 0"}, str(told[:3]))
    fs.stop()
