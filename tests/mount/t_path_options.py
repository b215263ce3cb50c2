# SPDX-License-Identifier: MIT OR Apache-2.0
"""The high-level interface: every option of `fuse_new` and every member of `struct fuse_config`."""
import contextlib
import os
import signal
import stat
import time
from pathlib import Path

from harness import check, in_parallel, libc, wait_for
from pathfs import BOTH, both_loops, path_fs
from registry import test
from t_basic import equal
from t_path_ops import in_child

DEFAULTS = {
    "set_gid": "0", "gid": "0", "set_uid": "0", "uid": "0", "set_mode": "0", "umask": "0", "fmask": "0", "dmask": "0",
    "entry_timeout": "1", "negative_timeout": "0", "attr_timeout": "1", "ac_attr_timeout_set": "0",
    "ac_attr_timeout": "1", "intr": "0", "intr_signal": "10", "remember": "0", "hard_remove": "0", "use_ino": "0",
    "readdir_ino": "0", "direct_io": "0", "kernel_cache": "0", "auto_cache": "0", "nullpath_ok": "0", "debug": "0",
    "no_rofd_flush": "0", "parallel": "0", "modules": "(null)"}


def config(fs):
    """What init found in its struct fuse_config."""
    wait_for(lambda: len(fs.lines()) >= 5, 5, "init")
    return dict(word.split("=") for line in fs.lines() if line.startswith("config ") for word in line.split()[1:])


@test("path options")
@both_loops
def path_options_reach_init(env):
    """Each option changes its members of struct fuse_config, and nothing else."""
    table = [
        ([], {}),
        (["kernel_cache"], {"kernel_cache": "1"}),
        (["auto_cache"], {"auto_cache": "1"}),
        (["auto_cache,noauto_cache"], {}),
        (["no_rofd_flush"], {"no_rofd_flush": "1"}),
        (["umask=027"], {"set_mode": "1", "umask": "27"}),
        (["fmask=137"], {"set_mode": "1", "fmask": "137"}),
        (["dmask=22"], {"set_mode": "1", "dmask": "22"}),
        (["uid=5"], {"set_uid": "1", "uid": "5"}),
        (["gid=6"], {"set_gid": "1", "gid": "6"}),
        (["entry_timeout=2.5"], {"entry_timeout": "2.5"}),
        (["negative_timeout=3"], {"negative_timeout": "3"}),
        (["attr_timeout=4.5"], {"attr_timeout": "4.5", "ac_attr_timeout": "4.5"}),
        (["attr_timeout=4.5,ac_attr_timeout=0.25"], {"attr_timeout": "4.5", "ac_attr_timeout": "0.25",
                                                    "ac_attr_timeout_set": "1"}),
        (["noforget"], {"remember": "-1"}),
        (["remember=60"], {"remember": "60"}),
        (["parallel_direct_write=1"], {"parallel": "1"}),
        (["modules="], {"modules": ""}),
        (["modules=subdir,subdir=/"], {"modules": "subdir"}),
        (["kernel_cache,uid=7", "gid=8"], {"kernel_cache": "1", "set_uid": "1", "uid": "7", "set_gid": "1", "gid": "8"}),
    ]
    for options, changed in table:
        with path_fs(env, *[word for option in options for word in ("-o", option)]) as fs:
            equal(config(fs), {**DEFAULTS, **changed}, f"struct fuse_config with {options}")


@test("path options")
def path_options_that_are_none(env):
    """What is only a member of struct fuse_config is no option; the exit code says that nothing was set up."""
    for name in ("use_ino", "readdir_ino", "direct_io", "hard_remove", "intr", "intr_signal=10", "nullpath_ok",
                 "entry_timeout=x", "uid=", "umask=9"):
        code, text = env.start_fails("path_fs", "-o", name, mode="foreground")
        equal(code, 3, f"exit code with -o {name}")
        check(name.split("=")[0] in text, f"{name} in {text}")


