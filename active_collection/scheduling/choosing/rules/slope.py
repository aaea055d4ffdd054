# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task whose success still grows fastest."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.settings import SchedulerSettings


class Slope:
    """
    The steepest learning curve: what more demonstrations add to the expected success, each.

    As many are looked ahead as came between two retrainings. A task that no longer improves gets
    nothing, however often it fails. Zha et al., "Guiding data collection via factored scaling
    curves", 2025.
    """

    configurations = 'even'
    spreads_trials = False

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return (success(n + h) - success(n)) / h, n demonstrations known or out."""
        del random
        beliefs, known = candidates.beliefs, candidates.demonstrations()
        ahead = np.round(beliefs.pace)
        gain = np.maximum(beliefs.curves.gain(known, ahead), 0.0) / ahead
        return Merits('gain', gain[candidates.task])
