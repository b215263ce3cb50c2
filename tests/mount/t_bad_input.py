# SPDX-License-Identifier: MIT OR Apache-2.0
"""Wrong command lines, missing rights, plain users, and wrong filesystems."""
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

from harness import check, client, libc, mounts_below, wait_for
from registry import test


def refused(env, args=(), names=(), mnt=None, code=1, **kw):
    """The start fails with `code` and a message that names the thing."""
    result = env.start_fails("probe_ll", *args, mode="foreground", mnt=mnt, **kw)
    check(result[0] == code, f"exit {result[0]}, wanted {code}: {result[1]}")
    for name in names:
        check(name in result[1], f"the message does not name {name!r}: {result[1]!r}")


@test("input", transports=("dev",))
def unknown_option(env):
    """An option that nobody knows."""
    refused(env, ["-o", "nosuchthing"], ["nosuchthing"])
    refused(env, ["--nosuchthing"], ["--nosuchthing"])
    refused(env, ["-o", "ro,alsonot=5"], ["alsonot=5"])


@test("input", transports=("dev",))
def bad_mountpoint(env):
    """Missing, a file of the wrong kind of path, none, two."""
    refused(env, names=[f"{env.dir}/missing"], mnt=f"{env.dir}/missing")
    binary = str(env.builder.build("probe_ll"))
    for argv, name in (([binary, "-f"], "mountpoint"), ([binary, "-f", "/tmp", "/var"], "/var")):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
        check(done.returncode == 1, f"exit {done.returncode}")
        check(name in done.stderr, f"{name!r} not in {done.stderr!r}")


@test("input", transports=("dev",))
def file_as_mountpoint(env):
    """A regular file can be mounted on; the root is then no directory for it."""
    path = env.dir / "file"
    path.write_text("")
    fs = env.probe(mnt=path, transport="any")
    fs.stop()


@test("input", transports=("dev",))
def device_missing(env):
    """No /dev/fuse: by variable and in a mount namespace."""
    refused(env, names=["/nonexistent/fuse"], extra_env={"FUSE_KERN_DEVICE": "/nonexistent/fuse"})
    refused(env, names=["/dev/fuse"],
            wrapper=["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh"])


@test("input", transports=("dev",))
def help_and_version(env):
    """-h and -V exit 0 and say something."""
    for flag, word in (("-h", "max_threads"), ("--help", "allow_other"), ("-V", "3.18"), ("--version", "fusermount3")):
        done = subprocess.run([str(env.builder.build("probe_ll")), flag], capture_output=True,
                              text=True, timeout=5, stdin=subprocess.DEVNULL)
        check(done.returncode == 0, f"{flag}: exit {done.returncode}")
        check(word in done.stdout + done.stderr, f"{flag} does not mention {word}")


class PlainUser:
    """Makes /dev/fuse usable for plain users, as udev does, for a while."""

    def __enter__(self):
        self.mode = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
        os.chmod("/dev/fuse", 0o666)
        return 65534

    def __exit__(self, *_):
        os.chmod("/dev/fuse", self.mode)


def users_mountpoint(env):
    mnt = env.mountpoint()
    os.chown(mnt, 65534, 65534)
    return mnt


def as_user(argv, **kw):
    return subprocess.run(argv, user=65534, group=65534, extra_groups=[], timeout=10,
                          capture_output=True, text=True, **kw)


@test("user")
def plain_user_mounts(env):
    """A plain user mounts and unmounts through fusermount3."""
    with PlainUser() as user:
        mnt = users_mountpoint(env)
        fs = env.probe(mnt=mnt, user=user, transport="any" if env.peer else None)
        done = as_user(["stat", f"{mnt}/f.1"])
        check(done.returncode == 0, done.stderr)
        done = as_user(["fusermount3", "-u", str(mnt)])
        check(done.returncode == 0, done.stderr)
        fs.ended(0)
        fs = env.probe(mnt=mnt, user=user, transport="any" if env.peer else None)
        fs.kill()
        fs.ended(100 + signal.SIGTERM)


@test("user", transports=("dev",))
def plain_user_without_a_path(env):
    """A daemon whose PATH has no fusermount3 finds it in /usr/bin, as with a libfuse of the system."""
    check(os.path.exists("/usr/bin/fusermount3"), "this test needs a fusermount3 in /usr/bin")
    with PlainUser() as user:
        mnt = users_mountpoint(env)
        fs = env.probe(mnt=mnt, user=user, transport="any", extra_env={"PATH": "/nowhere"})
        done = as_user(["stat", f"{mnt}/f.1"])
        check(done.returncode == 0, done.stderr)
        fs.kill()
        fs.ended(100 + signal.SIGTERM)


