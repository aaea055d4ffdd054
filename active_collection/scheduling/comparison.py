# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What rules achieved in simulations, and how sure that is."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.fleet_simulation import Run

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Band:
    """
    A mean over seeds with its confidence interval, at each retraining.

    :param cost: what the episodes had cost, in the unit of tasks, shape (K,)
    :param mean: shape (K,); `low` and `high`, its 95 % confidence limits (Student's t), likewise:
        the mean itself where there is one seed
    """

    cost: tuple[float, ...]
    mean: Floats
    low: Floats
    high: Floats

    def at(self, index: int) -> str:
        """Return the mean with half the width of its interval, for a table."""
        return f'{self.mean[index]:.3f}±{(self.high - self.low)[index] / 2:.3f}'


def band(runs: Sequence[Run]) -> Band:
    """Return the success of one rule over its seeds."""
    return _interval(*_on_one_axis(runs))


def gain(runs: Sequence[Run], over: Sequence[Run]) -> Band:
    """
    Return how much more one rule achieved than another.

    Both ran against the same curves with the same seeds, so that they are compared seed by seed:
    what curves differ from seed to seed does not blur the difference.

    :param over: runs of the other rule, with the same seeds in the same order
    """
    cost, success = _on_one_axis([*runs, *over])
    return _interval(cost, success[:len(runs)] - success[len(runs):])


def mean_success(runs: Sequence[Run]) -> Band:
    """Return the mean over the run of what the policy could do then, as the only entry."""
    return _interval((0.0,), _over_the_run(*_on_one_axis(runs)))


def mean_gain(runs: Sequence[Run], over: Sequence[Run]) -> Band:
    """Return the mean of `gain` over the whole run, likewise."""
    mean = _over_the_run(*_on_one_axis([*runs, *over]))
    return _interval((0.0,), mean[:len(runs)] - mean[len(runs):])


def _on_one_axis(runs: Sequence[Run]) -> tuple[tuple[float, ...], Floats]:
    """Return the success of each run at every retraining of any; a run that ended keeps its."""
    cost = sorted({mark for run in runs for mark in run.cost})
    places = [np.searchsorted(run.cost, cost, side='right') - 1 for run in runs]
    return tuple(cost), np.array([
        np.array(run.success)[place] for run, place in zip(runs, places, strict=True)])


def _over_the_run(cost: tuple[float, ...], success: Floats) -> Floats:
    """Return the mean success, each held until the next, of every run, shape (R, 1)."""
    lasts = np.diff(cost)
    if not lasts.size:
        return success[:, :1]
    return np.asarray(success[:, :-1] @ lasts / lasts.sum())[:, None]


def _interval(cost: tuple[float, ...], values: Floats) -> Band:
    mean, count = values.mean(axis=0), len(values)
    if count < 2:
        return Band(cost, mean, mean, mean)
    half = (student.ppf((1 + CONFIDENCE) / 2, count - 1)
            * values.std(axis=0, ddof=1) / np.sqrt(count))
    return Band(cost, mean, mean - half, mean + half)