@test("path options")
@both_loops
def path_owner_and_mode(env):
    """uid, gid, umask, fmask, dmask: what all objects are shown with."""
    table = [
        ("uid=11,gid=12", None, None, 11, 12),
        ("umask=027", 0o750, 0o750, None, None),
        ("umask=027,fmask=133", 0o644, 0o644, None, None),
        ("umask=027,dmask=077", 0o750, 0o700, None, None),
        ("fmask=137,dmask=022", 0o640, 0o755, None, None),
        ("umask=0", 0o777, 0o777, None, None),
    ]
    for options, file_mode, dir_mode, uid, gid in table:
        with path_fs(env, "-o", options) as fs:
            (fs.source / "f").touch(0o604)
            (fs.source / "d").mkdir(0o701)
            (fs.source / "f").chmod(0o604)
            (fs.source / "d").chmod(0o701)
            for name, mode in (("f", file_mode or 0o604), ("d", dir_mode or 0o701)):
                got = os.stat(fs(name))
                equal((stat.S_IMODE(got.st_mode), got.st_uid, got.st_gid), (mode, uid or 0, gid or 0),
                      f"{name} with {options}")
                got = {e.name: e.stat() for e in os.scandir(fs())}[name]
                equal(stat.S_IMODE(got.st_mode), mode, f"{name} in a listing with {options}")


@test("path options")
@both_loops
def path_timeouts(env):
    """attr_timeout, entry_timeout, negative_timeout: how often the filesystem is asked."""
    table = [("attr_timeout=0,entry_timeout=60", 3, None), ("attr_timeout=60,entry_timeout=60", 0, None),
             ("attr_timeout=60,entry_timeout=0", 3, None),
             ("negative_timeout=60", None, 0), ("negative_timeout=0", None, 3)]
    for options, known, missing in table:
        with path_fs(env, "-o", options) as fs:
            (fs.source / "f").touch()
            os.stat(fs("f"))
            os.path.exists(fs("no"))
            fs.mark()
            for _ in range(3):
                os.stat(fs("f"))
                os.path.exists(fs("no"))
            if known is not None:
                equal(len([x for x in fs.new("getattr") if x.startswith("getattr /f ")]), known, f"getattr, {options}")
            if missing is not None:
                equal(len([x for x in fs.new("getattr") if x.startswith("getattr /no ")]), missing, f"lookup, {options}")


def read_only(path):
    """The content, by open and read alone: a stat would have the kernel look at the file."""
    fd = os.open(path, os.O_RDONLY)
    content = os.read(fd, 100)
    os.close(fd)
    return content


@test("path options")
@both_loops
def path_caches(env):
    """kernel_cache, auto_cache, direct_io, or none: when data of a file is read again."""
    # What the second read returns if the file changed in between, and whether the filesystem is asked if it did not.
    table = [("", "", b"new", True), ("kernel_cache", "", b"old", False), ("auto_cache", "", b"new", False),
             ("", "direct_io=1", b"new", True), ("", "kernel_cache=1", b"old", False)]
    for option, cfg, content, asked in table:
        words = {"cfg": cfg} if cfg else {}
        options = ["-o", f"attr_timeout=60,entry_timeout=60,ac_attr_timeout=0,{option}".rstrip(",")]
        with path_fs(env, *options, **words) as fs:
            for name in ("same", "other"):
                (fs.source / name).write_text("old")
                os.utime(fs.source / name, (1, 1))
                equal(read_only(fs(name)), b"old", "the first time")
            fs.mark()
            read_only(fs("same"))
            check((fs.count("read_buf") > 0) == asked, f"asked again with {options} {cfg}: {fs.new('read')}")
            (fs.source / "other").write_text("new")
            equal(read_only(fs("other")), content, f"a changed file, {options} {cfg}")


@test("path options")
@both_loops
def path_auto_cache_trusts_for_a_while(env):
    """ac_attr_timeout: so long a file is not looked at again on open."""
    for seconds, content in ((60, b"old"), (0, b"new")):
        with path_fs(env, "-o", f"auto_cache,ac_attr_timeout={seconds},attr_timeout=60,entry_timeout=60") as fs:
            (fs.source / "f").write_text("old")
            equal(read_only(fs("f")), b"old", "the first time")
            time.sleep(0.05)
            (fs.source / "f").write_text("new")
            equal(read_only(fs("f")), content, f"with ac_attr_timeout={seconds}")


