# SPDX-License-Identifier: MIT OR Apache-2.0
"""A summary (compare.Summary) as an SVG: a group of bars per workload, 1 is the best peer, ticks are goals."""

import math
from xml.sax.saxutils import escape

import workloads

COLOURS = ("#9aa5b1", "#5b7083", "#e0662f", "#2f8fe0", "#7a4fc2", "#3a9d5d", "#c23a6b")
LEFT, WIDTH, RIGHT, BAR, GAP, TOP = 130, 560, 190, 9, 10, 60
MOST = 4  # longer bars are cut, and say so


def relative(row, summary):
    """Each variant's median by the best median among the base."""
    medians = {n: c["median"] for n, c in row["cells"].items()}
    best = max((medians[n] for n in summary.base if medians[n]), default=None)
    return {n: (m / best if m is not None and best else None) for n, m in medians.items()}


class Canvas:
    def __init__(self):
        self.parts = []

    def rect(self, x, y, w, h, fill):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0.5):.1f}" height="{h}" fill="{fill}"/>')

    def line(self, x1, y1, x2, y2, stroke, width=1):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{stroke}" stroke-width="{width}"/>')

    def text(self, x, y, words, anchor="start", size=11, fill="#222"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
                          f'fill="{fill}">{escape(words)}</text>')

    def svg(self, width, height):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
                f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def longest(rows, summary):
    """How far the axis goes: as far as bars and goals do, up to MOST."""
    ends = [v for r in rows for v in relative(r, summary).values() if v]
    ends += [r["job"].goal for r in rows if r["job"].goal and summary.goals]
    return min(MOST, math.ceil(2 * max(ends, default=1)) / 2)


def group(canvas, row, summary, y, most):
    job, values = row["job"], relative(row, summary)
    scale = WIDTH / most
    middle = y + len(summary.names) * BAR / 2 + 4
    canvas.text(LEFT - 8, middle, job.id, "end")
    for i, name in enumerate(summary.names):
        value = values[name]
        canvas.rect(LEFT, y + i * BAR, min(value or 0, most) * scale, BAR - 1, COLOURS[i % len(COLOURS)])
        if value is None:
            canvas.text(LEFT + 3, y + (i + 1) * BAR - 1, "-", size=9)
        elif value > most:
            canvas.text(LEFT + WIDTH + 3, y + (i + 1) * BAR - 1, f"{value:.1f}", size=9)
    if job.goal and summary.goals:
        x = LEFT + job.goal * scale
        canvas.line(x, y - 2, x, y + len(summary.names) * BAR + 1, "#111", 2)
    best = max((row["cells"][n]["median"] or 0 for n in summary.base), default=0) * job.scale
    canvas.text(LEFT + WIDTH + 40, middle, f"1 = {best:.4g} {job.unit}", size=10, fill="#555")
    if "FAIL" in [r["verdict"] for r in row["ratios"].values()]:
        canvas.text(LEFT + WIDTH + RIGHT - 8, middle, "missed", "end", 10, "#b00020")


def svg(summary):
    canvas = Canvas()
    rows = [r for r in summary.rows if not isinstance(r["job"].drive, workloads.Idle)]
    most = longest(rows, summary)
    height = TOP + len(rows) * (len(summary.names) * BAR + GAP) + 10
    base = "the better peer" if len(summary.base) > 1 else summary.base[0]
    info = summary.results["machine"]
    canvas.text(LEFT, 18, f"Rate, relative to {base} (Linux {info['kernel']}, {info['cpus']} CPUs)", size=13)
    x = LEFT
    for i, name in enumerate(summary.names):
        canvas.rect(x, 28, 10, 10, COLOURS[i % len(COLOURS)])
        canvas.text(x + 14, 37, name)
        x += 30 + 7 * len(name)
    if summary.goals:
        canvas.line(x + 4, 27, x + 4, 39, "#111", 2)
        canvas.text(x + 10, 37, "goal")
    for half in range(int(most * 2) + 1):
        at = LEFT + half / 2 * WIDTH / most
        canvas.line(at, TOP - 6, at, height - 8, "#888" if half == 2 else "#ddd")
        canvas.text(at, TOP - 9, f"{half / 2:g}", "middle", 9, "#555")
    for i, row in enumerate(rows):
        group(canvas, row, summary, TOP + i * (len(summary.names) * BAR + GAP), most)
    return canvas.svg(LEFT + WIDTH + RIGHT, height)
