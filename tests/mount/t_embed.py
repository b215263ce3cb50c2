# SPDX-License-Identifier: MIT OR Apache-2.0
"""Programs that drive sessions themselves (P12), and many sessions in one process."""
import os
import subprocess
import sys
import time
from pathlib import Path

from harness import Failed, all_ok, check, cpus, in_parallel, libc, mounts_below, wait_for
from registry import test


def tool(env, name, *argv, seconds=20, wrapper=(), **kw):
    """Runs a program to its end; returns (exit code, stderr)."""
    done = subprocess.run([*wrapper, str(env.builder.build(name)), *argv], capture_output=True, text=True,
                          timeout=seconds, stdin=subprocess.DEVNULL, **kw)
    return done.returncode, done.stdout + done.stderr


def read_hello(mnt):
    check(Path(mnt, "hello").read_text() == "hello\n", "content of hello")
    check(not os.path.exists(f"{mnt}/nothing"), "a name that is not there")


@test("P12", peer_fails=("ring",))
def own_loop(env):
    """fuse_session_fd, receive_buf and process_buf under the program's epoll."""
    fs = env.start("own_loop_ll", mode="foreground", transport="dev")
    for _ in range(100):
        read_hello(fs.mnt)
    all_ok(in_parallel([lambda: read_hello(fs.mnt)] * 8, cpus()))
    fs.stop()


@test("P12", peer_fails=("ring",))
def two_sessions_in_one_process(env):
    """Two mounts served from one loop end independently."""
    first, second = env.mountpoint(), env.mountpoint()
    fs = env.start("own_loop_ll", str(first), mnt=second, mode="foreground", transport="dev")
    wait_for(lambda: mounts_below(first), 5, "the first mount")
    for _ in range(50):
        read_hello(first)
        read_hello(second)
    check(libc.umount2(str(first).encode(), 0) == 0, "umount of the first")
    wait_for(lambda: not mounts_below(first), 5, "its end")
    read_hello(second)
    fs.stop()


@test("P12", transports=("dev",), peer_fails=("dev",))  # "not enabled in this build"
def custom_io_on_the_device(env):
    """fuse_session_custom_io over a /dev/fuse that the program opened and mounted."""
    mnt = env.mountpoint()
    fs = env.start("custom_io_ll", mnt=mnt, options=[], mode="foreground")
    for _ in range(50):
        read_hello(mnt)
    fs.stop()


@test("P12", transports=("dev",), ours_only=True)
def custom_io_that_splices(env):
    """splice_receive and splice_send are used as far as INIT settled on it, with the same data."""
    for want in ("all", "none", "missing"):
        mnt = env.mountpoint()
        fs = env.start("splice_io_ll", want, mnt=mnt, options=[], mode="foreground")

        def use(size):
            fd = os.open(fs.path("hello"), os.O_RDWR)
            for _ in range(20):
                check(os.pread(fd, 65536, 0) == b"h" * 65536, "read")
                check(os.pread(fd, 100, 7) == b"h" * 100, "a short read")
                check(os.pwrite(fd, b"w" * size, 0) == size, "write")
            os.close(fd)
        all_ok(in_parallel([lambda n=n: use(n) for n in (1, 4095, 65536, 131072)]))
        fs.stop()
        count = dict(part.split("=") for part in fs.stderr().splitlines()[-1].split())
        spliced = want == "all"
        check((int(count["received"]) >= 240) == spliced and (int(count["sent"]) >= 80) == spliced, f"{want}: {count}")
        check(spliced or int(count["reads"]) >= 240, f"{want}: {count}")


# Mounts on the last argument, and puts the device there instead.
MOUNTING_HELPER = """
import ctypes, os, sys
fd = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fd, True)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0"
if ctypes.CDLL(None).mount(b"helper", sys.argv[-1].encode(), b"fuse", 6, options.encode()) != 0:
    sys.exit(9)
os.execv(sys.argv[1], sys.argv[1:-1] + [f"/dev/fd/{fd}"])
"""


@test("P12")
def mountpoint_that_is_a_descriptor(env):
    """/dev/fd/N: a device that somebody else opened and mounted, as a container's helper does."""
    for args in ([], ["-s"]):
        fs = env.start("memfs_ll", *args, wrapper=[sys.executable, "-c", MOUNTING_HELPER])
        use(fs)
        fs.stop()


@test("P12", transports=("dev",), peer_fails=("dev",))  # "not enabled in this build"
def custom_io_on_a_socket(env):
    """fuse_session_custom_io over a socket pair: INIT, LOOKUP, an error, exit."""
    code, text = tool(env, "custom_io_ll", "fake")
    check(code == 0, f"exit {code}: {text}")


