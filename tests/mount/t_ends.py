# SPDX-License-Identifier: MIT OR Apache-2.0
"""P11: however a mount ends, nothing hangs, nothing is left, nothing is lost."""
import ctypes
import os
import platform
import signal
import threading
import time
from pathlib import Path

from harness import FUSECTL, check, client, cpus, in_parallel, libc, mounts_below, stat_ok, wait_for
from registry import test

MNT_FORCE, MNT_DETACH = 1, 2


class Hammer:
    """Clients that look names up until they get an error."""

    def __init__(self, fs, clients=8, names="f"):
        self.fs, self.ok, self.errors = fs, [[] for _ in range(clients)], []
        self.threads = [threading.Thread(target=self.run, args=(i, names), daemon=True)
                        for i in range(clients)]
        for thread in self.threads:
            thread.start()
        wait_for(lambda: sum(map(len, self.ok)) > 200, 10, "200 answers")

    def run(self, index, names):
        os.sched_setaffinity(0, {cpus()[index % len(cpus())]})
        root = os.open(self.fs.mnt, os.O_PATH)  # stays on the mount after a lazy umount
        try:
            for n in range(10 ** 7):
                name = f"{names}.{index}.{n}"
                os.stat(name, dir_fd=root)
                self.ok[index].append(name)
        except OSError as error:
            self.errors.append(error)
        finally:
            os.close(root)

    def join(self, seconds=5):
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
            check(not thread.is_alive(), "a client hangs after the mount's end")

    def succeeded(self):
        return {name for names in self.ok for name in names}


def ends(env, code, how, names="f", lossless=True, options=()):
    """Hammers, ends the mount by how(fs), and checks what is left."""
    replied = env.dir / f"replied{env.count}"
    fs = env.probe(*options, mode="foreground", extra_env={"PROBE_REPLIED": str(replied)})
    hammer = Hammer(fs, names=names)
    how(fs)
    fs.ended(code)
    hammer.join()
    if lossless:
        lost = {n for n in replied.read_text().split("\n") if n.startswith(names)} - hammer.succeeded()
        check(not lost, f"{len(lost)} replies were accepted but did not arrive: {sorted(lost)[:3]}")
    wait_for(lambda: not (FUSECTL / str(fs.conn)).exists(), 5, "end of the connection")


def quiet_stat(path):
    try:
        os.stat(path)
    except OSError:
        pass


def signals(env, names, options=()):
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A session ended by a signal says which one: libfuse 3.18 returns it.
        ends(env, 100 + signum, lambda fs: fs.kill(signum), names, options=options)


@test("P11", peer_fails=("ring",))
def ends_by_signal(env):
    """SIGTERM, SIGINT, SIGHUP under load."""
    signals(env, "f")


@test("P11", peer_fails=("ring",))
def ends_by_signal_single_threaded(env):
    """The same under -s."""
    signals(env, "f", ["-s"])


@test("P11", peer_fails=("ring",))
def ends_by_exit(env):
    """fuse_session_exit from a handler and from another thread, under load."""
    for options in ([], ["-s"]):
        for name in ("exit-handler", "exit-thread"):
            ends(env, 0, lambda fs: quiet_stat(fs.path(name)), options=options)


@test("P11")
def ends_by_exit_when_idle(env):
    """fuse_session_exit from another thread ends an idle loop_mt, too."""
    fs = env.probe(mode="foreground")
    os.stat(fs.path("exit-thread"))
    time.sleep(0.3)
    quiet_stat(fs.path("f"))  # libfuse notices the exit with the next request
    fs.ended(0)


@test("P11")
def ends_by_signal_when_idle(env):
    """A signal ends an idle daemon at once, and one with late replies due."""
    for options in ([], ["-s"]):
        fs = env.probe(*options)
        time.sleep(0.1)
        begin = time.monotonic()
        fs.kill()
        fs.ended(100 + signal.SIGTERM)
        check(time.monotonic() - begin < 1, "slow end of an idle daemon")


@test("P11")
def ends_by_umount(env):
    """umount (nothing open any more) right after load."""
    for options in ([], ["-s"]):
        fs = env.probe(*options, mode="foreground")
        for n in range(300):
            os.stat(fs.path(f"f.{n}"))
        fs.stop(0)


@test("P11")
def ends_by_lazy_umount(env):
    """umount -l with a file open: serves on until it is closed."""
    fs = env.probe(mode="foreground")
    with open(fs.path("data"), "rb") as file:
        fs.unmount(MNT_DETACH)
        check(not mounts_below(fs.mnt), "still mounted")
        check(len(file.read(65536)) == 65536, "short read after the lazy umount")
        time.sleep(0.2)
        check(fs.poll() is None, "ended although a file is open")
    fs.ended(0)


@test("P11")
def ends_by_forced_umount(env):
    """umount -f with requests pending: they fail, the daemon ends."""
    for names in ("f", "after.20"):
        def force(fs):
            libc.umount2(str(fs.mnt).encode(), MNT_FORCE)
            libc.umount2(str(fs.mnt).encode(), MNT_DETACH)
        ends(env, 0, force, names, lossless=False)


