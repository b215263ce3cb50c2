# SPDX-License-Identifier: MIT OR Apache-2.0
"""The high-level interface: every operation is called as `fuse.h` says, and its result is what the client gets."""
import ctypes
import errno
import fcntl
import os
import re
import select
import stat
import struct
import subprocess
import sys
from pathlib import Path

from harness import check, libc, mounts_below, wait_for
from pathfs import BOTH, both_loops, path_fs
from registry import test
from t_basic import equal, raises, rename2
from t_lowlevel_ops import AT_EMPTY_PATH, AT_FORCE_SYNC, BASIC, BTIME, statx

GET, DOUBLE = 0x80047001, 0xC0047002


def listing(fs):
    return sorted(os.listdir(fs()))


@test("path ops")
def path_names(env):
    """mkdir, mknod, symlink, readlink, link, rename, unlink, rmdir: paths and arguments."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            os.mkdir(fs("d"), 0o750)
            fs.called(r"mkdir /d mode=750")
            os.mknod(fs("d/fifo"), 0o640 | stat.S_IFIFO)
            fs.called(r"mknod /d/fifo mode=10640 rdev=0")
            os.mknod(fs("dev"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
            fs.called(r"mknod /dev mode=20600 rdev=103")
            os.symlink("to/where", fs("d/l"))
            fs.called(r"symlink /d/l target=to/where")
            equal(os.readlink(fs("d/l")), "to/where", "readlink")
            fs.called(r"readlink /d/l size=\d+")
            Path(fs("f")).touch()
            os.link(fs("f"), fs("d/g"))
            fs.called(r"link /f to=/d/g")
            os.rename(fs("d/g"), fs("h"))
            fs.called(r"rename /d/g to=/h flags=0")
            rename2(fs("h"), fs("d"), 2)
            fs.called(r"rename /h to=/d flags=2")
            check(os.path.isdir(fs("h")) and os.path.isfile(fs("d")), "exchange")
            with raises(errno.EEXIST, "RENAME_NOREPLACE"):
                rename2(fs("f"), fs("d"), 1)
            equal(os.readlink(fs("h/l")), "to/where", "a path below a directory that was exchanged")
            fs.called(r"readlink /h/l size=\d+")
            os.unlink(fs("h/l"))
            fs.called(r"unlink /h/l")
            os.unlink(fs("h/fifo"))
            os.rmdir(fs("h"))
            fs.called(r"rmdir /h")
            for name in ("dev", "d", "f"):
                os.unlink(fs(name))
            equal(listing(fs), [], "what is left")


@test("path ops")
def path_attributes(env):
    """getattr, chmod, chown, truncate, utimens: on paths and on open files."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            Path(fs("f")).write_bytes(b"0123456789")
            os.chmod(fs("f"), 0o4711)
            fs.called(r"chmod /f mode=104711 fi=0")
            os.chown(fs("f"), 12345, 54321)
            fs.called(r"chown /f uid=12345 gid=54321 fi=0")
            os.chown(fs("f"), -1, 77)
            fs.called(r"chown /f uid=-1 gid=77 fi=0")
            os.truncate(fs("f"), 4)
            fs.called(r"truncate /f size=4 fi=0")
            os.utime(fs("f"), ns=(1_000_000_001, 2_000_000_002))
            fs.called(r"utimens /f atime=1.000000001 mtime=2.000000002 fi=0")
            got = os.stat(fs("f"))
            equal((got.st_uid, got.st_gid, got.st_size, got.st_atime_ns, got.st_mtime_ns),
                  (12345, 77, 4, 1_000_000_001, 2_000_000_002), "attributes")
            os.utime(fs("f"))
            fs.called(r"utimens /f atime=\d+.1073741823 mtime=\d+.1073741823 fi=0")  # UTIME_NOW
            check(libc.utimensat(-100, fs("f").encode(), struct.pack("qqqq", 7, 8, 0, 0x3FFFFFFE), 0) == 0, "utimensat")
            fs.called(r"utimens /f atime=7.000000008 mtime=\d+.1073741822 fi=0")  # UTIME_OMIT
            with open(fs("f"), "r+b") as file:
                os.ftruncate(file.fileno(), 2)
                fs.called(r"truncate /f size=2 fi=1")
                os.fchmod(file.fileno(), 0o600)
                os.fstat(file.fileno())
            fs.called(r"getattr /f fi=[01]")
            equal(os.stat(fs("f")).st_size, 2, "size")
            with raises(errno.ENOENT, "getattr of nothing"):
                os.stat(fs("nothing"))
            fs.called(r"getattr /nothing fi=0")


