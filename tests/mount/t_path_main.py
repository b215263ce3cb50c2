# SPDX-License-Identifier: MIT OR Apache-2.0
"""The high-level interface: fuse_main's results and texts, every version of its parts, modules."""
import os
import re
import signal
import subprocess
from pathlib import Path

from harness import HERE, check
from pathfs import BOTH, path_fs
from registry import test
from t_basic import equal, raises


def run(env, *arguments, program="path_fs", extra_env=None):
    """Runs to the end; (exit code, stdout, stderr)."""
    done = subprocess.run([env.builder.build(program), *arguments], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **(extra_env or {})})
    return done.returncode, done.stdout, done.stderr


@test("path main")
def path_main_exit_codes(env):
    """What fuse_main returns for each way to fail."""
    mnt = str(env.mountpoint())
    options = env.transport_options()
    for arguments, code in (([], 2), (["-f"], 2), (["-h"], 0), (["--help"], 0), (["-V"], 0), (["--version"], 0),
                            ([f"{mnt}/missing"], 1), ([mnt, mnt], 1), (["-o", "max_threads=x", mnt], 1),
                            (["-o", "bogus", mnt], 3), (["--bogus", mnt], 3), (["-o", "uid=x", mnt], 3),
                            (["-o", "modules=missing", mnt], 3), (["-o", "modules=subdir", mnt], 3),
                            (["-o", "modules=iconv,from_code=NOSUCH", mnt], 3), (["/dev/fd/999"], 4)):
        equal(run(env, *options, *arguments)[0], code, f"exit code of {arguments}")
    for threads in BOTH:
        with path_fs(env, *threads):
            pass  # 0 after umount
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with path_fs(env, *threads) as fs:
                fs.daemon.kill(number)
                fs.daemon.ended(8)
                check(fs.lines()[-1].startswith("end 8"), fs.lines()[-1])
                fs.end = lambda: None


@test("path main")
def path_main_texts(env):
    """-h tells of all options, of built-in modules and of those that are named; -V of the version."""
    code, text, _ = run(env, "-h")
    check(text.startswith("usage: ") and "[options] <mountpoint>" in text.splitlines()[0], text[:200])
    for word in ("-h ", "-V ", "-d ", "-f ", "-s ", "clone_fd", "max_threads", "kernel_cache", "auto_cache",
                 "no_rofd_flush", "umask", "fmask", "dmask", "uid=", "gid=", "entry_timeout", "negative_timeout",
                 "attr_timeout", "ac_attr_timeout", "noforget", "remember", "modules", "allow_other", "auto_unmount",
                 "Options for subdir module", "subdir=", "rellinks", "Options for iconv module", "from_code", "to_code"):
        check(word in text, f"{word} is not in the help")
    equal(text.count("subdir module"), 1, "help of subdir")
    equal(run(env, "-h", "-o", "modules=subdir")[1].count("subdir module"), 1, "help of a built-in module")
    code, text, _ = run(env, "-V")
    check(re.search(r"^FUSE library version 3\.18\.\d", text, re.M), text)
    check("using FUSE kernel interface version 7." in text and "fusermount3 version" in text, text)
    equal(run(env)[2].splitlines()[-1], "error: no mountpoint specified", "without a mount point")


@test("path main")
def path_main_as_a_daemon(env):
    """Without -f it goes to the background, and its working directory to the root."""
    with path_fs(env, mode="daemon") as fs:
        equal(os.readlink(f"/proc/{fs.daemon.pid}/cwd"), "/", "working directory")
        (fs.source / "f").write_text("x")
        equal(Path(fs("f")).read_text(), "x", "content")


@test("path main")
def path_main_real(env):
    """fuse_main_real with a table that ends early: the rest counts as missing."""
    with path_fs(env, extra="real") as fs:
        (fs.source / "f").write_text("12345")
        equal(os.stat(fs("f")).st_size, 5, "size")
        fs.not_called("statx")


@test("path main")
def path_step_by_step(env):
    """fuse_new, fuse_mount, fuse_loop or fuse_loop_mt, fuse_destroy, as each FUSE_USE_VERSION has them."""
    for version in (30, 31, 32, 35, 311, 312, 317, 318):
        for threads in BOTH:
            fs = env.start(f"path_steps@{version}", *threads, "-o", "remember=5", mode="foreground")
            equal(Path(fs.path("version")).read_text(), f"{version}\n", "content")
            fs.stop()
    code, text, _ = run(env, "-H", program="path_steps@30")
    check(code == 3 and "kernel_cache" in text, f"-h in fuse_new at 30: {code} {text[:300]}")
    code, text, error = run(env, "-H", program="path_steps@31")
    check(code == 3 and "kernel_cache" not in text and "-h" in error, f"-h in fuse_new at 31: {code} {text} {error}")


