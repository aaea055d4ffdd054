# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scheduler believes of each task: how well it goes and how sure the policy is of it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np

from active_collection.episode import Outcome
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import curves
from active_collection.scheduling.beliefs.doubt import EPOCHS
from active_collection.scheduling.beliefs.doubt import Epochs
from active_collection.scheduling.beliefs.ensembles import Ensembles
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.beliefs.task_arrays import TaskArrays
from active_collection.scheduling.events import COUNTED
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Result


@dataclass(slots=True)
class Epoch:
    """
    What one ensemble's policy achieved at a task, and how unsure it was.

    :param learnt: sum over its trials of the demonstrations that it had learnt from
    """

    successes: int = 0
    failures: int = 0
    learnt: int = 0
    scored: int = 0
    epistemic: float = 0.0

    def add(self, other: Epoch) -> None:
        """Take what another one counted."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class TaskBelief:
    """
    A task's counts.

    :param successes: episodes that a demonstrator succeeded in; `failures`, failed in
    :param policy_successes: trials that the task's own policy succeeded in; `policy_failures`
    :param aborted: episodes that were aborted or discarded
    :param unjudged: episodes that wait for a person's judgement
    :param lessons: successes in episodes of other tasks, which a policy can learn from too
    :param seconds: length of all its episodes (s)
    :param epochs: by number of the ensemble that acted or scored; 0: before the first
    """

    successes: int = 0
    failures: int = 0
    policy_successes: int = 0
    policy_failures: int = 0
    aborted: int = 0
    unjudged: int = 0
    lessons: int = 0
    seconds: float = 0.0
    epochs: dict[int, Epoch] = field(default_factory=dict)

    @property
    def episodes(self) -> int:
        """Return the episodes that count: a success or a failure."""
        return self.successes + self.failures + self.trials

    @property
    def trials(self) -> int:
        """Return the episodes that the task's own policy acted out alone."""
        return self.policy_successes + self.policy_failures

    @property
    def demonstrations(self) -> int:
        """Return what a policy can learn from: successes that were not its own."""
        return self.successes + self.lessons

    def at(self, number: int) -> Epoch:
        """Return the counts of an ensemble, made where they are missing."""
        return self.epochs.setdefault(number, Epoch())


@dataclass(frozen=True, slots=True)
class _Row:
    """One task's part: `values` in the order of `TaskArrays`, `epochs` of `Epochs`, (4, K)."""

    values: tuple[float, ...]
    likelihoods: Floats
    epochs: Floats