@test("path options")
@both_loops
def path_no_rofd_flush(env):
    """No flush for what is opened for reading only; all else is flushed."""
    for options, flushes in (([], 2), (["-o", "no_rofd_flush"], 1)):
        with path_fs(env, *options) as fs:
            (fs.source / "f").touch()
            for flags in (os.O_RDONLY, os.O_RDWR):
                os.close(os.open(fs("f"), flags))
            fs.called("release /f")
            equal(fs.count("flush"), flushes, f"flushes with {options}")


def number_after_forget(fs):
    """The inode number of a file before and after the kernel has forgotten it."""
    (fs.source / "f").touch()
    (fs.source / "other").touch()
    before = os.stat(fs("f")).st_ino
    os.stat(fs("other"))
    for _ in range(20):
        Path("/proc/sys/vm/drop_caches").write_text("2")
        time.sleep(0.02)
    return before, os.stat(fs("f")).st_ino


@test("path options")
def path_noforget_and_remember(env):
    """Numbers of forgotten files: new ones as a rule, the same with noforget, and with remember= for a while."""
    for options, same in (([], False), (["-o", "noforget"], True), (["-o", "remember=60"], True)):
        for threads in BOTH:
            with path_fs(env, *threads, *options) as fs:
                before, after = number_after_forget(fs)
                if same:
                    equal(after, before, f"number with {options}")


@test("path options", timeout=40)
def path_remember_ends(env):
    """remember=1: a while later the node is gone, and the filesystem goes on."""
    for threads in BOTH:
        with path_fs(env, *threads, "-o", "remember=1") as fs:
            number_after_forget(fs)
            Path("/proc/sys/vm/drop_caches").write_text("2")
            time.sleep(2.5)
            equal(os.path.exists(fs("f")), True, "after it was dropped")


@test("path options")
@both_loops
def path_inode_numbers(env):
    """use_ino and readdir_ino: whose numbers files have."""
    for cfg in ("", "use_ino=1", "readdir_ino=1"):
        for extra in ("no_readdirplus", "readdirplus_always"):
            words = {"cfg": cfg} if cfg else {}
            with path_fs(env, extra=extra, readdir="plus" if "always" in extra else "whole", **words) as fs:
                (fs.source / "f").touch()
                os.link(fs.source / "f", fs.source / "g")
                real = os.stat(fs.source / "f").st_ino
                number = os.stat(fs("f")).st_ino
                check((number == real) == ("use_ino" in cfg), f"st_ino {number}, really {real}, {cfg}")
                check((os.stat(fs("g")).st_ino == number) == ("use_ino" in cfg), "a hard link's number")
                listed = {e.name: e.inode() for e in os.scandir(fs())}["f"]
                if "use_ino" in cfg:
                    equal(listed, real, f"d_ino with {cfg} {extra}")
                elif "readdir_ino" in cfg or "always" in extra:
                    equal(listed, number, f"d_ino with {cfg} {extra}")
                else:
                    equal(listed, 0xFFFFFFFF, f"d_ino with {cfg} {extra}")


def hidden(fs):
    return [name for name in os.listdir(fs.source) if name.startswith(".fuse_hidden")]


@test("path options")
def path_hidden_files(env):
    """A file that is removed while it is open has a hidden name until its last close."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            fd = os.open(fs("f"), os.O_CREAT | os.O_RDWR)
            again = os.open(fs("f"), os.O_RDONLY)
            os.write(fd, b"content")
            os.unlink(fs("f"))
            equal(len(hidden(fs)), 1, "hidden files")
            check(not os.path.exists(fs("f")), "still there")
            equal(os.pread(fd, 100, 0), b"content", "read")
            os.pwrite(fd, b"C", 0)
            os.ftruncate(fd, 4)
            equal(os.pread(again, 100, 0), b"Cont", "read by another descriptor")
            equal(os.fstat(fd).st_size, 4, "fstat")
            os.close(fd)
            equal(len(hidden(fs)), 1, "hidden files while one is open")
            os.close(again)
            wait_for(lambda: not hidden(fs), 3, "the hidden file is removed")
            fs.called(r"unlink /\.fuse_hidden.*")
            # The target of a rename is removed as well.
            Path(fs("a")).write_text("a")
            Path(fs("b")).write_text("b")
            fd = os.open(fs("b"), os.O_RDONLY)
            os.rename(fs("a"), fs("b"))
            equal((os.pread(fd, 9, 0), Path(fs("b")).read_text(), len(hidden(fs))), (b"b", "a", 1), "rename over")
            os.close(fd)
            wait_for(lambda: not hidden(fs), 3, "the hidden file is removed")


@test("path options")
def path_hidden_files_at_the_end(env):
    """What is still hidden when the filesystem ends is removed then."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            fd = os.open(fs("f"), os.O_CREAT | os.O_RDWR)
            os.unlink(fs("f"))
            equal(len(hidden(fs)), 1, "hidden files")
            fs.daemon.unmount(2)  # MNT_DETACH: the file stays open
            fs.daemon.kill(signal.SIGTERM)
            wait_for(lambda: fs.daemon.poll() is not None, 5, "the end")
            with contextlib.suppress(OSError):  # nobody answers the flush
                os.close(fd)
            equal(hidden(fs), [], "hidden files")
            fs.end = lambda: None