@test("path ops")
def path_files(env):
    """open, create, read, write, flush, release, fsync, fallocate, lseek, copy_file_range."""
    for threads in BOTH:
        for io in ("read,write", ""):  # what is left out: plain memory, or vectors
            without = "read_buf,write_buf" if io == "" else io
            reading = "read" if io == "" else "read_buf"
            writing = "write" if io == "" else "write_buf"
            with path_fs(env, *threads, without=without) as fs:
                fd = os.open(fs("f"), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
                fs.called(r"create /f mode=100640 flags=[0-9a-f]+")
                equal(os.pwrite(fd, b"hello", 100_000), 5, "pwrite")
                fs.called(writing + r" /f size=5 off=100000")
                equal(os.pread(fd, 10, 99_998), b"\0\0hello", "pread")
                fs.called(reading + r" /f size=\d+ off=\d+")
                os.fsync(fd)
                fs.called(r"fsync /f datasync=0")
                os.fdatasync(fd)
                fs.called(r"fsync /f datasync=1")
                os.posix_fallocate(fd, 0, 200_000)
                fs.called(r"fallocate /f mode=0 off=0 len=200000")
                equal(os.fstat(fd).st_size, 200_000, "fallocate")
                below = os.open(fs.source / "f", os.O_RDONLY)
                equal(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(below, 0, os.SEEK_DATA), "SEEK_DATA")
                os.close(below)
                fs.called(r"lseek /f off=0 whence=3")
                fs.mark()
                os.close(os.dup(fd))
                fs.called(r"flush /f")
                fs.not_called("release")
                to = os.open(fs("g"), os.O_CREAT | os.O_RDWR)
                equal(os.copy_file_range(fd, to, 50_000, 90_000), 50_000, "copy_file_range")
                fs.called(r"copy_file_range /f to=/g len=50000")
                equal(os.pread(to, 5, 10_000), b"hello", "copied")
                os.close(to)
                os.close(fd)
                fs.called(r"release /f")
                fd = os.open(fs("f"), os.O_RDONLY)
                fs.called(r"open /f flags=[0-9a-f]+")
                os.close(fd)


@test("path ops")
@both_loops
def path_data_of_all_sizes(env):
    """Content comes through as it is: read and write, and vectors of descriptors and of memory in pieces."""
    content = os.urandom(1_500_001)
    for words in ({"without": "read_buf,write_buf"}, {"without": "read,write"},
                  {"without": "read,write", "extra": "memory"}, {"without": "read_buf,write"}, {}):
        for direct in ("0", "1"):
            with path_fs(env, cfg=f"direct_io={direct}", **words) as fs:
                Path(fs("f")).write_bytes(content)
                check(Path(fs("f")).read_bytes() == content, f"content, {words}, direct_io={direct}")
                check((fs.source / "f").read_bytes() == content, f"what is below, {words}")
                fd = os.open(fs("f"), os.O_RDONLY)
                for size in (0, 1, 4095, 4097, 131_073, 1_048_577):
                    check(os.pread(fd, size, 7) == content[7:7 + size], f"{size} bytes, {words}")
                equal(os.pread(fd, 10, 2_000_000), b"", "behind the end")
                os.close(fd)


@test("path ops")
def path_directories(env):
    """opendir, readdir, releasedir, fsyncdir: whole or in pieces, with attributes or without."""
    names = {f"name-{n:04}" for n in range(1500)}
    for threads in BOTH:
        for how in ("whole", "pieces", "plus", "pieces,plus"):
            with path_fs(env, *threads, readdir=how) as fs:
                for name in names:
                    (fs.source / name).touch()
                with os.scandir(fs()) as entries:
                    got = [(entry.name, entry.is_file(follow_symlinks=False)) for entry in entries]
                equal({name for name, _ in got}, names, f"names, {how}")
                equal(len(got), len(names), f"each once, {how}")
                check(all(is_file for _, is_file in got), f"types, {how}")
                fs.called(r"opendir /")
                fs.called(r"releasedir /")
                calls = fs.count("readdir")
                check(calls > 3 if "pieces" in how else calls == 1, f"{calls} calls of readdir, {how}")
                fd = os.open(fs(), os.O_RDONLY | os.O_DIRECTORY)
                os.fsync(fd)
                fs.called(r"fsyncdir / datasync=0")
                os.fdatasync(fd)
                fs.called(r"fsyncdir / datasync=1")
                first = os.listdir(fd)
                libc.lseek(fd, 0, 0)
                (fs.source / "late").touch()
                again = os.listdir(fd)
                os.close(fd)
                equal(set(first), names, "the first time")
                check(names <= set(again) and "late" in again, "after a rewind")
                seek_in(fs(), names | {"late", ".", ".."})


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("len", ctypes.c_uint16), ("type", ctypes.c_uint8),
                ("name", ctypes.c_char * 256)]


