# SPDX-License-Identifier: MIT OR Apache-2.0
"""Character devices (cuse_lowlevel.h). Their protocol is spoken over a socket pair, with the kernel played by the test,
so that it needs no kernel that has /dev/cuse."""
import subprocess

from harness import check
from registry import test

# What the device is asked, in this order, on any number of threads.
CALLS = """init me proto 7 max_write 1048576 max_read 0 want 0
init_done me
open 200 userdata me
open 2 userdata me
read 100 0 fh 77
read 131072 0 fh 77
write 5 0 hello
write 100000 0
flush 1
fsync 1
ioctl 42 flags a in 0 out 0
ioctl 42 flags a in 12 out 12
poll 1 once
poll 1 notify
read 13 0 fh 77
release fh 77
destroy me""".split("\n")


def run(env, *argv, wrapper=(), code=0):
    done = subprocess.run([*wrapper, str(env.builder.build("cuse_fake")), *argv], capture_output=True, text=True,
                          timeout=20, stdin=subprocess.DEVNULL)
    check(done.returncode == code, f"exit {done.returncode}, wanted {code}: {done.stderr}")
    return done.stderr


def asked(text):
    return [line[5:].rstrip("\0").strip() for line in text.splitlines() if line.startswith("dev: ")]


@test("cuse", transports=("dev",), timeout=60)
def device_from_begin_to_end(env):
    """Each operation and reply, ioctls that ask for more, poll with its notification, an interrupt, the end."""
    for options in (["-f"], ["-s", "-f"], ["-d"]):
        calls = asked(run(env, "main", *options))
        want = [call for call in CALLS if "-s" not in options or call != "read 13 0 fh 77"]
        check(calls == want, f"{options}: {calls}")


@test("cuse", transports=("dev",), timeout=60)
def device_step_by_step(env):
    """cuse_lowlevel_setup, a loop of the program's choice, cuse_lowlevel_teardown."""
    for options in (["-f"], ["-s", "-f"]):
        calls = asked(run(env, "steps", *options))
        want = [call for call in CALLS if "-s" not in options or call != "read 13 0 fh 77"]
        check(calls == want, f"{options}: {calls}")


@test("cuse", transports=("dev",))
def device_in_the_background(env):
    """Without -f a daemon serves the device; its end is clean, too."""
    check("max_read 131072" in run(env, "main"), "the kernel's view")


@test("cuse", transports=("dev",), ours_only=True)  # libfuse: "not enabled in this build"
def device_over_custom_io(env):
    """cuse_lowlevel_new with fuse_session_custom_io and a loop of the program's choice."""
    calls = asked(run(env, "custom"))
    check(calls == CALLS, str(calls))


@test("cuse", transports=("dev",))
def device_refused(env):
    """No /dev/cuse, a description that is too long, an option that nobody knows."""
    hidden = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh"]
    text = run(env, "real", "-f", wrapper=hidden, code=1)
    check("cuse" in text and "modprobe" in text, text)
    check("5000" in run(env, "large", code=1), "the size is not named")
    check("nosuchthing" in run(env, "real", "-f", "-o", "nosuchthing", code=1), "the option is not named")
