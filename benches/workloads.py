# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is measured: a list of small declarations. `drivers.py` carries them out.

An id is NAME/WHO, e.g. stat/8 or read4k/1pin. WHO is the number of clients, and
    1       goes where the scheduler puts it, on an otherwise idle machine
    1busy   the same, while another session keeps every other CPU busy
    1pin    bound to one CPU
    8one    eight clients, all bound to one CPU
"""

import dataclasses
import fnmatch


@dataclasses.dataclass(frozen=True)
class Client:
    """Threads of client.c."""
    operation: str
    clients: int = 1
    kib: int = 4
    pinned: bool = False
    busy: bool = False


@dataclasses.dataclass(frozen=True)
class Fio:
    """One fio job; `options` are fio's own."""
    options: tuple
    size: str = "64m"


@dataclasses.dataclass(frozen=True)
class Tree:
    """One pass over a tree of small files: "untar" or "rm"."""
    what: str


@dataclasses.dataclass(frozen=True)
class Idle:
    """A mount that was used and is left alone."""


@dataclasses.dataclass(frozen=True)
class Workload:
    id: str
    drive: object
    goal: float            # rate of ours / better peer
    requests: float = 1    # at least so many per operation: proves the transport
    fs: str = "nullfs"
    options: tuple = ()    # of the filesystem
    unit: str = "kop/s"
    scale: float = 1e-3    # from operations per second to the unit
    full_load: bool = False  # CPU per request counts
    quick: bool = False    # part of --quick
    limit: bool = False    # limit.c can do it

    @property
    def name(self):
        return self.id.split("/")[0]


def small(name, operation, requests, who, quick=(), limit=False):
    """The small operations by who asks, with the goals that depend on it."""
    asks = {"1": ({}, 2.0), "1busy": ({"busy": True}, 1.1), "1pin": ({"pinned": True}, 1.05),
            "2": ({"clients": 2}, 1.05), "8": ({"clients": 8}, 1.3), "32": ({"clients": 32}, 1.2)}
    for w in who:
        how, goal = asks[w]
        if name in ("create", "write4k"):
            goal = 1.05
        yield Workload(f"{name}/{w}", Client(operation, **how), goal, requests,
                       full_load=w in ("8", "32"), quick=w in quick, limit=limit)


def streams():
    for name, operation in (("read", "seqread"), ("write", "seqwrite")):
        for size, kib, goal in (("128k", 128, 1.05), ("1m", 1024, 1.1)):
            yield Workload(f"{name}{size}/1", Client(operation, kib=kib), goal, unit="MB/s",
                           scale=kib * 1024 / 1e6, quick=size == "1m")
    # Requests are as large as the readahead window, at most 1 MiB.
    yield Workload("readahead/1", Client("buffered", kib=128), 1.1, 0.125, options=("cached",),
                   unit="MB/s", scale=128 * 1024 / 1e6, quick=True)


def aio():
    for depth in (1, 8, 32):
        yield Workload(f"aio{depth}/1", Fio(("--ioengine=libaio", "--direct=1", "--rw=randread",
                                            "--bs=4k", f"--iodepth={depth}")),
                       1.1 if depth > 1 else 1.05, quick=depth == 32)


def handlers():
    """Handlers that take their time, and those that let others answer."""
    def each(name, options, who, goal, **more):
        for w in who:
            one = w.endswith("one")
            yield Workload(f"{name}/{w}", Client("stat", clients=int(w.removesuffix("one")), pinned=one),
                           goal, options=options, full_load=name != "block1ms" and w != "1", **more)
    yield from each("burn20us", ("burn_us=20",), ("1", "8"), 1.05)
    yield from each("block1ms", ("block_us=1000",), ("8", "32", "8one", "32one"), 1.0, quick=True)
    yield from each("foreign", ("answer_threads=2",), ("1", "8", "32"), 1.05)


def high_level():
    """Filesystems written to fuse.h: what the path layer adds to the transport."""
    goals = {"1": 2.0, "8": 1.3, "32": 1.05}
    # A list is opendir, releasedir, and a readdir for each buffer of at least 32 KiB.
    for operation, requests in (("stat", 1), ("open", 2), ("create", 4), ("deep", 1), ("list", 3)):
        for who, goal in goals.items():
            yield Workload(f"hl{operation}/{who}", Client(operation, clients=int(who)), goal, requests,
                           fs="nullhl", full_load=who != "1", quick=who == "8" and operation in ("stat", "deep", "list"),
                           **({"unit": "op/s", "scale": 1} if operation == "list" else {}))


def passthrough():
    # Each file costs a lookup, a create and a release, most of them more.
    yield Workload("untar/1", Tree("untar"), 1.05, 2, fs="passthrough", unit="files/s", scale=1, quick=True)
    yield Workload("rm/1", Tree("rm"), 1.05, 1, fs="passthrough", unit="files/s", scale=1)
    uncached = ("cache=none",)
    yield Workload("ptread4k/4", Fio(("--ioengine=psync", "--rw=randread", "--bs=4k", "--numjobs=4")),
                   1.05, fs="passthrough", options=uncached)
    yield Workload("ptmix4k/4", Fio(("--ioengine=psync", "--rw=randrw", "--rwmixread=70", "--bs=4k",
                                     "--numjobs=4")),
                   1.05, fs="passthrough", options=uncached, quick=True)
    yield Workload("ptmix128k/2", Fio(("--ioengine=psync", "--rw=rw", "--bs=128k", "--numjobs=2")),
                   1.05, fs="passthrough", options=uncached, unit="MB/s", scale=131072 / 1e6)


EVERYBODY = ("1", "1busy", "1pin", "2", "8", "32")

WORKLOADS = [
    *small("stat", "stat", 1, EVERYBODY, quick=("1", "1busy", "1pin", "8", "32"), limit=True),
    *small("open", "open", 2, EVERYBODY, quick=("8",), limit=True),
    *small("create", "create", 4, EVERYBODY, quick=("8",)),
    *small("read4k", "read", 1, EVERYBODY, quick=("1", "8", "32"), limit=True),
    *small("write4k", "write", 1, ("1", "8"), quick=("8",), limit=True),
    *streams(), *aio(), *handlers(), *high_level(), *passthrough(),
    Workload("idle/0", Idle(), None, 0, unit="wakes/s", scale=1, quick=True),
]


def pick(only, quick):
    """`only`: names, ids, or patterns of ids. Unknown ones raise KeyError."""
    if not only:
        return [w for w in WORKLOADS if w.quick or not quick]
    wanted = {}
    for pattern in only:
        found = [w for w in WORKLOADS if w.name == pattern or fnmatch.fnmatch(w.id, pattern)]
        if not found:
            raise KeyError(pattern)
        wanted.update({w.id: w for w in found})
    return [w for w in WORKLOADS if w.id in wanted]
