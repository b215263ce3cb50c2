# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every operation of a read-write filesystem, seen from the client: memfs_ll."""
import contextlib
import ctypes
import errno
import os
import stat
import time
from pathlib import Path

from harness import Failed, all_ok, check, cpus, in_parallel, libc
from registry import test

AT_FDCWD, NOREPLACE, EXCHANGE = -100, 1, 2


def rename2(old, new, flags):
    if libc.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def calls(fs):
    """memfs's count of each operation."""
    text = os.getxattr(fs.mnt, "user.calls").decode()
    return {k: int(v) for k, v in (line.split() for line in text.splitlines())}


def equal(got, want, what):
    check(got == want, f"{what}: got {got!r}, wanted {want!r}")


@contextlib.contextmanager
def raises(number, what):
    try:
        yield
    except OSError as error:
        equal(errno.errorcode.get(error.errno), errno.errorcode.get(number), what)
    else:
        raise Failed(f"{what}: succeeded, wanted {errno.errorcode[number]}")


@contextlib.contextmanager
def memfs(env, **variables):
    fs = env.start("memfs_ll", extra_env=variables, mode="foreground")
    yield fs
    fs.stop()


def names_and_links(p):
    os.mkdir(p("d"), 0o750)
    equal(stat.S_IMODE(os.stat(p("d")).st_mode), 0o750, "mkdir mode")
    os.mknod(p("fifo"), 0o640 | stat.S_IFIFO)
    check(stat.S_ISFIFO(os.stat(p("fifo")).st_mode), "mknod fifo")
    os.mknod(p("dev"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    equal(os.stat(p("dev")).st_rdev, os.makedev(1, 3), "mknod rdev")
    os.symlink("some/where", p("sym"))
    equal(os.readlink(p("sym")), "some/where", "readlink")
    Path(p("a")).write_text("a")
    os.link(p("a"), p("d/b"))
    equal(os.stat(p("d/b")).st_nlink, 2, "link")
    os.rename(p("d/b"), p("c"))
    check(not os.path.exists(p("d/b")) and Path(p("c")).read_text() == "a", "rename")
    Path(p("other")).write_text("other")
    with raises(errno.EEXIST, "RENAME_NOREPLACE"):
        rename2(p("c"), p("other"), NOREPLACE)
    rename2(p("c"), p("other"), EXCHANGE)
    equal((Path(p("c")).read_text(), Path(p("other")).read_text()), ("other", "a"), "RENAME_EXCHANGE")
    with raises(errno.ENOTEMPTY, "rmdir of a full directory"):
        Path(p("d/x")).touch()
        os.rmdir(p("d"))
    for name in ("d/x", "fifo", "dev", "sym", "a", "c", "other"):
        os.unlink(p(name))
    os.rmdir(p("d"))
    equal(os.listdir(p("")), [], "the empty root")
    with raises(errno.ENOENT, "lookup"):
        os.stat(p("d"))


def attributes(p):
    Path(p("f")).write_bytes(b"0123456789")
    os.chmod(p("f"), 0o4711)
    os.chown(p("f"), 12345, 54321)
    os.truncate(p("f"), 4)
    st = os.stat(p("f"))
    equal((st.st_uid, st.st_gid, st.st_size), (12345, 54321, 4), "chown and truncate")
    os.chmod(p("f"), 0o640)
    os.truncate(p("f"), 8)
    equal(Path(p("f")).read_bytes(), b"0123\0\0\0\0", "truncate to longer")
    os.utime(p("f"), ns=(1_000_000_001, 2_000_000_002))
    st = os.stat(p("f"))
    equal((st.st_atime_ns, st.st_mtime_ns), (1_000_000_001, 2_000_000_002), "utime")
    os.utime(p("f"))
    check(abs(os.stat(p("f")).st_mtime - time.time()) < 5, "utime now")
    check(os.access(p("f"), os.R_OK), "access")
    os.chmod(p("f"), 0o440)
    check(not os.access(p("f"), os.W_OK), "access to a read-only file")
    info = os.statvfs(p(""))
    equal((info.f_blocks, info.f_bfree, info.f_bavail, info.f_files, info.f_ffree, info.f_namemax),
          (1000, 600, 500, 77, 33, 255), "statfs")
    os.unlink(p("f"))


def files(p):
    fd = os.open(p("f"), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    equal(os.pwrite(fd, b"hello", 100_000), 5, "pwrite")
    equal(os.pread(fd, 10, 99_998), b"\0\0hello", "read over a hole")
    equal(os.pread(fd, 10, 200_000), b"", "read behind the end")
    os.fsync(fd)
    os.fdatasync(fd)
    os.unlink(p("f"))
    equal(os.pread(fd, 5, 100_000), b"hello", "read of an unlinked file")
    equal(os.fstat(fd).st_nlink, 0, "fstat of an unlinked file")
    os.close(fd)
    with raises(errno.ENOENT, "open without O_CREAT"):
        os.open(p("f"), os.O_RDONLY)
    Path(p("f")).write_text("first")
    with open(p("f"), "a") as file:
        file.write(" and more")
    equal(Path(p("f")).read_text(), "first and more", "O_APPEND")
    Path(p("f")).write_text("new")
    equal(Path(p("f")).read_text(), "new", "O_TRUNC")
    os.unlink(p("f"))
    fd = os.open(p(""), os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def xattrs(p):
    Path(p("f")).touch()
    equal(os.listxattr(p("f")), [], "no xattr")
    with raises(errno.ENODATA, "getxattr"):
        os.getxattr(p("f"), "user.a")
    os.setxattr(p("f"), "user.a", b"1")
    os.setxattr(p("f"), "user.empty", b"")
    with raises(errno.EEXIST, "XATTR_CREATE"):
        os.setxattr(p("f"), "user.a", b"2", os.XATTR_CREATE)
    with raises(errno.ENODATA, "XATTR_REPLACE"):
        os.setxattr(p("f"), "user.b", b"2", os.XATTR_REPLACE)
    big = os.urandom(65536)
    os.setxattr(p("f"), "user.big", big)
    equal(os.getxattr(p("f"), "user.big"), big, "a 64 KiB xattr")
    equal((os.getxattr(p("f"), "user.a"), os.getxattr(p("f"), "user.empty")), (b"1", b""), "getxattr")
    equal(sorted(os.listxattr(p("f"))), ["user.a", "user.big", "user.empty"], "listxattr")
    buf = ctypes.create_string_buffer(1)
    check(libc.getxattr(p("f").encode(), b"user.big", buf, 1) == -1, "ERANGE")
    equal(ctypes.get_errno(), errno.ERANGE, "getxattr into a small buffer")
    os.removexattr(p("f"), "user.a")
    with raises(errno.ENODATA, "removexattr"):
        os.removexattr(p("f"), "user.a")
    os.unlink(p("f"))


@test("ops")
def every_operation(env):
    """Each operation does what it should, and each was really called."""
    with memfs(env) as fs:
        for part in (names_and_links, attributes, files, xattrs):
            part(fs.path)
        libc.syncfs(0)
        Path("/proc/sys/vm/drop_caches").write_text("2")  # brings forgets
        os.stat(fs.path(""))
        missing = [op for op, count in calls(fs).items() if count == 0]
        check(set(missing) <= {"readdir"}, f"never called: {missing}")
    with memfs(env, MEMFS_NO_PLUS="1") as fs:
        names_and_links(fs.path)
        check(calls(fs)["readdir"] > 0, "readdir was not called")


def triggers(p):
    """One client call for each operation whose error a client can see."""
    fd = os.open(p("file"), os.O_RDWR)
    dirfd = os.open(p("dir"), os.O_RDONLY)
    return fd, dirfd, {
        "lookup": lambda: os.stat(p("new-name")),
        "getattr": lambda: os.stat(p("")),
        "setattr": lambda: os.chmod(p("file"), 0o600),
        "readlink": lambda: os.readlink(p("sym")),
        "mknod": lambda: os.mknod(p("n1"), 0o600 | stat.S_IFIFO),
        "mkdir": lambda: os.mkdir(p("n2")),
        "unlink": lambda: os.unlink(p("file")),
        "rmdir": lambda: os.rmdir(p("dir")),
        "symlink": lambda: os.symlink("x", p("n3")),
        "rename": lambda: os.rename(p("file"), p("n4")),
        "link": lambda: os.link(p("file"), p("n5")),
        "open": lambda: os.open(p("file"), os.O_RDONLY),
        "create": lambda: os.open(p("n6"), os.O_CREAT | os.O_WRONLY),
        "read": lambda: os.pread(fd, 10, 0),
        "write": lambda: os.pwrite(fd, b"x", 0),
        "flush": lambda: os.close(os.dup(fd)),
        "fsync": lambda: os.fsync(fd),
        "opendir": lambda: os.listdir(p("dir")),
        "readdirplus": lambda: os.listdir(p("dir")),
        "fsyncdir": lambda: os.fsync(dirfd),
        "statfs": lambda: os.statvfs(p("")),
        "setxattr": lambda: os.setxattr(p("file"), "user.n", b"v"),
        "getxattr": lambda: os.getxattr(p("file"), "user.x"),
        "listxattr": lambda: os.listxattr(p("file")),
        "removexattr": lambda: os.removexattr(p("file"), "user.x"),
        "access": lambda: not os.access(p("file"), os.R_OK) and (_ for _ in ()).throw(OSError(ctypes.get_errno() or 0, "")),
    }


@test("ops")
def error_replies(env):
    """The error a handler replies is the error the client gets, for each operation."""
    with memfs(env, MEMFS_DIRECT="1") as fs:
        p = fs.path
        Path(p("file")).write_text("content")
        os.mkdir(p("dir"))
        os.symlink("target", p("sym"))
        os.setxattr(p("file"), "user.x", b"1")
        fd, dirfd, actions = triggers(p)
        for number in (errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EOVERFLOW):
            for op, action in actions.items():
                if number == errno.ESTALE and op not in ("read", "write", "fsync"):
                    continue  # the VFS tries path operations again after ESTALE
                os.setxattr(fs.mnt, "user.fail", f"{op} {number}".encode())
                if op == "access":  # os.access() keeps the error number to itself
                    check(not os.access(p("file"), os.R_OK), "access: no error")
                    continue
                with raises(number, op):
                    action()
        os.close(fd)
        os.close(dirfd)


@test("ops")
def ways_to_read_and_write(env):
    """write and write_buf; fuse_reply_buf, _iov and _data; cached and direct."""
    content = os.urandom(300_001)
    for io in ("write", "write_buf"):
        for read in ("buf", "iov", "data"):
            for direct in ({}, {"MEMFS_DIRECT": "1"}):
                with memfs(env, MEMFS_IO=io, MEMFS_READ=read, **direct) as fs:
                    Path(fs.path("f")).write_bytes(content)
                    check(Path(fs.path("f")).read_bytes() == content, f"{io} {read} {direct}")
                    with open(fs.path("f"), "rb") as file:
                        file.seek(100_000)
                        check(file.read(1000) == content[100_000:101_000], "seek")


@test("ops", peer_fails=("ring?",))  # the loop returns an error after umount
def sizes_at_their_limits(env):
    """0, 1, max_write and one more; for the default max_write and small ones."""
    for limit in ({}, {"MEMFS_MAX_WRITE": "4096"}, {"MEMFS_MAX_WRITE": "135168"}):
        with memfs(env, MEMFS_DIRECT="1", **limit) as fs:
            top = calls(fs)["max_write"]
            fd = os.open(fs.path("f"), os.O_CREAT | os.O_RDWR, 0o600)
            for size in (0, 1, 4095, 4096, 4097, top - 1, top, top + 1, 2 * top + 7):
                data = os.urandom(size)
                equal(os.pwrite(fd, data, 5), size, "pwrite")
                check(os.pread(fd, size, 5) == data, f"content of {size} bytes, max_write {top}")
            check(os.pread(fd, 0, 0) == b"", "empty read")
            os.close(fd)
            seen = calls(fs)["largest_write"]
            check(seen <= top, f"a write of {seen} bytes, max_write {top}")
            equal(seen, top, "largest write")


@test("ops")
def long_names(env):
    """Names of 255 bytes work, longer ones as far as the kernel goes; odd bytes are kept."""
    with memfs(env) as fs:
        p = fs.path
        for name in ("n" * 255, "ü" * 127, "a\nb", " ", "...", "x\\y%s"):
            Path(p(name)).write_text(name)
            equal(Path(p(name)).read_text(), name, "content")
            os.rename(p(name), p("z" * 255))
            os.link(p("z" * 255), p(name))
            os.symlink("t" * 4000, p("y" * 255))
            equal(os.readlink(p("y" * 255)), "t" * 4000, "long link target")
            check(name in os.listdir(p("")), "readdir")
            for used in (name, "z" * 255, "y" * 255):
                if os.path.lexists(p(used)):
                    os.unlink(p(used))
        try:  # Linux 6.16 and later pass up to 4095 bytes
            os.mkdir(p("n" * 1500))
            equal(os.listdir(p("")), ["n" * 1500], "a name of 1500 bytes")
            os.rmdir(p("n" * 1500))
        except OSError as error:
            equal(error.errno, errno.ENAMETOOLONG, "a name of 1500 bytes")


@test("ops", timeout=60)
def twenty_thousand_names(env):
    """A directory of 20 000 entries, by readdirplus and by readdir, also while it changes."""
    for variables in ({}, {"MEMFS_NO_PLUS": "1"}):
        with memfs(env, **variables) as fs:
            os.mkdir(fs.path("d"))

            def make(first):
                return lambda: [os.mknod(fs.path(f"d/entry-{n}")) for n in range(first, 20_000, 4)]
            all_ok(in_parallel([make(i) for i in range(4)], cpus(), 30))
            want = {f"entry-{n}" for n in range(20_000)}
            with os.scandir(fs.path("d")) as entries:
                seen = []
                for entry in entries:
                    seen.append(entry.name)
                    if len(seen) % 1000 == 0:  # what was seen may go
                        os.unlink(fs.path(f"d/{entry.name}"))
            equal(len(seen), len(set(seen)), "names seen twice")
            check(set(seen) == want, f"{len(want - set(seen))} names missing")
            equal(len(os.listdir(fs.path("d"))), 19_980, "names left")


@test("ops")
def eight_clients_at_once(env):
    """8 clients create, write, read, rename and remove in a tree together."""
    with memfs(env) as fs:
        def work(i):
            def run():
                base = Path(fs.path(f"c{i}"))
                base.mkdir()
                for n in range(40):
                    data = bytes([i, n]) * (n * 700)
                    (base / f"{n}").write_bytes(data)
                    (base / f"{n}").rename(base / f"r{n}")
                    check((base / f"r{n}").read_bytes() == data, "content")
                    os.setxattr(base / f"r{n}", "user.n", str(n).encode())
                equal(len(list(base.iterdir())), 40, "listing")
                for path in base.iterdir():
                    path.unlink()
                base.rmdir()
            return run
        all_ok(in_parallel([work(i) for i in range(8)], cpus()))
        equal(os.listdir(fs.mnt), [], "what is left")
