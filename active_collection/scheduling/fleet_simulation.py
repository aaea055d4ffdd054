# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A fleet on paper: the same scheduler against learning curves, faster than real time."""
from __future__ import annotations

import heapq
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import Field

from active_collection.config import Model
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import UncertaintySummary
from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.answers import Grant
from active_collection.scheduling.books import Books
from active_collection.scheduling.curves import fit
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Request
from active_collection.scheduling.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
COLLECTORS = ('teleoperation', 'scripted', 'policy')


class TaskCurve(Model):
    """
    How a task's policy learns: success(n) = ceiling - a (n + 1)^-b after n demonstrations.

    The ensemble's epistemic uncertainty falls as uncertainty (n + 1)^-1/2.
    """

    a: float = Field(default=1.0, ge=0, le=1)
    b: float = Field(default=0.3, ge=0, le=2)
    ceiling: float = Field(default=1.0, ge=0, le=1)
    demonstrator: float = Field(default=0.95, ge=0, le=1)
    uncertainty: float = Field(default=0.2, ge=0, le=1)
    duration_s: float = Field(default=30.0, gt=0)

    def success(self, demonstrations: float) -> float:
        """Return the policy's success after so many demonstrations, 0 to 1."""
        return max(0.0, self.ceiling - self.a * float((demonstrations + 1) ** -self.b))


class LearningCurves(Model):
    """The learning curve of every task, from a YAML file."""

    tasks: dict[str, TaskCurve] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Run:
    """
    What one rule achieved with one seed.

    :param episodes: episodes collected at each retraining
    :param success: mean success over the tasks then, weighed by importance, 0 to 1
    """

    rule: str
    seed: int
    episodes: tuple[int, ...]
    success: tuple[float, ...]

    @property
    def area(self) -> float:
        """Return the mean success over the whole run."""
        return float(np.mean(self.success))


def made_up(space: ScenarioSpace, seed: int) -> LearningCurves:
    """Return curves drawn at random: easy tasks, slow ones, and some that never get good."""
    random = np.random.default_rng(seed)
    return LearningCurves(tasks={
        name: TaskCurve(
            a=float(random.uniform(0.7, 1.0)), b=float(random.uniform(0.1, 0.7)),
            ceiling=float(random.choice([1.0, 1.0, 1.0, 0.3])),
            uncertainty=float(random.uniform(0.05, 0.4)))
        for name in space.tasks})


def fitted(books: Books) -> LearningCurves:
    """Return the curves that a ledger's own episodes give."""
    arrays = books.beliefs.arrays()
    curves = fit(arrays)
    demonstrations = arrays.demonstrations
    level = arrays.epistemic * np.sqrt(demonstrations + 1)
    return LearningCurves(tasks={
        name: TaskCurve(a=float(curves.a[k]), b=float(curves.b[k]),
                        uncertainty=float(min(level[k], 1.0)) if arrays.is_measured[k] else 0.2)
        for k, name in enumerate(books.space.tasks)})


@dataclass(order=True, slots=True)
class _Working:
    """A robot's episode, which ends at a time (ns)."""

    ends_ns: int
    number: int
    assigned: Assigned


