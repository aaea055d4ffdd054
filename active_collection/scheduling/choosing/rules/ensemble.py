# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The arrangements that the ensemble's members disagree on most."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.choosing.acquisition import RuleTerm
from active_collection.scheduling.settings import SchedulerSettings


class EnsembleUncertainty:
    """
    The doubt that a demonstration would cover, with no look at what the policy achieves.

    Expected epistemic uncertainty under the newest ensemble, around each arrangement that it
    scored. Disagreement of an ensemble as the measure of what to collect: Menda et al.,
    "EnsembleDAgger", 2019; Pathak et al., "Self-supervised exploration via disagreement", 2019.
    Between tasks it depends on how large their actions are.
    """

    configurations = 'doubt'
    spreads_trials = False

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return the covered doubt."""
        del random
        return Merits('covered_doubt', candidates.cover('doubt'), informs=(
            RuleTerm('epistemic', candidates.beliefs.epistemic[candidates.task]),))
