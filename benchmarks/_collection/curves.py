# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Success over demonstrations: the demonstrations to a level, and what share of another's."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Resamples of the seeds, of which the interval holds 95 %.
RESAMPLES = 4000


@dataclass(frozen=True)
class Curve:
    """
    One unit's evaluations.

    :param demonstrations: shape (N,), ascending
    :param success: mean over the tasks, 0 to 1, shape (N,)
    """

    demonstrations: np.ndarray
    success: np.ndarray

    def on(self, grid):
        """
        Return the success at other numbers of demonstrations, by straight lines in between.

        After its end, which came once it was good enough or the budget was spent, it is the mean
        of its last three evaluations.
        """
        values = np.interp(grid, self.demonstrations, self.success)
        return np.where(grid > self.demonstrations[-1], self.success[-3:].mean(), values)


@dataclass(frozen=True)
class Share:
    """
    Demonstrations of an arm to a level as a share of another's.

    :param value: infinite where the arm does not get there; NaN where the other does not
    :param low: 2.5 % of the resamples are below; `high`: above
    :param own, other: demonstrations of each; infinite where it does not get there
    :param seeds: that both have
    """

    value: float
    low: float
    high: float
    own: float
    other: float
    seeds: int


def to_level(grid, success, level):
    """
    Return the demonstrations at which a curve gets to a level; infinite: never.

    It is made monotone first (isotonic regression): a single lucky evaluation is no arrival, and
    a curve with more points has no more luck.

    :param grid: demonstrations, shape (N,), ascending
    :param success: at these, shape (N,)
    """
    mean = isotonic(success)
    there = np.flatnonzero(mean >= level)
    if not there.size:
        return math.inf
    k = int(there[0])
    if k == 0:
        return float(grid[0])
    rise = (level - mean[k - 1]) / (mean[k] - mean[k - 1])
    return float(grid[k - 1] + rise * (grid[k] - grid[k - 1]))


def isotonic(values):
    """Return the non-decreasing values nearest to these by squares, shape (N,)."""
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            last, count = blocks.pop()
            total = blocks[-1][1] + count
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + last * count) / total, total]
    return np.array([value for value, count in blocks for _ in range(int(count))])


def share(own, other, level, *, random):
    """
    Return the demonstrations of an arm to a level as a share of another's, with its interval.

    Paired bootstrap: seeds are drawn with replacement, the same for both. Where the other one does
    not get there in a resample, it is taken to need no more than was tried, so that the interval
    is rather too high than too low.

    :param own: curve by seed; `other` likewise; the seeds that both have count
    """
    seeds = sorted(set(own) & set(other))
    grid = np.unique(np.concatenate([c.demonstrations for s in seeds for c in (own[s], other[s])]))
    own_success, other_success = (
        np.array([curves[seed].on(grid) for seed in seeds]) for curves in (own, other))

    def needed(success, chosen):
        return to_level(grid, success[chosen].mean(axis=0), level)

    every = np.arange(len(seeds))
    mine, theirs = needed(own_success, every), needed(other_success, every)
    resampled = []
    for _ in range(RESAMPLES if len(seeds) > 1 else 0):
        chosen = random.choice(every, size=len(every))
        resampled.append(needed(own_success, chosen)
                         / min(needed(other_success, chosen), grid[-1]))
    # Not interpolated: of two resamples one may never get there.
    ordered = sorted(resampled) or [math.nan]
    low, high = (ordered[max(math.ceil(q * len(ordered)) - 1, 0)] for q in (0.025, 0.975))
    return Share(mine / theirs if math.isfinite(theirs) else math.nan, float(low), float(high),
                 mine, theirs, len(seeds))
