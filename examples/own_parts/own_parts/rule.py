# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An acquisition rule: collect what has succeeded least often."""
import numpy as np

from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.settings import SchedulerSettings


class FewestSuccesses:
    """A place has the merit 1 / (1 + demonstrations of its task), what is out included."""

    configurations = 'even'  # spread over the task's object configurations
    spreads_trials = False   # who acts is drawn once the rule has decided

    def __init__(self, settings: SchedulerSettings) -> None:
        """Take the scheduler's parameters, of which this rule needs none."""

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return the merit of each place; importance, boosts and cost come on top of it."""
        known = candidates.demonstrations()[candidates.task]
        return Merits('fewest_successes', 1.0 / (1.0 + known))
