# SPDX-License-Identifier: MIT OR Apache-2.0
"""The connection as a filesystem's init() settles it: options of the user, feature flags, limits, who may use it."""
import os
import re
import subprocess
import time
from pathlib import Path

from harness import check, wait_for
from registry import test
from t_lowlevel_ops import python_client, said

ASYNC_READ, POSIX_LOCKS, FLOCK_LOCKS = 1 << 0, 1 << 1, 1 << 10
SPLICE_WRITE, SPLICE_MOVE, SPLICE_READ = 1 << 7, 1 << 8, 1 << 9
AUTO_INVAL_DATA, ASYNC_DIO, WRITEBACK_CACHE = 1 << 12, 1 << 15, 1 << 16
READDIRPLUS, READDIRPLUS_AUTO, RING = 1 << 13, 1 << 14, 1 << 31

DEFAULT = {"max_write": 1 << 20, "max_readahead": 131072, "max_background": 0, "congestion_threshold": 0,
           "time_gran": 1, "same": 1}

# Options, what they change, which capabilities they add and which they take away.
TABLE = [
    ("", {}, 0, 0),
    ("max_write=65536,max_background=7", {"max_write": 65536, "max_background": 7}, 0, 0),
    ("max_readahead=4096,congestion_threshold=3", {"max_readahead": 4096, "congestion_threshold": 3}, 0, 0),
    ("time_gran=1000", {"time_gran": 1000}, 0, 0),
    ("sync_read", {}, 0, ASYNC_READ),
    ("async_read", {}, ASYNC_READ, 0),
    ("async_read,sync_read", {}, 0, ASYNC_READ),
    ("sync_read,async_read", {}, 0, ASYNC_READ),
    ("splice_write,splice_move,splice_read", {}, SPLICE_WRITE | SPLICE_MOVE | SPLICE_READ, 0),
    ("splice_write,no_splice_write", {}, 0, SPLICE_WRITE),
    ("no_splice_read,no_splice_move", {}, 0, SPLICE_READ | SPLICE_MOVE),
    ("no_auto_inval_data,no_async_dio", {}, 0, AUTO_INVAL_DATA | ASYNC_DIO),
    ("auto_inval_data,async_dio,writeback_cache", {}, AUTO_INVAL_DATA | ASYNC_DIO | WRITEBACK_CACHE, 0),
    ("writeback_cache,no_writeback_cache", {}, 0, WRITEBACK_CACHE),
    ("no_remote_lock", {}, 0, POSIX_LOCKS | FLOCK_LOCKS),
    ("no_remote_flock", {}, 0, FLOCK_LOCKS),
    ("no_remote_posix_lock", {}, 0, POSIX_LOCKS),
    ("atomic_o_trunc", {}, 0, 0),
    ("readdirplus=no", {}, 0, READDIRPLUS),
    ("readdirplus=yes", {}, 0, READDIRPLUS_AUTO),
    ("readdirplus=yes,readdirplus=auto", {}, 0, 0),
]


def shown(fs):
    """The numbers of the connection after init()."""
    line = wait_for(lambda: re.search(r"^call: init (.*)$", fs.stderr(), re.M), 5, "init").group(1)
    return {key: int(value, 0) for key, value in (field.split("=") for field in line.split())}


@test("ops", timeout=60)
def connection_options(env):
    """fuse_parse_conn_info_opts and fuse_apply_conn_info_opts: each option, and which of two wins."""
    found = {}
    for options, *_ in TABLE:
        fs = env.start("lowops_ll", *(["-o", options] if options else []), mode="foreground",
                       extra_env={"CONN_OPTS": "1"})
        found[options] = shown(fs)
        os.stat(fs.path("a"))
        fs.stop()
    base = found[""].pop("want")
    for options, changes, more, less in TABLE:
        want = found[options].pop("want", base)
        check(found[options] == {**DEFAULT, **changes}, f"{options}: {found[options]}")
        check(want == (base | more) & ~less, f"{options}: want {want:#x}, without options {base:#x}")


@test("ops", transports=("dev",))
def connection_options_refused(env):
    """A number that is none is an error; what is not known stays in the list and is refused there."""
    for options, word in (("max_write=x", "max_write"), ("readdirplus=maybe", "readdirplus")):
        code, text = env.start_fails("lowops_ll", "-o", options, mode="foreground", extra_env={"CONN_OPTS": "1"})
        check(code in (1, 3) and word in text, f"exit {code}: {text}")


def as_user(uid, *argv):
    done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *argv],
                          capture_output=True, text=True, timeout=10)
    return "ok" if done.returncode == 0 else done.stdout + done.stderr


