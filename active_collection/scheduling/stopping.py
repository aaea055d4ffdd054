# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""When a task, or the whole collection, has gone on for long enough, and why."""
from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import Beliefs
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.beliefs import TaskArrays
from active_collection.scheduling.settings import SchedulerSettings

S_PER_H = 3600.0


class Stopping:
    """
    The stopping criteria that the settings turn on; each says with what numbers it fired.

    - budget: episodes that count, hours of recorded episodes, or cost in the unit of the tasks.
    - target: the lower quantile of the posterior of success has reached `target_success`. A bound,
      not the mean: a task that was lucky three times has not reached it.
    - gain: over each of the last `gain_rounds` retrainings the policy's success rose by less than
      `minimum_gain`, each rate from at least `gain_trials` of its episodes.

    A task stops on target or gain once it has its minimum of episodes; the whole stops when every
    task has, or on a budget.
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._names = tuple(space.tasks)
        self._cost = np.array([task.cost for task in space.tasks.values()])
        self._minimum = np.array([task.minimum_episodes for task in space.tasks.values()])
        self._last: tuple[TaskArrays, dict[str, str]] | None = None

    def stopped_tasks(self, beliefs: Beliefs) -> dict[str, str]:
        """Return the tasks that have stopped, each with its criterion and numbers."""
        if not (self._settings.target_success or self._settings.gain_rounds):
            return {}
        arrays = beliefs.arrays()
        if self._last is None or self._last[0] is not arrays:
            self._last = (arrays, self._stopped(arrays))
        return self._last[1]

    def verdict(self, beliefs: Beliefs) -> str:
        """Return why the whole has stopped, in one line; empty where it goes on."""
        arrays, settings = beliefs.arrays(), self._settings
        spent = (
            ('episodes', float(arrays.episodes.sum()), float(settings.budget_episodes)),
            ('hours', float(arrays.seconds.sum()) / S_PER_H, settings.budget_hours),
            ('cost', float((arrays.episodes * self._cost).sum()), settings.budget_cost))
        for what, used, budget in spent:
            if budget and used >= budget:
                return f'budget: {used:g} of {budget:g} {what}'
        stopped = self.stopped_tasks(beliefs)
        if len(stopped) < len(self._names):
            return ''
        return 'every task has stopped: ' + '; '.join(
            f'{name}: {why}' for name, why in stopped.items())

    def _stopped(self, arrays: TaskArrays) -> dict[str, str]:
        low = betaincinv(arrays.alpha, arrays.beta, self._settings.target_quantile)
        return {
            name: why for k, name in enumerate(self._names)
            if arrays.episodes[k] >= self._minimum[k]
            and (why := self._target(float(low[k])) or self._gain(arrays, k))}

    def _target(self, low: float) -> str:
        target = self._settings.target_success
        if not target or low < target:
            return ''
        return (f'target: success is at least {low:.3f} with probability '
                f'{1 - self._settings.target_quantile:g}, target {target:g}')

    def _gain(self, arrays: TaskArrays, task: int) -> str:
        rounds = self._settings.gain_rounds
        trials = arrays.curve_successes[task] + arrays.curve_failures[task]
        tried = np.flatnonzero(trials >= self._settings.gain_trials)
        if not rounds or len(tried) <= rounds:
            return ''
        last = tried[-rounds - 1:]
        rates: Floats = arrays.curve_successes[task][last] / trials[last]
        gains = np.diff(rates)
        if (gains >= self._settings.minimum_gain).any():
            return ''
        shown = ', '.join(f'{gain:+.3f}' for gain in gains)
        return (f'gain: success rose by {shown} in the last {rounds} rounds, each less than '
                f'{self._settings.minimum_gain:g}')
