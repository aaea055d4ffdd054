# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task whose episodes lie farthest from what the ensemble was trained on."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.settings import SchedulerSettings


class Novelty:
    """
    Expected novelty of a task's observations, relative to the most novel task.

    Novelty is the distance of an observation's embedding to the nearest of the training data
    (k-nearest-neighbour novelty: Lehman and Stanley, "Abandoning objectives", 2011), averaged over
    each episode by the uncertainty node. It falls as what is out and fresh is learnt, as the
    epistemic uncertainty does in `Candidates.epistemic_left`.
    """

    configurations = 'coverage'

    def __init__(self, settings: SchedulerSettings) -> None:
        self._cost_weight = settings.cost_weight

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = v (n + 1) / (n + 1 + k) / max v * worth."""
        del random
        left = candidates.beliefs.novelty * candidates.still_unlearnt()
        largest = max(float(left[candidates.task].max()), np.finfo(np.float64).tiny)
        return Scores((RuleTerm('novelty', (left / largest)[candidates.task],
                                candidates.worth(self._cost_weight)),))