def seek_in(path, names):
    """seekdir leads back to each entry, also after the end was reached."""
    libc.opendir.restype = libc.readdir64.restype = ctypes.c_void_p
    libc.telldir.restype = ctypes.c_long
    libc.readdir64.argtypes = libc.telldir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
    libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
    directory = libc.opendir(path.encode())

    def following():
        entry = libc.readdir64(directory)
        return ctypes.cast(entry, ctypes.POINTER(Dirent)).contents.name.decode() if entry else None
    order = []
    while True:
        place = libc.telldir(directory)
        name = following()
        if name is None:
            break
        order.append((place, name))
    equal({name for _, name in order}, names, "names")
    for place, name in order[::-150]:
        libc.seekdir(directory, place)
        equal(following(), name, "the entry behind a place")
    libc.closedir(directory)


@test("path ops")
@both_loops
def path_plus_entries_are_looked_up(env):
    """What readdir delivers with all attributes needs no lookup; without, it does."""
    for how, calls in (("plus", 0), ("whole", 3)):
        with path_fs(env, "-o", "attr_timeout=60,entry_timeout=60", readdir=how, extra="readdirplus_always") as fs:
            for name in "abc":
                (fs.source / name).write_text(name * 5)
            fs.mark()
            equal(sorted(os.listdir(fs())), ["a", "b", "c"], "names")
            equal([os.stat(fs(name)).st_size for name in "abc"], [5, 5, 5], "sizes")
            got = sum(fs.count(op) for op in ("getattr",)) - len([x for x in fs.new("getattr") if x.startswith("getattr / ")])
            check(got >= calls if calls else got == 0, f"{how}: getattr called {got} times: {fs.new('getattr')}")


@test("path ops")
def path_xattrs(env):
    """setxattr, getxattr, listxattr, removexattr."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            Path(fs("f")).touch()
            os.setxattr(fs("f"), "user.a", b"12345", os.XATTR_CREATE)
            fs.called(r"setxattr /f name=user.a size=5 flags=1")
            with raises(errno.EEXIST, "XATTR_CREATE"):
                os.setxattr(fs("f"), "user.a", b"2", os.XATTR_CREATE)
            equal(os.getxattr(fs("f"), "user.a"), b"12345", "getxattr")
            equal(libc.getxattr(fs("f").encode(), b"user.a", None, 0), 5, "size of a value")
            fs.called(r"getxattr /f name=user.a size=0")
            buf = ctypes.create_string_buffer(2)
            check(libc.getxattr(fs("f").encode(), b"user.a", buf, 2) == -1, "a small buffer")
            equal(ctypes.get_errno(), errno.ERANGE, "a small buffer")
            equal(os.listxattr(fs("f")), ["user.a"], "listxattr")
            fs.called(r"listxattr /f size=\d+")
            os.removexattr(fs("f"), "user.a")
            fs.called(r"removexattr /f name=user.a")
            with raises(errno.ENODATA, "getxattr"):
                os.getxattr(fs("f"), "user.a")


@test("path ops")
def path_statfs_and_access(env):
    """statfs and access; and that access is not asked with default_permissions."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            info = os.statvfs(fs())
            equal((info.f_bsize, info.f_blocks, info.f_bfree, info.f_bavail, info.f_files, info.f_ffree,
                   info.f_namemax), (4096, 1000, 600, 500, 77, 33, 200), "statfs")
            fs.called(r"statfs /")
            Path(fs("f")).touch()
            check(os.access(fs("f"), os.R_OK | os.W_OK), "access")
            fs.called(r"access /f mask=6")
        with path_fs(env, *threads, "-o", "default_permissions") as fs:
            Path(fs("f")).touch()
            check(os.access(fs("f"), os.R_OK), "access")
            fs.not_called("access")


