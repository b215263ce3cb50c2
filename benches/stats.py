# SPDX-License-Identifier: MIT OR Apache-2.0
"""The arithmetic of a comparison: medians, spreads, ratios within a round, goals.

A *round* measured each variant once, close together in time. Values are lists with one entry per round; None stands
for a round in which the variant could not do the workload.
"""

import statistics


def known(values):
    return [v for v in values if v is not None]


def median(values):
    values = known(values)
    return statistics.median(values) if values else None


def spread(values):
    """Half the distance from worst to best, as a share of the median."""
    values = known(values)
    if not values or not statistics.median(values):
        return None
    return (max(values) - min(values)) / 2 / statistics.median(values)


def ratio(ours, others, lower_is_better=False):
    """ours / the best of the others, round by round: median, lowest, highest; None without a common round.

    With lower_is_better the best of the others is the lowest, and the ratio is still ours / best."""
    best = min if lower_is_better else max
    each = []
    for i, mine in enumerate(ours):
        rivals = known([o[i] for o in others if i < len(o)])
        if mine is not None and rivals and best(rivals) > 0:
            each.append(mine / best(rivals))
    if not each:
        return None
    return {"median": statistics.median(each), "low": min(each), "high": max(each)}


def verdict(found, goal, lower_is_better=False):
    """"pass" or "FAIL" of a ratio (as ratio() makes it) against a goal; "" without a goal."""
    if goal is None:
        return ""
    if found is None:
        return "FAIL"
    reached = found["median"] <= goal if lower_is_better else found["median"] >= goal
    return "pass" if reached else "FAIL"
