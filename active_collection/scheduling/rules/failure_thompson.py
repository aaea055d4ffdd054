# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task that fails, by a draw from what is known of its success."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.settings import SchedulerSettings


class FailureThompson:
    """
    Thompson sampling of the failure probability from its discounted Beta posterior.

    Thompson, "On the likelihood that one unknown probability exceeds another", 1933; discounting:
    Raj and Kalyani, "Taming non-stationary bandits", 2017. A task of which little is known draws
    wide and so is tried.
    """

    configurations = 'coverage'

    def __init__(self, settings: SchedulerSettings) -> None:
        self._cost_weight = settings.cost_weight

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = (1 - theta) * worth with theta ~ Beta(alpha, beta), one draw a task."""
        beliefs = candidates.beliefs
        failure = 1 - random.beta(beliefs.alpha, beliefs.beta)
        failure = failure[candidates.task]
        return Scores(
            (RuleTerm('failure', failure, candidates.worth(self._cost_weight)),), 1 - failure)
