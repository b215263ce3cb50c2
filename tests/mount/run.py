#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mount tests: every test, on each transport, on a real mount.

  run.py PREFIX [--fault-prefix P] [-k NAME] [--transport dev|ring]
  run.py PREFIX --peer-classic --peer-ring     # against libfuse itself

PREFIX is where the library is installed (PREFIX/lib/pkgconfig/fuse3.pc).
--fault-prefix is a build with -Dfault_injection=true. Needs root.
"""
import argparse
import importlib
import io
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import HERE  # noqa: E402
from registry import TESTS  # noqa: E402

MODULES = ["t_basic", "t_ops", "t_notify", "t_passthrough",
           "t_transport", "t_threads", "t_replies", "t_ends", "t_faults", "t_embed",
           "t_bad_input", "t_lowlevel_ops", "t_lowlevel_locks", "t_lowlevel_conn",
           "t_cuse", "t_helpers", "t_lowlevel_limits", "t_path_ops", "t_path_options", "t_path_main",
           "t_path_python", "t_path_examples", "t_path_model", "t_path_posix", "t_path_errors", "t_path_waits",
           "t_interrupted", "t_path_memory", "t_stat", "t_tool", "t_uring_options"]


class Builder:
    """Compiles tests/mount/fs/NAME.c as a user would: through pkg-config."""

    def __init__(self, prefix, directory):
        self.prefix, self.dir = Path(prefix).resolve(), Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.flags = None

    def pkg_config(self):
        if self.flags is None:
            env = {**os.environ, "PKG_CONFIG_PATH": f"{self.prefix}/lib/pkgconfig"}
            out = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], env=env,
                                 check=True, capture_output=True, text=True).stdout
            self.flags = out.split()
        return self.flags

    def build(self, name):
        """`name` is a source; NAME@VERSION compiles it with FUSE_USE_VERSION, NAME+asan with that sanitizer."""
        binary = self.dir / name
        if binary.exists():
            return binary
        plain, _, sanitizer = name.partition("+")
        source, _, version = plain.partition("@")
        sources = [str(HERE / "fs" / f"{source}.c"), *EXTRA_SOURCES.get(source, [])]
        defines = [f"-DFUSE_USE_VERSION={version}"] if version else []
        if sanitizer:
            defines += ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
                        *defines, *sources, "-o", f"{binary}.tmp", *self.pkg_config(), "-pthread",
                        f"-Wl,-rpath,{self.prefix}/lib"], check=True)
        os.rename(f"{binary}.tmp", binary)
        return binary

    def build_all(self):
        for name in BINARIES:
            self.build(name)


EXTRA_SOURCES = {"notify_ll": [str(HERE / "fs" / "notify_orders.c")],
                 "cuse_fake": [str(HERE / "fs" / "cuse_kernel.c")],
                 "lowops_ll": [str(HERE / "fs" / f"lowops_{part}.c") for part in ("locks", "more", "dir")],
                 "memfs_ll": [str(HERE / "fs" / f"memfs_{part}.c") for part in ("tree", "more")],
                 "probe_ll": [str(HERE / "fs" / "probe_wait.c")],
                 "path_fs": [str(HERE / "fs" / f"path_{part}.c") for part in ("names", "files", "locks")]}
BINARIES = ["notify_ll", "backing_ll", "splice_io_ll", "probe_ll", "memfs_ll", "memfs_ll+asan", "empty_ll", "slow_release_ll",
            "want_ll@30", "want_ll@35", "own_loop_ll", "custom_io_ll", "cycles_ll", "loop_again_ll", "deny_uring",
            "lowops_ll", "ioctl_compat", "cuse_fake", "helpers", "features_ll", "path_fs", "hello", "path_steps@30",
            "path_steps@31", "path_steps@32", "path_steps@35", "path_steps@311", "path_steps@312", "path_steps@317",
            "path_steps@318"]


def child(test, env, pipe):
    """Runs in the test's own process."""
    os.setsid()
    harness.subreaper()
    try:
        test.function(env)
        left = harness.descendants(os.getpid())
        harness.check(not left, f"left running: {[harness.cmdline(p) for p in left]}")
        harness.check(not harness.mounts_below(env.dir), "left mounted")
        os.write(pipe, b"ok\0")
    except BaseException:  # reported to the runner, whatever it is
        text = traceback.format_exc()
        os.write(pipe, text.encode()[-16000:] + b"\0")
    os._exit(0)


