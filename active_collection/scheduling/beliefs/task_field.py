# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is believed at each arrangement of one task: failure, doubt, coverage, feasibility."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from active_collection.episode import Outcome
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs.coverage import Coverage
from active_collection.scheduling.beliefs.coverage import Rows
from active_collection.scheduling.beliefs.coverage import weighed
from active_collection.scheduling.beliefs.feasibility import Feasibility
from active_collection.scheduling.beliefs.feasibility import is_same
from active_collection.scheduling.beliefs.feasibility import tried_less
from active_collection.scheduling.beliefs.targets import Mask
from active_collection.scheduling.beliefs.targets import Point
from active_collection.scheduling.beliefs.targets import Targets
from active_collection.scheduling.beliefs.targets import TaskSpace
from active_collection.scheduling.beliefs.targets import level_of
from active_collection.scheduling.events import COUNTED
from active_collection.scheduling.events import Result
from active_collection.task import Value

Floats = npt.NDArray[np.float64]
#: Episodes of a task that are looked back on.
MEMORY = 512
#: Trials' worth of what is believed of the whole task, at each arrangement.
PULL = 2.0
#: What a trial still says a retraining later: policies seldom unlearn, but learn what they failed.
SUCCESS_LASTS = 0.9
FAILURE_LASTS = 0.5
RANDOM_TRIES = 256

#: What a demonstration is to cover: where the policy fails, where it is in doubt, or everything.
Want = Literal['failure', 'doubt', 'even']


@dataclass(frozen=True)
class Level:
    """
    What is believed of a task as a whole.

    :param failure: expected failure rate of the newest policy, 0 to 1
    :param epistemic: expected epistemic uncertainty; None where none was measured
    """

    failure: float
    epistemic: float | None

    def rounded(self) -> Level:
        """Return it to a hundredth, so that not every trial of another task changes a field."""
        return Level(round(self.failure, 2),
                     None if self.epistemic is None else round(self.epistemic, 4))


@dataclass(frozen=True)
class Best:
    """
    The best object configuration in each environment of a task.

    :param gain: what a demonstration at it covers, times its feasibility; -1 in an environment
        where nothing is allowed; shape (E,)
    :param average: the same of a configuration at random, shape (E,)
    :param candidate: its index, shape (E,)
    :param feasible: chance that it can be set up and acted out, shape (E,)
    """

    gain: Floats
    average: Floats
    candidate: npt.NDArray[np.int64]
    feasible: Floats