class Beliefs:
    """
    Beliefs of every task, from counts by ensemble.

    Trials are what the task's own policy acted out alone. Everything is kept as counts, so that an
    amendment takes back exactly what an episode gave, and a restart computes the same numbers to
    the last bit.
    """

    def __init__(self, space: ScenarioSpace) -> None:
        self._space = space
        self._tasks: dict[str, TaskBelief] = {}
        self._rows: dict[str, _Row] = {}
        self._arrays: TaskArrays | None = None
        self._fit = curves.LastFit()
        self.ensembles = Ensembles()

    @property
    def newest_id(self) -> str:
        """Return the id of the newest ensemble; empty before the first."""
        newest = self.ensembles.newest
        return newest.ensemble_id if newest else ''

    def task(self, name: str) -> TaskBelief:
        """Return what is known of a task; nothing of one that never was collected."""
        return self._tasks.get(name, TaskBelief())

    def see_ensemble(self, seen: EnsembleSeen, *, time_ns: int) -> None:
        """
        Take a retraining.

        :param time_ns: ROS time at which it was first seen (ns)
        """
        counted = {name: belief.demonstrations for name, belief in self._tasks.items()}
        learnt = counted if seen.trained_on is None else dict(seen.trained_on)
        merged = self.ensembles.see(
            seen.ensemble_id, created_ns=seen.created_ns or time_ns, learnt=learnt,
            known={name: min(n, learnt.get(name, 0)) for name, n in counted.items()},
            losses=dict(seen.held_out_loss))
        if merged is not None:
            self._merge(*merged)
        self._rows.clear()
        self._arrays = None

    def _merge(self, number: int, into: int) -> None:
        for belief in self._tasks.values():
            if number in belief.epochs:
                belief.at(into).add(belief.epochs.pop(number))

    def count(self, result: Result, sign: int) -> None:
        """
        Count what an episode contributes or, with sign -1, take it back.

        For the other tasks of its group it is but something to learn from: it was no attempt at
        them.
        """
        own = result.scenario.task
        belief = self._tasks.setdefault(own, TaskBelief())
        name = _count_of(result)
        setattr(belief, name, getattr(belief, name) + sign)
        belief.seconds += sign * result.duration_s
        acted = self.ensembles.get(result.epoch)
        if result.tries_own_policy and result.outcome in COUNTED:
            epoch = belief.at(acted.number if acted else 0)
            epoch.learnt += sign * (acted.learnt.get(own, 0) if acted else 0)
            if result.outcome is Outcome.SUCCESS:
                epoch.successes += sign
            else:
                epoch.failures += sign
        if result.epistemic is not None and result.outcome in COUNTED:
            scored = self.ensembles.get(result.scored_epoch)
            epoch = belief.at(scored.number if scored else 0)
            epoch.scored += sign
            epoch.epistemic = epoch.epistemic + sign * result.epistemic if epoch.scored else 0.0
        for task, outcome in result.others:
            if outcome is Outcome.SUCCESS:
                self._tasks.setdefault(task, TaskBelief()).lessons += sign
                self._rows.pop(task, None)
        self._rows.pop(own, None)
        self._arrays = None

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
        (episodes, demonstrations, learnt, fresh, trials, now, before, fall, seconds,
         pace) = np.array([row.values for row in rows], dtype=np.float64).T
        return TaskArrays(
            episodes=episodes.astype(np.int64), demonstrations=demonstrations.astype(np.int64),
            learnt=learnt, fresh=fresh, trials=trials.astype(np.int64),
            epistemic=_optimistic(now), epistemic_before=_optimistic(before),
            fall_of_loss=fall, is_measured=np.isfinite(now), seconds=seconds, pace=pace,
            likelihoods=np.array([row.likelihoods for row in rows]),
            epochs=Epochs(*np.array([row.epochs for row in rows]).transpose(1, 0, 2)),
            fit=self._fit)

    def _row(self, name: str) -> _Row:
        """Return one task's part of the arrays."""
        belief, newest = self.task(name), self.ensembles.newest
        demonstrations = belief.demonstrations
        numbers = (0, *self.ensembles.numbers)
        epochs = [(age, belief.epochs[number]) for age, number in enumerate(reversed(numbers))
                  if number in belief.epochs]
        tried = [(age, epoch, epoch.successes + epoch.failures) for age, epoch in epochs
                 if epoch.successes + epoch.failures > 0]
        learnt = float(newest.learnt.get(name, 0)) if newest else 0.0
        fresh = max(0.0, float(demonstrations - newest.known.get(name, 0))) if newest else float(
            demonstrations)
        return _Row(
            values=(belief.episodes, demonstrations, learnt, fresh, belief.trials,
                    _expected(epochs, newest_age=0), _expected(epochs, newest_age=1),
                    self.ensembles.fall_of_loss(name), belief.seconds,
                    max(1.0, learnt / max(len(self.ensembles), 1))),
            likelihoods=curves.log_likelihood(
                np.array([epoch.learnt / n for _, epoch, n in tried]),
                np.array([epoch.successes for _, epoch, _ in tried], dtype=np.float64),
                np.array([n for _, _, n in tried], dtype=np.float64),
                np.array([curves.FADING ** age for age, _, _ in tried])),
            epochs=_last(epochs))

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` takes: plain JSON types."""
        counts, epoch_counts = _COUNTS, Epoch.__slots__
        return {
            'ensembles': self.ensembles.to_list(),
            'tasks': {
                task: [[getattr(belief, name) for name in counts],
                       {str(number): [getattr(epoch, name) for name in epoch_counts]
                        for number, epoch in sorted(belief.epochs.items())}]
                for task, belief in sorted(self._tasks.items())},
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take over what `to_dict` returned."""
        self.ensembles.restore(data['ensembles'])
        self._tasks = {
            task: TaskBelief(**dict(zip(_COUNTS, counts, strict=True)), epochs={
                int(number): Epoch(*values) for number, values in epochs.items()})
            for task, (counts, epochs) in data['tasks'].items()}
        self._rows.clear()
        self._arrays = None


_COUNTS = tuple(name for name in TaskBelief.__slots__ if name != 'epochs')


def _count_of(result: Result) -> str:
    """Return the name of the count that an episode belongs to."""
    prefix = 'policy_' if result.tries_own_policy else ''
    return {
        Outcome.SUCCESS: f'{prefix}successes',
        Outcome.FAILURE: f'{prefix}failures',
        Outcome.ABORTED: 'aborted',
        Outcome.DISCARDED: 'aborted',
        Outcome.UNKNOWN: 'unjudged',
    }[result.outcome]


def _last(epochs: list[tuple[int, Epoch]]) -> Floats:
    """
    Return what `Epochs` says of one task, shape (4, K).

    :param epochs: age and counts by ensemble
    """
    found = np.zeros((4, EPOCHS))
    found[0] = np.nan
    for age, epoch in epochs:
        if age < EPOCHS:
            trials = epoch.successes + epoch.failures
            found[:, age] = (epoch.epistemic / epoch.scored if epoch.scored else np.nan,
                             epoch.failures, trials, epoch.learnt / max(trials, 1))
    return found


def _expected(epochs: list[tuple[int, Epoch]], *, newest_age: int) -> float:
    """
    Return the expected uncertainty under an ensemble; NaN where none is known.

    The mean under the ensemble before stands for one episode, so that a retraining neither
    forgets what was known nor believes a single episode.

    :param epochs: age and counts of what the ensembles scored, newest first
    """
    scored = [(age, epoch) for age, epoch in epochs if epoch.scored > 0 and age >= newest_age]
    if not scored:
        return np.nan
    value, weight = 0.0, 0
    for age, epoch in scored[:2]:
        if age == newest_age:
            value, weight = epoch.epistemic, epoch.scored
        else:
            return float((value + epoch.epistemic / epoch.scored) / (weight + 1))
    return float(value / weight)


def _optimistic(values: Floats) -> Floats:
    """Return values with the largest known one (1 where none is) in place of every NaN."""
    known = values[np.isfinite(values)]
    return np.where(np.isfinite(values), values, known.max() if known.size else 1.0)
