# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""When a task, or the whole collection, has gone on for long enough, and why."""
from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import Beliefs
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.beliefs import TaskArrays
from active_collection.scheduling.settings import SchedulerSettings

S_PER_H = 3600.0
Mask = npt.NDArray[np.bool_]


class Stopping:
    """
    The stopping criteria that the settings turn on; each says with what numbers it fired.

    - budget: episodes that count, hours of recorded episodes, or cost in the unit of the tasks.
    - target: the lower quantile of the posterior of success has reached `target_success`. A bound,
      not the mean: a task that was lucky three times has not reached it.
    - gain: over each of the last `gain_rounds` retrainings the policy's success rose by less than
      `minimum_gain`, each rate from at least `gain_trials` of its episodes.

    - gain of the whole: likewise over the last `whole_gain_rounds` retrainings the mean success of
      the tasks, by importance, rose by less than `whole_minimum_gain`; `gain_trials` of all tasks
      together make a rate. The newest policy's does not count before the next one is there: a
      look at it after each episode would find a small gain by chance. Rates are compared task by
      task, because which tasks are tried differs from one retraining to the next, and only where
      at least half of the tasks that the policy may act out and that have not stopped were tried
      in both. A task that has stopped and is not tried any more gains nothing.

    A task stops on target or gain once it has its minimum of episodes; the whole stops when every
    task has, on a budget, or on its gain once all tasks have their minimum.
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._names = tuple(space.tasks)
        self._cost = np.array([task.cost for task in space.tasks.values()])
        self._minimum = np.array([task.minimum_episodes for task in space.tasks.values()])
        self._importance = np.array([task.importance for task in space.tasks.values()])
        self._has_policy = np.array(['policy' in t.collectors for t in space.tasks.values()])
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
            return self._whole_gain(arrays, stopped)
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

    def _whole_gain(self, arrays: TaskArrays, stopped: Collection[str]) -> str:
        rounds, least = self._settings.whole_gain_rounds, self._settings.whole_minimum_gain
        trials = arrays.curve_successes + arrays.curve_failures
        tried = np.flatnonzero(trials[:, :-1].sum(axis=0) >= self._settings.gain_trials)
        if not rounds or len(tried) <= rounds or (arrays.episodes < self._minimum).any():
            return ''
        has_stopped = np.array([name in stopped for name in self._names])
        gains = [self._mean_gain(arrays, has_stopped, before, after)
                 for before, after in pairwise(tried[-rounds - 1:])]
        if any(gain is None or gain >= least for gain in gains):
            return ''
        shown = ', '.join(f'{gain:+.3f}' for gain in gains)
        return (f'gain of the whole: mean success rose by {shown} in the last {rounds} rounds, '
                f'each less than {least:g}')

    def _mean_gain(self, arrays: TaskArrays, has_stopped: Mask, before: int,
                   after: int) -> float | None:
        """Return what the mean success rose by between two epochs; None: too few tasks tell."""
        trials = (arrays.curve_successes + arrays.curve_failures)[:, [before, after]]
        tells = (trials > 0).all(axis=1)
        goes_on = self._has_policy & ~has_stopped
        if self._importance[tells & goes_on].sum() < 0.5 * self._importance[goes_on].sum():
            return None
        rates = arrays.curve_successes[:, [before, after]] / np.maximum(trials, 1)
        gain = np.where(tells, np.diff(rates, axis=1)[:, 0], 0.0)
        weight = self._importance * (tells | has_stopped)
        return float((gain * weight).sum() / weight.sum()) if weight.any() else None
