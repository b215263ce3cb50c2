# SPDX-License-Identifier: MIT OR Apache-2.0
"""A summary (compare.Summary) as text."""

import compare

CELL, RATIO = 15, 26


def number(value):
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def rate_cell(cell, job):
    if cell["median"] is None:
        return "fails" if not cell["none"] else "-"
    spread = "" if cell["spread"] is None else f" ±{cell['spread'] * 100:.0f}%"
    return number(cell["median"] * job.scale) + spread


def ratio_cell(found):
    r = found["ratio"]
    if r is None:
        return "-  " + found["verdict"]
    return f"{r['median']:.2f} ({r['low']:.2f}-{r['high']:.2f}) {found['verdict']:4}"


def against(summary, name):
    rival = "best" if len(summary.base) > 1 else summary.base[0]
    return f"{name}/{rival}"


def rates(summary):
    head = f"{'workload':14}{'unit':>8}" + "".join(f"{n[:CELL - 1]:>{CELL}}" for n in summary.names)
    head += "".join(f"{against(summary, n)[:RATIO - 1]:>{RATIO}}" for n in summary.ours)
    yield head + ("  goal" if summary.goals else "")
    for row in summary.rows:
        job = row["job"]
        line = f"{job.id:14}{job.unit:>8}"
        line += "".join(f"{rate_cell(row['cells'][n], job):>{CELL}}" for n in summary.names)
        line += "".join(f"{ratio_cell(row['ratios'][n]):>{RATIO}}" for n in summary.ours)
        yield line + (f"{job.goal:6.2f}" if summary.goals and job.goal else "")


def costs(summary):
    yield "CPU seconds (daemon and clients) per million operations, and p99 latency in us"
    head = f"{'workload':14}{'':8}" + "".join(f"{n[:CELL - 1]:>{CELL}}" for n in summary.names)
    yield head + "".join(f"{('CPU ' + against(summary, n))[:RATIO - 1]:>{RATIO}}" for n in summary.ours)
    for row in summary.rows:
        cells = row["cells"]
        if all(c["cpu"] is None for c in cells.values()):
            continue
        line = f"{row['job'].id:14}{'':8}"
        for n in summary.names:
            line += f"{number(cells[n]['cpu']) + ' / ' + number(cells[n]['p99']):>{CELL}}"
        yield line + "".join(f"{ratio_cell(row['cpu_ratios'][n]):>{RATIO}}" for n in summary.ours)


def memory(summary):
    for when, text in (("mounted", "RSS KiB, mounted"), ("used", "RSS KiB, most used")):
        yield f"{text:22}" + "".join(f"{number(summary.memory[n][when]):>{CELL}}" for n in summary.names)


def errors(summary):
    for row in summary.rows:
        samples = summary.results["rows"][row["job"].id]
        for n in summary.names:
            why = next((s["error"] for s in samples.get(n, []) if "error" in s), None)
            if why and why != compare.NOT_IN_LIMIT:
                yield f"{row['job'].id}: {n}: {why}"
    some, of = summary.disturbed
    if some:
        yield f"{some} of {of} measurements shared the machine with something else: be careful"


def text(summary):
    parts = [list(rates(summary)), list(costs(summary)), list(memory(summary)), list(errors(summary))]
    if summary.goals and summary.ours:
        parts.append(["missed: " + f for f in summary.fails] or ["every goal reached"])
    return "\n\n".join("\n".join(p) for p in parts if p)
