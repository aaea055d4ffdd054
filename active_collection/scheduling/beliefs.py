# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scheduler believes of each task: how well it goes and how sure the policy is of it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt

from active_collection.episode import Outcome
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.events import Result

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
COUNTED = frozenset({Outcome.SUCCESS, Outcome.FAILURE})


@dataclass(slots=True)
class Tally:
    """Sums over a task's episodes of one epoch (the time between two retrainings)."""

    policy_successes: int = 0
    policy_failures: int = 0
    successes: int = 0
    failures: int = 0
    aborted: int = 0
    unjudged: int = 0
    scored: int = 0
    epistemic: float = 0.0
    novel: int = 0
    novelty: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class TaskBelief:
    """A task's tallies by epoch. Demonstrations are what a policy can learn from."""

    tallies: dict[int, Tally] = field(default_factory=dict)

    def at(self, epoch: int) -> Tally:
        """Return the tally of an epoch, made where it is missing."""
        return self.tallies.setdefault(epoch, Tally())

    def total(self, name: str) -> int:
        """Return a count over all epochs."""
        return sum(getattr(tally, name) for tally in self.tallies.values())

    def seconds(self) -> float:
        """Return the length of all its episodes (s)."""
        return sum(tally.seconds for _, tally in sorted(self.tallies.items()))


@dataclass(frozen=True)
class TaskArrays:
    """
    The beliefs as arrays over the scenario space's tasks, in its order; each of shape (T,).

    :param episodes: episodes that count: a success or a failure
    :param demonstrations: successes that no policy acted out
    :param fresh: demonstrations since the newest ensemble was first seen: not learnt from yet
    :param alpha: Beta posterior of success: discounted successes + 1
    :param beta: discounted failures + 1
    :param epistemic: expected epistemic uncertainty under the newest ensemble; the largest known
        one (1 before any) for a task that none has been measured of
    :param is_measured: whether the task's own episodes were scored
    :param novelty: expected novelty, filled up in the same way
    :param seconds: length of all episodes (s)
    :param curve_demonstrations: demonstrations that the policy of each epoch had learnt from,
        shape (T, E + 1) for E ensembles
    :param curve_successes: the policy's successes in each epoch, shape (T, E + 1)
    :param curve_failures: its failures, shape (T, E + 1)
    """

    episodes: Integers
    demonstrations: Integers
    fresh: Integers
    alpha: Floats
    beta: Floats
    epistemic: Floats
    is_measured: npt.NDArray[np.bool_]
    novelty: Floats
    seconds: Floats
    curve_demonstrations: Floats
    curve_successes: Floats
    curve_failures: Floats


@dataclass(frozen=True, slots=True)
class _Row:
    """
    One task's part of the arrays.

    :param values: episodes, demonstrations, fresh, alpha, beta, seconds, epistemic, novelty
    :param by_epoch: demonstrations, policy successes, policy failures of every epoch
    """

    values: tuple[float, ...]
    by_epoch: tuple[tuple[int, int, int], ...]


