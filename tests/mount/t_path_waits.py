# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who waits for whom below the high-level interface: an operation for what is being renamed above it, and for nobody
else. The kernel's own locks stay out of it: what must not wait is another directory, or an open file."""
import os
import threading
import time
from pathlib import Path

from harness import check, in_parallel, wait_for
from pathfs import path_fs
from registry import test
from t_basic import equal, rename2


def held(action, arrived):
    """Starts an operation whose handler waits, and returns when it does."""
    thread = threading.Thread(target=action)
    thread.start()
    wait_for(arrived, 5, "the held operation")
    return thread


def elsewhere(fs, open_file, renames):
    """Much of what a client does, away from /a/x; the files are open, directories known."""
    os.mkdir(fs("b/new"))
    Path(fs("b/new/file")).write_text("content")
    os.link(fs("b/new/file"), fs("b/link"))
    os.symlink("link", fs("b/sym"))
    equal(Path(fs("b/sym")).read_text(), "content", "content")
    equal(sorted(os.listdir(fs("b"))), ["link", "new", "sym"], "names")
    os.truncate(fs("b/link"), 3)
    os.chmod(fs("b/link"), 0o600)
    equal(os.stat(fs("b/new/file")).st_size, 3, "size")
    for name in ("b/sym", "b/link", "b/new/file"):
        os.unlink(fs(name))
    os.rename(fs("b/new"), fs("b/renamed")) if renames else os.rmdir(fs("b/new"))
    os.statvfs(fs())
    equal((os.pread(open_file, 10, 0), os.fstat(open_file).st_size), (b"beside", 6), "a file of the same directory")


@test("paths")
def a_held_rename_holds_nothing_else(env):
    """While the handler of a rename waits: operations below what it renames wait, all others don't."""
    for name, rename in (("rename", lambda fs: os.rename(fs("a/x"), fs("a/y"))),
                         ("rename", lambda fs: rename2(fs("a/x"), fs("a/other"), 2)),
                         ("rmdir", lambda fs: os.rmdir(fs("a/empty")))):
        # hard_remove: else the unlink of a file whose release is on its way is a rename.
        with path_fs(env, "-o", "attr_timeout=0,entry_timeout=60", cfg="hard_remove=1", hold=name) as fs:
            for directory in ("a/x/sub", "a/other", "a/empty", "b"):
                (fs.source / directory).mkdir(parents=True)
            (fs.source / "a/beside").write_text("beside")
            (fs.source / "a/x/sub/file").write_text("below")
            beside, below = os.open(fs("a/beside"), os.O_RDONLY), os.open(fs("a/x/sub/file"), os.O_RDONLY)
            os.listdir(fs("b"))
            fs.mark()
            thread = held(lambda: rename(fs), lambda: fs.new(name))
            begin = time.monotonic()
            elsewhere(fs, beside, name == "rmdir")
            took = time.monotonic() - begin
            check(took < 2 and thread.is_alive(), f"{name}: others took {took:.1f} s")
            fs.mark()
            waiting = threading.Thread(target=lambda: os.fstat(below))
            waiting.start()
            waiting.join(0.3)
            below_it = name == "rename"
            check(waiting.is_alive() == below_it, f"{name}: an fstat below waits: {waiting.is_alive()}")
            asked = fs.new("getattr") + fs.new("statx")
            check(not below_it or not asked, f"{name}: called with a path that is changing: {asked}")
            (fs.source / ".go").touch()
            thread.join(5)
            waiting.join(5)
            check(not thread.is_alive() and not waiting.is_alive(), f"{name}: no end")
            for fd in (beside, below):
                os.close(fd)


@test("paths")
def a_held_operation_holds_only_renames_above_it(env):
    """While a handler has a path, nothing above it is renamed; everything else goes on."""
    with path_fs(env, "-o", "attr_timeout=0,entry_timeout=60", hold="chmod") as fs:
        for directory in ("a/sub", "b"):
            (fs.source / directory).mkdir(parents=True)
        for name in ("a/sub/file", "b/beside"):
            (fs.source / name).write_text("beside")
        beside = os.open(fs("b/beside"), os.O_RDONLY)
        fs.mark()
        thread = held(lambda: os.chmod(fs("a/sub/file"), 0o600), lambda: fs.new("chmod"))
        renaming = threading.Thread(target=lambda: os.rename(fs("a"), fs("c")))
        renaming.start()
        begin = time.monotonic()
        in_another_directory(fs, beside)
        took = time.monotonic() - begin
        check(took < 2 and thread.is_alive(), f"others took {took:.1f} s")
        check(renaming.is_alive() and not fs.new("rename"), "a directory was renamed above a handler's path")
        (fs.source / ".go").touch()
        thread.join(5)
        renaming.join(5)
        check(not thread.is_alive() and not renaming.is_alive(), "no end")
        equal(os.pread(beside, 10, 0), b"beside", "afterwards")
        fs.called(r"rename /a to=/c flags=0")
        os.close(beside)


def in_another_directory(fs, beside):
    """Eight clients in another directory; the rename of /a keeps the kernel's lock on the root."""
    directory = os.open(fs("b"), os.O_RDONLY | os.O_DIRECTORY)

    def use(number):
        for n in range(20):
            name = f"{number}-{n}"
            os.mkdir(name, dir_fd=directory)
            os.rmdir(name, dir_fd=directory)
            os.fstat(beside)
    done = in_parallel([lambda n=n: use(n) for n in range(8)])
    check(done == [None] * 8, f"{done}")
    os.close(directory)
