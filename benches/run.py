#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares FUSE libraries: the same filesystems, the libraries in front of them in turn.

    benches/run.py --ours PREFIX --peer PREFIX [--quick] [--only stat,read4k/8,'*/1busy']

PREFIX is an installation (PREFIX/lib/libfuse3.so.4). See benches/README.md.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import compare
import plot
import table
import workloads
from daemons import Failed, Variant
from drivers import Driver

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "build-bench"
SWITCH = pathlib.Path("/sys/module/fuse/parameters/enable_uring")


def variants(args):
    found = []
    if args.peer:
        found.append(Variant("libfuse-dev", args.peer, args.option, role="peer"))
        found.append(Variant("libfuse-ring", args.peer, ["-oio_uring", *args.option], role="peer"))
    if args.ours:
        env = dict(e.split("=", 1) for e in args.ours_env if "=" in e)
        found.append(Variant("ours", args.ours, [*args.option, *args.ours_option], env))
    for text in args.variant:
        found.append(Variant.parse(text))
        found[-1].options = [*args.option, *found[-1].options]
    if args.limit:
        found.append(Variant("limit", None, role="limit"))
    names = [v.name for v in found]
    if not found or len(set(names)) < len(names):
        raise Failed("give --peer, --ours or --variant, each name once")
    return found


def build(prefix, limit):
    """One binary of each filesystem for all libraries, built against one set of headers."""
    OUT.mkdir(parents=True, exist_ok=True)
    cc = ["cc", "-O2", "-Wall", "-Wextra"]
    # The library's own dependencies may live anywhere: they are found at run time.
    fuse = [f"-I{prefix}/include/fuse3", f"-L{prefix}/lib",
            "-Wl,--unresolved-symbols=ignore-in-shared-libs", "-lfuse3", "-pthread"]
    sources = {"client": [HERE / "client.c", "-pthread"], "nullfs": [HERE / "nullfs.c", *fuse],
               "nullhl": [HERE / "nullhl.c", *fuse],
               "passthrough": [HERE.parent / "c-examples" / "passthrough_ll.c", *fuse]}
    if limit:
        sources["limit"] = [HERE / "limit.c", "-luring", "-pthread"]
    for name, inputs in sources.items():
        subprocess.run([*cc, "-o", OUT / name, *inputs], check=True)
    return {name: OUT / name for name in sources}


def warn(jobs):
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: load {load:.1f}: ratios of one client are not to be trusted", file=sys.stderr)
    if any(isinstance(j.drive, workloads.Fio) for j in jobs) and not shutil.which("fio"):
        raise Failed("fio is missing: benches/setup.sh, or leave out aio* and pt*")


def measure(args, jobs):
    found = variants(args)
    warn(jobs)
    prefix = next((v.prefix for v in found if v.prefix), None)
    if prefix is None:
        raise Failed("limit.c alone: there are no headers to build nullfs against")
    binaries = build(prefix, any(v.role == "limit" for v in found))
    base = pathlib.Path(tempfile.mkdtemp(prefix="ringfuse-bench."))
    mountpoint, backing = base / "mnt", base / "backing"
    mountpoint.mkdir()
    backing.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-osize=512m", "ringfuse-bench", backing], check=True)
    try:
        count = len(jobs) * len(found) * args.rounds
        print(f"{count} measurements, about {count * (args.seconds + 0.6):.0f} s", file=sys.stderr)
        driver = Driver(binaries["client"], backing, args.seconds)
        rows = compare.Bench(found, driver, binaries, mountpoint, args.retries).rounds(jobs, args.rounds)
    finally:
        subprocess.run(["umount", "-l", backing], check=False)
        for directory in (mountpoint, backing, base):
            directory.rmdir()
    return {"machine": compare.machine(), "variants": [v.describe() for v in found], "rows": rows}


def merge(old, new):
    """New rows replace old ones of the same workload; the variants must be the same."""
    if [v["name"] for v in old["variants"]] != [v["name"] for v in new["variants"]]:
        raise Failed("--merge: other variants than before")
    order = [w.id for w in workloads.WORKLOADS]
    rows = {**old["rows"], **new["rows"]}
    return {**new, "rows": {i: rows[i] for i in order if i in rows}}


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--ours", metavar="PREFIX")
    p.add_argument("--peer", metavar="PREFIX", help="libfuse with io_uring, see get-libfuse.sh")
    p.add_argument("--ours-env", action="append", default=[], metavar="NAME=VALUE")
    p.add_argument("--ours-option", action="append", default=[], metavar="-oOPTION")
    p.add_argument("--option", action="append", default=[], help="for every daemon, e.g. --option=-s")
    p.add_argument("--variant", action="append", default=[], metavar="NAME=PREFIX[,-oOPTION][,ENV=VALUE]",
                   help="one more of ours, to compare settings in one run")
    p.add_argument("--limit", action="store_true", help="also a server without a library (stat, open, read4k, write4k)")
    p.add_argument("--only", metavar="LIST", help="names (stat), ids (stat/8) or patterns ('*/1busy')")
    p.add_argument("--quick", action="store_true", help="fewer workloads, 3 short rounds")
    p.add_argument("--rounds", type=int)
    p.add_argument("--seconds", type=float, help="per measurement")
    p.add_argument("--retries", type=int, default=2, help="of a measurement that others disturbed")
    p.add_argument("--list", action="store_true", help="print the workloads and goals")
    p.add_argument("--json", metavar="FILE", help="write every single value there")
    p.add_argument("--svg", metavar="FILE", help="write the plot there")
    p.add_argument("--merge", action="store_true", help="keep other workloads that --json FILE already has")
    p.add_argument("--show", metavar="FILE", help="measure nothing: table and plot of an earlier --json")
    p.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    args = p.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.seconds = args.seconds or (0.4 if args.quick else 1.5)
    return args


def with_ring(args, jobs):
    """Measures with the kernel's switch on, and puts it back."""
    if os.geteuid() != 0 or not SWITCH.exists() or not shutil.which("cc"):
        raise Failed("needs root, cc, and a kernel with FUSE over io_uring (6.14 or newer)")
    was = SWITCH.read_text().strip()
    if was != "Y":
        SWITCH.write_text("Y")
    try:
        return measure(args, jobs)
    finally:
        if was != "Y":
            SWITCH.write_text(was)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    args = parse()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        jobs = workloads.pick(args.only.split(",") if args.only else [], args.quick)
    except KeyError as e:
        raise Failed(f"no workload {e}; --list shows them") from e
    if args.list:
        for w in jobs:
            print(f"{w.id:14}{w.unit:>8}  goal {w.goal or '-'}{'  (quick)' if w.quick else ''}")
        return 0
    if args.show:
        results = json.loads(pathlib.Path(args.show).read_text())
    else:
        results = with_ring(args, jobs)
    saved = pathlib.Path(args.json) if args.json else None
    if saved and args.merge and saved.exists():
        results = merge(json.loads(saved.read_text()), results)
    if saved:
        saved.write_text(json.dumps(results, indent=1) + "\n")
    summary = compare.Summary(results)
    print(table.text(summary))
    if args.svg:
        pathlib.Path(args.svg).write_text(plot.svg(summary))
    return 1 if args.check and summary.fails else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError, subprocess.SubprocessError) as e:
        print(f"run.py: {e}", file=sys.stderr)
        sys.exit(2)