def run_one(test, env):
    """Returns None or the failure's text."""
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        child(test, env, write_end)
    os.close(write_end)
    text, end = b"", time.monotonic() + test.timeout
    while not text.endswith(b"\0"):  # clients stuck in the kernel keep the pipe open
        left = end - time.monotonic()
        if left <= 0 or not select.select([read_end], [], [], left)[0]:
            text += f"timeout after {test.timeout} s\n".encode()
            break
        piece = os.read(read_end, 65536)
        text += piece
        if not piece:
            break
    os.close(read_end)
    failure = text.decode(errors="replace").rstrip("\0")
    if failure != "ok":
        failure = failure or "test process died\n"
        state = io.StringIO()
        harness.diagnose([p for p in [pid] + harness.descendants(pid)], env.dir, state)
        failure += state.getvalue()
    harness.free_everything(harness.descendants(os.getpid()), env.dir)
    reap()
    return None if failure == "ok" else failure


def reap():
    """Waits for all children of the runner, adopted ones included."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(0.01)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prefix")
    parser.add_argument("--fault-prefix")
    parser.add_argument("--peer-classic", action="store_true")
    parser.add_argument("--peer-ring", action="store_true")
    parser.add_argument("--transport", choices=["dev", "ring"])
    parser.add_argument("-k", dest="name", default="", help="only tests whose name has this in it")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--build-dir", help="keep the compiled filesystems here")
    return parser.parse_args()


def plan(args):
    """(test, transport) pairs to run."""
    peer = args.peer_classic or args.peer_ring
    transports = ["dev", "ring"]
    if peer:
        transports = ["dev"] * args.peer_classic + ["ring"] * args.peer_ring
    if args.transport:
        transports = [args.transport]
    for test in TESTS:
        if args.name not in test.name or (peer and test.ours_only):
            continue
        if test.needs_fault and not args.fault_prefix:
            if not peer:
                print(f"note: {test.name} needs --fault-prefix")
            continue
        for transport in transports:
            if transport in test.transports:
                yield test, transport


def run_all(args, base):
    peer = "peer" if args.peer_classic or args.peer_ring else None
    builder = Builder(args.prefix, args.build_dir or base / "bin")
    fault = Builder(args.fault_prefix, base / "fault-bin") if args.fault_prefix else None
    builder.build_all()
    passed, failures = 0, []
    for number, (test, transport) in enumerate(plan(args)):
        directory = base / f"t{number}"
        directory.mkdir()
        directory.chmod(0o755)
        env = harness.Env(transport, directory, builder, peer, fault)
        env.prefix = builder.prefix
        begin = time.monotonic()
        failure = run_one(test, env)
        took = time.monotonic() - begin
        known = peer and transport in test.peer_fails
        known = known or (peer and failure and f"{transport}?" in test.peer_fails)
        word = "known" if known and failure else "FAIL" if failure or known else "ok"
        print(f"{word:<5} {test.name:<36} {transport:<4} {took:6.2f} s  [{test.promise}]", flush=True)
        if word == "known":
            reason = [line for line in failure.splitlines() if "Error" in line or "Failed" in line]
            print(f"      libfuse fails here: {(reason or ['timeout'])[-1]}", flush=True)
            passed += 1
            continue
        if known:
            failure = "libfuse is known to fail here, but passed: can the test still fail?"
        if failure:
            print("     " + failure.strip().replace("\n", "\n     "), flush=True)
            failures.append(f"{test.name} {transport}")
        else:
            passed += 1
    for failure in failures:
        print(f"failed: {failure}")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures or not passed else 0


def machine_state():
    """What tests change of the machine; returns the function that puts it back."""
    uring = harness.read_quietly(harness.ENABLE_URING)
    conf = Path("/etc/fuse.conf")
    text = conf.read_text() if conf.exists() else None
    mode = os.stat("/dev/fuse").st_mode & 0o7777

    def restore():
        if uring in ("Y", "N"):
            harness.set_enable_uring(uring)
        os.chmod("/dev/fuse", mode)
        if text is not None:
            conf.write_text(text)
        elif conf.exists():
            conf.unlink()
    return restore


def main():
    # Whoever runs us in the background may have these ignored; filesystems would inherit that.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    args = arguments()
    for module in MODULES:
        importlib.import_module(module)
    if args.list:
        for test in TESTS:
            print(f"{test.name:<34} {test.promise:<6} {test.function.__doc__ or ''}")
        return 0
    harness.subreaper()
    if not harness.FUSECTL.exists() or not os.path.ismount(harness.FUSECTL):
        subprocess.run(["mount", "-t", "fusectl", "none", str(harness.FUSECTL)], check=True)
    restore = machine_state()
    base = Path(tempfile.mkdtemp(prefix="ringfuse-mount-"))
    base.chmod(0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if any(transport == "ring" for _, transport in plan(args)):
            harness.set_enable_uring("Y")
        return run_all(args, base)
    finally:
        harness.free_everything(harness.descendants(os.getpid()), base)
        restore()
        if not harness.mounts_below(base):
            shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
