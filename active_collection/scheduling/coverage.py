"""Object configurations that lie as far as can be from all that were collected or are out."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scenario import Value
from active_collection.scheduling.design import FactorSpace
from active_collection.scheduling.design import Points

#: Gives (name, scenario) of all that was collected of a task before.
PointSource = Callable[[str], Iterable[tuple[str, Scenario]]]
LARGEST = 65536
RANDOM_TRIES = 256


class PlaceCoverage:
    """
    How far each candidate configuration of one place is from the nearest collected one.

    Greedy maximin (farthest-first traversal: Gonzalez 1985; maximin designs: Johnson, Moore and
    Ylvisaker 1990) over the first points of a low-discrepancy sequence. The same configuration in
    another environment counts as differing in one label.

    :param candidates: those of the sequence that no exclusion covers, shape (n, d)
    :param drawn: how many points of the sequence they are of
    """

    def __init__(self, factors: FactorSpace, candidates: Points, *, drawn: int) -> None:
        self._factors = factors
        self.candidates = candidates
        self.drawn = drawn
        self.nearest = np.full(len(candidates), np.inf)
        self._owner = np.full(len(candidates), -1, dtype=np.int64)

    def add(self, row: int, point: Points, offset: float) -> None:
        """Take a point into account; `offset` is added to its squared distances."""
        distances = self._factors.distances(self.candidates, point) + offset
        closer = distances < self.nearest
        self.nearest[closer] = distances[closer]
        self._owner[closer] = row

    def remove(self, row: int, points: Points, rows: npt.NDArray[np.int64],
               offsets: npt.NDArray[np.float64]) -> None:
        """
        Forget a point: what it was nearest to looks for the nearest of the others.

        :param points: the points that remain, shape (n, d), with their rows and offsets
        """
        for candidate in np.flatnonzero(self._owner == row):
            self.nearest[candidate], self._owner[candidate] = np.inf, -1
            if len(points):
                distances = self._factors.distances(points, self.candidates[candidate]) + offsets
                best = int(np.argmin(distances))
                self.nearest[candidate], self._owner[candidate] = distances[best], rows[best]


class TaskCoverage:
    """The configurations of one task that were collected or are out, by name."""

    def __init__(self, space: ScenarioSpace, task: str, *, candidates: int) -> None:
        self._space = space
        self._task = task
        self.factors = FactorSpace(space.tasks[task].factors)
        self._first = candidates
        self._rows: dict[str, int] = {}
        self._points: list[Points] = []
        self._environments: list[str] = []
        self._places: dict[str, PlaceCoverage] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, name: str, scenario: Scenario) -> None:
        """Add a configuration under the name of its assignment or episode."""
        point = self.factors.encode(scenario.values)
        if point is None or name in self._rows:
            return
        row = len(self._points)
        self._rows[name] = row
        self._points.append(point)
        self._environments.append(scenario.environment)
        for environment, place in self._places.items():
            place.add(row, point, float(scenario.environment != environment))

    def discard(self, name: str) -> None:
        """Remove what was added under a name; nothing happens where there is nothing."""
        row = self._rows.pop(name, None)
        if row is None or not self._places:
            return
        rows = np.fromiter(self._rows.values(), dtype=np.int64, count=len(self._rows))
        points = np.array([self._points[r] for r in rows]).reshape(
            len(rows), self.factors.dimensions)
        for environment, place in self._places.items():
            offsets = np.array([float(self._environments[r] != environment) for r in rows])
            place.remove(row, points, rows, offsets)

    def rename(self, name: str, to: str) -> None:
        """Let what was added under one name stand under another."""
        if name in self._rows:
            self._rows[to] = self._rows.pop(name)

    def farthest(self, environment: str) -> tuple[dict[str, Value], float] | None:
        """
        Return the candidate farthest from all collected ones, and how far it is.

        The distance is infinite while nothing was collected.

        None where exclusions rule out every candidate.
        """
        place = self._place(environment)
        if not len(place.candidates):
            return None
        best = int(np.argmax(place.nearest))
        return self.factors.decode(place.candidates[best]), float(np.sqrt(place.nearest[best]))

    def features(self, count: int) -> tuple[Points, Points]:
        """
        Return what was collected or is out, and this many that fill the space, as plain points.

        Squared Euclidean distances of these are those of `FactorSpace.distances`.
        """
        collected = np.array([self._points[row] for row in self._rows.values()]).reshape(
            len(self._rows), self.factors.dimensions)
        return (self.factors.one_hot(collected),
                self.factors.one_hot(self.factors.sequence(0, count)))

    def _place(self, environment: str) -> PlaceCoverage:
        """Return the place's coverage, with enough candidates for what was collected."""
        place = self._places.get(environment)
        wanted = self._first
        while wanted < 4 * len(self._rows) and wanted < LARGEST:
            wanted *= 2
        if self.factors.dimensions == 0:
            wanted = 1
        if place is None or place.drawn != wanted:
            points = self.factors.sequence(0, wanted)
            allowed = self.factors.is_allowed(
                points, self._task, environment, self._space.exclusions)
            place = PlaceCoverage(self.factors, points[allowed], drawn=wanted)
            for row in self._rows.values():
                place.add(row, self._points[row], float(self._environments[row] != environment))
            self._places[environment] = place
        return place

    def random(self, environment: str, random: np.random.Generator) -> dict[str, Value] | None:
        """Return a configuration drawn evenly from those that are not excluded; None if none."""
        points = self.factors.from_unit(random.random((RANDOM_TRIES, self.factors.dimensions)))
        allowed = np.flatnonzero(self.factors.is_allowed(
            points, self._task, environment, self._space.exclusions))
        return self.factors.decode(points[allowed[0]]) if allowed.size else None


class Coverage:
    """
    The coverage of every task, read in only when a task is first asked for.

    :param source: what was collected of a task before the first `add`; None for nothing
    :param candidates: configurations of a task among which coverage chooses at first
    """

    def __init__(self, space: ScenarioSpace, *, candidates: int,
                 source: PointSource | None = None) -> None:
        self._space = space
        self._candidates = candidates
        self._source = source
        self._tasks: dict[str, TaskCoverage] = {}

    def add(self, name: str, scenario: Scenario) -> None:
        """Add a configuration under the name of its assignment or episode."""
        task = self._tasks.get(scenario.task)
        if task is not None:
            task.add(name, scenario)

    def discard(self, name: str, task: str) -> None:
        """Remove what was added under a name."""
        if task in self._tasks:
            self._tasks[task].discard(name)

    def rename(self, name: str, to: str, task: str) -> None:
        """Let what was added under one name stand under another."""
        if task in self._tasks:
            self._tasks[task].rename(name, to)

    def task(self, name: str) -> TaskCoverage:
        """Return a task's coverage."""
        if name not in self._tasks:
            task = TaskCoverage(self._space, name, candidates=self._candidates)
            for episode, scenario in self._source(name) if self._source else ():
                task.add(episode, scenario)
            self._tasks[name] = task
        return self._tasks[name]
