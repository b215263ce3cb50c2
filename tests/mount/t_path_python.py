# SPDX-License-Identifier: MIT OR Apache-2.0
"""A filesystem in Python on our library: mfusepy looks functions up by name (dlsym) and calls them by ctypes.

MFUSEPY_PYTHON is an interpreter that has mfusepy; without it there is nothing to run.
"""
import os
import subprocess
import sys
from pathlib import Path

from harness import HERE, check, libc, mounts_below, ring_fds, wait_for
from registry import test
from t_basic import equal, raises

PYTHON = os.environ.get("MFUSEPY_PYTHON")


def use(mnt):
    """Some of everything that mfusepy passes on."""
    (mnt / "d").mkdir()
    (mnt / "f").write_bytes(b"0123456789" * 50_000)
    equal((mnt / "f").stat().st_size, 500_000, "size")
    (mnt / "f").rename(mnt / "d/g")
    check((mnt / "d/g").read_bytes() == b"0123456789" * 50_000, "content")
    os.truncate(mnt / "d/g", 5)
    equal((mnt / "d/g").read_bytes(), b"01234", "truncated")
    (mnt / "l").symlink_to("d/g")
    equal(os.readlink(mnt / "l"), "d/g", "link")
    equal(sorted(os.listdir(mnt)), ["d", "l"], "listing")
    os.chmod(mnt / "d/g", 0o604)
    os.chown(mnt / "d/g", 7, 8)
    os.utime(mnt / "d/g", (1000, 2000))
    info = (mnt / "d/g").stat()
    equal((info.st_mode & 0o777, info.st_uid, info.st_gid, int(info.st_mtime)), (0o604, 7, 8, 2000), "attributes")
    os.setxattr(mnt / "d/g", "user.a", b"value")
    equal((os.getxattr(mnt / "d/g", "user.a"), os.listxattr(mnt / "d/g")), (b"value", ["user.a"]), "xattrs")
    equal(os.statvfs(mnt).f_blocks, 4096, "statfs")
    with raises(2, "a missing file"):
        (mnt / "no").read_text()
    (mnt / "d/g").unlink()
    (mnt / "d").rmdir()
    equal(os.listdir(mnt), ["l"], "what is left")


def path_python_filesystem(env):
    """mfusepy runs a filesystem on the library, with several threads and with one."""
    for threads in ([], ["nothreads"]):
        mnt = env.mountpoint()
        words = [word for word in env.transport_options() if word != "-o"] + threads
        variables = {**os.environ, "FUSE_LIBRARY_PATH": f"{env.prefix}/lib/libfuse3.so.4"}
        fs = subprocess.Popen([PYTHON, HERE / "mfusepy_memory.py", mnt, *words], env=variables)
        wait_for(lambda: mounts_below(mnt), 10, "mount")
        use(Path(mnt))
        check(bool(ring_fds(fs.pid)) == (env.transport == "ring"), "the transport")
        check("libfuse3.so" in Path(f"/proc/{fs.pid}/maps").read_text(), "the library")
        check(str(Path(env.prefix).resolve()) in Path(f"/proc/{fs.pid}/maps").read_text(), "the library is ours")
        check(libc.umount2(str(mnt).encode(), 0) == 0, "umount")
        equal(fs.wait(10), 0, "exit code")


if PYTHON:
    test("path python")(path_python_filesystem)
else:
    print("note: path_python_filesystem needs MFUSEPY_PYTHON", file=sys.stderr)
