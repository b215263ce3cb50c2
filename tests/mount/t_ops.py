# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the library answers for operations that a filesystem does not have."""
import errno
import os
import stat

from harness import Failed, check
from registry import test


def outcome(action):
    """'ok' or the name of the error."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "ok"


# What libfuse 3.18.3 gives with an empty table, on Linux 6.18. The root exists
# for the kernel, so that opening it succeeds (opendir and release are optional).
EMPTY_TABLE = {
    "stat of the root": "ENOSYS",
    "lookup": "ENOSYS",
    "chmod": "ENOSYS",
    "mkdir": "ENOSYS",
    "mknod": "ENOSYS",
    "symlink": "ENOSYS",
    "unlink": "ENOSYS",
    "rmdir": "ENOSYS",
    "rename": "ENOSYS",
    "create": "ENOSYS",
    "access": "ok",
    "statfs": "ok",
    "statfs name length": "ok",
    "opendir": "ok",
    "readdir": "ENOSYS",
    "fsyncdir": "ok",
    "setxattr": "ENOTSUP",
    "getxattr": "ENOTSUP",
    "listxattr": "ENOTSUP",
    "removexattr": "ENOTSUP",
}


def name_length(path):
    if os.statvfs(path).f_namemax != 255:
        raise OSError(errno.EINVAL, "f_namemax")


def access(path):
    if not os.access(path, os.R_OK):
        raise OSError(errno.EACCES, "access")


def fsync(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@test("ops")
def empty_operation_table(env):
    """No operation at all: ENOSYS or the library's default for each."""
    fs = env.start("empty_ll")
    p = fs.path
    actions = {
        "stat of the root": lambda: os.stat(fs.mnt),
        "lookup": lambda: os.stat(p("x")),
        "chmod": lambda: os.chmod(fs.mnt, 0o700),
        "mkdir": lambda: os.mkdir(p("x")),
        "mknod": lambda: os.mknod(p("x"), stat.S_IFIFO | 0o600),
        "symlink": lambda: os.symlink("a", p("x")),
        "unlink": lambda: os.unlink(p("x")),
        "rmdir": lambda: os.rmdir(p("x")),
        "rename": lambda: os.rename(p("x"), p("y")),
        "create": lambda: os.close(os.open(p("x"), os.O_CREAT | os.O_WRONLY)),
        "access": lambda: access(fs.mnt),
        "statfs": lambda: os.statvfs(fs.mnt),
        "statfs name length": lambda: name_length(fs.mnt),
        "opendir": lambda: os.close(os.open(fs.mnt, os.O_RDONLY | os.O_DIRECTORY)),
        "readdir": lambda: os.listdir(fs.mnt),
        "fsyncdir": lambda: fsync(fs.mnt),
        "setxattr": lambda: os.setxattr(fs.mnt, "user.a", b"1"),
        "getxattr": lambda: os.getxattr(fs.mnt, "user.a"),
        "listxattr": lambda: os.listxattr(fs.mnt),
        "removexattr": lambda: os.removexattr(fs.mnt, "user.a"),
    }
    got = {name: outcome(action) for name, action in actions.items()}
    fs.stop()
    different = {name: (got[name], want) for name, want in EMPTY_TABLE.items() if got[name] != want}
    if different:
        raise Failed(f"(got, wanted): {different}")
    check(set(got) == set(EMPTY_TABLE), "the table and the actions differ")


@test("ops")
def few_operations(env):
    """lookup, getattr, open and read only: the rest is refused, the four work on."""
    fs = env.start("want_ll@35")
    p = fs.path
    want = {"mkdir": "ENOSYS", "unlink": "ENOSYS", "chmod": "ENOSYS", "write": "ENOSYS", "listdir": "ENOSYS"}
    got = {
        "mkdir": outcome(lambda: os.mkdir(p("x"))),
        "unlink": outcome(lambda: os.unlink(p("hello"))),
        "chmod": outcome(lambda: os.chmod(p("hello"), 0o600)),
        "write": outcome(lambda: write(p("hello"))),
        "listdir": outcome(lambda: os.listdir(fs.mnt)),
    }
    with open(p("hello")) as file:
        check(file.read() == "hello\n", "content")
        os.fsync(file.fileno())
    fs.stop()
    check(got == want, f"got {got}, wanted {want}")


def write(path):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, b"x")
        os.fsync(fd)  # also brings out what the page cache kept
    finally:
        os.close(fd)
