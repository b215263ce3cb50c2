# SPDX-License-Identifier: MIT OR Apache-2.0
"""Files that the kernel reads and writes itself: fuse_passthrough_open and _close."""
import ctypes
import mmap
import os
import signal
from pathlib import Path

from harness import check, cpus, in_parallel, libc, wait_for
from registry import test


def start(env, *args):
    backing = env.dir / "backing"
    backing.write_bytes(bytes(range(256)) * 400)
    return backing, env.start("backing_ll", *args, extra_env={"BACKING": str(backing)})


def use_beside_stopped_daemon(fd, backing):
    """Reads, writes and maps the file."""
    check(os.pread(fd, 102400, 0) == bytes(range(256)) * 400, "read")
    check(os.pwrite(fd, b"written past the daemon", 5000) == 23, "write")
    check(os.pwrite(fd, b"end", 200000) == 3, "write beyond the end")
    check(backing.read_bytes()[5000:5023] == b"written past the daemon", "content of the file below")
    check(backing.stat().st_size == 200003, "size of the file below")
    # By hand: Python's own mmap asks for the size, and the daemon can't say.
    libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [
        ctypes.c_long]
    address = libc.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
    check(address not in (None, 2 ** 64 - 1), "mmap")
    view = (ctypes.c_char * 4096).from_address(address)
    check(view[:4] == b"\0\1\2\3", "mapping")
    view[0:4] = b"mmap"
    check(os.pread(fd, 4, 0) == b"mmap" and backing.read_bytes()[:4] == b"mmap", "written to the mapping")
    libc.munmap(ctypes.c_void_p(address), 4096)


@test("passthrough", ours_only=True)
def passthrough_needs_no_daemon(env):
    """Data of a passthrough file is read, written and mapped while the daemon is stopped."""
    for args in ([], ["-s"]):
        backing, fs = start(env, *args)
        fd = os.open(fs.path("data"), os.O_RDWR)
        os.pwrite(fd, b"\0", 0)  # the first write asks for security.capability, once
        fs.kill(signal.SIGSTOP)
        try:
            wait_for(lambda: "T (stopped)" in Path(f"/proc/{fs.pid}/status").read_text(), 5, "a stopped daemon")
            results = in_parallel([lambda: use_beside_stopped_daemon(fd, backing)], limit=10)
            check(results == [None], f"{results[0]!r}")
        finally:
            fs.kill(signal.SIGCONT)
        os.close(fd)
        stats = wait_for(lambda: fs.stats()["closed"] != 1 and fs.stats(), 5, "release")
        check(stats["backing"] > 0 and stats["closed"] == 0, f"{stats}")
        check(stats["reads"] == 0 and stats["writes"] == 0 and stats["wrong"] == 0, f"{stats}")
        fs.stop()


@test("passthrough", ours_only=True)
def passthrough_many_times(env):
    """Ids are given up with their files: as many opens as one likes, by several clients at once."""
    _, fs = start(env)

    def use():
        for _ in range(200):
            fd = os.open(fs.path("data"), os.O_RDONLY)
            check(os.pread(fd, 10, 250) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3]), "read")
            os.close(fd)
    results = in_parallel([use] * 4, cpus())
    check(results == [None] * 4, f"{results}")
    wait_for(lambda: fs.stats()["users"] == 0, 5, "the last release")
    stats = fs.stats()
    check(stats["opens"] == 800 and stats["reads"] == 0 and stats["closed"] == 0, f"{stats}")
    fs.stop()
