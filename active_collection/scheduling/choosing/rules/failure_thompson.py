# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task that fails, by a draw from what is known of its success."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.settings import SchedulerSettings


class FailureThompson:
    """
    Thompson sampling of the newest policy's failure rate from the posterior of its curve.

    Thompson, "On the likelihood that one unknown probability exceeds another", 1933. A task of
    which little is known draws wide and so is tried.
    """

    configurations = 'even'
    spreads_trials = False

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return a drawn failure rate over 1 + k, k demonstrations that are fresh or out."""
        beliefs = candidates.beliefs
        failure = 1 - beliefs.curves.drawn(beliefs.learnt, random)
        more = beliefs.fresh + candidates.pending_demonstrations
        return Merits('failure', (failure / (1 + more))[candidates.task])
