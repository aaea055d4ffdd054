# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ensemble's uncertainty says of failure, learnt from the trials of all tasks."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from active_collection.scheduling.beliefs.curves import FADING
from active_collection.scheduling.beliefs.curves import Curves

Floats = npt.NDArray[np.float64]
#: Ensembles that are looked back on.
EPOCHS = 12
#: What a measurement under the ensemble before still says of a task's doubt among the others.
LASTS = 0.5
#: Before there are trials: odds of failure are in proportion to the doubt, to a power of 1 +- 1.
SLOPE, SPREAD = 1.0, 1.0
#: Newton's steps, each bounded, to the maximum of a concave function of two numbers.
STEPS, LONGEST_STEP = 20, 1.0


@dataclass(frozen=True)
class Epochs:
    """
    What each task's policy was and did under the last ensembles, newest first, shapes (T, K).

    :param epistemic: mean epistemic uncertainty; NaN where none was measured
    :param failures: of the trials
    :param trials: episodes of the policy alone
    :param learnt: demonstrations that the policy of those trials had learnt from, their mean
    """

    epistemic: Floats
    failures: Floats
    trials: Floats
    learnt: Floats


def expected_failure(curves: Curves, by_curve: Floats, epochs: Epochs) -> Floats:
    """
    Return the expected failure rate of the newest policy, 0 to 1, shape (T,).

    Logistic regression on how doubtful a task is among the tasks, with what its learning curve
    says as the offset: logit p = logit(by_curve) + a + b (log doubt - its mean over the tasks),
    where a and b are fitted to the trials of all tasks, each an 0.9 of it for every retraining
    since, with the priors a ~ N(0, 1), b ~ N(1, 1). Doubt is compared between tasks under one
    ensemble alone: what it is on the whole falls from one retraining to the next.

    :param by_curve: expected failure rate by the learning curves alone, shape (T,)
    """
    with np.errstate(divide='ignore'):
        logs = np.where(epochs.epistemic > 0, np.log(epochs.epistemic), np.nan)
    known = np.isfinite(logs)
    if not known.any():
        return by_curve
    relative = np.where(known, logs + _levels(logs), 0.0)
    weights = known * LASTS ** np.arange(logs.shape[1])
    total = weights.sum(axis=1)
    doubt = (relative * weights).sum(axis=1) / np.where(total > 0, total, 1.0)
    doubt = np.where(total > 0, doubt, doubt[total > 0].max())
    middle = doubt.mean()
    tried = known & (epochs.trials > 0)
    offset = np.zeros_like(logs)
    for age in np.flatnonzero(tried.any(axis=0)):
        offset[:, age] = _logit(1 - curves.mean(epochs.learnt[:, age]))
    faded = epochs.trials * FADING ** np.arange(logs.shape[1])
    rate = epochs.failures / np.maximum(epochs.trials, 1)
    shift, slope = _fit(relative[tried] - middle, offset[tried], rate[tried], faded[tried])
    return np.asarray(_logistic(_logit(by_curve) + shift + slope * (doubt - middle)))


def _levels(logs: Floats) -> Floats:
    """
    Return what makes the doubt under each ensemble comparable with that under the newest, (K,).

    The mean change, over the tasks that were measured under both, from each ensemble to the next,
    with one more task of which no change is known.
    """
    change = logs[:, :-1] - logs[:, 1:]
    both = np.isfinite(change)
    mean = np.where(both, change, 0.0).sum(axis=0) / (both.sum(axis=0) + 1)
    return np.concatenate([[0.0], np.cumsum(mean)])


def _fit(doubt: Floats, offset: Floats, rate: Floats, weight: Floats) -> tuple[float, float]:
    """Return the most probable a and b from vectors (N,), by sums that a replay repeats."""
    shift, slope = 0.0, SLOPE
    for _ in range(STEPS):
        chance = _logistic(offset + shift + slope * doubt)
        missing = weight * (rate - chance)
        certain = weight * chance * (1 - chance)
        down = missing.sum() - shift, (missing * doubt).sum() - (slope - SLOPE) / SPREAD ** 2
        a, b, d = (certain.sum() + 1, (certain * doubt).sum(),
                   (certain * doubt ** 2).sum() + 1 / SPREAD ** 2)
        determinant = a * d - b * b
        step = (d * down[0] - b * down[1]) / determinant, (a * down[1] - b * down[0]) / determinant
        shorter = LONGEST_STEP / max(LONGEST_STEP, abs(step[0]), abs(step[1]))
        shift, slope = float(shift + shorter * step[0]), float(slope + shorter * step[1])
    return shift, slope


def _logit(probability: Floats) -> Floats:
    return np.asarray(np.log(probability) - np.log1p(-probability))


def _logistic(value: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-value)))
