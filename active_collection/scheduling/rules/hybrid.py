# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The default: uncertainty while the policy is unknown, then failure and what still improves."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.settings import SchedulerSettings


class Hybrid:
    """
    A mixture whose weight moves, task by task, from uncertainty to failure.

    With e trials of the policy on a task and `transition_episodes` n0, failure and slope weigh
    m = e / (e + n0) and uncertainty 1 - m: before the policy was tried on a task, its own doubt is
    all there is; afterwards what it really fails at counts, as a Thompson draw
    (`failure_thompson`), and what still improves (`slope`), which together get m in the parts
    1 - w and w, w = `slope_weight`.

    What is uncertain or fails counts for what one more demonstration takes of it: of a power law
    in n demonstrations that is its value times b / (n + 1), b alike for all tasks as long as
    nobody knows better. Without it a task that never gets good, or whose actions are large, would
    swallow the budget. All three are relative to the largest of a task in question, 0 to 1.

    A share epsilon of the decisions is uniform, which keeps every task in sight whatever the
    beliefs are (epsilon-greedy: Sutton and Barto 2018, section 2.2), and a task that had more than
    `task_share` of the recent assignments waits, which bounds what one hopeless task can swallow.
    """

    configurations = 'coverage'

    def __init__(self, settings: SchedulerSettings) -> None:
        self._settings = settings

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = ((1 - m) u + m ((1 - w) f + w g)) * worth, or a draw by epsilon."""
        draw = random.random()
        draws = random.random(len(candidates.task))
        if draw < self._settings.epsilon:
            return Scores((RuleTerm('exploration', draws, np.ones_like(draws)),), draws)
        beliefs = candidates.beliefs
        demonstrations = (beliefs.demonstrations
                          + candidates.pending_demonstrations).astype(np.float64)
        uncertainty = self._relative(beliefs.epistemic / (demonstrations + 1), candidates)
        failure = self._relative(
            (1 - random.beta(beliefs.alpha, beliefs.beta)) / (demonstrations + 1), candidates)
        gain = self._relative(candidates.curves().gain(demonstrations), candidates)
        trials = (beliefs.curve_successes + beliefs.curve_failures).sum(axis=1)
        mixture = trials / (trials + self._settings.transition_episodes)
        worth = candidates.worth(self._settings.cost_weight) * self._open(candidates)
        task, slope_weight = candidates.task, self._settings.slope_weight
        return Scores((
            RuleTerm('epistemic', uncertainty[task], (1 - mixture[task]) * worth),
            RuleTerm('failure', failure[task], mixture[task] * (1 - slope_weight) * worth),
            RuleTerm('gain', gain[task], mixture[task] * slope_weight * worth),
            RuleTerm('recent_share', candidates.share[task], np.zeros(len(task))),
        ), np.full(len(task), draw))

    @staticmethod
    def _relative(values: Floats, candidates: Candidates) -> Floats:
        """Return values of tasks over the largest of those in question, shape (T,)."""
        largest = float(values[candidates.task].max())
        return values / max(largest, np.finfo(np.float64).tiny)

    def _open(self, candidates: Candidates) -> Floats:
        """Return 1 for the places of tasks under the cap and 0 for others; 1 if all are above."""
        is_open = candidates.share[candidates.task] < self._settings.task_share
        return np.where(is_open | ~is_open.any(), 1.0, 0.0)