@test("path options")
def path_hard_remove(env):
    """hard_remove: a file that is removed while it is open is gone, and its operations get no path."""
    for threads in BOTH:
        with path_fs(env, *threads, cfg="hard_remove=1,direct_io=1") as fs:
            fd = os.open(fs("f"), os.O_CREAT | os.O_RDWR)
            os.write(fd, b"content")
            os.unlink(fs("f"))
            fs.called("unlink /f")
            equal((hidden(fs), os.listdir(fs.source)), ([], []), "names")
            equal(os.pread(fd, 100, 0), b"content", "read")
            fs.called(r"read_buf \(null\) size=\d+ off=0")
            os.ftruncate(fd, 3)
            fs.called(r"truncate \(null\) size=3 fi=1")
            equal(os.fstat(fd).st_size, 3, "fstat")
            os.fsync(fd)
            os.close(fd)
            fs.called(r"release \(null\)")


@test("path options")
def path_nullpath_ok(env):
    """nullpath_ok: operations on open files get no path, all others do."""
    for threads in BOTH:
        with path_fs(env, *threads, cfg="nullpath_ok=1", without="lock") as fs:
            fd = os.open(fs("f"), os.O_CREAT | os.O_RDWR)
            os.write(fd, b"content")
            fs.called(r"write_buf \(null\) size=7 off=0")
            os.ftruncate(fd, 3)
            fs.called(r"truncate (\(null\)|/f) size=3 fi=1")
            os.fsync(fd)
            fs.called(r"fsync \(null\) datasync=0")
            os.close(fd)
            fs.called(r"flush \(null\)")
            fs.called(r"release \(null\)")
            os.listdir(fs())
            fs.called(r"readdir \(null\) off=0 plus=\d")
            fs.called(r"releasedir \(null\)")
            os.truncate(fs("f"), 1)
            fs.called(r"truncate /f size=1 fi=0")


def interrupted_read(path):
    """Reads with an alarm set; returns what came of it and how long it took."""
    def run():
        def alarm(*_):
            raise InterruptedError("alarm")
        signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        begin = time.monotonic()
        try:
            fd = os.open(path, os.O_RDONLY)
            os.read(fd, 10)
            word = "read"
        except InterruptedError:
            word = "interrupted"
        return f"{word} {time.monotonic() - begin:.2f}"
    word, seconds = in_child(run).split()
    return word, float(seconds)


@test("path options", peer_fails=("ring",))  # interrupts do not arrive
def path_intr(env):
    """intr: an interrupted client's handler gets the signal, and fuse_interrupted() says so."""
    for threads in BOTH[:1]:  # with one thread there is nobody to hear of it
        for cfg in ("intr=1,direct_io=1", "intr=1,intr_signal=12,direct_io=1"):
            with path_fs(env, *threads, cfg=cfg, without="read_buf") as fs:
                (fs.source / "slow").write_text("0123456789")
                word, seconds = interrupted_read(fs("slow"))
                equal(word, "interrupted", "the read")
                check(seconds < 1.5, f"interrupted after {seconds} s")
                fs.called(r"interrupted read signals=[1-9]\d*")


@test("path options")
def path_without_intr(env):
    """Without intr a handler does not hear of interrupts: the client waits for the reply."""
    with path_fs(env, cfg="direct_io=1", without="read_buf") as fs:
        (fs.source / "slow").write_text("0123456789")
        _, seconds = interrupted_read(fs("slow"))
        check(seconds > 4, f"back after {seconds} s")
        fs.called(r"not interrupted read signals=0")