@test("P11")
def ends_by_abort(env):
    """An abort through fusectl is an end like any other."""
    def abort(fs):
        (FUSECTL / str(fs.conn) / "abort").write_text("1")
        # Not the library's: it leaves an aborted mount to whoever aborted it.
        wait_for(lambda: fs.poll() is not None, 5, "end of the aborted daemon")
        libc.umount2(str(fs.mnt).encode(), MNT_DETACH)
    ends(env, 0, abort, lossless=False)


@test("P11")
def ends_by_kill_of_daemon(env):
    """SIGKILL of the daemon: clients get an error, none hangs."""
    for options in ([], ["-s"]):
        fs = env.probe(*options, mode="foreground")
        hammer = Hammer(fs, names="after.5")
        fs.kill(signal.SIGKILL)
        wait_for(lambda: fs.poll() is not None, 5, "end of the killed daemon")
        hammer.join()
        libc.umount2(str(fs.mnt).encode(), MNT_DETACH)
        fs.ended(-signal.SIGKILL)


@test("P11", peer_fails=("ring",))
def kill_of_clients(env):
    """SIGKILL of clients in mid-request: the others and the daemon go on."""
    fs = env.probe("-o", "max_threads=10", mode="foreground")
    hammer = Hammer(fs, clients=4)
    for kind in ("sleep.50", "after.50", "intr-func"):
        victims = [client("stat", fs.path(f"{kind}.{n}")) for n in range(8)]
        time.sleep(0.03)
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.wait(5)
    count = sum(map(len, hammer.ok))
    wait_for(lambda: sum(map(len, hammer.ok)) > count + 100, 5, "answers to the other clients")
    fs.kill()
    fs.ended(100 + signal.SIGTERM)
    hammer.join()


@test("P11")
def request_without_reply_at_the_end(env):
    """A request that is never answered holds up no end; its client gets an error."""
    for options in ([], ["-s"]):
        fs = env.probe(*options)
        child = client("stat", fs.path("never.1"))
        time.sleep(0.2)
        os.stat(fs.path("f.1"))
        fs.kill()
        fs.ended(100 + signal.SIGTERM)
        child.wait(5)
        check(child.returncode != 0, "client of an unanswered request succeeded")


@test("P11", peer_fails=("ring",))
def signal_during_slow_handlers(env):
    """A signal while handlers sleep: their replies still arrive."""
    fs = env.probe(mode="foreground")
    timer = threading.Timer(0.2, fs.kill)
    timer.start()  # the clients only look up: stat(1) would ask a second question
    results = in_parallel([stat_ok(fs.path(f"sleep.400.{n}")) for n in range(4)])
    fs.ended(100 + signal.SIGTERM)
    lost = [r for r in results if isinstance(r, BaseException)]
    check(not lost, f"{len(lost)} of 4 handlers' replies were lost: {lost and lost[0]}")


@test("P11")
def leaves_no_process(env):
    """A daemonised filesystem ends without a rest, and its directory is free."""
    fs = env.probe(mode="daemon")
    os.stat(fs.path("f"))
    session = os.getsid(fs.pid)
    check(session == fs.pid or session != os.getsid(0), "the daemon has no session of its own")
    fs.stop(0)
    check(not Path(f"/proc/{fs.pid}").exists(), "process still there")
    os.rmdir(fs.mnt)


@test("P11")
def umount_while_files_are_released(env):
    """Nothing of the library's own keeps a mount busy that its users have left: not what brings forth requests either."""
    refused = []
    for i in range(16):
        fs = env.start("slow_release_ll", "-o", "max_threads=4")
        files = [os.open(fs.path(str(n)), os.O_RDONLY) for n in range(12)]
        in_parallel([lambda file=file: os.close(file) for file in files], cpus()[:1])
        time.sleep(i % 4 / 10 + i // 4 * 0.002)  # they are released a few at a time, every 100 ms
        if libc.umount2(str(fs.mnt).encode(), 0) != 0:
            refused.append(i)
            fs.stop()
        else:
            fs.ended(0)
    check(not refused, f"{len(refused)} of 16 times the mount was busy: {refused}")


@test("P11")
def ends_while_the_superblock_is_held(env):
    """Somebody who asks the filesystem in a call that keeps unmounts waiting (ustat, sync) keeps no daemon from its end."""
    check(platform.machine() == "x86_64", "the number of ustat(2) is that of x86_64")
    for options in ([], ["-s"]):
        fs = env.probe(*options, mode="foreground", extra_env={"PROBE_MUTE": "yes"})
        device = os.stat(fs.mnt).st_dev
        asker = threading.Thread(target=lambda: libc.syscall(136, device, ctypes.create_string_buffer(64)))
        asker.start()
        time.sleep(0.2)
        check(asker.is_alive(), "there was an answer")
        fs.kill()
        fs.ended(100 + signal.SIGTERM)
        asker.join()