@test("path main")
def path_open_channel(env):
    """fuse_open_channel mounts and gives the device; fuse_mount takes one by /dev/fd/N."""
    mnt = env.mountpoint()
    code, text, error = run(env, "-C", str(mnt), program="path_steps@318")
    equal((code, text.split()), (0, ["channel", "ok"]), f"fuse_open_channel: {error}")


@test("path modules")
def path_subdir(env):
    """modules=subdir: a directory becomes the root, for every kind of path; links become relative if asked."""
    for links in ("norellinks", "rellinks"):
        with path_fs(env, "-o", f"modules=subdir,subdir=/sub,{links}") as fs:
            # Nothing is there yet: the root does not exist.
            with raises(2, "a directory that is missing"):
                os.listdir(fs())
        for base in ("/sub", "/sub/", "sub"):
            with path_fs(env, "-o", f"modules=subdir,subdir={base},{links},attr_timeout=0,entry_timeout=0") as fs:
                (fs.source / "sub/dir").mkdir(parents=True)
                Path(fs("f")).write_text("content")
                equal((fs.source / "sub/f").read_text(), "content", "where it is")
                os.rename(fs("f"), fs("dir/g"))
                os.link(fs("dir/g"), fs("h"))
                fs.called(rf"rename {base.rstrip('/')}/f to={base.rstrip('/')}/dir/g flags=0")
                equal(sorted(os.listdir(fs())), ["dir", "h"], "listing")
                equal(sorted(os.listdir(fs("dir"))), ["g"], "listing")
                os.symlink("/sub/dir/g", fs("dir/abs"))
                os.symlink("/sub/h", fs("dir/up"))
                os.symlink("/sub", fs("dir/root"))
                os.symlink("/elsewhere", fs("dir/out"))
                os.symlink("g", fs("dir/rel"))
                shown = [os.readlink(fs(f"dir/{name}")) for name in ("abs", "up", "root", "out", "rel")]
                want = ["/sub/dir/g", "/sub/h", "/sub", "/elsewhere", "g"]
                if links == "rellinks" and base.startswith("/"):
                    want = ["g", "../h", "/sub", "/elsewhere", "g"]
                equal(shown, want, f"links with {links} and {base}")
                os.setxattr(fs("h"), "user.a", b"1")
                equal(os.getxattr(fs("dir/g"), "user.a"), b"1", "xattr")
                os.statvfs(fs())
                os.truncate(fs("h"), 2)
                os.unlink(fs("h"))
                os.mkdir(fs("e"))
                os.rmdir(fs("e"))
                with open(fs("dir/g"), "r+") as file:
                    equal(file.read(), "co", "read")
                    file.write("mplete")
                    file.flush()
                    os.fsync(file.fileno())
                equal((fs.source / "sub/dir/g").read_text(), "complete", "written")


@test("path modules")
def path_subdir_keeps_options(env):
    """Behind a module the filesystem still has its context, config and hidden files; it is ended through it."""
    with path_fs(env, "-o", "modules=subdir,subdir=/s", cfg="use_ino=1") as fs:
        (fs.source / "s").mkdir()
        fd = os.open(fs("f"), os.O_CREAT | os.O_RDWR)
        equal(os.fstat(fd).st_ino, os.stat(fs.source / "s/f").st_ino, "use_ino")
        os.unlink(fs("f"))
        check([n for n in os.listdir(fs.source / "s") if n.startswith(".fuse_hidden")], "hidden file")
        os.close(fd)
        text = os.getxattr(fs(), "user.context").decode()
        check("data=from init" in text, text)
    lines = fs.lines()
    check("destroy data=from init context=from init" in lines, lines[-3:])


@test("path modules")
def path_nullpath_through_a_module(env):
    """nullpath_ok and hard_remove work through subdir."""
    with path_fs(env, "-o", "modules=subdir,subdir=/s", cfg="nullpath_ok=1,hard_remove=1", without="lock") as fs:
        (fs.source / "s").mkdir()
        fd = os.open(fs("f"), os.O_CREAT | os.O_RDWR)
        os.write(fd, b"abc")
        fs.called(r"write_buf \(null\) size=3 off=0")
        os.unlink(fs("f"))
        equal((os.pread(fd, 9, 0), os.listdir(fs.source / "s")), (b"abc", []), "unlinked file")
        os.close(fd)


