# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Object configurations that lie as far as can be from all that were collected or are out."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
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

#: Episodes of a task that coverage looks back on. More make no difference that one could see.
MEMORY = 1024
#: Squared distance that another environment adds: as much as another label.
ELSEWHERE = 1.0
RANDOM_TRIES = 256
#: Environments of a task of which the distances are kept; others are measured when asked for.
KEPT = 8


@dataclass(frozen=True, slots=True)
class _Here:
    """
    What is kept of one environment.

    :param nearest: distances to what was collected there or is out
    :param is_excluded: of the candidates, shape (C,)
    """

    nearest: Nearest
    is_excluded: npt.NDArray[np.bool_]


class TaskCoverage:
    """
    The configurations of one task that are out or were collected last, and the gaps between them.

    Greedy maximin (farthest-first traversal: Gonzalez 1985; maximin designs: Johnson, Moore and
    Ylvisaker 1990) among the first points of a low-discrepancy sequence, four for each collected
    one. In an environment, the distance to the nearest of what was collected there counts, and
    that to the nearest of all plus what another environment adds. Distances are kept for the
    environments asked for last, so that a task may have many.

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
        self._supposed: set[int] = set()
        self._undo: list[tuple[int, Change, Change | None]] = []
        self._candidates = self.factors.sequence(0, self._first)
        self._wanted = self._first
        self._all = Nearest(len(self._candidates))
        self._gap: float | None = None
        self._here: OrderedDict[str, _Here] = OrderedDict()

    def __len__(self) -> int:
        return len(self._points)

    def send_out(self, name: str, scenario: Scenario, *, is_supposed: bool = False) -> None:
        """
        Add a configuration that is out, under the name of its assignment.

        :param is_supposed: whether it is to be discarded soon, and what comes after it before it:
            what it changed is remembered, which is faster than to measure anew
        """
        row = self._add(scenario)
        if row is not None:
            self._out[name] = row
            if is_supposed:
                self._supposed.add(row)

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
        squared = self._squared(environment)
        best = int(np.argmax(squared))
        if squared[best] < 0:
            return None
        return self.factors.decode(self._candidates[best]), float(np.sqrt(squared[best]))

    def gap(self, environments: Iterable[str]) -> float:
        """
        Return the largest distance of a candidate in these environments, its task's, to all.

        Infinite while nothing was collected; 0 where exclusions rule out every candidate.
        """
        if self._gap is None:
            self._gap = max((float(self._squared(environment).max())
                             for environment in environments), default=0.0)
        return float(np.sqrt(max(self._gap, 0.0)))

    def random(self, environment: str, random: np.random.Generator) -> dict[str, Value] | None:
        """Return a configuration drawn evenly from those that are not excluded; None if none."""
        points = self.factors.from_unit(random.random((RANDOM_TRIES, self.factors.dimensions)))
        allowed = np.flatnonzero(self.factors.is_feasible(points) & self.factors.is_allowed(
            points, self._task, environment, self._space.exclusions))
        if allowed.size:
            return self.factors.decode(points[allowed[0]])
        # So little is allowed that chance does not find it; the candidates all lie within the
        # constraints.
        self._measure_all()
        allowed = np.flatnonzero(~self._kept(environment).is_excluded[:self._first])
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
        self._gap = None
        self._points[row] = point
        self._environments[row] = scenario.environment
        self._unmeasured.add(row)
        return row

    def _squared(self, environment: str) -> Points:
        """Return the candidates' squared distances to all, shape (C,); -1 of excluded ones."""
        self._measure_all()
        here = self._kept(environment)
        squared = np.minimum(self._all.squared + ELSEWHERE, here.nearest.squared)
        squared[here.is_excluded] = -1.0
        return np.asarray(squared)

    def _measure_all(self) -> None:
        """Measure what was added since the last look, against enough candidates."""
        wanted = self._first
        while self.factors.dimensions and wanted < 4 * len(self._points):
            wanted *= 2
        if wanted != self._wanted:
            self._wanted = wanted
            self._candidates = self.factors.sequence(0, wanted)
            self._all = Nearest(len(self._candidates))
            self._here.clear()
            self._undo.clear()
            self._unmeasured = set(self._points)
        for row in sorted(self._unmeasured):
            self._measure(row)
        self._unmeasured.clear()

    def _measure(self, row: int) -> None:
        distances = self.factors.distances(self._candidates, self._points[row])
        here = self._here.get(self._environments[row])
        change = (row, self._all.add(row, distances),
                  here.nearest.add(row, distances) if here else None)
        if row in self._supposed:
            self._undo.append(change)
        else:
            self._undo.clear()

    def _kept(self, environment: str) -> _Here:
        """Return what is kept of an environment, measured anew where it was not asked for long."""
        if environment not in self._here:
            nearest = Nearest(len(self._candidates))
            for row in self._rows_in(environment):
                nearest.add(row, self.factors.distances(self._candidates, self._points[row]))
            self._here[environment] = _Here(nearest, ~self.factors.is_allowed(
                self._candidates, self._task, environment, self._space.exclusions))
            if len(self._here) > KEPT:
                self._here.popitem(last=False)
        self._here.move_to_end(environment)
        return self._here[environment]

    def _rows_in(self, environment: str) -> list[int]:
        return [row for row, where in self._environments.items() if where == environment]

    def _remove(self, row: int) -> None:
        del self._points[row]
        self._supposed.discard(row)
        self._gap = None
        environment = self._environments.pop(row)
        if row in self._unmeasured:
            self._unmeasured.discard(row)
            return
        here = self._here.get(environment)
        if self._undo and self._undo[-1][0] == row:
            _, overall, local = self._undo.pop()
            overall.undo()
            if here and local and local.nearest is here.nearest:
                local.undo()
            else:  # measured anew since, with this one in it
                self._here.pop(environment, None)
            return
        self._undo.clear()
        self._remove_from(self._all, row, list(self._points))
        if here:
            self._remove_from(here.nearest, row, self._rows_in(environment))

    def _remove_from(self, nearest: Nearest, row: int, left: list[int]) -> None:
        nearest.remove(row, np.array(left, dtype=np.int32),
                       partial(self._distances_from, self._stacked(left)))

    def _distances_from(self, points: Points, candidate: int) -> Points:
        return self.factors.distances(points, self._candidates[candidate])

    def _forget(self) -> None:
        """Forget the oldest where more was collected than it looks back on."""
        if len(self._collected) > MEMORY:
            self._remove(self._collected.pop(next(iter(self._collected))))