@test("user", transports=("dev",))
def plain_user_refused(env):
    """A plain user may not mount where he may not write, nor allow_other."""
    with PlainUser() as user, UserAllowOther(False):
        refused(env, names=["fusermount3"], user=user)
        refused(env, ["-o", "allow_other"], ["allow_other"], mnt=users_mountpoint(env), user=user)
    mode = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
    os.chmod("/dev/fuse", 0o600)
    try:
        refused(env, names=["/dev/fuse"], mnt=users_mountpoint(env), user=65534)
    finally:
        os.chmod("/dev/fuse", mode)


def fusermount_of(mnt):
    """fusermount3 processes that watch this mount."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"fusermount3" in os.path.basename(words[0]) and str(mnt).encode() in words:
            found.append(int(entry))
    return found


def fusermount_watches():
    """fusermount3 --auto-unmount, for mounts it did not make, is new in 3.17."""
    text = subprocess.run(["fusermount3", "--version"], capture_output=True, text=True).stdout
    new = [int(n) for n in text.split()[-1].split(".")[:2]] >= [3, 17]
    if not new:
        print(f"      note: {text.strip()}: too old for auto_unmount of root's mounts")
    return new


class UserAllowOther:
    """user_allow_other in fuse.conf, or not, for a while, whatever this machine has there."""

    path = Path("/etc/fuse.conf")

    def __init__(self, allowed):
        self.allowed = allowed

    def __enter__(self):
        self.before = self.path.read_text() if self.path.exists() else None
        others = [line for line in (self.before or "").splitlines() if line.strip() != "user_allow_other"]
        self.path.write_text("\n".join(others + ["user_allow_other"] * self.allowed) + "\n")

    def __exit__(self, *_):
        if self.before is None:
            self.path.unlink()
        else:
            self.path.write_text(self.before)


def watched(env, user, mnt):
    return env.probe("-o", "auto_unmount,allow_other", mnt=mnt, user=user, mode="foreground",
                     transport="any" if env.peer else None)


@test("user", timeout=40, peer_fails=("ring?",))
def auto_unmount(env):
    """-o auto_unmount: a killed daemon's mount goes away, for root and users."""
    # Older fusermount3 watch a user's mount only if root may look at it.
    with PlainUser() as plain, UserAllowOther(True):
        for user in ((None, plain) if fusermount_watches() else (plain,)):
            mnt = users_mountpoint(env)
            fs = watched(env, user, mnt)
            os.stat(f"{mnt}/f.1")
            fs.kill(signal.SIGKILL)
            wait_for(lambda: not mounts_below(mnt), 5, f"auto_unmount (user {user})")
            wait_for(lambda: not fusermount_of(mnt), 5, "end of fusermount3")
            fs.ended(-signal.SIGKILL)
            fs = watched(env, user, mnt)
            os.stat(f"{mnt}/f.1")
            fs.kill()
            fs.ended(100 + signal.SIGTERM)
            wait_for(lambda: not fusermount_of(mnt), 5, "end of fusermount3 after a clean end")


@test("input", ours_only=True)
def second_reply_is_refused(env):
    """Replying twice is logged; the mount works on. (libfuse crashes.)"""
    for loop in ([], ["-s"]):
        fs = env.probe(*loop, mode="foreground")
        for n in range(20):
            os.stat(fs.path(f"twice.{n}"))
            os.stat(fs.path(f"f.{n}"))
        fs.stop()
        check("fuse:" in fs.stderr(), f"nothing logged: {fs.stderr()!r}")


@test("input", ours_only=True)
def reply_to_null(env):
    """fuse_reply_* on NULL fails without a crash."""
    fs = env.probe()
    os.stat(fs.path("null"))
    os.stat(fs.path("f.1"))
    fs.stop()


@test("input", timeout=15, peer_fails=("ring",))
def never_replies(env):
    """Requests that are never answered are freed at the end."""
    fs = env.probe()
    clients = [client("stat", fs.path(f"never.{n}")) for n in range(20)]
    time.sleep(0.3)
    os.stat(fs.path("f.1"))
    libc.umount2(str(fs.mnt).encode(), 1)
    libc.umount2(str(fs.mnt).encode(), 2)
    fs.ended(0)
    for each in clients:
        each.wait(5)
        check(each.returncode != 0, "an unanswered request succeeded")


@test("input", transports=("dev",))
def dead_mountpoint(env):
    """A mount point whose daemon was killed is refused, and free again after umount -l."""
    mnt = env.mountpoint()
    fs = env.probe(mnt=mnt, mode="foreground")
    fs.kill(signal.SIGKILL)
    wait_for(lambda: fs.poll() is not None, 5, "end")
    done = subprocess.run([str(env.builder.build("probe_ll")), "-f", str(mnt)], capture_output=True,
                          text=True, timeout=5, stdin=subprocess.DEVNULL)
    check(done.returncode == 1, f"exit {done.returncode}")
    check(str(mnt) in done.stderr, f"the message does not name it: {done.stderr!r}")
    libc.umount2(str(mnt).encode(), 2)
    fs = env.probe(mnt=mnt)
    os.stat(fs.path("f"))
    fs.stop()
