# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rounds of measurements, and what follows from them.

Results are plain data (what --json writes):
    {"machine": {...}, "variants": [...], "rows": {workload id: {variant: [sample of each round]}}}
A sample is {"rate", "cpu_per_million", "p50", "p99", "rss", "rss_used", "others"}, or {"error": why}; others is what
ran on the machine meanwhile and is none of ours, in CPUs.
"""

import os
import pathlib
import sys
import time

import stats
import workloads
from daemons import TICK, Failed, Mount

RING_SHARE, DEV_SHARE = 0.9, 0.1
DISTURBED = 0.15  # CPUs that others used; the kernel's ticks are no finer
NOT_IN_LIMIT = "not in limit.c"
IDLE_WAKES = 0.5  # a second: some housekeeping now and then is not a wake-up that anybody notices


class Bench:
    def __init__(self, variants, driver, binaries, mountpoint, retries):
        self.variants, self.driver, self.retries = variants, driver, retries
        self.binaries, self.mountpoint = binaries, mountpoint

    def rounds(self, jobs, count):
        """Interrupted, it is content with what there is."""
        rows = {job.id: {v.name: [] for v in self.variants} for job in jobs}
        try:
            for n in range(count):
                self.round(jobs, n, rows)
                print(f"round {n + 1} of {count} done", file=sys.stderr)
        except KeyboardInterrupt:
            print("interrupted: what follows has fewer rounds", file=sys.stderr)
        return {i: row for i, row in rows.items() if all(row.values())}

    def round(self, jobs, n, rows):
        for i, job in enumerate(jobs):
            # Another one begins each time: what drifts must not favour anybody.
            k = (n + i) % len(self.variants)
            for variant in self.variants[k:] + self.variants[:k]:
                samples = rows[job.id][variant.name]
                samples.append(self.sample(job, variant, samples))

    def sample(self, job, variant, earlier):
        """One measurement. Who failed once is not asked again; one that was disturbed is made again."""
        if earlier and "error" in earlier[-1]:
            return earlier[-1]
        if variant.role == "limit" and not job.limit:
            return {"error": NOT_IN_LIMIT}
        tries = []
        for _ in range(1 + (self.retries if job.requests else 0)):
            tries.append(self.attempt(job, variant))
            if tries[-1].get("others", 0) <= DISTURBED:
                break
        return min(tries, key=lambda s: s.get("others", 0))

    def attempt(self, job, variant):
        """On a fresh mount."""
        self.driver.prepare(job)
        try:
            mount = Mount(variant, self.binary(job, variant), self.options(job), self.mountpoint)
            try:
                return self.on_mount(job, variant, mount)
            finally:
                mount.unmount()
        except Failed as e:
            print(f"{job.id}: {variant.name}: {e}", file=sys.stderr)
            return {"error": str(e)}

    def binary(self, job, variant):
        return self.binaries["limit" if variant.role == "limit" else job.fs]

    def options(self, job):
        options = list(job.options)
        if job.fs == "passthrough":
            options.append(f"source={self.driver.source()}")
        return ["-o" + ",".join(options)] if options else []

    def on_mount(self, job, variant, mount):
        rss, completions, cpu = mount.rss_kib(), mount.ring_completions(), mount.cpu_seconds()
        busy, began = machine_cpu_seconds(), time.monotonic()
        found = self.driver.run(job, mount)
        requests = found.done * job.requests
        if requests:
            # The counters are 32 bits wide and wrap.
            check_transport(variant, (mount.ring_completions() - completions) % 2**32 / requests)
        cpu = mount.cpu_seconds() - cpu + found.cpu
        others = (machine_cpu_seconds() - busy - cpu - found.hogs) / (time.monotonic() - began)
        return {"rate": found.rate, "cpu_per_million": cpu * 1e6 / found.done if found.done else None,
                "p50": found.p50, "p99": found.p99, "rss": rss, "rss_used": mount.rss_kib(),
                "others": max(others, 0.0)}


def check_transport(variant, share):
    used = "ring" if share > RING_SHARE else "dev" if share < DEV_SHARE else "mixed"
    if used != variant.transport:
        raise Failed(f"expected {variant.transport}, but {share:.0%} came on the ring")


def machine_cpu_seconds():
    """What all CPUs did since the start, in seconds; what the hypervisor took away included."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK  # not idle, not waiting for a disk