@test("cycle", timeout=50, peer_fails=("ring",))
def two_hundred_cycles(env):
    """200 x new, mount, loop, unmount, destroy in one process leave nothing."""
    for loop in ([], ["-s"]):
        mnt = env.mountpoint()
        code, text = tool(env, "cycles_ll", "200", *loop, *env.transport_options(), str(mnt), seconds=20)
        check(code == 0, f"exit {code} {loop}: {text[-1500:]}")
        check(not mounts_below(mnt), "left mounted")


@test("cycle", timeout=40, peer_fails=("ring?",))
def loops_again(env):
    """A session whose loop has ended can loop again, with what the kernel still sends on the ring."""
    for loop in ("multi", "single"):
        mnt = env.mountpoint()
        code, text = tool(env, "loop_again_ll", str(mnt), loop, "-d", *env.transport_options(), seconds=15)
        check(code == 0, f"exit {code} {loop}: {text[-1500:]}")
        used = "io_uring" if env.transport == "ring" else "/dev/fuse"
        check(env.peer or f"fuse: transport: {used}" in text, text[:500])


# Not on the ring: valgrind 3.19 keeps its one lock during io_uring_enter, so
# that a thread waiting for completions stops all others (any library's).
@test("cycle", timeout=40, transports=("dev",))
def valgrind_clean(env):
    """A mount, some use and an unmount without a memory error or a leak."""
    valgrind = ["valgrind", "--error-exitcode=99", "--leak-check=full", "-q",
                "--errors-for-leak-kinds=definite", "--child-silent-after-fork=yes"]
    begin = time.monotonic()
    fs = env.start("memfs_ll", wrapper=valgrind, mode="foreground",
                   transport="dev")
    try:
        use(fs)
    except OSError as error:
        raise Failed(f"{error}; {fs.stderr()[-1000:]}") from error
    fs.stop()
    print(f"      note: under valgrind {time.monotonic() - begin:.1f} s, said {fs.stderr()[:300]!r}")


@test("cycle", timeout=40)
def sanitizer_clean(env):
    """The same under AddressSanitizer, which sees every allocation and free of the library, and leaks at the end."""
    asan = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:detect_stack_use_after_return=1"}
    for loop in ([], ["-s"]):
        fs = env.start("memfs_ll+asan", *loop, mode="foreground", extra_env=asan)
        use(fs)
        fs.stop()
        check("Sanitizer" not in fs.stderr(), fs.stderr()[-1500:])


def use(fs):
    """A little of everything."""
    os.mkdir(fs.path("d"))
    for n in range(50):
        Path(fs.path(f"d/{n}")).write_bytes(bytes([n]) * n * 3000)
    for n in range(50):
        check(Path(fs.path(f"d/{n}")).read_bytes() == bytes([n]) * n * 3000, "content")
    os.setxattr(fs.path("d/1"), "user.x", b"y" * 300)
    check(os.getxattr(fs.path("d/1"), "user.x") == b"y" * 300, "xattr")
    check(len(os.listdir(fs.path("d"))) == 50, "readdir")
    os.rename(fs.path("d/1"), fs.path("e"))
    for n in range(2, 30):
        os.unlink(fs.path(f"d/{n}"))


@test("tree", timeout=180, peer_fails=("ring",))
def passthrough_of_a_tree(env):
    """c-examples/passthrough_ll under passthrough_tree.sh, in three loops."""
    script = Path(__file__).with_name("passthrough_tree.sh")
    binary = env.prefix / "bin" / "passthrough_ll"
    source = script.parents[2] / "c-examples" / "passthrough_ll.c"
    if not script.exists():
        raise Failed(f"{script} is missing")
    if not binary.exists():
        binary = env.dir / "passthrough_ll"
        subprocess.run(["cc", "-O1", "-o", str(binary), str(source), *env.builder.pkg_config(),
                        "-pthread", f"-Wl,-rpath,{env.prefix}/lib"], check=True)
    for loop, count in (([], "1000"), (["-s"], "400"), (["-o", "max_threads=1"], "400")):
        variables = {**os.environ, "TMPDIR": str(env.dir), "TREE_FILES": count}
        if not env.peer:
            variables["EXPECT"] = env.transport
        done = subprocess.run(["bash", str(script), str(binary), *env.transport_options(), *loop],
                              capture_output=True, text=True, timeout=100, env=variables)
        check(done.returncode == 0, f"{loop}: {(done.stdout + done.stderr)[-3000:]}")
