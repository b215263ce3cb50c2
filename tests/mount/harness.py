# SPDX-License-Identifier: MIT OR Apache-2.0
"""Starts test filesystems on real mounts and takes them down again.

A test gets an `Env` (which library, which transport, a directory of its own)
and makes `Daemon`s with it. The runner (run.py) runs each test in a process of
its own, so that a client stuck in the kernel can be diagnosed and freed from
outside; see `diagnose` and `free_everything`.
"""
import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FUSECTL = Path("/sys/fs/fuse/connections")
ENABLE_URING = Path("/sys/module/fuse/parameters/enable_uring")
LINE = re.compile(r"^fuse: transport: (io_uring|/dev/fuse(?: \(.+\))?)", re.M)
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A promise that did not hold."""


class StartFailed(Exception):
    """The filesystem ended before it was mounted."""

    def __init__(self, code, stderr):
        super().__init__(f"exit {code}: {stderr[-2000:]}")
        self.code, self.stderr = code, stderr


def check(condition, message):
    if not condition:
        raise Failed(message)


def wait_for(predicate, seconds, what):
    """Polls `predicate` and returns its first true value."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def mounts_below(path):
    """(mount point, connection number) of each mount at or below `path`."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        field = line.split()
        point = field[4].replace("\\040", " ")
        if point == str(path) or point.startswith(f"{path}/"):
            major, minor = map(int, field[2].split(":"))  # a block device's with -o blkdev
            found.append((point, major << 20 | minor))
    return found


def set_enable_uring(value):
    """Sets the kernel's switch; its absence means a kernel without the ring."""
    if not ENABLE_URING.exists():
        raise Failed(f"{ENABLE_URING} does not exist: this kernel has no ring to test")
    ENABLE_URING.write_text(value)
    check(ENABLE_URING.read_text().strip() == value, "enable_uring can't be set")


def subreaper():
    """Orphaned daemons become our children: their end can be waited for."""
    PR_SET_CHILD_SUBREAPER = 36
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "prctl")


def descendants(pid):
    """All processes below `pid`, zombies left out."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if stat[0] != "Z":
            children.setdefault(int(stat[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def cmdline(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return "?"


def read_quietly(path):
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError as error:
        return f"({error.strerror})"


def task_states(pid, tasks):
    """Threads of a process by what they are doing."""
    found = {}
    for task in tasks:
        base = f"/proc/{pid}/task/{task}"
        state = re.search(r"^State:\s*(.*)$", read_quietly(f"{base}/status"), re.M)
        frames = [line.split()[-1] for line in read_quietly(f"{base}/stack").splitlines()[:6]]
        text = (f"{state.group(1) if state else '?'} wchan={read_quietly(base + '/wchan')} "
                f"syscall={read_quietly(base + '/syscall').split(' ')[0]} stack={' < '.join(frames)}")
        found.setdefault(text, []).append(task)
    return found


def diagnose(pids, directory, out=sys.stdout):
    """What every thread is waiting for, which fds are open, what is pending."""
    for pid in pids:
        print(f"--- process {pid}: {cmdline(pid)}", file=out)
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
            fds = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for state, ids in sorted(task_states(pid, tasks).items()):
            print(f"  {len(ids)} x {state}\n    tasks {' '.join(ids[:12])}", file=out)
        for fd in fds:
            try:
                print(f"  fd {fd} -> {os.readlink(f'/proc/{pid}/fd/{fd}')}", file=out)
            except OSError:
                pass
    for conn in connections(directory):
        print(f"--- connection {conn}: waiting {read_quietly(FUSECTL / conn / 'waiting')}", file=out)
    for log in sorted(Path(directory).glob("*.err"))[-2:]:
        print(f"--- end of {log.name}:\n{read_quietly(log)[-1500:]}", file=out)


def held_connections(pid):
    """Connections whose device a process has open, mounted or not (Linux 6.15)."""
    found = []
    for entry in Path(f"/proc/{pid}/fdinfo").glob("*"):
        found += re.findall(r"^fuse_connection:\s*(\d+)", read_quietly(entry), re.M)
    return found


def connections(directory):
    """Connections of this test, remembered by the daemons that made them. The kernel uses their numbers again: what is
    mounted elsewhere by now belongs to somebody else."""
    try:
        made = set(Path(directory, "connections").read_text().split())
    except OSError:
        return []
    mine = mounts_below(directory)
    return sorted(made - {str(number) for point, number in mounts_below("") if (point, number) not in mine})


def free_everything(pids, directory):
    """Nothing of a test survives this: connections, mounts, processes."""
    held = [conn for pid in pids for conn in held_connections(pid)]
    for conn in connections(directory) + held + [str(n) for _, n in mounts_below(directory)]:
        try:
            (FUSECTL / conn / "abort").write_text("1")
        except OSError:
            pass
    for point, _ in mounts_below(directory):
        libc.umount2(point.encode(), 2)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def ring_fds(pid):
    """Numbers of the io_uring descriptors of a process (also registered ones'
    memory counts as a ring when the library closed the descriptor)."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            if "io_uring" in os.readlink(f"/proc/{pid}/fd/{fd}"):
                found.append(fd)
        except OSError:
            pass
    return found


