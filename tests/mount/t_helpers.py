# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a filesystem needs around its session: signals, the background, syslog, names of threads."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from harness import check, descendants, wait_for
from registry import test


def run(env, *argv, wrapper=(), **kw):
    done = subprocess.run([*wrapper, str(env.builder.build("helpers")), *map(str, argv)], capture_output=True, text=True,
                          timeout=10, stdin=subprocess.DEVNULL, **kw)
    return done.returncode, done.stdout + done.stderr


FATAL = (signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)


@test("helpers", transports=("dev",), peer_fails=("dev",))  # dies of SIGABRT, whatever the signal was
def fatal_signals_are_reported(env):
    """A line with the signal and a backtrace; then the process dies of that signal."""
    for signum in FATAL:
        code, text = run(env, "fail", int(signum))
        check(code == -signum, f"{signum.name}: exit {code}")
        check(f"ignal {int(signum)}" in text and "helpers(+0x" in text, f"{signum.name}: {text}")
        code, text = run(env, "removed", int(signum))
        check(code == -signum and text == "", f"{signum.name}, handlers removed: exit {code}: {text}")


@test("helpers", transports=("dev",))
def fatal_signals_of_the_program(env):
    """A handler of the program's own stays."""
    code, text = run(env, "fail", int(signal.SIGFPE), "own")
    check(code == 33 and text == f"own handler {int(signal.SIGFPE)}\n", f"exit {code}: {text}")


@test("helpers", transports=("dev",))
def signal_handlers(env):
    """Set where nothing else is, ignored ones stay so, the default comes back; PIPE ends nothing, HUP does."""
    code, text = run(env, "signals", preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))
    check(code == 0 and text.split("\n")[:-1] == [
        "before didd", "set hih" + text.split("\n")[1][-1], "exited 0", "exited 1", "removed didd"], text)
    check(text.split("\n")[1][-1] in "hi", f"SIGPIPE: {text}")


@test("helpers", transports=("dev",))
def daemonize_(env):
    """The background: a session of its own, /, /dev/null, one thread; the foreground: only the directory changes."""
    told = env.dir / "told"
    begin = time.monotonic()
    code, text = run(env, "daemonize", 0, told)
    check(code == 0 and text == "" and time.monotonic() - begin < 5, f"exit {code}: {text}")
    wait_for(lambda: told.exists() and told.read_text().endswith("\n"), 5, "the daemon's word")
    check(told.read_text() == "same=0 leader=1 cwd=/ in=/dev/null out=/dev/null err=/dev/null threads=1 thread=1\n",
          told.read_text())
    wait_for(lambda: not descendants(os.getpid()), 5, "the daemon's end")
    os.wait()
    code, text = run(env, "daemonize", 1, told)
    words = told.read_text().split()
    check(code == 0 and words[0] == "same=1" and words[2] == "cwd=/", told.read_text())
    check(words[4].startswith("out=pipe:"), told.read_text())


@test("helpers", transports=("dev",), peer_fails=("dev",))  # its parent waits for ever
def daemonize_without_stdio(env):
    """A program that was started without standard descriptors becomes a daemon, too."""
    told = env.dir / "told"
    code, _ = run(env, "daemonize", 0, told, wrapper=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    check(code == 0, f"exit {code}")
    wait_for(lambda: told.exists() and told.read_text().endswith("\n"), 5, "the daemon's word")
    check("in=/dev/null out=/dev/null err=/dev/null" in told.read_text(), told.read_text())


@test("helpers", transports=("dev",))
def syslog_(env):
    """fuse_log_enable_syslog: messages with ident and level, none on stderr."""
    dev = env.dir / "dev"
    dev.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(dev / "log"))
        log.settimeout(5)
        code, text = run(env, "syslog", wrapper=["unshare", "-m", "sh", "-c", f'mount --bind {dev} /dev && exec "$@"', "sh"])
        check(code == 0 and text == "", f"exit {code}: {text}")
        lines = [log.recv(1000).decode().rstrip("\0\n") for _ in range(2)]
    check(lines[0].startswith("<27>") and "helpers-test[" in lines[0] and lines[0].endswith("an error 5"), str(lines))
    check(lines[1].startswith("<31>") and lines[1].endswith("a detail x"), str(lines))


@test("helpers", ours_only=True)
def threads_have_names(env):
    """ps -L tells the library's threads from the program's."""
    fs = env.start("lowops_ll", mode="foreground")
    os.stat(fs.path("a"))
    names = sorted(Path(f"/proc/{fs.pid}/task/{task}/comm").read_text().strip() for task in os.listdir(f"/proc/{fs.pid}/task"))
    fs.stop()
    check(names.count("lowops_ll") == 1 and len(names) > 1, str(names))
    check(all(name.startswith("fuse-") for name in names if name != "lowops_ll"), str(names))
