# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The task at random among those that the scene allows, as MT-Opt collects."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.settings import SchedulerSettings


class MtOpt:
    """
    A task drawn evenly; one that can follow without a reset goes before all that cannot.

    Kalashnikov et al., "MT-Opt: Continuous multi-task robotic reinforcement learning at scale",
    2021, section 5: tasks are drawn at random among those whose preconditions the scene fulfils.
    """

    configurations = 'random'

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return score = draw of the task + 1 where it is chained; the environment is a tie."""
        draws = random.random(len(candidates.importance))[candidates.task]
        ones = np.ones_like(draws)
        return Scores((RuleTerm('draw', draws, ones),
                       RuleTerm('chained', candidates.is_chained.astype(np.float64), ones)), draws)