@test("path modules")
def path_iconv(env):
    """modules=iconv: names in another character set, in both directions."""
    with path_fs(env, "-o", "modules=iconv,from_code=ISO-8859-1,to_code=UTF-8") as fs:
        source = os.fsencode(fs.source)
        Path(fs("grün")).write_text("content")
        equal(os.listdir(source), [b"gr\xfcn"], "the name below")
        equal(os.listdir(fs()), ["grün"], "the name above")
        os.symlink("grün", fs("weiß"))
        equal(os.readlink(source + b"/wei\xdf"), b"gr\xfcn", "a link below")
        equal(os.readlink(fs("weiß")), "grün", "a link above")
        equal(Path(fs("weiß")).read_text(), "content", "through the link")
        os.rename(fs("grün"), fs("weiß"))
        equal(os.listdir(fs()), ["weiß"], "after a rename")
        with raises(84, "a name that has no place below"):
            os.stat(fs("€"))
    with path_fs(env, "-o", "modules=iconv,from_code=UTF-8,to_code=ISO-8859-1") as fs:
        (fs.source / "ä").touch()
        (fs.source / "€").touch()
        equal(os.listdir(os.fsencode(fs.mnt)), [b"\xe4"], "what can't be shown is left out")


@test("path modules")
def path_modules_on_modules(env):
    """modules=A:B stacks B on A, and each takes its own options."""
    with path_fs(env, "-o", "modules=subdir:iconv,subdir=/s,from_code=ISO-8859-1,to_code=UTF-8") as fs:
        (fs.source / "s").mkdir()
        Path(fs("ü")).write_text("x")
        equal(os.listdir(os.fsencode(fs.source / "s")), [b"\xfc"], "below")
    with path_fs(env, "-o", "modules=iconv::subdir,from_code=ISO-8859-1,to_code=UTF-8,subdir=/ü") as fs:
        os.mkdir(os.fsencode(fs.source) + b"/\xfc")
        Path(fs("f")).write_text("x")
        equal(os.listdir(os.fsencode(fs.source) + b"/\xfc"), [b"f"], "below")


def build_module(env, name, file=None):
    """Compiles tests/mount/fs/module_NAME.c as libfusemod_NAME.so, or another file; returns its directory."""
    out = env.dir / (file or f"libfusemod_{name}.so")
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", out,
                    HERE / "fs" / f"module_{name}.c", *env.builder.pkg_config(),
                    f"-Wl,-rpath,{env.builder.prefix}/lib"], check=True)
    return str(env.dir)


@test("path modules", peer_fails=("dev", "ring"))  # libfuse unloads the module before it is done with it
def path_loaded_module(env):
    """A module in a file of its own: found by its name, its options and its help; -o modules= stacks it."""
    directory = build_module(env, "shout")
    os.environ["LD_LIBRARY_PATH"] = directory
    with path_fs(env, "-o", "modules=shout,shout_suffix=X") as fs:
        (fs.source / "fileX").write_text("below")
        equal(Path(fs("file")).read_text(), "below", "the module's own path")
        with raises(2, "a path that is not translated"):
            os.stat(fs("fileX"))
    equal([line for line in fs.lines() if line.startswith("destroy")],
          ["destroy data=from init context=from init"], "the end of the layer below")
    text = run(env, "-h", "-o", "modules=shout")[1]
    check("Options for shout module:" in text and "shout_suffix" in text, text[-300:])
    code, _, error = run(env, "-o", "modules=shout", str(env.mountpoint()))
    check(code == 3 and "shout_suffix is missing" in error, f"{code} {error}")
    equal(len(error.splitlines()), 1, f"lines about a module that refuses its options: {error}")
    code, _, error = run(env, "-o", "modules=nosuch", str(env.mountpoint()))
    check(code == 3 and error.startswith("fuse: dlopen(libfusemod_nosuch.so) failed: libfusemod_nosuch.so: "), error)


@test("path modules", ours_only=True)  # libfuse looks into files only
def path_module_in_the_program(env):
    """A module that is in the process already needs no file."""
    directory = build_module(env, "shout", "libother.so")
    os.environ["LD_PRELOAD"] = f"{directory}/libother.so"
    with path_fs(env, "-o", "modules=shout,shout_suffix=X") as fs:
        (fs.source / "fileX").write_text("below")
        equal(Path(fs("file")).read_text(), "below", "the module's own path")