def machine():
    return {"cpus": os.cpu_count(), "kernel": os.uname().release, "arch": os.uname().machine}


def values(row, name, key):
    return [s.get(key) for s in row.get(name, [])]


class Summary:
    """Results as medians, ratios and verdicts. Ratios are ours against the best peer of the same round; without a
    peer, every variant against the first one, and no goals."""

    def __init__(self, results):
        self.results = results
        self.names = [v["name"] for v in results["variants"]]
        roles = {v["name"]: v["role"] for v in results["variants"]}
        self.peers = [n for n in self.names if roles[n] == "peer"]
        self.goals = bool(self.peers)
        self.base = self.peers or self.names[:1]
        self.ours = [n for n in self.names if n not in self.base and roles[n] != "limit"]
        known = {w.id: w for w in workloads.WORKLOADS}
        self.jobs = [known[i] for i in results["rows"] if i in known]
        self.fails = []
        self.rows = [self._row(job) for job in self.jobs]
        self.memory = self._memory()
        samples = [s for row in results["rows"].values() for each in row.values() for s in each]
        self.disturbed = (sum(s.get("others", 0) > DISTURBED for s in samples), len(samples))

    def _row(self, job):
        samples = self.results["rows"][job.id]
        out = {"job": job, "cells": {}, "ratios": {}, "cpu_ratios": {}}
        for name in self.names:
            rates = values(samples, name, "rate")
            out["cells"][name] = {
                "none": samples[name][0].get("error") == NOT_IN_LIMIT,
                "median": stats.median(rates), "spread": stats.spread(rates),
                "cpu": stats.median(values(samples, name, "cpu_per_million")),
                "p50": stats.median(values(samples, name, "p50")),
                "p99": stats.median(values(samples, name, "p99"))}
        for name in self.ours:
            out["ratios"][name] = self._ratio(job, name, "rate", job.goal)
            out["cpu_ratios"][name] = self._ratio(job, name, "cpu_per_million",
                                                  1.0 if job.full_load else None, True)
        return out

    def _ratio(self, job, name, key, goal, low=False):
        samples = self.results["rows"][job.id]
        found = stats.ratio(values(samples, name, key), [values(samples, b, key) for b in self.base], low)
        verdict = stats.verdict(found, goal if self.goals else None, low)
        if verdict == "FAIL":
            self.fails.append(f"{job.id}: {name}: {'CPU' if low else 'rate'} "
                              f"{found['median'] if found else 0:.2f}, goal {goal}")
        return {"ratio": found, "goal": goal if self.goals else None, "verdict": verdict}

    def _memory(self):
        """RSS in KiB: just mounted (median over all nullfs mounts), and the most after any workload."""
        out = {}
        for name in self.names:
            fresh, used = [], []
            for job in self.jobs:
                samples = self.results["rows"][job.id]
                if job.fs == "nullfs":
                    fresh += values(samples, name, "rss")
                used.append(stats.median(values(samples, name, "rss_used")))
            out[name] = {"mounted": stats.median(fresh), "used": max(stats.known(used), default=None)}
        if self.goals:
            self._judge_memory(out)
            self._judge_idle()
        return out

    def _judge_idle(self):
        for row in self.rows:
            for name in self.ours if isinstance(row["job"].drive, workloads.Idle) else ():
                wakes = row["cells"][name]["median"]
                if wakes is None or wakes > IDLE_WAKES:
                    self.fails.append(f"{row['job'].id}: {name}: {wakes} wake-ups a second, "
                                      f"at most {IDLE_WAKES}")

    def _judge_memory(self, memory):
        """Below each ring of the peers, at most 1 MiB above /dev/fuse."""
        transport = {v["name"]: v["transport"] for v in self.results["variants"]}
        for name in self.ours:
            mine = memory[name]["mounted"]
            if mine is None:
                continue
            for peer in self.peers:
                rival = memory[peer]["mounted"]
                bound = rival if transport[peer] == "ring" else None if rival is None else rival + 1024
                if bound is not None and mine > bound:
                    self.fails.append(f"RSS: {name}: {mine:.0f} KiB, at most {bound:.0f} for {peer}")
