# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Who acts out an assignment: a demonstrator, a proxy task's policy, or the task's own policy."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs.task_beliefs import Beliefs
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.task import Task

#: Collectors of a task for which the robot needs a trained policy.
BY_POLICY = frozenset({'policy', 'proxy'})


def usable(task: Task, offered: Collection[str], *, has_policy: bool) -> tuple[str, ...]:
    """
    Return those of a task's collectors who can act, in the task's order.

    :param offered: who can act at the robot; 'policy' stands for a proxy task's policy too
    :param has_policy: whether there is a trained policy
    """
    return tuple(
        name for name in task.collectors
        if (has_policy and 'policy' in offered if name in BY_POLICY else name in offered))


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Who acts.

    :param collector: 'teleoperation', 'scripted' or 'policy'
    :param draw: the random number that decided, 0 to 1
    :param share: how likely the task's own policy was to act, 0 to 1
    :param policy_task: proxy task whose policy acts; empty: the task's own, or no policy
    """

    collector: str
    draw: float
    share: float
    policy_task: str = ''


class CollectorChoice:
    """
    Chooses who acts, per task, as MT-Opt does (Kalashnikov et al. 2021, section 5).

    A demonstrator is the first of the task's list that the robot offers: a person, a script, or
    the policy conditioned on the proxy task, which is good enough at something similar. It
    collects until there is a policy; then the task's own policy acts in a share `policy_share` of
    the episodes, which shows how good it is; and in a share `parity_share` once it is as good as
    the demonstrators: once its success is above the mean of theirs less `parity_margin` with a
    probability of `confidence`.
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._space = space
        self._settings = settings
        self._index = {name: k for k, name in enumerate(space.tasks)}

    def able(self, beliefs: Beliefs, task: str, offered: Collection[str]) -> tuple[str, ...]:
        """Return who can act out a task at a robot, in the task's order."""
        return usable(self._space.tasks[task], offered, has_policy=bool(beliefs.ensembles))

    def choose(self, beliefs: Beliefs, task: str, offered: tuple[str, ...],
               random: np.random.Generator, *, tried: float = 0.0) -> Choice:
        """
        Return who acts.

        :param offered: who can act at the robot; at least one can act out the task
        :param tried: share of the assignments that try a policy whatever is chosen here, 0 to 1
        """
        able = self.able(beliefs, task, offered)
        demonstrators = [name for name in able if name != 'policy']
        draw = float(random.random())
        if not demonstrators:
            return Choice('policy', draw, 1.0)
        share = 0.0
        if 'policy' in able:
            share = (self._settings.parity_share if self.is_at_parity(beliefs, task)
                     else self._settings.policy_share)
            share = max(0.0, share - tried) / max(1.0 - tried, 1e-9)
        if draw < share:
            return Choice('policy', draw, share)
        return self.demonstrator(task, demonstrators[0], draw=draw, share=share)

    def demonstrator(self, task: str, name: str, *, draw: float, share: float) -> Choice:
        """
        Return the choice of one of a task's demonstrators.

        :param name: as in the task's list: 'teleoperation', 'scripted' or 'proxy'
        """
        if name == 'proxy':
            return Choice('policy', draw, share, self._space.tasks[task].proxy_task)
        return Choice(name, draw, share)

    def is_at_parity(self, beliefs: Beliefs, task: str) -> bool:
        """Tell whether the policy is believed to be as good as the task's demonstrators."""
        belief = beliefs.task(task)
        if not belief.trials:
            return False
        theirs = (belief.successes + 1) / (belief.successes + belief.failures + 2)
        arrays = beliefs.arrays()
        likely = arrays.curves.reaches(arrays.learnt, theirs - self._settings.parity_margin)
        return bool(likely[self._index[task]] >= self._settings.confidence)
