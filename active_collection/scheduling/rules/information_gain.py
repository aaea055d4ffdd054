# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task of which one more demonstration says most about all that can be asked of it."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.settings import SchedulerSettings

FEATURES = 64
PROBES = 64
#: Length over which configurations tell of each other, in a unit cube.
LENGTH = 0.3
#: Variance of one demonstration's word, against a prior variance of 1.
NOISE = 0.1


class InformationGain:
    """
    Expected reduction of the policy's posterior variance over a task's object configurations.

    As AMF does (Bagatella et al., "Active fine-tuning of multi-task policies", 2024), but with a
    kernel over (task, configuration) in place of a covariance of ensemble members, which has at
    most as many directions as members. The kernel is Gaussian and approximated by random Fourier
    features (Rahimi and Recht 2007), so that n episodes cost n 64^2 and not n^3. With features
    phi, A = I + sum phi phi' / s^2 over what was collected or is out, and probes z, one
    demonstration at x takes (phi_z' A^-1 phi_x)^2 / (s^2 + phi_x' A^-1 phi_x) off the variance at
    z. The score is the mean over the probes at the best x among them.
    """

    configurations = 'coverage'

    def __init__(self, settings: SchedulerSettings) -> None:
        self._cost_weight = settings.cost_weight

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = mean variance reduction * worth."""
        del random
        gains = np.zeros(len(candidates.importance))
        for task in np.unique(candidates.task):
            collected, probes = candidates.points(int(task), PROBES)
            gains[task] = _gain(collected, probes)
        return Scores((RuleTerm('variance_reduction', gains[candidates.task],
                                candidates.worth(self._cost_weight)),))


def _gain(collected: Floats, probes: Floats) -> float:
    """
    Return the largest mean variance reduction that one of the probes gives.

    :param collected: points of what was collected or is out, shape (n, d)
    :param probes: points that fill the space, shape (p, d)
    """
    features = _Features(probes.shape[1])
    known = features(collected)
    precision = np.eye(FEATURES) + known.T @ known / NOISE
    asked = features(probes)
    covariance = asked @ np.linalg.solve(precision, asked.T)
    reduction = (covariance ** 2).mean(axis=0) / (NOISE + np.diag(covariance))
    return float(reduction.max())


class _Features:
    """Random Fourier features of a Gaussian kernel; the same for every task of d dimensions."""

    def __init__(self, dimensions: int) -> None:
        random = np.random.default_rng(dimensions)
        self._frequencies = random.normal(size=(dimensions, FEATURES)) / LENGTH
        self._phases = random.uniform(0, 2 * np.pi, FEATURES)

    def __call__(self, points: Floats) -> Floats:
        return np.asarray(
            np.sqrt(2 / FEATURES) * np.cos(points @ self._frequencies + self._phases))
