# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Learning curves: how a task's success grows with its demonstrations."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.beliefs import TaskArrays

#: What is believed of a task before it was ever tried: success(n) = 1 - n^-1/2, worth one trial
#: for its level and four for its slope (slopes differ less between tasks than levels do).
PRIOR_LOG_A = 0.0
PRIOR_B = 0.5
PRIOR_LEVEL_TRIALS = 1.0
PRIOR_SLOPE_TRIALS = 4.0
STEEPEST = 2.0


@dataclass(frozen=True)
class Curves:
    """
    success(n) = 1 - a n^-b of every task, n its demonstrations plus one.

    :param a: failure rate extrapolated to no demonstration, shape (T,)
    :param b: exponent, 0 (no gain) to 2, shape (T,)
    """

    a: Floats
    b: Floats

    def success(self, demonstrations: Floats) -> Floats:
        """Return the expected success after these many demonstrations, 0 to 1, shape (T,)."""
        return np.clip(1 - self.a * (demonstrations + 1) ** -self.b, 0.0, 1.0)

    def gain(self, demonstrations: Floats) -> Floats:
        """Return what one more demonstration adds to the expected success, shape (T,)."""
        return self.success(demonstrations + 1) - self.success(demonstrations)


class FittedCurves:
    """The curves of some beliefs, fitted once, when they are first called for."""

    def __init__(self, beliefs: TaskArrays) -> None:
        self.beliefs = beliefs
        self._curves: Curves | None = None

    def __call__(self) -> Curves:
        """Return the curves."""
        if self._curves is None:
            self._curves = fit(self.beliefs)
        return self._curves


def fit(beliefs: TaskArrays) -> Curves:
    """
    Fit the curve of every task to what the policy of each epoch achieved.

    Power-law scaling of imitation (Zha et al., "Guiding data collection via factored scaling
    curves", 2025; Hestness et al., "Deep learning scaling is predictable, empirically", 2017):
    log f = log a - b log n by weighted least squares, f the smoothed failure rate
    (failures + 1/2) / (trials + 1), its weight trials f / (1 - f), which is the inverse variance
    of log f (delta method), and a Gaussian prior on (log a, b) for what was little tried.
    """
    trials = beliefs.curve_successes + beliefs.curve_failures
    failure = (beliefs.curve_failures + 0.5) / (trials + 1.0)
    weight = trials * failure / (1 - failure)
    y = np.log(failure)
    x = -np.log(beliefs.curve_demonstrations + 1.0)
    s = weight.sum(axis=1) + PRIOR_LEVEL_TRIALS
    sx = (weight * x).sum(axis=1)
    sxx = (weight * x * x).sum(axis=1) + PRIOR_SLOPE_TRIALS
    sy = (weight * y).sum(axis=1) + PRIOR_LEVEL_TRIALS * PRIOR_LOG_A
    sxy = (weight * x * y).sum(axis=1) + PRIOR_SLOPE_TRIALS * PRIOR_B
    determinant = s * sxx - sx * sx
    b = np.clip((s * sxy - sx * sy) / determinant, 0.0, STEEPEST)
    a = np.exp(np.minimum((sy - b * sx) / s, 0.0))
    return Curves(a, b)
