# SPDX-License-Identifier: MIT OR Apache-2.0
"""Notifications (P8): what a filesystem tells the kernel, from handlers and from threads, on both transports."""
import errno
import mmap
import os
import select
import struct
import threading
import time
from pathlib import Path

from harness import check, cpus, in_parallel, libc, wait_for
from registry import test

OLD = "old content\n"
NEW = "new content\n"
WHERE = ("", "thread ")  # in the handler of a write, or in a thread of its own


class Notifier:
    """notify_ll, and its orders."""

    def __init__(self, env, *args, **kw):
        self.fs = env.start("notify_ll", *args, **kw)
        self.path = self.fs.path
        self.ctl = os.open(self.path("ctl"), os.O_WRONLY)
        os.stat(self.path("data"))  # until then the kernel does not know the inode

    def order(self, text):
        """0, or the error that the order came to."""
        try:
            check(os.write(self.ctl, text.encode()) == len(text), f"{text}: short write")
        except OSError as error:
            return error.errno
        return 0

    def do(self, text):
        result = self.order(text)
        check(result == 0, f"{text[:60]}: {errno.errorcode.get(result, result)}")

    def stats(self):
        return self.fs.stats()

    def data(self):
        return Path(self.path("data")).read_text()

    def stop(self):
        os.close(self.ctl)
        check(self.stats()["bad"] == 0, "a callback with what makes no sense")
        self.fs.stop()
        check("BAD" not in self.fs.stderr(), self.fs.stderr()[-500:])


def loops(env):
    """With several threads, and with one."""
    for args in ([], ["-s"]):
        notifier = Notifier(env, *args)
        yield notifier
        notifier.stop()


