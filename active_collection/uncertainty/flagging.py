# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which rank a level must have so that its flags take up a budgeted share of steps."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: A level lies at this rank of the reference at most.
HIGHEST_RANK = 0.9999

#: Halvings of the interval in which the rank is searched for.
HALVINGS = 14


def log_odds(share: float) -> float:
    """Return log(share / (1 - share)), for a share within 0 to 1."""
    return math.log(share / (1 - share))


def rank(odds: float) -> float:
    """Return the share that has these log-odds."""
    return 1 / (1 + math.exp(-odds))


def bounds(budget: float) -> tuple[float, float]:
    """Return the lowest and highest log-odds of a level's rank under a budget."""
    return log_odds((1 - budget) / 2), log_odds(HIGHEST_RANK)


def flagged_share(values: np.ndarray, level: float, hold: int) -> float:
    """
    Return the share of steps that a level flags.

    :param values: of steps in order, shape (N,)
    :param hold: a value above the level flags its step and those after it, so many in all
    """
    steps = np.arange(len(values))
    newest_above = np.maximum.accumulate(np.where(values > level, steps, -hold))
    return float((steps - newest_above < hold).mean())


def fitted(values: Sequence[float], budget: float, hold: int) -> float:
    """
    Return the log-odds of the lowest rank that keeps to the budget on these very values.

    How many steps a level flags depends on how values follow each other: of independent ones, each
    above it flags `hold` steps; of such as stay high for long, hardly more than those above it.
    Sorted values do not tell; they are taken for independent.

    :param values: of steps in order, at least one
    """
    low, high = bounds(budget)
    ordered = np.sort(np.asarray(values, dtype=float))
    if list(ordered) == list(values):
        return min(max(log_odds(1 - budget / hold), low), high)
    steps = np.asarray(values, dtype=float)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        level = float(np.quantile(ordered, rank(middle)))
        if flagged_share(steps, level, hold) > budget:
            low = middle
        else:
            high = middle
    return high