def get_lock(file):
    """(type, pid) of what is in the way of a write lock."""
    got = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    kind, _, _, _, pid = struct.unpack("hhqqi4x", got)
    return kind, pid


@test("path ops")
def path_locks(env):
    """lock and flock are called where they exist; else the kernel keeps the locks."""
    other = (f"import fcntl,sys,struct\nf=open(sys.argv[1],'r+')\n"
             f"try: getattr(fcntl,sys.argv[2])(f,fcntl.LOCK_EX|fcntl.LOCK_NB); print('got')\n"
             f"except OSError as e: print(e.errno)")

    def from_outside(path, kind):
        return subprocess.run([sys.executable, "-c", other, path, kind], capture_output=True, text=True).stdout.strip()

    for threads in BOTH:
        for without in ("", "lock,flock"):
            with path_fs(env, *threads, without=without) as fs:
                Path(fs("f")).touch()
                with open(fs("f"), "r+") as file:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
                    equal(from_outside(fs("f"), "lockf"), str(errno.EAGAIN), "a POSIX lock")
                    fcntl.lockf(file, fcntl.LOCK_UN, 10, 5)
                    equal(from_outside(fs("f"), "lockf"), "got", "after unlocking")
                    equal(get_lock(file)[0], fcntl.F_UNLCK, "F_GETLK without a lock")
                    fcntl.flock(file, fcntl.LOCK_EX)
                    equal(from_outside(fs("f"), "flock"), str(errno.EAGAIN), "a lock of flock(2)")
                    fcntl.flock(file, fcntl.LOCK_UN)
                    equal(from_outside(fs("f"), "flock"), "got", "after unlocking")
                if without:
                    fs.not_called("lock")
                    fs.not_called("flock")
                else:
                    fs.called(r"lock /f cmd=6 type=1 start=5 len=10 owner=1 pid=1")
                    fs.called(r"lock /f cmd=[67] type=2 start=5 len=10 owner=1 pid=[01]")
                    fs.called(r"lock /f cmd=5 type=1 start=0 len=0 owner=1 pid=[01]")
                    fs.called(r"flock /f op=6 owner=1")
                    fs.called(r"flock /f op=8 owner=1")


@test("path ops")
def path_lock_that_waits(env):
    """F_SETLKW arrives as such, and the client waits until it is free."""
    with path_fs(env) as fs:
        Path(fs("f")).touch()
        holder = open(fs("f"), "r+")
        fcntl.lockf(holder, fcntl.LOCK_EX)
        script = "import fcntl,sys\nf=open(sys.argv[1],'r+')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('got',flush=True)"
        waiter = subprocess.Popen([sys.executable, "-c", script, fs("f")], stdout=subprocess.PIPE)
        wait_for(lambda: fs.count("lock") - len([x for x in fs.new("lock") if "type=2" in x]) == 2, 5, "the second lock")
        fs.called(r"lock /f cmd=7 type=1 start=0 len=0 owner=1 pid=1")
        check(not select.select([waiter.stdout], [], [], 0.3)[0], "got a lock that somebody holds")
        holder.close()
        check(select.select([waiter.stdout], [], [], 5)[0], "did not get the lock when it was free")
        waiter.communicate()


