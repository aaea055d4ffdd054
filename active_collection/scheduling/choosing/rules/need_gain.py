# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task that both needs demonstrations and has just been helped by them."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.choosing.acquisition import RuleTerm
from active_collection.scheduling.settings import SchedulerSettings


class NeedGain:
    """
    Rank of need times rank of gain, as "Need and gain" weighs tasks (arXiv 2509.25466).

    Need is the failure rate of the newest policy. Gain is how far the task's held-out loss fell
    between the last two trainings: the members' squared error on the demonstrations that each has
    not learnt, which `train` writes into the ensemble and the robots' episodes tell. A task of
    which not both ensembles tell it (all its demonstrations were learnt) counts as the one that
    was helped most. Where they tell it of no task (ensembles of other makers, the first ensemble)
    the fall of their epistemic uncertainty stands in its place for all.
    """

    configurations = 'even'
    spreads_trials = False

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return rank(failure) * rank(fall of the loss) / (1 + k), k fresh or out."""
        del random
        beliefs = candidates.beliefs
        fall = beliefs.fall_of_loss
        if np.isfinite(fall).any():
            fall = np.where(np.isfinite(fall), fall, np.nanmax(fall))
        else:
            fall = beliefs.epistemic_before - beliefs.epistemic
        more = beliefs.fresh + candidates.pending_demonstrations
        merit = _ranks(beliefs.failure) * _ranks(fall) / (1 + more)
        task = candidates.task
        return Merits('need_gain', merit[task], informs=(
            RuleTerm('failure', beliefs.failure[task]), RuleTerm('fall', fall[task])))


def _ranks(values: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    """Return the share of values that are not above each, 0 to 1."""
    return np.asarray((values[None, :] <= values[:, None]).mean(axis=1))
