# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The default: what one more demonstration is worth, over task, environment and configuration."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.choosing.acquisition import RuleTerm
from active_collection.scheduling.settings import SchedulerSettings

#: Least number of demonstrations of which it is asked whether they still help. One alone would
#: take the flat foot of a late learner for hopelessness.
LEAST_AHEAD = 20.0


class Value:
    """
    Expected failure that a demonstration would cover, times the belief that it still helps.

    The first is a mean over the task's arrangements (`TaskField`): how often the policy fails
    there, times what the demonstration covers of it beyond what was demonstrated or is out. The
    second is the share of the task's failures that as many demonstrations again are expected to
    take (`Curves.removable`): near 0 for what has reached its floor, whatever the floor is.

    Tasks, environments and object configurations compete by this one number. Failure-weighted
    coverage is submodular, so that greedy choices of a batch, each with those before counted as
    out, are within 1 - 1/e of the best batch (Nemhauser, Wolsey and Fisher 1978).
    """

    configurations = 'failure'
    spreads_trials = True

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return covered failure * still_helps."""
        del random
        task, beliefs = candidates.task, candidates.beliefs
        known = candidates.demonstrations()
        ahead = np.asarray(np.round(np.maximum(known, LEAST_AHEAD)), dtype=np.float64)
        helps = beliefs.curves.removable(known, ahead)
        covered = candidates.cover('failure')
        return Merits('value', covered * helps[task], informs=(
            RuleTerm('covered_failure', covered),
            RuleTerm('still_helps', helps[task]),
            RuleTerm('failure', beliefs.failure[task])))