@test("path options")
def path_parallel_direct_writes(env):
    """Direct writes to one file, inside of it, are handled at once with the option, and without it one by one."""
    for options, at_once in (([], False), (["-o", "parallel_direct_write=1"], True)):
        with path_fs(env, *options, cfg="direct_io=1") as fs:
            (fs.source / "slow").write_bytes(bytes(50000))
            fd = os.open(fs("slow"), os.O_RDWR)
            begin = time.monotonic()
            done = in_parallel([lambda n=n: os.pwrite(fd, bytes([n]) * 5000, n * 5000) for n in range(1, 4)])
            took = time.monotonic() - begin
            equal(done, [5000] * 3, "bytes written")
            check(0.3 <= took < 0.6 if at_once else took >= 0.9, f"three writes of 0.3 s took {took:.2f} s with {options}")
            equal((fs.source / "slow").read_bytes()[5000:20000], bytes([1]) * 5000 + bytes([2]) * 5000 + bytes([3]) * 5000,
                  "content")
            os.close(fd)


@test("path options")
@both_loops
def path_debug(env):
    """-d tells of the calls of the topmost layer."""
    with path_fs(env, mode="debug") as fs:
        (fs.source / "file-name").write_text("x")
        Path(fs("file-name")).read_text()
        os.mkdir(fs("dir-name"))
        text = fs.daemon.stderr()
        for word in ("getattr", "/file-name", "mkdir", "/dir-name", "open"):
            check(word in text, f"{word} is not in the log")


@test("path options")
@both_loops
def path_missing_operations(env):
    """What the client gets if an operation is missing: ENOSYS or the default that fuse.h names."""
    with path_fs(env, only="getattr,readdir,mknod,read,init,destroy") as fs:
        Path(fs("f")).touch()  # create is missing: mknod, then open
        fs.called(r"mknod /f mode=100644 rdev=0")
        (fs.source / "g").write_text("text")
        equal(os.statvfs(fs()).f_namemax, 255, "statfs")
        os.close(os.open(fs("g"), os.O_RDONLY))
        for what, action in {
                "mkdir": lambda: os.mkdir(fs("d")), "unlink": lambda: os.unlink(fs("g")),
                "rename": lambda: os.rename(fs("g"), fs("h")), "chmod": lambda: os.chmod(fs("g"), 0o600),
                "truncate": lambda: os.truncate(fs("g"), 1), "utimens": lambda: os.utime(fs("g")),
                "symlink": lambda: os.symlink("a", fs("b")), "link": lambda: os.link(fs("g"), fs("h"))}.items():
            try:
                action()
                check(False, f"{what} succeeded")
            except OSError as error:
                check(error.errno in (38, 1, 95), f"{what}: {error}")
        equal(libc.setxattr(fs("g").encode(), b"user.x", b"1", 1, 0), -1, "setxattr")


@test("path options")
def path_invalidate(env):
    """fuse_invalidate_path: the kernel looks again, although its time is not over."""
    for threads in BOTH:
        with path_fs(env, *threads, "-o", "attr_timeout=60,entry_timeout=60") as fs:
            (fs.source / "d").mkdir()
            (fs.source / "d/f").write_text("old")
            equal(os.stat(fs("d/f")).st_size, 3, "before")
            (fs.source / "d/f").write_text("much newer")
            equal(os.stat(fs("d/f")).st_size, 3, "not looked at")
            os.setxattr(fs(), "user.invalidate", b"/d/f")
            fs.called(r"invalidated /d/f result=0")
            equal((os.stat(fs("d/f")).st_size, Path(fs("d/f")).read_text()), (10, "much newer"), "after")
            os.setxattr(fs(), "user.invalidate", b"/d/unknown")
            fs.called(r"invalidated /d/unknown result=-2")


@test("path options", peer_fails=("ring?",))  # the reply is lost
def path_exit(env):
    """fuse_exit in a handler ends the loop."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            os.setxattr(fs(), "user.exit", b"1")
            fs.daemon.ended(0)
            check(fs.lines()[-1].startswith("end 0"), fs.lines()[-1])
            fs.end = lambda: None
