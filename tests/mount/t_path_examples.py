# SPDX-License-Identifier: MIT OR Apache-2.0
"""The examples of the high-level interface, as a user would start them."""
import os
import stat
import subprocess
import threading
from pathlib import Path

from harness import check
from registry import test
from t_basic import equal, files, names_and_links, raises


# What includes c-examples/passthrough.c and passthrough_fh.c.
PASSTHROUGH = ("passthrough_path", "passthrough_handle")


@test("path examples")
def path_example_hello(env):
    """hello: one file, whose name and content are options."""
    fs = env.start("hello", mode="daemon")
    equal(os.listdir(fs.mnt), ["hello"], "listing")
    equal(Path(fs.path("hello")).read_text(), "Hello, world!\n", "content")
    with raises(13, "writing"):
        os.open(fs.path("hello"), os.O_WRONLY)
    with raises(2, "another name"):
        os.stat(fs.path("other"))
    fs.stop()
    fs = env.start("hello", "-s", "-o", "name=a,content=b", mode="foreground")
    equal(Path(fs.path("a")).read_text(), "b", "content")
    fs.stop()


def by_another_user(base):
    """What somebody else makes belongs to them, and permissions are checked."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(4567)
            os.setuid(4567)
            os.mkdir(f"{base}/theirs")
            Path(f"{base}/theirs/f").write_text("x")
            os.symlink("f", f"{base}/theirs/l")
            for name in ("theirs", "theirs/f", "theirs/l"):
                st = os.lstat(f"{base}/{name}")
                equal((st.st_uid, st.st_gid), (4567, 4567), f"owner of {name}")
            with raises(13, "a file of root"):
                os.open(f"{base}/secret", os.O_RDONLY)
            code = 0
        except BaseException as error:
            print(error, flush=True)
        os._exit(code)
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "exit code of another user's process")


@test("path examples")
def path_example_passthrough(env):
    """passthrough and passthrough_fh: names, files, attributes, owners, and the source has it all."""
    for number, name in enumerate(("passthrough_path", "passthrough_handle")):
        for threads in ((), ("-s",)):
            source = env.dir / f"from-{number}{len(threads)}"
            source.mkdir()
            source.chmod(0o777)
            fs = env.start(name, *threads, "-o", f"source={source},allow_other", mode="foreground")
            names_and_links(fs.path)
            files(fs.path)
            (source / "secret").touch(0o600)
            by_another_user(fs.mnt)
            path = fs.path("theirs/f")
            os.chmod(path, 0o6755)
            equal(stat.S_IMODE((source / "theirs/f").stat().st_mode), 0o6755, "mode")
            os.truncate(path, 100)
            os.utime(path, ns=(5, 6))
            equal((os.stat(path).st_mtime_ns, (source / "theirs/f").stat().st_size), (6, 100), "mtime and size")
            os.setxattr(path, "user.a", b"1")
            equal((os.getxattr(path, "user.a"), os.listxattr(path)), (b"1", ["user.a"]), "xattrs")
            equal(os.statvfs(path).f_blocks, os.statvfs(source).f_blocks, "statfs")
            many(fs, source)
            fs.stop()


def many(fs, source):
    """A thousand names, written by four at once, are all listed."""
    os.mkdir(fs.path("many"))

    def make(first):
        for n in range(first, 1000, 4):
            Path(fs.path(f"many/{n}")).write_bytes(bytes([n % 256]) * n)
    threads = [threading.Thread(target=make, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sorted(os.listdir(fs.path("many"))), sorted(map(str, range(1000))), "names")
    check(all((source / f"many/{n}").read_bytes() == bytes([n % 256]) * n for n in range(0, 1000, 37)), "contents")


@test("tree", timeout=180, peer_fails=("ring?",))
def path_examples_of_a_tree(env):
    """Both under passthrough_tree.sh, with several threads and with one."""
    script = Path(__file__).with_name("passthrough_tree.sh")
    for name in PASSTHROUGH:
        for loop, count in (([], "600"), (["-s"], "400")):
            # Eight clients that fight for names: with timeouts of 0 a stat is two requests, and the name may be
            # another file's in between. The kernel looks again once; the second time it is ESTALE, as with libfuse.
            skip = "clients"
            if loop and name == "passthrough_handle":
                skip += " flock"  # its handler waits for the lock, on the one thread that there is
            variables = {**os.environ, "TMPDIR": str(env.dir), "TREE_FILES": count, "SKIP": skip}
            if not env.peer:
                variables["EXPECT"] = env.transport
            done = subprocess.run(["bash", str(script), str(env.builder.build(name)), *env.transport_options(), *loop],
                                  capture_output=True, text=True, timeout=100, env=variables)
            check(done.returncode == 0, f"{name} {loop}: {(done.stdout + done.stderr)[-3000:]}")
