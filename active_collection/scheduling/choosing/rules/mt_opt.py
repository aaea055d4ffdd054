# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task at random among those that the scene allows, as MT-Opt collects."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.settings import SchedulerSettings


class MtOpt:
    """
    A task drawn evenly; one that can follow without a reset goes before all that cannot.

    Kalashnikov et al., "MT-Opt: Continuous multi-task robotic reinforcement learning at scale",
    2021, section 5: tasks are drawn at random among those whose preconditions the scene fulfils.
    """

    configurations = 'random'
    spreads_trials = False

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return 1 / (the task's places), to draw by; 0 where others need no reset."""
        del random
        fits = candidates.is_chained | ~candidates.is_chained.any()
        places = np.bincount(candidates.task[fits], minlength=len(candidates.pending))
        return Merits('chance', np.where(
            fits, 1.0 / np.maximum(places, 1)[candidates.task], 0.0), is_chance=True)
