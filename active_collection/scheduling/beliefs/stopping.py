# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""When a task, or the whole collection, has gone on for long enough, and why."""
from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping

import numpy as np
from scipy.special import betainc

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.beliefs.task_arrays import TaskArrays
from active_collection.scheduling.beliefs.task_beliefs import Beliefs
from active_collection.scheduling.settings import SchedulerSettings

S_PER_H = 3600.0
#: Trials of a task without which nothing is said of how it goes on.
LEAST_TRIALS = 10
#: A stop is contradicted once what it rests on is less likely than this.
CONTRADICTED = 0.5


class Stopping:
    """
    The stopping criteria that the settings turn on; each says with what numbers it fired.

    - budget: episodes that count, hours of recorded episodes, or cost in the unit of the tasks.
    - target: the success of the newest policy has reached `target_success`.
    - gain: the demonstrations between two retrainings would raise it by less than `minimum_gain`.

    Target and gain are probabilities under the learning curves (`curves.Curves`; the Beta
    posterior of the demonstrators' success for a task without a policy), fire at `confidence`,
    and hold from then on: until further trials make them less likely than not, or an operator
    lifts them, after which 10 more trials are awaited. They need the task's minimum of episodes,
    and the gain 10 trials. The whole stops when every task has, or on a budget.
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._names = tuple(space.tasks)
        self._cost = np.array([task.cost for task in space.tasks.values()])
        self._minimum = np.array([task.minimum_episodes for task in space.tasks.values()])
        self._has_policy = np.array(['policy' in t.collectors for t in space.tasks.values()])

    def due(self, beliefs: Beliefs, *, stopped: Mapping[str, int],
            lifted: Mapping[str, int]) -> tuple[dict[str, str], dict[str, str]]:
        """
        Return the tasks that are to stop, and those that are to go on, each with the reason.

        :param stopped: tasks that have stopped, with their trials by then
        :param lifted: tasks whose stop an operator lifted, with their trials by then
        """
        if not (self._settings.target_success or self._settings.minimum_gain):
            return {}, dict.fromkeys(stopped, 'no criterion is on')
        arrays = beliefs.arrays()
        target, gain = self._target(beliefs, arrays), self._gain(arrays)
        likely = np.maximum(target, gain)
        stops, goes = {}, {}
        for k, name in enumerate(self._names):
            trials = int(arrays.trials[k])
            if name in stopped:
                if likely[k] < CONTRADICTED and trials != stopped[name]:
                    goes[name] = (f'{trials - stopped[name]} more trials leave a probability of '
                                  f'{likely[k]:.2f}')
            elif (likely[k] >= self._settings.confidence
                    and arrays.episodes[k] >= self._minimum[k]
                    and trials >= lifted.get(name, -LEAST_TRIALS) + LEAST_TRIALS):
                stops[name] = self._reason(arrays, k, float(target[k]), float(gain[k]))
        return stops, goes

    def verdict(self, beliefs: Beliefs, stopped: Mapping[str, str]) -> str:
        """
        Return why the whole has stopped, in one line; empty where it goes on.

        :param stopped: tasks that have stopped, with the reasons
        """
        arrays, settings = beliefs.arrays(), self._settings
        spent = (
            ('episodes', float(arrays.episodes.sum()), float(settings.budget_episodes)),
            ('hours', float(arrays.seconds.sum()) / S_PER_H, settings.budget_hours),
            ('cost', float((arrays.episodes * self._cost).sum()), settings.budget_cost))
        for what, used, budget in spent:
            if budget and used >= budget:
                return f'budget: {used:g} of {budget:g} {what}'
        if not self._all(stopped):
            return ''
        return 'every task has stopped: ' + '; '.join(
            f'{name}: {stopped[name]}' for name in self._names)

    def _all(self, stopped: Collection[str]) -> bool:
        return all(name in stopped for name in self._names)

    def _target(self, beliefs: Beliefs, arrays: TaskArrays) -> Floats:
        """Return the probability that each task has reached its target, shape (T,)."""
        target = self._settings.target_success
        if not target:
            return np.zeros(len(self._names))
        counts = [beliefs.task(name) for name in self._names]
        # the upper tail, of which scipy before 1.11 has no function of its own
        shown: Floats = betainc(
            np.array([c.failures + 1.0 for c in counts]),
            np.array([c.successes + 1.0 for c in counts]), 1.0 - target)
        by_policy = arrays.curves.reaches(arrays.learnt, target) * (arrays.trials > 0)
        return np.where(self._has_policy, by_policy, shown)

    def _gain(self, arrays: TaskArrays) -> Floats:
        """Return the probability that the next retraining gains too little, shape (T,)."""
        least = self._settings.minimum_gain
        if not least:
            return np.zeros(len(self._names))
        known = np.asarray(arrays.learnt + arrays.fresh)
        likely = arrays.curves.gains_less(known, np.round(arrays.pace), least)
        return np.where(self._has_policy & (arrays.trials >= LEAST_TRIALS), likely, 0.0)

    def _reason(self, arrays: TaskArrays, task: int, target: float, gain: float) -> str:
        settings = self._settings
        if target >= settings.confidence:
            return (f'target: success is at least {settings.target_success:g} with probability '
                    f'{target:.2f}')
        return (f'gain: {round(arrays.pace[task])} more demonstrations raise the success by less '
                f'than {settings.minimum_gain:g} with probability {gain:.2f}')
