# SPDX-License-Identifier: MIT OR Apache-2.0
"""The high-level interface: what an operation returns as an error is what its client gets."""
import errno
import fcntl
import os
import stat
from pathlib import Path

from harness import libc
from pathfs import both_loops, path_fs
from registry import test
from t_basic import raises
from t_lowlevel_ops import AT_FORCE_SYNC, BASIC, BTIME, statx
from t_path_ops import GET


def file_of(fs, flags=os.O_RDWR):
    return os.open(fs("f"), flags)


def failing():
    """For each operation whose error a client can see, what makes the client call it on f, d and l."""
    return {
        "getattr": lambda fs: os.stat(fs("new")),
        "access": lambda fs: os.access(fs("f"), os.R_OK) or denied(),
        "readlink": lambda fs: os.readlink(fs("l")),
        "mknod": lambda fs: os.mknod(fs("n1"), 0o600 | stat.S_IFIFO),
        "mkdir": lambda fs: os.mkdir(fs("n2")),
        "unlink": lambda fs: os.unlink(fs("f")),
        "rmdir": lambda fs: os.rmdir(fs("d")),
        "symlink": lambda fs: os.symlink("x", fs("n3")),
        "rename": lambda fs: os.rename(fs("f"), fs("n4")),
        "link": lambda fs: os.link(fs("f"), fs("n5")),
        "chmod": lambda fs: os.chmod(fs("f"), 0o600),
        "chown": lambda fs: os.chown(fs("f"), 1, 1),
        "truncate": lambda fs: os.truncate(fs("f"), 1),
        "utimens": lambda fs: os.utime(fs("f")),
        "open": lambda fs: os.open(fs("f"), os.O_RDONLY),
        "create": lambda fs: os.open(fs("n6"), os.O_CREAT | os.O_WRONLY),
        "opendir": lambda fs: os.listdir(fs("d")),
        "readdir": lambda fs: os.listdir(fs("d")),
        "statfs": lambda fs: os.statvfs(fs()),
        "setxattr": lambda fs: os.setxattr(fs("f"), "user.n", b"v"),
        "getxattr": lambda fs: os.getxattr(fs("f"), "user.x"),
        "listxattr": lambda fs: os.listxattr(fs("f")),
        "removexattr": lambda fs: os.removexattr(fs("f"), "user.x"),
        "read": lambda fs: os.pread(file_of(fs), 10, 0),
        "write": lambda fs: os.pwrite(file_of(fs), b"x", 0),
        "read_buf": lambda fs: Path(fs("f")).read_bytes(),
        "write_buf": lambda fs: os.pwrite(file_of(fs), b"x", 0),
        "fsync": lambda fs: os.fsync(file_of(fs)),
        "fsyncdir": lambda fs: os.fsync(os.open(fs("d"), os.O_RDONLY)),
        "flush": lambda fs: os.close(file_of(fs)),
        "fallocate": lambda fs: os.posix_fallocate(file_of(fs), 0, 10),
        "lseek": lambda fs: os.lseek(file_of(fs), 0, os.SEEK_DATA),
        "copy_file_range": lambda fs: os.copy_file_range(file_of(fs), file_of(fs), 3, 0, 3),
        "ioctl": lambda fs: fcntl.ioctl(file_of(fs), GET, bytearray(4)),
        "lock": lambda fs: fcntl.lockf(file_of(fs), fcntl.LOCK_EX),
        "flock": lambda fs: fcntl.flock(file_of(fs), fcntl.LOCK_EX),
        "statx": lambda fs: statx(-100, fs("f"), AT_FORCE_SYNC, BASIC | BTIME),
    }


def without(op):
    """read and write are called where the other form is missing."""
    return f"{op}_buf" if op in ("read", "write") else ""


def denied():
    """os.access() keeps the error to itself."""
    raise OSError(errno.ENOSPC, "access")


@test("path ops")
@both_loops
def path_errors(env):
    """The error that an operation returns is the error that the client gets."""
    for op, action in failing().items():
        with path_fs(env, fail=f"{op}={errno.ENOSPC}", cfg="direct_io=1", without=without(op)) as fs:
            (fs.source / "f").write_text("content")
            (fs.source / "d").mkdir()
            (fs.source / "l").symlink_to("f")
            with raises(errno.ENOSPC, op):
                action(fs)
            libc.syncfs(0)
            for fd in range(3, 64):  # what the actions left open
                try:
                    if os.readlink(f"/proc/self/fd/{fd}").startswith(fs()):
                        os.close(fd)
                except OSError:
                    pass