@test("P8", peer_fails=("ring",))
def inval_inode_shows_new_data(env):
    """Cached data, a mapping of it and attributes are fetched again, and only then."""
    for n in loops(env):
        for where in WHERE:
            n.do(f"content {OLD}")
            n.do("inval_inode 2 0 0")
            check(n.data() == OLD, "first")
            with open(n.path("data"), "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
                check(view[:3] == b"old", "mapping")
                n.do(f"content {NEW}")
                before = n.stats()["reads"]
                check(n.data() == OLD and n.stats()["reads"] == before, "was not cached")
                n.do(f"{where}inval_inode 2 0 0")
                check(n.data() == NEW and view[:3] == b"new", f"still {n.data()!r} and {view[:3]}")
        os.stat(n.path("data"))
        asked = n.stats()["getattrs"]
        os.stat(n.path("data"))
        check(n.stats()["getattrs"] == asked, "attributes are not cached")
        n.do(f"content {OLD}")
        n.do("inval_inode 2 -1 0")
        os.stat(n.path("data"))
        check(n.stats()["getattrs"] == asked + 1, "attributes were not asked for again")
        check(n.data() == NEW, "with a negative offset the data stays")


@test("P8")
def inval_inode_of_a_range(env):
    """Only the pages named are fetched again."""
    n = Notifier(env)
    n.do("fill 65536")
    n.do("inval_inode 2 -1 0")
    with open(n.path("data"), "rb", buffering=0) as file:
        check(len(file.read(65536)) == 65536, "fill the cache")
        reads = n.stats()["reads"]
        file.seek(0)
        file.read(65536)
        check(n.stats()["reads"] == reads, "was not cached")
        n.do("inval_inode 2 8192 4096")
        file.seek(0)
        file.read(8192)
        check(n.stats()["reads"] == reads, "pages before the range were dropped")
        file.read(4096)
        check(n.stats()["reads"] > reads, "pages of the range were not dropped")
    n.stop()


@test("P8", peer_fails=("ring",))
def names_are_looked_up_again(env):
    """inval_entry, expire_entry and increment_epoch: each makes the next use of a name a lookup."""
    for n in loops(env):
        for where in WHERE:
            for order in ("inval_entry data", "inval_unterminated data!not this", "expire data", "epoch"):
                os.stat(n.path("data"))
                before = n.stats()["lookups"]
                os.stat(n.path("data"))
                check(n.stats()["lookups"] == before, "the name was not cached")
                n.do(where + order)
                os.stat(n.path("data"))
                check(n.stats()["lookups"] == before + 1, f"{order}: {n.stats()['lookups'] - before} lookups")
        n.do("target data 100")
        check(os.stat(n.path("data")).st_ino == 2, "the old target is cached")
        n.do("inval_entry data")
        check(os.stat(n.path("data")).st_ino == 100, "the new target")
        n.do("target data 2")
        n.do("inval_entry data")


@test("P8", peer_fails=("ring",))
def errors_of_notifications(env):
    """The kernel's own errors, and those for arguments that make no sense."""
    n = Notifier(env)
    os.stat(n.path("data"))
    cases = [("inval_inode 9999 0 0", errno.ENOENT), ("inval_entry never_seen", errno.ENOENT),
             ("inval_entry " + "n" * 255, errno.ENOENT), ("inval_entry " + "n" * 10000, errno.ENAMETOOLONG),
             ("inval_entry ", errno.ENOENT), ("delete never_seen 2", errno.ENOENT),
             ("expire never_seen", errno.ENOENT), ("inval_inode 2 0 0", 0), ("nonsense", 0)]
    if not env.peer:
        cases.append(("null_pointers", 0))
    for where in WHERE:
        for order, want in cases:
            got = n.order(where + order)
            check(got == want, f"{where}{order[:40]}: {errno.errorcode.get(got, got)}, wanted {want}")
    n.stop()


def inotify_of(path, mask):
    fd = libc.inotify_init1(os.O_NONBLOCK)
    check(libc.inotify_add_watch(fd, path.encode(), mask) > 0, "inotify_add_watch")
    return fd


def inotify_names(fd):
    try:
        raw = os.read(fd, 65536)
    except BlockingIOError:
        return []
    names, at = [], 0
    while at < len(raw):
        _, mask, _, length = struct.unpack_from("iIII", raw, at)
        names.append((mask, raw[at + 16:at + 16 + length].rstrip(b"\0").decode()))
        at += 16 + length
    return names


@test("P8", peer_fails=("ring",))
def delete_tells_those_who_watch(env):
    """notify_delete makes an inotify event of the file, if it is the inode that is meant."""
    IN_DELETE_SELF = 0x400
    for n in loops(env):
        for where in WHERE:
            os.stat(n.path("data"))
            watch = inotify_of(n.path("data"), IN_DELETE_SELF)
            before = n.stats()["lookups"]
            n.order(f"{where}delete data 77")  # is something else: forgotten, no event
            check(inotify_names(watch) == [], "an event for another inode")
            os.stat(n.path("data"))
            check(n.stats()["lookups"] == before + 1, "the name was not forgotten")
            n.do(f"{where}delete data 2")
            events = wait_for(lambda: inotify_names(watch), 5, "the event of a deletion")
            check(events[0] == (IN_DELETE_SELF, ""), f"{events}")
            os.close(watch)
            os.stat(n.path("data"))
            check(n.stats()["lookups"] == before + 2, "the name was not forgotten")


@test("P8", peer_fails=("ring",))
def store_fills_the_cache(env):
    """Stored data is read without a request, wherever it lay: in memory, in parts, behind a descriptor."""
    for n in loops(env):
        for where in WHERE:
            for order in ("store", "store_parts"):
                n.do(f"content {OLD}")
                n.do("inval_inode 2 0 0")
                check(n.data() == OLD, "before")
                reads = n.stats()["reads"]
                n.do(f"{where}{order} 0 {NEW}")
                check(n.data() == NEW, f"{order}: {n.data()!r}")
                check(n.stats()["reads"] == reads, "a request was made for stored data")
        # Beyond the end the file grows.
        text = "s" * 50000
        n.do(f"content {NEW}{text}")
        n.do(f"store_parts {len(NEW)} {text}")
        check(n.data() == NEW + text, "it did not grow")
        check(n.stats()["reads"] == reads, "a request was made for stored data")
        check(n.order("store 0 ") == 0, "nothing to store")


def retrieve(n, where, off, size, cookie):
    count = n.stats()["retrieves"]
    n.do(f"{where}retrieve {off} {size} {cookie}")
    stats = wait_for(lambda: n.stats()["retrieves"] > count and n.stats(), 5, "retrieve_reply")
    check((stats["cookie"], stats["at"]) == (cookie, off), f"cookie {stats['cookie']} at {stats['at']}")
    return Path(n.path("retrieved")).read_bytes()


@test("P8", peer_fails=("ring",))
def retrieve_gives_what_is_cached(env):
    """What the kernel has in its cache comes to retrieve_reply, with the cookie of the request for it."""
    for n in loops(env):
        n.do("fill 1000000")
        n.do("inval_inode 2 0 0")
        want = bytes(i % 251 for i in range(1000000))
        for where in WHERE:
            n.do("inval_inode 2 0 0")
            check(retrieve(n, where, 0, 4096, -5) == b"", "data although nothing is cached")
            check(Path(n.path("data")).read_bytes() == want, "read")
            for off, size in ((0, 1), (0, 4096), (1, 4095), (5000, 20000), (0, 131072), (999990, 100), (0, 1000000)):
                got = retrieve(n, where, off, size, 1000 + off)
                check(got == want[off:off + size], f"{len(got)} bytes at {off} instead of {size}")
            check(retrieve(n, where, 0, 0, 0) == b"", "no bytes, no cookie")
        count = n.stats()["retrieves"]
        n.do("thread retrieve_many 200")
        wait_for(lambda: n.stats()["retrieves"] == count + 200, 10, "200 answers")
        check(n.order("retrieve 0 100 1") == 0, "and on")


@test("P8")
def retrieve_of_an_unknown_inode_keeps_nothing(env):
    """A retrieve that the kernel refuses is over at once."""
    n = Notifier(env)
    n.do("inval_entry data")  # the last that held it
    wait_for(lambda: n.stats()["forgets"] > 0, 5, "the forget")
    check(n.order("retrieve 0 10 1") == errno.ENOENT, "an inode that was forgotten")
    check(n.stats()["retrieves"] == 0, "an answer to what was refused")
    n.stop()


@test("P8", ours_only=True)
def prune_drops_what_nobody_uses(env):
    """Inodes that are only cached are forgotten, those in use stay."""
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    n = Notifier(env)
    os.stat(n.path("data"))
    result = n.order("prune 2 3")
    if release < (6, 18):
        check(result == errno.ENOSYS, f"prune on Linux {release}: {result}")
        n.stop()
        return
    check(result == 0, f"prune: {errno.errorcode.get(result, result)}")
    wait_for(lambda: n.stats()["forgets"] > 0, 5, "the forget")
    with open(n.path("data"), "rb"):
        forgets, lookups = n.stats()["forgets"], n.stats()["lookups"]
        n.do("thread prune 2 3")
        os.stat(n.path("data"))
        check(n.stats()["forgets"] == forgets and n.stats()["lookups"] == lookups, "dropped although it is open")
    n.stop()


@test("P8", peer_fails=("ring",))
def poll_wakes_epoll(env):
    """A client in epoll_wait, select and poll is woken by notify_poll, and not before."""
    for n in loops(env):
        fd = os.open(n.path("pollme"), os.O_RDONLY)
        for where in WHERE:
            epoll = select.epoll()
            epoll.register(fd, select.EPOLLIN)
            check(epoll.poll(0.05) == [], "ready before it was")
            timer = threading.Timer(0.2, lambda: n.do(f"{where}ready 1"))
            begin = time.monotonic()
            timer.start()
            got = epoll.poll(10)
            took = time.monotonic() - begin
            timer.join()
            check(got == [(fd, select.EPOLLIN)], f"epoll: {got}")
            check(0.15 < took < 3, f"woken after {took:.2f} s")
            epoll.close()
            check(select.select([fd], [], [], 0)[0] == [fd], "select")
            n.do("ready 0")
            check(select.select([fd], [], [], 0)[0] == [], "select sees that it is over")
            # Several that wait for one file are all woken.
            threading.Timer(0.2, lambda: n.do(f"{where}ready 1")).start()
            woken = in_parallel([lambda: select.select([fd], [], [], 10)[0]] * 4)
            check(woken == [[fd]] * 4, f"{woken}")
            n.do("ready 0")
        os.close(fd)


@test("P8")
def poll_handle_that_is_kept(env):
    """A handle that the filesystem still has when the session is gone does no harm."""
    n = Notifier(env, mode="foreground")
    fd = os.open(n.path("pollme"), os.O_RDONLY)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    check(poll.poll(0.1) == [], "ready")
    os.close(fd)
    n.stop()


@test("P8", timeout=60, peer_fails=("ring",))
def notifications_under_load(env):
    """Threads that nobody knows notify of everything while 8 clients read, look up and write."""
    for args, threads in (([], 4), (["-o", "max_threads=2"], 4)):
        n = Notifier(env, *args)
        end = time.monotonic() + 2.5

        def use(number):
            count = 0
            while time.monotonic() < end:
                try:
                    check(Path(n.path("data")).read_text().startswith("old content"), "content")
                    os.stat(n.path("other"))
                    check(n.order("inval_inode 3 -1 0") in (0, errno.ENOENT), "from a handler")
                except FileNotFoundError:
                    pass
                count += 1
            return count
        jobs = [lambda i=i: use(i) for i in range(8)] + [lambda: n.do(f"thread storm {threads} 2000")]
        results = in_parallel(jobs, cpus(), limit=25)
        bad = [r for r in results if isinstance(r, BaseException)]
        check(not bad, f"{bad and bad[0]!r}")
        stats = n.stats()
        check(stats["failed"] == 0, f"{stats['failed']} of {stats['sent']} notifications failed")
        check(stats["sent"] > 100 and min(results[:8]) > 10, f"{stats['sent']} sent, {results[:8]}")
        os.stat(n.path("data"))
        n.do("retrieve 0 10 99")
        wait_for(lambda: n.stats()["cookie"] == 99, 5, "a last retrieve")
        check("malformed" not in n.fs.stderr(), "a message that was not understood")
        n.stop()
