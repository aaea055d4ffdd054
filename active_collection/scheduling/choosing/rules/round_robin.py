# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Each task in turn, so that all have equally many episodes."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.settings import SchedulerSettings


class RoundRobin:
    """
    The task with the fewest episodes, those that are out included, comes next.

    Counting what came back, not whose turn it was, gives a task its turn again when its robot
    has died. A task of twice the worth gets twice as many.
    """

    configurations = 'random'
    spreads_trials = False

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return 1 / (1 + n), n the task's episodes that count or are out."""
        del random
        counts = (candidates.beliefs.episodes + candidates.pending)[candidates.task]
        return Merits('turn', 1 / (1.0 + counts))