class TaskField:
    """
    Beliefs at the targets of one task, from its last episodes and what is out.

    What one arrangement says of another is `TaskSpace.alike`. It is computed in a few numpy
    expressions when it is asked for after something has changed that it depends on: what is out
    changes the coverage alone.

    :param age: returns how many ensembles are newer than one of a number
    :param attempts: how often an arrangement is tried that is handed back each time
    """

    def __init__(self, space: ScenarioSpace, task: str, *, seed: int, attempts: int,
                 age: Callable[[int], int]) -> None:
        self._space = TaskSpace(space, task, seed=seed)
        self._age = age
        self._feasibility = Feasibility(self._space, self._at, attempts=attempts)
        self._results: dict[str, Result] = {}
        self._out: dict[str, Scenario] = {}
        self._handed_back: tuple[Scenario, ...] = ()
        self._points: dict[Scenario, Point | None] = {}
        self._rows: dict[Scenario, Rows] = {}
        self._targets: Targets | None = None
        #: How often each arrangement was demonstrated, or is out.
        self._covering: Counter[Scenario] = Counter()
        self._best: dict[Want, tuple[Level, Best]] = {}
        self._weights: dict[Want, tuple[Level, Floats]] = {}
        self._feasible: tuple[Floats, Mask] | None = None
        self._coverage: Coverage | None = None

    def count(self, name: str, result: Result) -> None:
        """Add an episode or, under a name that is known, its amendment; the oldest may go."""
        self._drop(name)
        self._results[name] = result
        if result.covers:
            self._cover(result.scenario)
        if len(self._results) > MEMORY:
            self._drop(next(iter(self._results)))

    def forget(self, name: str) -> bool:
        """
        Remove an episode that was of another task after all.

        :returns: whether what is left is complete: no older one was forgotten for it
        """
        is_complete = len(self._results) < MEMORY or name not in self._results
        self._drop(name)
        return is_complete

    def send_out(self, name: str, scenario: Scenario) -> None:
        """Add an arrangement that is being demonstrated."""
        self.come_back(name)
        self._out[name] = scenario
        self._cover(scenario)

    def come_back(self, name: str) -> None:
        """Remove what is out under a name."""
        if name in self._out:
            self._uncover(self._out.pop(name))

    def hand_back(self, scenarios: Iterable[Scenario]) -> None:
        """Take in the arrangements that could not be set up last, in place of those before."""
        self._handed_back = tuple(scenarios)
        self._judge_anew()

    def see_ensemble(self) -> None:
        """Take in that there is another ensemble: all that was tried is older."""
        self._best.clear()
        self._weights.clear()

    def _drop(self, name: str) -> None:
        """Remove an episode that another one replaces, or that is too old."""
        result = self._results.pop(name, None)
        if result is not None and result.covers:
            self._uncover(result.scenario)
        self._judge_anew()

    def _judge_anew(self) -> None:
        self._best.clear()
        self._weights.clear()
        self._feasible = None

    def _cover(self, scenario: Scenario) -> None:
        self._best.clear()
        self._covering[scenario] += 1
        coverage = self._followed()
        if coverage is not None:
            coverage.add(self._stacked([scenario]))

    def _uncover(self, scenario: Scenario) -> None:
        self._best.clear()
        self._covering[scenario] -= 1
        is_left = self._covering[scenario] > 0
        if not is_left:
            del self._covering[scenario]
        coverage = self._followed()
        if coverage is not None:
            coverage.remove(self._stacked([] if is_left else [scenario]),
                            self._stacked([] if is_left else self._covering))

    def _followed(self) -> Coverage | None:
        """Return the coverage that is to follow a change; None where it will be made anew."""
        if self._coverage is not None:
            self._design()
        return self._coverage

    @property
    def environments(self) -> tuple[str, ...]:
        """Return the environments of the task."""
        return self._space.environments

    def best(self, want: Want, level: Level) -> Best:
        """Return the best object configuration in each environment."""
        level = level.rounded()
        if want not in self._best or self._best[want][0] != level:
            self._best[want] = (level, self._computed_best(want, level))
        return self._best[want][1]

    def decode(self, candidate: int) -> dict[str, Value]:
        """Return a candidate's object configuration."""
        return dict(self._design().decode(candidate))

    def random(self, environment: str, random: np.random.Generator) -> dict[str, Value] | None:
        """Return a configuration drawn evenly from those that may be tried; None if none."""
        index = self._space.index(environment)
        points = self._space.random(environment, random, tries=RANDOM_TRIES)
        refused = [p.at for p in self._refused() if p.environment == index]
        for point in points:
            if not any(is_same(point[None, :], other)[0] for other in refused):
                return self._space.factors.decode(point)
        # So little is allowed that chance does not find it.
        allowed = np.flatnonzero(self.feasible()[1][index])
        return self.decode(int(random.choice(allowed))) if allowed.size else None

    def failure(self, level: Level) -> Floats:
        """
        Return the expected failure rate at the targets, shape (Z,).

        A Beta mean around each: trials count by how alike they are and by what lasts of them, and
        are pulled to the task's mean, that to where the ensemble is more in doubt than elsewhere.
        """
        mean = np.full(len(self._design().points), level.failure)
        if level.epistemic:
            mean = np.clip(mean * self.doubt(level) / level.epistemic, 0.0, 1.0)
        trials = [r for r in self._results.values()
                  if r.tries_own_policy and r.outcome in COUNTED and self._at(r.scenario)]
        failed = np.array([r.outcome is Outcome.FAILURE for r in trials], dtype=bool)
        age = np.array([self._age(r.epoch) for r in trials], dtype=np.float64)
        lasts = np.where(failed, FAILURE_LASTS ** age, SUCCESS_LASTS ** age)
        rows = self._stacked(r.scenario for r in trials)
        return np.asarray((PULL * mean + weighed(lasts * failed, rows))
                          / (PULL + weighed(lasts, rows)))

    def doubt(self, level: Level) -> Floats:
        """Return the expected epistemic uncertainty at the targets, shape (Z,)."""
        scored = [r for r in self._results.values()
                  if r.epistemic is not None and self._at(r.scenario)]
        lasts = np.array([FAILURE_LASTS ** self._age(r.scored_epoch) for r in scored])
        values = np.array([r.epistemic for r in scored], dtype=np.float64)
        mean = 1.0 if level.epistemic is None else level.epistemic
        rows = self._stacked(r.scenario for r in scored)
        return np.asarray((PULL * mean + weighed(lasts * values, rows))
                          / (PULL + weighed(lasts, rows)))

    def coverage(self) -> Coverage:
        """Return what was demonstrated or is out covers."""
        design = self._design()
        if self._coverage is None:
            self._coverage = Coverage(self._space, design, self._stacked(self._covering),
                                      demonstrations=self._covering.total())
        return self._coverage

    def feasible(self) -> tuple[Floats, Mask]:
        """
        Return the chance of each candidate to be set up and acted out, and which may be tried.

        What was tried `attempts` times in vain is not tried again while there is anything else.
        Both of shape (E, X).
        """
        if self._feasible is None:
            results = self._results.values()
            self._feasible = (
                self._feasibility.chance(self._design(), results, self._handed_back),
                tried_less(self._design(), self._refused()))
        return self._feasible

    def _refused(self) -> list[Point]:
        return self._feasibility.refused(self._results.values(), self._handed_back)

    def _computed_best(self, want: Want, level: Level) -> Best:
        coverage = self.coverage()
        chance, allowed = self.feasible()
        gains = coverage.gains(self._weighing(want, level)) * chance
        count = np.maximum(allowed.sum(axis=1), 1)
        average = np.where(allowed, gains, 0.0).sum(axis=1) / count
        gains = np.where(allowed, gains, -1.0)
        candidate = gains.argmax(axis=1)
        every = np.arange(len(gains))
        return Best(gain=gains[every, candidate],
                    average=np.where(allowed.any(axis=1), average, -1.0),
                    candidate=candidate, feasible=chance[every, candidate])

    def _weighing(self, want: Want, level: Level) -> Floats:
        """Return what it is worth to cover each target, shape (Z,)."""
        if want not in self._weights or self._weights[want][0] != level:
            self._weights[want] = (level, {'failure': self.failure, 'doubt': self.doubt}.get(
                want, lambda _: np.ones(len(self._design().points)))(level))
        return self._weights[want][1]

    def _design(self) -> Targets:
        """Return the targets; those for another number of demonstrations change all the rest."""
        level = level_of(self._covering.total())
        if self._targets is None or self._targets.level != level:
            self._targets = self._space.targets(level)
            self._rows.clear()
            self._coverage = None
            self._judge_anew()
        return self._targets

    def _at(self, scenario: Scenario) -> Point | None:
        if scenario not in self._points:
            if len(self._points) > 2 * (MEMORY + len(self._out)):
                self._points.clear()
            self._points[scenario] = self._space.point(scenario)
        return self._points[scenario]

    def _stacked(self, scenarios: Iterable[Scenario]) -> Rows:
        """Return how alike the targets are to each scenario of this space, shape (n, Z)."""
        design = self._design()
        if len(self._rows) > 2 * (MEMORY + len(self._out)):
            self._rows.clear()
        rows = []
        for scenario in scenarios:
            point = self._at(scenario)
            if point is None:
                continue
            if scenario not in self._rows:
                self._rows[scenario] = design.alike_to(point)
            rows.append(self._rows[scenario])
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(design.points))
