# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Places at random: the baseline that every other rule has to beat."""
from __future__ import annotations

import numpy as np

from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.settings import SchedulerSettings


class Uniform:
    """Every place is as likely as any other; boosts and costs have no say."""

    configurations = 'random'

    def __init__(self, settings: SchedulerSettings) -> None:
        del settings

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return one draw a place: score = draw."""
        draws = random.random(len(candidates.task))
        return Scores((RuleTerm('draw', draws, np.ones_like(draws)),), draws)