@test("ops", peer_fails=("dev", "ring"))  # its FLUSH is refused, so close(2) fails and keeps locks
def allow_root_keeps_others_out(env):
    """Under allow_root a third user gets EACCES for whatever goes by name, root does not; open files go on."""
    Path("/etc/fuse.conf").write_text("user_allow_other\n")
    fs = env.start("lowops_ll", "-o", "allow_root")
    os.stat(fs.path("a"))
    check("Permission denied" in as_user(65534, "stat", fs.path("b")), "stat by another user")
    fd = os.open(fs.path("c"), os.O_RDWR)  # direct I/O: no look at the attributes
    os.write(fd, b"shared")
    code = ("import os, sys, errno\nos.setgid(65534); os.setuid(65534)\n"
            "def outcome(call, *args):\n"
            "    try: return call(*args) or 'ok'\n"
            "    except OSError as e: return errno.errorcode[e.errno]\n"
            "print(outcome(os.pread, 3, 6, 0), outcome(os.fsync, 3), outcome(os.lseek, 3, 0, 3), outcome(os.close, 3))\n")
    os.set_inheritable(fd, True)
    done = subprocess.run(["python3", "-c", code.replace(" 3,", f" {fd},").replace(" 3)", f" {fd})")], capture_output=True, text=True, timeout=10,
                          pass_fds=[fd])
    check(done.stdout == "b'shared' ok EACCES ok\n", f"{done.stdout} {done.stderr}")
    os.close(fd)
    fs.stop()


@test("ops", timeout=60, transports=("ring",))
def request_timeout(env):
    """conn->request_timeout: a request that gets no answer ends the connection (the kernel looks every 15 s, hence both
    transports at once)."""
    code = "fd = os.open(sys.argv[1], os.O_RDWR)\nprint(os.pread(fd, 100, 12 << 20))\n"
    mounts = [env.start("lowops_ll", extra_env={"REQUEST_TIMEOUT": "5"}, options=options, transport=transport)
              for transport, options in (("ring", []), ("dev", ["-o", "no_io_uring"]))]
    begin = time.monotonic()
    for fs, asker in [(fs, python_client(code, fs.path("c"))) for fs in mounts]:
        told = said(asker, 45)
        took = time.monotonic() - begin
        check("Error" in told and 4 < took < 40, f"after {took:.1f} s: {told[-200:]}")
    for fs in mounts:
        os.system(f"umount -l {fs.mnt}")
        fs.kill(9)
        fs.ended(-9)


# What init() does, and what that says and leaves: want and want_ext, each as bits more and less than before.
FEATURES = [
    ("set:1 unset:1", ["set 1"], (0, 1), (0, 1)),
    ("get:1 get:0x10000 get:0x8000000000000", ["get 1", "get 1", "get 0"], (0, 0), (0, 0)),
    ("set:4", ["set 0"], (0, 0), (0, 0)),
    ("set:0x10001", ["set 1"], (0x10000, 0), (0x10000, 0)),
    ("want+0x10000", [], (0x10000, 0), (0, 0)),
    ("want+0x10000 convert", ["convert 0"], (0x10000, 0), (0x10000, 0)),
    ("ext+0x10000 convert", ["convert 0"], (0x10000, 0), (0x10000, 0)),
    ("want-1 ext-0x1000 convert", ["convert -22"], (0, 1), (0, 0x1000)),
    ("want+0x10000 convert ext+0x20000", ["convert 0"], (0x10000, 0), (0x30000, 0)),
    ("want+0x20000 set:0x10000", ["set 1"], (0x30000, 0), (0x10000, 0)),
    ("want-0xffffffff unset:0x1000", [], (0, 0xffffffff), (0, 0x1000)),
    ("unset:0xffffffffffffffff", [], (0, 0xffffffff), (0, 0xffffffff)),
]
# What the filesystem can't have been told of, or contradicts: the session ends before a client is served.
IMPOSSIBLE = ["ext+0x8000000000000000", "want+4", "set:0x4000000010000", "read=4096"]


def told(fs):
    lines = wait_for(lambda: re.findall(r"^(?:set|get|convert|left) .*$", fs.stderr(), re.M), 5, "init")
    want, ext, same = re.match(r"left want=(\S+) ext=(\S+) capable=(\d)$", lines[-1]).groups()
    check(same == "1", "capable is not the low half of capable_ext")
    return lines[:-1], int(want, 0), int(ext, 0)


@test("ops")
def features_by_function_and_by_hand(env):
    """fuse_set_feature_flag and its like, want and want_ext: what they return, and what is left."""
    def run(words):
        fs = env.start("features_ll", extra_env={"FEATURES": words}, transport="any")
        result = told(fs)
        fs.stop()
        return result
    _, want, ext = run("")
    check(want == ext & 0xffffffff and ext & 1, f"the default: {want:#x} {ext:#x}")
    for words, says, (more, less), (ext_more, ext_less) in FEATURES:
        expected = says, (want | more) & ~less, (ext | ext_more) & ~ext_less
        check(run(words) == expected, f"{words}: {run(words)}, wanted {expected}")


@test("ops")
def features_that_are_not_there(env):
    """A wish that can't be had ends the session with an error, at its loop; nothing hangs."""
    for words in IMPOSSIBLE:
        fs = env.start("features_ll", extra_env={"FEATURES": words}, wait=False)
        fs.ended(2)
        check("rotocol error" in fs.stderr(), f"{words}: {fs.stderr()[-300:]}")
