# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Tasks at random: the baseline that every other rule has to beat."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.settings import SchedulerSettings


class Uniform:
    """Every task that is eligible is as likely as any other of the same worth."""

    configurations = 'random'
    spreads_trials = False

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return 1 / (the task's places), to draw by."""
        del random
        places = np.bincount(candidates.task, minlength=len(candidates.pending))
        return Merits('chance', 1.0 / places[candidates.task], is_chance=True)
