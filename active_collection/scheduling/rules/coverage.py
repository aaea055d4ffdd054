# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task whose object configurations have the largest gap."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.settings import SchedulerSettings

#: Stands for the gap of a task of which nothing was collected.
UNTOUCHED = 2.0


class CoverageGap:
    """
    The covering radius of what was collected, per task, in a unit cube.

    Dispersion of a point set: Niederreiter, "Random number generation and quasi-Monte Carlo
    methods", 1992, chapter 6. It is divided by the cube's diagonal, so that tasks of different
    numbers of factors compare.
    """

    configurations = 'coverage'

    def __init__(self, settings: SchedulerSettings) -> None:
        self._cost_weight = settings.cost_weight

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = gap * worth, a gap of 2 for a task without an episode."""
        del random
        tasks = np.unique(candidates.task)
        gaps = np.zeros(len(candidates.importance))
        for task in tasks:
            gap = candidates.gap(int(task))
            gaps[task] = gap if np.isfinite(gap) else UNTOUCHED
        return Scores((RuleTerm(
            'gap', gaps[candidates.task], candidates.worth(self._cost_weight)),))
