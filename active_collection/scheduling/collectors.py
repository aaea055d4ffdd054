# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Who acts out an assignment: a demonstrator, or the policy that is to learn from it."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import Beliefs
from active_collection.scheduling.settings import SchedulerSettings


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Who acts.

    :param draw: the random number that decided, 0 to 1
    :param share: how likely the policy was to act, 0 to 1
    """

    collector: str
    draw: float
    share: float


class CollectorChoice:
    """
    Chooses who acts, per task, as MT-Opt does (Kalashnikov et al. 2021, section 5).

    A demonstrator, the first of the task's list that the robot offers, collects until there is a
    policy; then the policy acts in a share `policy_share` of the episodes, which shows how good it
    is; and in a share `parity_share` once it is as good as the demonstrators: once the
    `parity_quantile` of its success posterior is above the mean of theirs less `parity_margin`.
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._space = space
        self._settings = settings

    def choose(self, beliefs: Beliefs, task: str, offered: tuple[str, ...],
               random: np.random.Generator) -> Choice:
        """
        Return who acts.

        :param offered: who can act at the robot; at least one can act out the task
        """
        usable = [c for c in self._space.tasks[task].collectors if c in offered]
        demonstrators = [c for c in usable if c != 'policy']
        draw = float(random.random())
        if not demonstrators:
            return Choice('policy', draw, 1.0)
        if 'policy' not in usable or not beliefs.ensembles:
            return Choice(demonstrators[0], draw, 0.0)
        share = (self._settings.parity_share if self.is_at_parity(beliefs, task)
                 else self._settings.policy_share)
        return Choice('policy' if draw < share else demonstrators[0], draw, share)

    def is_at_parity(self, beliefs: Beliefs, task: str) -> bool:
        """Tell whether the policy is believed to be as good as the task's demonstrators."""
        belief = beliefs.task(task)
        if not belief.total('policy_successes') + belief.total('policy_failures'):
            return False
        policy = betaincinv(*beliefs.posterior(task), self._settings.parity_quantile)
        successes, failures = belief.total('successes'), belief.total('failures')
        demonstrators = (successes + 1) / (successes + failures + 2)
        return bool(policy >= demonstrators - self._settings.parity_margin)