def ring_completions(pid):
    """Completions that the process's rings have seen so far."""
    total = 0
    for fd in ring_fds(pid):
        match = re.search(r"^CqTail:\s*(\d+)", read_quietly(f"/proc/{pid}/fdinfo/{fd}"), re.M)
        total += int(match.group(1)) if match else 0
    return total


class Daemon:
    """One started filesystem."""

    def __init__(self, env, prog, args, mount, popen, log, conn, mode):
        self.env, self.prog, self.args, self.mnt = env, prog, args, mount
        self.popen, self.log, self.conn, self.mode = popen, log, conn, mode
        self.pid = popen.pid

    def stderr(self):
        return read_quietly(self.log)

    def path(self, name):
        return f"{self.mnt}/{name}"

    def stats(self):
        """The probe filesystem's counters."""
        return parse_stats(Path(self.path("stats")).read_text())

    def transport(self):
        """'io_uring' or '/dev/fuse (REASON)', from the library's -d line."""
        return wait_for(lambda: LINE.search(self.stderr()), 5,
                        "the line 'fuse: transport: ...' on stderr").group(1)

    def assert_transport(self, want):
        """`want` is dev or ring: by the library's word and by its descriptors."""
        if self.mode == "debug" and not self.env.peer:
            line = self.transport()
            check(line.startswith("io_uring") == (want == "ring"),
                  f"transport is {line}, wanted {want}")
        if want == "ring":
            wait_for(lambda: ring_fds(self.pid), 5, "a ring descriptor in the daemon")
        else:
            check(not ring_fds(self.pid), "a ring is open although /dev/fuse was asked for")

    def unmount(self, flags=0):
        if libc.umount2(str(self.mnt).encode(), flags) != 0:
            raise Failed(f"umount2: {os.strerror(ctypes.get_errno())}")

    def kill(self, signum=signal.SIGTERM):
        os.kill(self.pid, signum)

    def poll(self):
        """Exit code or None; -N when killed by signal N."""
        if self.popen.pid == self.pid:
            return self.popen.poll()
        if self.exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit = os.waitstatus_to_exitcode(status)
        return self.exit

    exit = None

    def ended(self, code=0, seconds=5):
        """The daemon is gone, with that exit code, and left no mount."""
        wait_for(lambda: self.poll() is not None, seconds, f"end of {self.prog}")
        check(self.poll() == code,
              f"exit code {self.poll()}, wanted {code}; stderr: {self.stderr()[-600:]}")
        check(not mounts_below(self.mnt), "stale mount left behind")

    def stop(self, code=0):
        """The usual end: umount, clean exit."""
        for _ in range(50):  # a client's last close may still be on its way
            if libc.umount2(str(self.mnt).encode(), 0) == 0:
                break
            time.sleep(0.02)
        else:
            raise Failed(f"umount2: {os.strerror(ctypes.get_errno())}")
        self.ended(code)


def parse_stats(text):
    return {k: int(v) for k, v in (line.split("=") for line in text.split())}


