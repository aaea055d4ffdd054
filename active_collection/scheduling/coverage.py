# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Object configurations that lie as far as can be from all that were collected or are out."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from functools import partial

import numpy as np
import numpy.typing as npt

from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.design import FactorSpace
from active_collection.scheduling.design import Points
from active_collection.scheduling.nearest import Change
from active_collection.scheduling.nearest import Nearest
from active_collection.task import Value

#: Gives (episode id, scenario) of all that was collected of a task, last counted first.
PointSource = Callable[[str], Iterable[tuple[str, Scenario]]]
#: Episodes of a task that coverage looks back on. More make no difference that one could see.
MEMORY = 1024
#: Squared distance that another environment adds: as much as another label.
ELSEWHERE = 1.0
RANDOM_TRIES = 256
#: Points measured last that are taken back by what they changed, without measuring anew: as many
#: as a batch of assignments supposes.
UNDONE = 256


class TaskCoverage:
    """
    The configurations of one task that are out or were collected last, and the gaps between them.

    Greedy maximin (farthest-first traversal: Gonzalez 1985; maximin designs: Johnson, Moore and
    Ylvisaker 1990) among the first points of a low-discrepancy sequence, four for each collected
    one. Nothing is kept per environment that has no episode: there, the distance to the nearest of
    all counts, plus what another environment adds.

    :param candidates: points of the sequence among which it chooses at least
    """

    def __init__(self, space: ScenarioSpace, task: str, *, candidates: int) -> None:
        self._space = space
        self._task = task
        self.factors = FactorSpace(space.tasks[task].factors, space.tasks[task].conditions)
        self._first = candidates if self.factors.dimensions else 1
        self._out: dict[str, int] = {}
        self._collected: dict[str, int] = {}
        self._points: dict[int, Points] = {}
        self._environments: dict[int, str] = {}
        self._next_row = 0
        self._unmeasured: set[int] = set()
        self._last: deque[tuple[int, tuple[Change, ...]]] = deque(maxlen=UNDONE)
        self._candidates = self.factors.sequence(0, self._first)
        self._wanted = self._first
        self._all = Nearest(len(self._candidates))
        self._own: dict[str, Nearest] = {}
        self._excluded: dict[str, npt.NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        return len(self._points)

    def send_out(self, name: str, scenario: Scenario) -> None:
        """Add a configuration that is out, under the name of its assignment."""
        row = self._add(scenario)
        if row is not None:
            self._out[name] = row

    def collect(self, name: str, scenario: Scenario) -> None:
        """Add a collected configuration under the name of its episode; the oldest may go."""
        row = self._add(scenario)
        if row is not None:
            self._collected[name] = row
            self._forget()

    def come_back(self, name: str, episode: str) -> None:
        """Let what was out under one name be collected under another."""
        row = self._out.pop(name, None)
        if row is not None:
            self._collected[episode] = row
            self._forget()

    def discard(self, name: str) -> bool:
        """
        Remove what is known under a name.

        :returns: whether what is left is complete; False where something older was forgotten for
            it, so that the task has to be read in anew
        """
        is_complete = len(self._collected) < MEMORY or name in self._out
        rows = self._out if name in self._out else self._collected
        if name not in rows:
            return True
        self._remove(rows.pop(name))
        return is_complete

    def farthest(self, environment: str) -> tuple[dict[str, Value], float] | None:
        """
        Return the candidate farthest from all collected ones, and how far it is.

        The distance is infinite while nothing was collected. None where exclusions rule out every
        candidate.
        """
        self._measure_all()
        squared = self._all.squared + ELSEWHERE
        if environment in self._own:
            squared = np.minimum(squared, self._own[environment].squared)
        squared = np.where(self._is_excluded(environment), -1.0, squared)
        best = int(np.argmax(squared))
        if squared[best] < 0:
            return None
        return self.factors.decode(self._candidates[best]), float(np.sqrt(squared[best]))

    def random(self, environment: str, random: np.random.Generator) -> dict[str, Value] | None:
        """Return a configuration drawn evenly from those that are not excluded; None if none."""
        points = self.factors.from_unit(random.random((RANDOM_TRIES, self.factors.dimensions)))
        allowed = np.flatnonzero(self.factors.is_feasible(points) & self.factors.is_allowed(
            points, self._task, environment, self._space.exclusions))
        if allowed.size:
            return self.factors.decode(points[allowed[0]])
        # So little is allowed that chance does not find it; the candidates all lie within the
        # constraints.
        allowed = np.flatnonzero(~self._is_excluded(environment)[:self._first])
        if not allowed.size:
            return None
        return self.factors.decode(self._candidates[random.choice(allowed)])

    def features(self, count: int) -> tuple[Points, Points]:
        """
        Return what was collected or is out, and this many that fill the space, as plain points.

        Squared Euclidean distances of these are those of `FactorSpace.distances`. Their order is
        that of counting, those that are out last.
        """
        rows = [*self._collected.values(), *self._out.values()]
        return (self.factors.one_hot(self._stacked(rows)),
                self.factors.one_hot(self.factors.sequence(0, count)))

    def _stacked(self, rows: Iterable[int]) -> Points:
        points = [self._points[row] for row in rows]
        return np.array(points).reshape(len(points), self.factors.dimensions)

    def _add(self, scenario: Scenario) -> int | None:
        point = self.factors.encode(scenario.values)
        if point is None:
            return None
        row = self._next_row
        self._next_row += 1
        self._points[row] = point
        self._environments[row] = scenario.environment
        self._unmeasured.add(row)
        return row

    def _measure_all(self) -> None:
        """Measure what was added since the last look, against enough candidates."""
        wanted = self._first
        while self.factors.dimensions and wanted < 4 * len(self._points):
            wanted *= 2
        if wanted != self._wanted:
            self._wanted = wanted
            self._candidates = self.factors.sequence(0, wanted)
            self._all, self._own, self._excluded = Nearest(len(self._candidates)), {}, {}
            self._last.clear()
            self._unmeasured = set(self._points)
        for row in sorted(self._unmeasured):
            self._measure(row)
        self._unmeasured.clear()

    def _measure(self, row: int) -> None:
        distances = self.factors.distances(self._candidates, self._points[row])
        own = self._own.setdefault(self._environments[row], Nearest(len(self._candidates)))
        self._last.append(
            (row, tuple(nearest.add(row, distances) for nearest in (self._all, own))))

    def _remove(self, row: int) -> None:
        del self._points[row]
        environment = self._environments.pop(row)
        if row in self._unmeasured:
            self._unmeasured.discard(row)
            return
        if self._last and self._last[-1][0] == row:
            for change in self._last.pop()[1]:
                change.undo()
            return
        self._last.clear()
        here = [r for r, e in self._environments.items() if e == environment]
        for nearest, left in ((self._all, list(self._points)), (self._own[environment], here)):
            nearest.remove(row, np.array(left, dtype=np.int32),
                           partial(self._distances_from, self._stacked(left)))

    def _distances_from(self, points: Points, candidate: int) -> Points:
        return self.factors.distances(points, self._candidates[candidate])

    def _forget(self) -> None:
        """Forget the oldest where more was collected than it looks back on."""
        if len(self._collected) > MEMORY:
            self._remove(self._collected.pop(next(iter(self._collected))))

    def _is_excluded(self, environment: str) -> npt.NDArray[np.bool_]:
        if environment not in self._excluded:
            self._excluded[environment] = ~self.factors.is_allowed(
                self._candidates, self._task, environment, self._space.exclusions)
        return self._excluded[environment]


class Coverage:
    """
    The coverage of every task, read in only when a task is first asked for.

    :param collected: what was collected of a task up to this instant
    :param out: what is out of a task at this instant, under the names of the assignments
    :param candidates: see `TaskCoverage`
    """

    def __init__(self, space: ScenarioSpace, *, candidates: int, collected: PointSource,
                 out: PointSource) -> None:
        self._space = space
        self._candidates = candidates
        self._collected_before = collected
        self._out_before = out
        self._tasks: dict[str, TaskCoverage] = {}

    def send_out(self, name: str, scenario: Scenario) -> None:
        """Add a configuration that is out, under the name of its assignment."""
        if scenario.task in self._tasks:
            self._tasks[scenario.task].send_out(name, scenario)

    def collect(self, name: str, scenario: Scenario) -> None:
        """Add a collected configuration under the name of its episode."""
        if scenario.task in self._tasks:
            self._tasks[scenario.task].collect(name, scenario)

    def come_back(self, name: str, episode: str, task: str) -> None:
        """Let what was out under one name be collected under another."""
        if task in self._tasks:
            self._tasks[task].come_back(name, episode)

    def discard(self, name: str, task: str) -> None:
        """Remove what is known under a name."""
        if task in self._tasks and not self._tasks[task].discard(name):
            del self._tasks[task]

    def task(self, name: str) -> TaskCoverage:
        """Return a task's coverage."""
        if name not in self._tasks:
            task = TaskCoverage(self._space, name, candidates=self._candidates)
            last = []
            for pair in self._collected_before(name):
                last.append(pair)
                if len(last) == MEMORY:
                    break
            for episode, scenario in reversed(last):
                task.collect(episode, scenario)
            for assignment, scenario in self._out_before(name):
                task.send_out(assignment, scenario)
            self._tasks[name] = task
        return self._tasks[name]
