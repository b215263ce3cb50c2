# SPDX-License-Identifier: MIT OR Apache-2.0
"""The daemons that are compared: which library, and what /proc tells about it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """Something could not be done; the text says what and why."""


class Variant:
    """A way to serve a filesystem: a library, its options and environment, and the transport it must then use.

    role: "peer" (libfuse), "ours", or "limit" (a program of its own, no library)."""

    def __init__(self, name, prefix, options=(), env=None, role="ours"):
        self.name, self.role = name, role
        self.options, self.env = list(options), dict(env or {})
        self.prefix = pathlib.Path(prefix).resolve() if prefix else None
        self.libdir = self.prefix / "lib" if prefix else None
        if self.libdir and not (self.libdir / "libfuse3.so.4").exists():
            raise Failed(f"{self.libdir}/libfuse3.so.4 is missing")
        self.transport = self._transport()

    def _transport(self):
        if self.role == "peer":
            return "ring" if "io_uring" in ",".join(self.options) else "dev"
        off = "no_io_uring" in ",".join(self.options) or self.env.get("FUSE_URING_ENABLE") == "0"
        return "dev" if off else "ring"

    @classmethod
    def parse(cls, text):
        """NAME=PREFIX[,-oOPTION...][,ENV=VALUE...]; the prefix `limit` is limit.c."""
        name, sep, rest = text.partition("=")
        prefix, *items = rest.split(",")
        if not sep or not name or not prefix:
            raise Failed(f"--variant {text}: not NAME=PREFIX[,-oOPTION][,ENV=VALUE]")
        options = [i for i in items if i.startswith("-")]
        env = dict(i.split("=", 1) for i in items if not i.startswith("-") and "=" in i)
        if len(options) + len(env) != len(items):
            raise Failed(f"--variant {text}: an item is neither -OPTION nor ENV=VALUE")
        if prefix == "limit":
            return cls(name, None, options, env, "limit")
        return cls(name, prefix, options, env)

    def describe(self):
        return {"name": self.name, "role": self.role, "transport": self.transport,
                "prefix": str(self.prefix) if self.prefix else None,
                "options": self.options, "env": self.env}


def alive(pid):
    """A zombie that nobody has waited for is not alive."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def find_daemon(mountpoint):
    """The process that serves the mount point: its last argument."""
    for proc in pathlib.Path("/proc").iterdir():
        if not proc.name.isdigit():
            continue
        try:
            args = (proc / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(args) > 2 and args[-2] == os.fsencode(mountpoint):
            return int(proc.name)
    return None


class Mount:
    """A real daemon (in the background, in a session of its own) serving a filesystem."""

    def __init__(self, variant, binary, options, mountpoint):
        self.variant, self.mountpoint, self.pid = variant, mountpoint, None
        env = {k: v for k, v in os.environ.items() if not k.startswith("FUSE_")}
        env.update(variant.env)
        if variant.libdir:
            env["LD_LIBRARY_PATH"] = str(variant.libdir)
        command = [str(binary), *variant.options, *options, str(mountpoint)]
        try:
            subprocess.run(command, env=env, check=True, timeout=10, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.pid = find_daemon(mountpoint)
            if self.pid is None:
                raise Failed("no daemon serves it")
            # The session is up after the first reply; if there is none, somebody else waits for it.
            subprocess.run(["stat", str(mountpoint)], check=True, timeout=5, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
            time.sleep(0.1)
            self.check_library()
        except (OSError, subprocess.SubprocessError, Failed) as e:
            self.unmount()
            why = " ".join((getattr(e, "stderr", None) or str(e)).split())
            raise Failed(f"no mount: {why}") from e
        except BaseException:  # interrupted
            self.unmount()
            raise

    def check_library(self):
        if self.variant.libdir is None:
            return
        maps = pathlib.Path(f"/proc/{self.pid}/maps").read_text()
        if str(self.variant.libdir) not in maps:
            raise Failed(f"the daemon does not use {self.variant.libdir}")

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise Failed("the daemon is gone")

    def cpu_seconds(self):
        """Of all its threads, ended ones too."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def switches(self):
        """Context switches of all threads that there are now: each wake-up is at least one."""
        total = 0
        for status in pathlib.Path(f"/proc/{self.pid}/task").glob("*/status"):
            try:
                lines = status.read_text().splitlines()
            except OSError:
                continue
            total += sum(int(l.split()[1]) for l in lines if "ctxt_switches" in l)
        return total

    def ring_completions(self):
        """Completions seen by all io_urings of the daemon: at least one per ring request."""
        total = 0
        for fd in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                if os.readlink(fd) == "anon_inode:[io_uring]":
                    total += self.completions_of(fd.name)
            except OSError:
                continue
        return total

    def completions_of(self, fd):
        """Of one of its io_urings. The kernel leaves the numbers out while the ring is being used."""
        for _ in range(200):
            info = pathlib.Path(f"/proc/{self.pid}/fdinfo/{fd}").read_text()
            tail = [int(l.split()[1]) for l in info.splitlines() if l.startswith("CqTail:")]
            if tail:
                return tail[0]
            time.sleep(0.005)
        raise Failed("an io_uring that never rests")

    def minor(self):
        """The mount's device number, None if there is no mount; asks the daemon nothing."""
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[4] == str(self.mountpoint):
                return fields[2].split(":")[1]
        return None

    def abort(self):
        """Ends the connection: everybody who waits for a reply gets an error."""
        try:
            pathlib.Path(f"/sys/fs/fuse/connections/{self.minor()}/abort").write_text("1")
        except OSError:
            pass  # it has ended meanwhile

    def unmount(self):
        """Whatever state the daemon is in, nothing is left of it."""
        quiet = {"check": False, "stderr": subprocess.DEVNULL}
        try:
            subprocess.run(["umount", str(self.mountpoint)], timeout=5, **quiet)
        except subprocess.TimeoutExpired:
            pass
        if self.minor() is not None:
            self.abort()
            subprocess.run(["umount", "-l", str(self.mountpoint)], **quiet)
        deadline = time.monotonic() + 3
        while self.pid and alive(self.pid):
            if time.monotonic() > deadline:
                print(f"{self.variant.name}: the daemon had to be killed", file=sys.stderr)
                os.kill(self.pid, signal.SIGKILL)
                return
            time.sleep(0.01)
