# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task whose success still grows fastest for what an episode costs."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.settings import SchedulerSettings


class Slope:
    """
    The steepest learning curve: what one more demonstration adds to the expected success.

    success(n) = 1 - a n^-b is fitted per task (`curves.fit`: Zha et al., "Guiding data collection
    via factored scaling curves", 2025). A task that no longer improves has b near 0 and gets
    nothing, however often it fails: this keeps the budget out of hopeless tasks.
    """

    configurations = 'coverage'

    def __init__(self, settings: SchedulerSettings) -> None:
        self._cost_weight = settings.cost_weight

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = (success(n + k + 1) - success(n + k)) * worth, k demonstrations out."""
        del random
        demonstrations = candidates.beliefs.demonstrations + candidates.pending_demonstrations
        gain = candidates.curves().gain(demonstrations.astype(np.float64))
        return Scores((RuleTerm(
            'gain', gain[candidates.task], candidates.worth(self._cost_weight)),))
