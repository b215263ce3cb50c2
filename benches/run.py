#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares FUSE libraries: one filesystem binary, the libraries in front of it in turn.

    benches/run.py --ours PREFIX --peer PREFIX [--rounds N] [--seconds S] [--only stat,1]

PREFIX is an installation (PREFIX/lib/libfuse3.so.4). See benches/README.md.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SWITCH = pathlib.Path("/sys/module/fuse/parameters/enable_uring")
LAST_CPU = max(os.sched_getaffinity(0))

WORKLOADS = ("stat", "read4k")
MORE_WORKLOADS = ("write4k", "open")
CLIENTS = {"1": (1, None), "1pin": (1, LAST_CPU), "8": (8, None), "32": (32, None)}


class Failed(Exception):
    """The comparison cannot be made; the text says why."""


class Library:
    """A way to serve nullfs: a library, its options, and the transport it must use."""

    def __init__(self, name, prefix, options, transport):
        self.name = name
        self.libdir = pathlib.Path(prefix).resolve() / "lib"
        self.options = options
        self.transport = transport  # "ring" or "dev"
        if not (self.libdir / "libfuse3.so.4").exists():
            raise Failed(f"{self.libdir}/libfuse3.so.4 is missing")


def find_daemon(mountpoint):
    """The process that serves the mount point: its last argument."""
    for proc in pathlib.Path("/proc").iterdir():
        if not proc.name.isdigit():
            continue
        try:
            args = (proc / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(args) > 2 and args[-2] == os.fsencode(mountpoint):
            return int(proc.name)
    raise Failed(f"no daemon serves {mountpoint}")


class Mount:
    """A real daemon (in a session of its own) serving nullfs through a library."""

    def __init__(self, library, nullfs, mountpoint):
        self.library, self.mountpoint = library, mountpoint
        env = {k: v for k, v in os.environ.items() if not k.startswith("FUSE_")}
        env["LD_LIBRARY_PATH"] = str(library.libdir)
        command = [str(nullfs), *library.options, str(mountpoint)]
        try:
            subprocess.run(command, env=env, check=True, timeout=10, stdin=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as e:
            self.unmount()
            raise Failed(f"{library.name}: {e}: {e.stderr}") from e
        self.pid = find_daemon(mountpoint)
        os.stat(mountpoint)  # the session is up after the first reply
        time.sleep(0.1)
        self.check_library()

    def check_library(self):
        maps = pathlib.Path(f"/proc/{self.pid}/maps").read_text()
        if str(self.library.libdir) not in maps:
            raise Failed(f"{self.library.name}: the daemon does not use {self.library.libdir}")

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise Failed(f"{self.library.name}: the daemon is gone")

    def ring_completions(self):
        """Completions seen by all io_urings of the daemon: at least one per ring request."""
        total = 0
        for fd in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                if os.readlink(fd) != "anon_inode:[io_uring]":
                    continue
                info = pathlib.Path(f"/proc/{self.pid}/fdinfo/{fd.name}").read_text()
            except OSError:
                continue
            total += next(int(l.split()[1]) for l in info.splitlines() if l.startswith("CqTail:"))
        return total

    def measure(self, client, workload, clients, seconds):
        """Operations per second; fails if requests went by the wrong way."""
        threads, cpu = CLIENTS[clients]
        command = [str(client), str(self.mountpoint), workload, str(threads), str(seconds)]
        command += [] if cpu is None else [str(cpu)]
        before = self.ring_completions()
        out = subprocess.run(command, check=True, timeout=seconds + 20, capture_output=True,
                             text=True).stdout.split()
        rate, done = float(out[0]), int(out[1])
        # The counters are 32 bits wide and wrap.
        share = (self.ring_completions() - before) % 2**32 / max(done, 1)
        used = "ring" if share > 0.9 else "dev" if share < 0.1 else "mixed"
        if used != self.library.transport:
            raise Failed(f"{self.library.name}: {workload} {clients}: expected "
                         f"{self.library.transport}, but {share:.0%} came on the ring")
        return rate

    def unmount(self):
        subprocess.run(["umount", str(self.mountpoint)], check=False, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while getattr(self, "pid", None) and alive(self.pid):
            if time.monotonic() > deadline:
                os.kill(self.pid, 9)
                raise Failed(f"{self.library.name}: the daemon did not end after umount")
            time.sleep(0.02)


def alive(pid):
    """A zombie that nobody has waited for is not alive."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def build(peer, out):
    """One nullfs for all libraries, built against the peer's headers."""
    out.mkdir(parents=True, exist_ok=True)
    common = ["cc", "-O2", "-Wall", "-Wextra"]
    subprocess.run([*common, "-o", out / "client", HERE / "client.c", "-pthread"], check=True)
    # The peer's own dependencies may live anywhere: they are found at run time.
    subprocess.run([*common, "-o", out / "nullfs", HERE / "nullfs.c", f"-I{peer}/include/fuse3",
                    f"-L{peer}/lib", "-Wl,--unresolved-symbols=ignore-in-shared-libs", "-lfuse3"],
                   check=True)
    return out / "nullfs", out / "client"


def run_rounds(args, libraries, jobs, nullfs, client, mountpoint):
    """rates[job][library] and rss[library]: lists with one value per round."""
    rates = {job: {lib.name: [] for lib in libraries} for job in jobs}
    rss = {lib.name: {"mounted": [], "used": []} for lib in libraries}
    for n in range(args.rounds):
        # Another one begins each time: what drifts must not favour anybody.
        turn = libraries[n % len(libraries):] + libraries[:n % len(libraries)]
        for lib in turn:
            mount = Mount(lib, nullfs, mountpoint)
            try:
                rss[lib.name]["mounted"].append(mount.rss_kib())
                for job in jobs:
                    rates[job][lib.name].append(mount.measure(client, *job, args.seconds))
                rss[lib.name]["used"].append(mount.rss_kib())
            finally:
                mount.unmount()
        print(f"round {n + 1} of {args.rounds} done", file=sys.stderr)
    return rates, rss


def ratio(rates, ours, others):
    """Median, lowest and highest over the rounds of ours / best of the others."""
    each = [mine / max(rates[o][i] for o in others) for i, mine in enumerate(rates[ours])]
    return {"median": statistics.median(each), "low": min(each), "high": max(each)}


def summarise(rates, rss, libraries):
    names = [lib.name for lib in libraries]
    peers = [n for n in names if n != "ours"]
    rows = []
    for (workload, clients), by_library in rates.items():
        row = {"workload": workload, "clients": clients, "libraries": {}, "ratios": {}}
        for name, values in by_library.items():
            median = statistics.median(values)
            row["libraries"][name] = {"median": median, "values": values,
                                      "spread": (max(values) - min(values)) / median}
        if "ours" in names:
            row["ratios"]["best"] = ratio(by_library, "ours", peers)
            row["ratios"]["ring"] = ratio(by_library, "ours", ["libfuse-ring"])
        else:
            row["ratios"]["ring/dev"] = ratio(by_library, "libfuse-ring", ["libfuse-dev"])
        rows.append(row)
    memory = {name: {when: statistics.median(v) for when, v in values.items()}
              for name, values in rss.items()}
    return {"rows": rows, "rss_kib": memory, "cpus": os.cpu_count(),
            "kernel": os.uname().release}


def print_table(summary, names):
    titles = list(summary["rows"][0]["ratios"])
    head = f"{'workload':8} {'clients':>7}" + "".join(f" {n + ' kop/s':>19}" for n in names)
    label = {"best": "ours/best", "ring": "ours/ring", "ring/dev": "ring/dev"}
    print(head + "".join(f"  {label[t]:>18}" for t in titles))
    for row in summary["rows"]:
        line = f"{row['workload']:8} {row['clients']:>7}"
        for name in names:
            lib = row["libraries"][name]
            cell = f"{lib['median'] / 1000:.1f} ±{lib['spread'] * 50:.0f}%"
            line += f" {cell:>19}"
        for t in titles:
            r = row["ratios"][t]
            cell = f"{r['median']:.2f} ({r['low']:.2f}-{r['high']:.2f})"
            line += f"  {cell:>18}"
        print(line)
    for when, text in (("mounted", "RSS KiB, mounted"), ("used", "RSS KiB, used")):
        cells = "".join(f" {summary['rss_kib'][n][when]:>19.0f}" for n in names)
        print(f"{text:16}{cells}")


def pick_jobs(only):
    """`only` is a list of workload and client names; both kinds restrict."""
    known = set(WORKLOADS) | set(MORE_WORKLOADS) | set(CLIENTS)
    if set(only) - known:
        raise Failed(f"--only knows {', '.join(sorted(known))}")
    workloads = [w for w in WORKLOADS + MORE_WORKLOADS if w in only] or list(WORKLOADS)
    clients = [c for c in CLIENTS if c in only] or list(CLIENTS)
    return [(w, c) for w in workloads for c in clients]


def warn_if_busy():
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: load {load:.1f}: ratios of one client are not to be trusted",
              file=sys.stderr)


def compare(args):
    libraries = [Library("libfuse-dev", args.peer, args.option, "dev"),
                 Library("libfuse-ring", args.peer, ["-oio_uring", *args.option], "ring")]
    if args.ours:
        libraries.append(Library("ours", args.ours, args.option, "ring"))
    jobs = pick_jobs(args.only.split(",") if args.only else [])
    nullfs, client = build(pathlib.Path(args.peer).resolve(), HERE.parent / "build-bench")
    warn_if_busy()
    mountpoint = pathlib.Path(tempfile.mkdtemp(prefix="ringfuse-bench."))
    try:
        rates, rss = run_rounds(args, libraries, jobs, nullfs, client, mountpoint)
    finally:
        mountpoint.rmdir()
    summary = summarise(rates, rss, libraries)
    print_table(summary, [lib.name for lib in libraries])
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(summary, indent=1) + "\n")
    slow = [r for r in summary["rows"] if args.at_least and args.ours
            and r["ratios"]["ring"]["median"] < args.at_least]
    for r in slow:
        print(f"too slow: {r['workload']} {r['clients']}: {r['ratios']['ring']['median']:.2f} "
              f"of libfuse's ring", file=sys.stderr)
    return 1 if slow else 0


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--ours", metavar="PREFIX", help="without it, only libfuse's two are compared")
    p.add_argument("--peer", metavar="PREFIX", required=True,
                   help="libfuse with io_uring, see get-libfuse.sh")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1.5, help="per measurement")
    p.add_argument("--only", metavar="LIST", help="of stat,read4k,write4k,open and 1,1pin,8,32")
    p.add_argument("--option", action="append", default=[], help="for every daemon, e.g. -s")
    p.add_argument("--json", metavar="FILE", help="write all values there")
    p.add_argument("--at-least", type=float, metavar="RATIO",
                   help="exit 1 if a median of ours/ring is below")
    args = p.parse_args()
    if os.geteuid() != 0 or not SWITCH.exists() or not shutil.which("cc"):
        raise Failed("needs root, cc, and a kernel with FUSE over io_uring (6.14 or newer)")
    was = SWITCH.read_text().strip()
    if was != "Y":
        SWITCH.write_text("Y")
    try:
        return compare(args)
    finally:
        if was != "Y":
            SWITCH.write_text(was)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError, subprocess.SubprocessError) as e:
        print(f"run.py: {e}", file=sys.stderr)
        sys.exit(2)
