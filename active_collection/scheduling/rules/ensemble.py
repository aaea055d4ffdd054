# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task that the ensemble's members disagree on most."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.settings import SchedulerSettings


class EnsembleUncertainty:
    """
    Expected epistemic uncertainty under the newest ensemble, less what is about to be learnt.

    Disagreement of an ensemble as the measure of what to collect: Menda et al., "EnsembleDAgger",
    2019; Pathak et al., "Self-supervised exploration via disagreement", 2019.
    """

    configurations = 'coverage'

    def __init__(self, settings: SchedulerSettings) -> None:
        self._cost_weight = settings.cost_weight

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = u (n + 1) / (n + 1 + k) * importance * boost / cost ** cost_weight."""
        del random
        left = candidates.epistemic_left()[candidates.task]
        return Scores((RuleTerm('epistemic', left, candidates.worth(self._cost_weight)),))