class Env:
    """What a test runs against: the library, the transport, a directory."""

    def __init__(self, transport, directory, builder, peer=None, fault_builder=None):
        self.transport, self.dir, self.builder = transport, Path(directory), builder
        self.peer, self.fault_builder = peer, fault_builder
        self.ring = transport == "ring"
        self.count = 0

    def transport_options(self):
        if self.peer:
            return ["-o", "io_uring"] if self.ring else []
        return [] if self.ring else ["-o", "no_io_uring"]

    def mountpoint(self):
        self.count += 1
        path = self.dir / f"mnt{self.count}"
        path.mkdir()
        return path

    def start(self, prog, *args, mode="debug", extra_env=None, options=None, mnt=None,
              builder=None, transport=None, wait=True, wrapper=(), expect_fail=False,
              user=None, nofile=None, limit_as=None, memlock=None, new_session=False):
        """Starts tests/mount/fs/PROG.c. mode: debug (-f -d), foreground (-f)
        or daemon. Without `options` those of the transport are added and the
        transport is asserted; `transport` (dev, ring, any) overrides what is
        asserted."""
        want = transport or ("any" if options is not None else self.transport)
        options = self.transport_options() if options is None else list(options)
        mnt = mnt or self.mountpoint()
        flags = {"debug": ["-f", "-d"], "foreground": ["-f"], "daemon": []}[mode]
        binary = (builder or self.builder).build(prog)
        log = self.dir / f"{Path(mnt).name}-{self.count}-{time.monotonic_ns()}.err"

        def limits():
            if new_session:
                os.setsid()
            if limit_as:
                resource.setrlimit(resource.RLIMIT_AS, (limit_as, limit_as))
            if memlock is not None:
                resource.setrlimit(resource.RLIMIT_MEMLOCK, (memlock, memlock))
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        argv = [*wrapper, str(binary), *flags, *options, *args, str(mnt)]
        with open(log, "wb") as err:
            popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                     env={**os.environ, **(extra_env or {})},
                                     preexec_fn=limits, user=user, group=user and 65534,
                                     extra_groups=[] if user else None)
        daemon = Daemon(self, prog, argv, mnt, popen, log, None, mode)
        if wait:
            self.wait_mounted(daemon)
            if want != "any":
                daemon.assert_transport(want)
        if expect_fail:
            # It may answer INIT and fail after that.
            for _ in range(100):
                if daemon.poll() is not None:
                    raise StartFailed(daemon.poll(), daemon.stderr())
                time.sleep(0.01)
            raise Failed("started although it must not")
        return daemon

    def wait_mounted(self, daemon, seconds=8):
        def mounted():
            return mounts_below(daemon.mnt)

        def ready():
            if mounted():
                return True
            code = daemon.popen.poll()
            if code is not None and (code != 0 or daemon.mode != "daemon"):
                raise StartFailed(code, daemon.stderr())
            return False
        wait_for(ready, seconds, f"mount of {daemon.prog}")
        daemon.conn = mounted()[0][1]
        with open(self.dir / "connections", "a") as file:
            file.write(f"{daemon.conn}\n")
        if daemon.mode == "daemon":
            wait_for(lambda: daemon.popen.poll() is not None, seconds, "daemonize")
            if daemon.popen.poll() != 0:
                raise StartFailed(daemon.popen.poll(), daemon.stderr())
            name = str(daemon.mnt)
            daemon.pid = next(p for p in descendants(os.getpid())
                              if name in cmdline(p).split() and "auto-unmount" not in cmdline(p))
        # Until INIT is answered one request is waiting.
        done = FUSECTL / str(daemon.conn) / "waiting"

        def negotiated():
            if daemon.poll() is not None:
                raise StartFailed(daemon.poll(), daemon.stderr())
            return read_quietly(done) == "0"
        wait_for(negotiated, seconds, "FUSE_INIT")

    def start_fails(self, prog, *args, **kw):
        """The start must fail; returns (exit code, stderr)."""
        try:
            self.start(prog, *args, expect_fail=True, **kw)
        except StartFailed as failure:
            check(not mounts_below(self.dir), "failed start left a mount")
            return failure.code, failure.stderr
        return None

    def probe(self, *args, **kw):
        return self.start("probe_ll", *args, **kw)


def in_parallel(jobs, cpus=None, limit=20):
    """Runs the callables at once, each in a thread (pinned to cpus in turn);
    returns their results, exceptions included."""
    results = [None] * len(jobs)

    def run(index):
        if cpus:
            os.sched_setaffinity(0, {cpus[index % len(cpus)]})
        try:
            results[index] = jobs[index]()
        except BaseException as error:  # handed to the caller as a value
            results[index] = error
    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + limit
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
        if thread.is_alive():
            raise Failed(f"a client still waits after {limit} s")
    return results


def stat_ok(path):
    """stat() as a job for in_parallel."""
    return lambda: os.stat(path)


def all_ok(results):
    bad = [r for r in results if isinstance(r, BaseException)]
    check(not bad, f"{len(bad)} of {len(results)} clients failed, first: {bad and bad[0]}")


def client(*argv, **kw):
    """A client in a process of its own, for signals."""
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)


def cpus():
    return sorted(os.sched_getaffinity(0))
