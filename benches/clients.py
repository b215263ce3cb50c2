#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Throughput of unmodified programs on three libraries in turn: Debian's own, libfuse with its ring, ringfuse.

    clients.py --ours PREFIX --peer PREFIX [--rounds N] [--only PROGRAM]

The binaries are those of the Debian 13 tree that tests/clients/run.sh makes (run it first). Within a round each job is
done once on a fresh mount of each library, in an order that changes; the caches of the mount are empty. What is printed
are medians in seconds, and the ratio to the better of the other two, within each round: above 1, ringfuse is faster.
"""
import argparse
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "/var/cache")) / "ringfuse-clients"
TREE = CACHE / "trixie"
WORK, MOUNT = Path("/mnt"), Path("/mnt/m")
SWITCH = Path("/sys/module/fuse/parameters/enable_uring")
READ_ALL = f"find {MOUNT} -type f -print0 | xargs -0 -P 4 -n 40 cat >/dev/null"
WALK = f"find {MOUNT} -printf '%s %m\\n' >/dev/null"
COPY = f"for i in 1 2 3 4; do cp -r /mnt/small {MOUNT}/copy$i & done; wait; rm -r {MOUNT}/copy?"
LIBRARIES = ("debian", "libfuse ring", "ringfuse")


def sh(command, **more):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, **more)


def in_namespaces():
    """Everything mounted or started here ends with us."""
    if os.environ.get("CLIENTS_INSIDE"):
        return
    os.environ["CLIENTS_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
                          "--mount-proc", sys.executable, __file__, *sys.argv[1:]])


def prepare(options):
    """The tree as the programs' root; /mnt is memory that both sides see."""
    sh(f"mount --bind {TREE} {TREE}; mount -t tmpfs -o mode=755 tmpfs /mnt; mount --make-shared /mnt")
    sh(f"mount --rbind /mnt {TREE}/mnt; mount --rbind /dev {TREE}/dev; mount -t proc proc {TREE}/proc; mount --rbind /sys {TREE}/sys")
    sh(f"mount -t tmpfs tmpfs {TREE}/run; mount -t tmpfs tmpfs {TREE}/srv; mkdir -p {TREE}/run/sshd /mnt/m")
    for name, prefix in (("ringfuse", options.ours), ("peer", options.peer)):
        os.mkdir(TREE / "srv" / name)
        sh(f"mount --bind {prefix}/lib {TREE}/srv/{name}")
    os.mkdir(TREE / "srv/needed")  # by the peer: of this machine, since the tree may have others
    for name in ("liburing.so.2", "libnuma.so.1"):
        shutil.copy(glob.glob(f"/usr/lib/*/{name}")[0], TREE / "srv/needed")
    os.mkdir("/mnt/big")
    for i in range(8):
        Path(f"/mnt/big/{i}").write_bytes(os.urandom(6_000_000))
    for i in range(1200):
        folder = Path(f"/mnt/small/{i % 40}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(i)).write_bytes(os.urandom(500 + 3 * i))
    sh("mkdir /mnt/many; for i in 1 2 3 4; do cp -r /mnt/small /mnt/many/$i; done")


def start_sshd():
    port = 20000 + os.getpid() % 1000 + int(time.time()) % 10000
    sh(f"chroot {TREE} ssh-keygen -q -t ed25519 -N '' -f /mnt/host; chroot {TREE} ssh-keygen -q -t ed25519 -N '' -f /mnt/key")
    sh(f"chroot {TREE} /usr/sbin/sshd -f /dev/null -o PidFile=none -o HostKey=/mnt/host -o StrictModes=no "
       f"-o AuthorizedKeysFile=/mnt/key.pub -o PermitRootLogin=yes -o UsePAM=no -o Subsystem='sftp internal-sftp' "
       f"-o ListenAddress=127.0.0.1:{port}")
    return (f"sshfs -p {port} -o IdentityFile=/mnt/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
            f"-o LogLevel=ERROR root@127.0.0.1:")


def programs(only):
    """(name, command, jobs): what is mounted, and what is done with it."""
    if only in "sshfs":
        ssh = start_sshd()
        yield "sshfs", ssh + "/mnt/big /mnt/m", [("read 48 MB, 4 processes", READ_ALL)]
        yield "sshfs", ssh + "/mnt/many /mnt/m", [("walk 4800 files", WALK), ("read 4800 files, 4 processes", READ_ALL)]
    if only in "squashfuse_ll":
        sh(f"chroot {TREE} mksquashfs /mnt/many /mnt/image -quiet -no-progress -noD -noF")
        yield "squashfuse_ll", "squashfuse_ll /mnt/image /mnt/m", [("walk 4800 files", WALK),
                                                                   ("read 4800 files, 4 processes", READ_ALL)]
    if only in "fuse-overlayfs":
        sh("mkdir /mnt/upper /mnt/workdir")
        yield ("fuse-overlayfs", "fuse-overlayfs -o lowerdir=/mnt/many,upperdir=/mnt/upper,workdir=/mnt/workdir /mnt/m",
               [("walk 4800 files", WALK), ("read 4800 files, 4 processes", READ_ALL),
                ("copy and delete 4800 files, 4 processes", COPY)])


def serving():
    for fd in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(fd).endswith("/dev/fuse"):
                return int(fd.split("/")[2])
        except OSError:
            pass
    raise SystemExit("no process has /dev/fuse open")


def start(command, library):
    path = {"debian": "", "ringfuse": "/srv/ringfuse", "libfuse ring": "/srv/peer:/srv/needed"}[library]
    variables = ["FUSE_URING_ENABLE=1"] if library == "libfuse ring" else []
    subprocess.run(["chroot", TREE, "setsid", "env", f"LD_LIBRARY_PATH={path}", *variables, *command.split()], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.stat(MOUNT)
    pid = serving()
    links = [os.readlink(fd) for fd in glob.glob(f"/proc/{pid}/fd/*")]
    ring = any("io_uring" in link for link in links)
    if ring != (library != "debian"):
        raise SystemExit(f"{command.split()[0]} with {library} is {'' if ring else 'not '}on the ring")
    maps = Path(f"/proc/{pid}/maps").read_text()
    if not re.search({"debian": r"\.so\.3\.17", "ringfuse": r"\.so\.3\.18", "libfuse ring": "liburing"}[library], maps):
        raise SystemExit(f"{command.split()[0]} does not use {library}")
    return pid


def stop(pid):
    sh(f"umount {MOUNT}")
    while True:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.01)


def measure(command, library, jobs):
    times = []
    for _, job in jobs:
        pid = start(command, library)
        begin = time.monotonic()
        try:
            sh(job, stderr=subprocess.DEVNULL)
        except subprocess.CalledProcessError:
            if library != "libfuse ring":
                raise
            times.append(None)  # libfuse's ring has had fuse-overlayfs crash, which asks for one request at a time
            sh(f"umount -l {MOUNT}")
            continue
        times.append(time.monotonic() - begin)
        stop(pid)
    return times


def median(times):
    good = [value for value in times if value is not None]
    failed = f", {len(times) - len(good)} of {len(times)} failed" if len(good) < len(times) else ""
    return f"{statistics.median(good):.2f}{failed}" if good else "failed"


def report(name, jobs, rounds):
    for index, (what, _) in enumerate(jobs):
        of = {library: [times[library][index] for times in rounds] for library in LIBRARIES}
        ratios = [min(filter(None, (d, p))) / o for d, p, o in zip(of["debian"], of["libfuse ring"], of["ringfuse"])]
        medians = " | ".join(median(of[library]) for library in LIBRARIES)
        print(f"| {name}: {what} | {medians} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peer", required=True, help="from benches/get-libfuse.sh")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if not (TREE / "etc/debian_version").exists():
        raise SystemExit(f"{TREE} is missing: run tests/clients/run.sh first")
    SWITCH.write_text("Y")
    in_namespaces()
    prepare(options)
    print(f"Linux {os.uname().release}, {os.cpu_count()} CPUs, {options.rounds} rounds, seconds\n")
    print(f"| | {' | '.join(LIBRARIES)} | to the better |\n| --- | --- | --- | --- | --- |")
    for name, command, jobs in programs(options.only):
        rounds = []
        for number in range(options.rounds):
            order = LIBRARIES[number % 3:] + LIBRARIES[:number % 3]
            rounds.append({library: measure(command, library, jobs) for library in order})
        report(name, jobs, rounds)


main()