class Beliefs:
    """
    Beliefs of every task, by epoch.

    The success posterior is a Beta distribution with a uniform prior. Of a task that the policy
    may act out it counts the policy's episodes alone, since a demonstrator's success says nothing
    of what the policy fails at. An outcome weighs `discount ** k` after k retrainings, because
    the policy that it judged is gone (discounted Thompson sampling: Raj and Kalyani, "Taming
    non-stationary bandits", 2017).

    Everything is kept as counts by epoch, so that an amendment takes back exactly what an episode
    gave, and a restart computes the same numbers to the last bit.
    """

    def __init__(self, space: ScenarioSpace, *, discount: float) -> None:
        self._space = space
        self._discount = discount
        self._tasks: dict[str, TaskBelief] = {}
        self._ensembles: list[str] = []
        self._rows: dict[str, _Row] = {}
        self._arrays: TaskArrays | None = None

    @property
    def ensembles(self) -> tuple[str, ...]:
        """Return the ensembles that episodes were scored with, oldest first."""
        return tuple(self._ensembles)

    @property
    def epoch(self) -> int:
        """Return the number of ensembles seen."""
        return len(self._ensembles)

    def epoch_of(self, ensemble_id: str) -> int:
        """Return the number of an ensemble, from 1; 0 for one that is not known."""
        return self._ensembles.index(ensemble_id) + 1 if ensemble_id in self._ensembles else 0

    def task(self, name: str) -> TaskBelief:
        """Return what is known of a task; nothing of one that never was collected."""
        return self._tasks.get(name, TaskBelief())

    def see_ensemble(self, ensemble_id: str) -> None:
        """Begin an epoch."""
        self._ensembles.append(ensemble_id)
        self._rows.clear()
        self._arrays = None

    def count(self, result: Result, sign: int) -> None:
        """
        Add what an episode gives, or take it back.

        :param sign: 1 to add, -1 to take back
        """
        own = result.scenario.task
        for task, outcome in ((own, result.outcome), *result.others):
            tally = self._tasks.setdefault(task, TaskBelief()).at(result.epoch)
            name = _field(outcome, tries_policy=result.tries_own_policy)
            setattr(tally, name, getattr(tally, name) + sign)
            self._rows.pop(task, None)
        self._tasks[own].at(result.epoch).seconds += sign * result.duration_s
        if result.outcome in COUNTED:
            self._count_scores(self._tasks[own].at(result.scored_epoch), result, sign)
        self._arrays = None

    @staticmethod
    def _count_scores(tally: Tally, result: Result, sign: int) -> None:
        if result.epistemic is not None:
            tally.scored += sign
            tally.epistemic = tally.epistemic + sign * result.epistemic if tally.scored else 0.0
        if result.novelty is not None:
            tally.novel += sign
            tally.novelty = tally.novelty + sign * result.novelty if tally.novel else 0.0

    def posterior(self, task: str) -> tuple[float, float]:
        """Return alpha and beta of the task's success posterior."""
        learner = 'policy' in self._space.tasks[task].collectors
        alpha = beta = 1.0
        for epoch, tally in sorted(self.task(task).tallies.items()):
            weight = self._discount ** (self.epoch - epoch)
            alpha += weight * (tally.policy_successes + (0 if learner else tally.successes))
            beta += weight * (tally.policy_failures + (0 if learner else tally.failures))
        return alpha, beta

    def arrays(self) -> TaskArrays:
        """Return the beliefs over all tasks; the same object until something is counted."""
        if self._arrays is None:
            self._arrays = self._computed()
        return self._arrays

    def _computed(self) -> TaskArrays:
        for name in self._space.tasks:
            if name not in self._rows:
                self._rows[name] = self._row(name)
        rows = [self._rows[name] for name in self._space.tasks]
        values = np.array([row.values for row in rows], dtype=np.float64)
        by_epoch = np.array([row.by_epoch for row in rows], dtype=np.float64)
        epistemic, novelty = values[:, 6], values[:, 7]
        return TaskArrays(
            episodes=values[:, 0].astype(np.int64),
            demonstrations=values[:, 1].astype(np.int64),
            fresh=values[:, 2].astype(np.int64),
            alpha=values[:, 3],
            beta=values[:, 4],
            seconds=values[:, 5],
            epistemic=_optimistic(epistemic),
            is_measured=np.isfinite(epistemic),
            novelty=_optimistic(novelty),
            curve_demonstrations=np.cumsum(by_epoch[:, :, 0], axis=1) - by_epoch[:, :, 0],
            curve_successes=by_epoch[:, :, 1],
            curve_failures=by_epoch[:, :, 2],
        )

    def _row(self, name: str) -> _Row:
        """Return one task's part of the arrays."""
        belief, none = self.task(name), Tally()
        tallies = [belief.tallies.get(epoch, none) for epoch in range(self.epoch + 1)]
        demonstrations = belief.total('successes')
        episodes = demonstrations + belief.total('failures') + belief.total(
            'policy_successes') + belief.total('policy_failures')
        return _Row(
            values=(episodes, demonstrations, tallies[-1].successes, *self.posterior(name),
                    belief.seconds(), self._expected(belief, 'scored', 'epistemic'),
                    self._expected(belief, 'novel', 'novelty')),
            by_epoch=tuple(
                (t.successes, t.policy_successes, t.policy_failures) for t in tallies))

    def _expected(self, belief: TaskBelief, count: str, total: str) -> float:
        """
        Return the expected value of a score under the newest ensemble; NaN where none is known.

        The mean under the ensemble before stands for one episode, so that a retraining neither
        forgets what was known nor believes a single episode.
        """
        scored = [epoch for epoch, tally in belief.tallies.items()
                  if epoch and getattr(tally, count) > 0]
        if not scored:
            return np.nan
        newest = belief.tallies.get(self.epoch)
        value = getattr(newest, total) if newest and self.epoch in scored else 0.0
        weight = getattr(newest, count) if newest and self.epoch in scored else 0
        earlier = [epoch for epoch in scored if epoch < self.epoch]
        if earlier:
            last = belief.tallies[max(earlier)]
            value += getattr(last, total) / getattr(last, count)
            weight += 1
        return float(value / weight)

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` takes: plain JSON types."""
        names = Tally.__slots__
        return {
            'ensembles': self._ensembles,
            'tasks': {
                task: {str(epoch): [getattr(tally, name) for name in names]
                       for epoch, tally in sorted(belief.tallies.items())}
                for task, belief in sorted(self._tasks.items())},
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take over what `to_dict` returned."""
        self._ensembles = list(data['ensembles'])
        self._tasks = {
            task: TaskBelief({int(epoch): Tally(*values) for epoch, values in tallies.items()})
            for task, tallies in data['tasks'].items()}
        self._rows.clear()
        self._arrays = None


def _field(outcome: Outcome, *, tries_policy: bool) -> str:
    """Return the name of the count that an episode belongs to."""
    prefix = 'policy_' if tries_policy else ''
    return {
        Outcome.SUCCESS: f'{prefix}successes',
        Outcome.FAILURE: f'{prefix}failures',
        Outcome.ABORTED: 'aborted',
        Outcome.DISCARDED: 'aborted',
        Outcome.UNKNOWN: 'unjudged',
    }[outcome]


def _optimistic(values: Floats) -> Floats:
    """Return values with the largest known one (1 where none is) in place of every NaN."""
    known = values[np.isfinite(values)]
    return np.where(np.isfinite(values), values, known.max() if known.size else 1.0)