@test("path ops")
def path_ioctl(env):
    """ioctl: data in both directions, the result, an error."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            Path(fs("f")).touch()
            fd = os.open(fs("f"), os.O_RDWR)
            buf = bytearray(4)
            fcntl.ioctl(fd, GET, buf)
            equal(struct.unpack("I", buf)[0], 1, "the number of ioctls")
            buf = bytearray(struct.pack("I", 21))
            equal(fcntl.ioctl(fd, DOUBLE, buf), 7, "result")
            equal(struct.unpack("I", buf)[0], 42, "data")
            fs.called(r"ioctl /f cmd=c0047002 flags=0")
            with raises(errno.ENOTTY, "an unknown command"):
                fcntl.ioctl(fd, 0x80047009, bytearray(4))
            os.close(fd)


@test("path ops")
def path_poll(env):
    """poll waits until fuse_notify_poll, and then asks again."""
    for threads in BOTH:
        with path_fs(env, *threads) as fs:
            Path(fs("f")).touch()
            fd = os.open(fs("f"), os.O_RDONLY)
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            got = poller.poll(5000)
            equal(got, [(fd, select.POLLIN)], "poll")
            fs.called(r"poll /f handle=1")
            fs.called(r"notified result=0")
            check(fs.count("poll") >= 2, "poll was asked once only")
            os.close(fd)


@test("path ops")
@both_loops
def path_bmap(env):
    """bmap, on a mount of a block device; that one is told of its end by the kernel."""
    image = env.dir / "image"
    image.write_bytes(bytes(1 << 20))
    device = subprocess.run(["losetup", "-f", "--show", str(image)], check=True, capture_output=True,
                            text=True).stdout.strip()
    try:
        # The harness finds a connection by the number of its device, which is the block device's here.
        with path_fs(env, "-o", f"blkdev,fsname={device}", wait=False) as fs:
            wait_for(lambda: mounts_below(fs.mnt) and fs.lines(), 5, "init")
            Path(fs("f")).touch()
            with open(fs("f")) as file:
                buf = bytearray(struct.pack("i", 3))
                fcntl.ioctl(file, 1, buf)  # FIBMAP
                equal(struct.unpack("i", buf)[0], 1003, "block")
            fs.called(r"bmap /f blocksize=\d+ idx=3")
        equal([line for line in fs.lines() if line.startswith("destroy")],
              ["destroy data=from init context=from init"], "destroy")
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


@test("path ops")
@both_loops
def path_statx(env):
    """statx(2): the operation where it exists, by path and by open file; getattr where it doesn't."""
    with path_fs(env) as fs:
        (fs.source / "f").write_text("12345")
        below = statx(-100, str(fs.source / "f"), 0, BASIC | BTIME)
        got = statx(-100, fs("f"), AT_FORCE_SYNC, BASIC | BTIME)
        fs.called(r"statx /f fi=0")
        equal((got.btime, got.btime_nsec, got.size), (below.btime, below.btime_nsec, 5), "birth time and size")
        check(got.mask & BTIME, "the birth time is not said to be known")
        with open(fs("f")) as file:
            fs.mark()
            equal(statx(file.fileno(), "", AT_EMPTY_PATH | AT_FORCE_SYNC, BASIC | BTIME).btime, below.btime, "of a file")
            fs.called(r"statx /f fi=[01]")
    with path_fs(env, cfg="uid=17,set_uid=1") as fs:
        (fs.source / "f").touch()
        equal(statx(-100, fs("f"), AT_FORCE_SYNC, BASIC | BTIME).uid, 17, "the owner that uid= says")
    with path_fs(env, without="statx") as fs:
        (fs.source / "f").write_text("12345")
        equal(os.stat(fs("f")).st_size, 5, "size")
        check(statx(-100, fs("f"), AT_FORCE_SYNC, BASIC | BTIME).mask & BTIME == 0, "a birth time from nowhere")
        check(fs.count("getattr") > 0, "getattr")


def in_child(function):
    """Runs it in a process of its own; returns its text."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write_end, function().encode())
        except BaseException as error:  # the parent shall see it
            os.write(write_end, repr(error).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


@test("path ops")
def path_context(env):
    """Who asks: ids, umask, private data, groups; the same in init and destroy."""
    for threads in BOTH:
        with path_fs(env, *threads, "-o", "allow_other") as fs:
            fs.called(r"init data=from main fuse=1 posix=1 flock=1")

            def ask():
                os.setgroups([7, 8, 9])
                os.setgid(1002)
                os.setuid(1001)
                return f"{os.getpid()} {os.getxattr(fs(), 'user.context').decode()}"
            pid, rest = in_child(ask).split(" ", 1)
            check(re.match(rf"uid=1001 gid=1002 pid={pid} umask=0 data=from init fuse=1 groups=", rest), rest)
            check(rest.endswith("groups=3,7,8,9"), rest)
        last = fs.lines()[-2:]
        check(last[0] == "destroy data=from init context=from init", f"destroy: {last}")


@test("path ops")
@both_loops
def path_umask_in_context(env):
    """mkdir gets the mode with the umask applied."""
    with path_fs(env) as fs:
        old = os.umask(0o077)
        os.mkdir(fs("d"))
        os.umask(old)
        fs.called(r"mkdir /d mode=700")