class FleetSimulation:
    """
    Robots that ask, collect for as long as an episode lasts, and report.

    :param curves: how each task's policy really learns, which the scheduler does not see
    :param retrain: episodes between two retrainings
    """

    def __init__(self, space: ScenarioSpace, curves: LearningCurves, *, robots: int, retrain: int,
                 seed: int) -> None:
        self._space = space
        self._curves = curves.tasks
        self._robots = [f'robot_{k}' for k in range(robots)]
        if space.robots:
            self._robots = list(space.robots)[:robots]
        self._retrain = retrain
        self._seed = seed
        missing = [name for name in space.tasks if name not in curves.tasks]
        if missing:
            raise SchedulingError('learning curves', found='none for ' + ', '.join(missing),
                                  expected='one for every task of the scenario space')

    def run(self, settings: SchedulerSettings, episodes: int,
            progress: Callable[[int], None] = lambda _: None) -> Run:
        """
        Collect so many episodes under a rule, and return what the policy learnt.

        :param settings: the rule and its parameters; its ledger is a temporary one
        """
        with TemporaryDirectory(prefix='simulate-') as directory:
            ledger = Ledger(Path(directory) / 'ledger.sqlite3', is_durable=False)
            try:
                scheduler = Scheduler(self._space, settings, ledger, now_ns=START_NS)
                return self._collect(scheduler, settings, episodes, progress)
            finally:
                ledger.close()

    def _collect(self, scheduler: Scheduler, settings: SchedulerSettings, episodes: int,
                 progress: Callable[[int], None]) -> Run:
        random = np.random.default_rng([self._seed, 1])
        collected = dict.fromkeys(self._space.tasks, 0)
        learnt = dict(collected)
        working: list[_Working] = []
        marks, success = [0], [self._mean_success(learnt)]
        for number, robot in enumerate(self._robots):
            self._begin(scheduler, working, robot, number, start_ns=START_NS, random=random)
        done = 0
        while done < episodes and working:
            current = heapq.heappop(working)
            record = self._episode(current, learnt, done // self._retrain, random)
            if record.is_demonstration:
                collected[record.scenario.task] += 1
            scheduler.finished(record, current.ends_ns)
            done += 1
            progress(done)
            if done % self._retrain == 0:
                learnt = dict(collected)
                marks.append(done)
                success.append(self._mean_success(learnt))
            self._begin(scheduler, working, record.robot, current.number,
                        start_ns=current.ends_ns, random=random)
        return Run(settings.rule, self._seed, tuple(marks), tuple(success))

    def _begin(self, scheduler: Scheduler, working: list[_Working], robot: str, number: int, *,
               start_ns: int, random: np.random.Generator) -> None:
        capabilities = tuple(sorted(
            {c for t in self._space.tasks.values() for c in t.capabilities}))
        answer = scheduler.request(
            Request(robot, capabilities=capabilities, collectors=COLLECTORS), start_ns)
        if isinstance(answer, Grant):
            length = self._curves[answer.assigned.scenario.task].duration_s
            ends_ns = start_ns + int(length * random.uniform(0.7, 1.3) * NS)
            heapq.heappush(working, _Working(ends_ns, number, answer.assigned))

    def _episode(self, current: _Working, learnt: dict[str, int], epoch: int,
                 random: np.random.Generator) -> EpisodeRecord:
        assigned = current.assigned
        curve = self._curves[assigned.scenario.task]
        n = learnt[assigned.scenario.task]
        is_policy = assigned.collector == 'policy'
        chance = curve.success(n) if is_policy else curve.demonstrator
        epistemic = curve.uncertainty * (n + 1) ** -0.5 * random.lognormal(0.0, 0.3)
        return EpisodeRecord(
            f'e-{assigned.assignment_id}', assigned.scenario, assigned.request.robot,
            Source(assigned.collector), START_NS, current.ends_ns,
            Outcome.SUCCESS if random.random() < chance else Outcome.FAILURE, revision=1,
            assignment_id=assigned.assignment_id,
            uncertainty=UncertaintySummary(
                'e', f'{epoch:06d}' if epoch else '', 1 if epoch else 0, min(epistemic, 1.0)))

    def _mean_success(self, learnt: dict[str, int]) -> float:
        weights = np.array([task.importance for task in self._space.tasks.values()])
        values = np.array([self._curves[name].success(learnt[name]) for name in self._space.tasks])
        return float((values * weights).sum() / max(weights.sum(), 1e-12))


def band(runs: Sequence[Run]) -> list[tuple[int, float, float, float]]:
    """
    Return (episodes, mean, low, high) over the seeds at each retraining.

    :returns: low and high are the mean less and plus 1.96 standard errors
    """
    length = min(len(run.success) for run in runs)
    values = np.array([run.success[:length] for run in runs])
    error = values.std(axis=0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.zeros(length)
    mean = values.mean(axis=0)
    return [(runs[0].episodes[k], float(mean[k]), float(mean[k] - 1.96 * error[k]),
             float(mean[k] + 1.96 * error[k])) for k in range(length)]
