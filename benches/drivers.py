# SPDX-License-Identifier: MIT OR Apache-2.0
"""Carries out a workload of `workloads.py` on a mount and says what it cost."""

import dataclasses
import json
import os
import pathlib
import resource
import shutil
import subprocess
import time

import workloads
from daemons import Failed

CPUS = sorted(os.sched_getaffinity(0))
TREE_DIRS, TREE_FILES = 50, 40
FIO_FILE = {"nullfs": "f0", "passthrough": "fio"}  # 64 MiB, of each filesystem
GRACE = 6  # seconds that a driver may take longer than it was asked for


@dataclasses.dataclass
class Sample:
    rate: float            # operations per second
    done: float            # operations of the whole run, for cpu and the transport check
    cpu: float             # CPU seconds of the clients, of the whole run
    p50: float = None      # latency, us
    p99: float = None
    hogs: float = 0        # CPU seconds of what kept other CPUs busy


class Driver:
    """Runs workloads; knows where the programs and the backing files are."""

    def __init__(self, client, backing, seconds):
        self.client, self.backing, self.seconds = client, backing, seconds

    def prepare(self, workload):
        """Untimed, before the mount."""
        if isinstance(workload.drive, workloads.Tree):
            self._archive()
            shutil.rmtree(self.source() / "tree", ignore_errors=True)
            if workload.drive.what == "rm":
                self._untar(self.source())
        elif workload.fs == "passthrough" and not (self.source() / FIO_FILE["passthrough"]).exists():
            (self.source() / FIO_FILE["passthrough"]).write_bytes(bytes(64 << 20))

    def run(self, workload, mount):
        drive = workload.drive
        if isinstance(drive, workloads.Fio):
            return self._fio(drive, mount.mountpoint / FIO_FILE[workload.fs])
        return {workloads.Client: self._client, workloads.Tree: self._tree,
                workloads.Idle: self._idle}[type(drive)](drive, mount)

    def source(self):
        """What passthrough shows."""
        path = self.backing / "source"
        path.mkdir(exist_ok=True)
        return path

    def _client(self, drive, mount):
        command = [self.client, "-t", drive.clients, "-s", self.seconds, "-k", drive.kib]
        command += ["-c", CPUS[-1]] if drive.pinned else []
        command += ["-b"] if drive.busy else []
        out = run([*command, mount.mountpoint, drive.operation], self.seconds).split()
        rate, done, p50, p99, cpu, hogs = map(float, out)
        return Sample(rate, done, cpu, p50, p99, hogs)

    def _fio(self, drive, where):
        command = ["fio", "--name=bench", "--thread", f"--filename={where}", f"--size={drive.size}",
                   "--time_based", f"--runtime={int(self.seconds * 1000)}ms", "--ramp_time=200ms",
                   "--group_reporting", "--fallocate=none", "--randrepeat=1", "--output-format=json",
                   *drive.options]
        before = children_cpu()
        text = run(command, self.seconds)
        cpu = children_cpu() - before
        job = json.loads(text[text.index("{"):])["jobs"][0]
        sides = [job[s] for s in ("read", "write") if job[s]["total_ios"]]
        if job["error"] or not sides:
            raise Failed(f"fio: error {job['error']}")
        # fio does not count the ramp: the whole run is estimated from the rate.
        rate = sum(s["iops"] for s in sides)
        return Sample(rate, rate * (self.seconds + 0.2), cpu,
                      max(s["clat_ns"]["percentile"]["50.000000"] for s in sides) / 1e3,
                      max(s["clat_ns"]["percentile"]["99.000000"] for s in sides) / 1e3)

    def _archive(self):
        """A tar of many small files, made once; it stays in memory."""
        archive = self.backing / "tree.tar"
        if archive.exists():
            return
        tree = self.backing / "tree"
        for d in range(TREE_DIRS):
            (tree / f"d{d}").mkdir(parents=True)
            for f in range(TREE_FILES):
                (tree / f"d{d}" / f"f{f}").write_bytes(b"x" * (97 * (f * TREE_DIRS + d) % 12000))
        subprocess.run(["tar", "cf", archive, "-C", self.backing, "tree"], check=True)
        shutil.rmtree(tree)

    def _untar(self, where):
        run(["tar", "xf", self.backing / "tree.tar", "-C", where], 20)

    def _tree(self, drive, mount):
        before, began = children_cpu(), time.monotonic()
        if drive.what == "untar":
            self._untar(mount.mountpoint)
        else:
            run(["rm", "-rf", mount.mountpoint / "tree"], 20)
        took = time.monotonic() - began
        files = TREE_DIRS * TREE_FILES
        return Sample(files / took, files, children_cpu() - before)

    def _idle(self, _, mount):
        """Wake-ups per second of a mount that was busy a moment ago."""
        run([self.client, "-t", 8, "-s", 0.1, mount.mountpoint, "stat"], 1)
        time.sleep(1)
        before, began = mount.switches(), time.monotonic()
        time.sleep(self.seconds)
        return Sample((mount.switches() - before) / (time.monotonic() - began), 0, 0)


def children_cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def run(command, seconds):
    command = [str(c) for c in command]
    name = pathlib.Path(command[0]).name
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=seconds + GRACE)
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} hangs") from None
    finally:
        process.kill()  # if it still runs it may need the mount's abort to end
    if process.returncode:
        raise Failed(f"{name}: {err.strip() or process.returncode}")
    return out
