# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The arrangements of a task that a policy is to master: points that stand for all of them."""
from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from active_collection.scenario import Exclusion
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs.factor_space import FactorSpace
from active_collection.scheduling.beliefs.factor_space import Points
from active_collection.task import Value

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]
#: Targets of a task, among whose object configurations it is chosen too.
TARGETS = 256
#: Points of the sequence that are looked at for targets that no exclusion covers.
SEARCHED = 32 * TARGETS
#: Object configurations that are added for an environment where none of the targets' is allowed.
ADDED = 8
#: How alike the same configuration is in two environments, 0 to 1.
OTHER_ENVIRONMENT = 0.5
#: Length over which configurations are alike, for one factor and few demonstrations.
LENGTH = 0.2
#: Powers of what is alike over a length: as much as over a quarter and a sixteenth of it. Each is
#: the one before it squared some times.
POWERS = (1, 16, 256)
#: Demonstrations from which on the length becomes shorter, so that more of them cover more.
FEW = 64


def length_of(dimensions: int, continuous: int, level: int) -> float:
    """
    Return the length over which configurations are alike, in a unit cube.

    It grows as the cube's diagonal does with the dimensions, and falls as the distance of
    neighbours does when the demonstrations double `level` times.
    """
    return float(LENGTH * np.sqrt(max(dimensions, 1)) * 2.0 ** (-level / max(continuous, 1)))


def level_of(demonstrations: int) -> int:
    """Return how often a number of demonstrations has doubled beyond `FEW`."""
    return max(0, int(np.log2(max(demonstrations, 1) / FEW)))


@dataclass(frozen=True)
class Point:
    """An object configuration as a point of shape (d,), with the index of its environment."""

    at: Points
    environment: int


class TaskSpace:
    """
    The object configurations and environments of one task.

    :param seed: of its design
    """

    def __init__(self, space: ScenarioSpace, task: str, *, seed: int) -> None:
        entry = space.tasks[task]
        self._task = task
        self._exclusions: tuple[Exclusion, ...] = space.exclusions
        self._seed = (seed, zlib.crc32(task.encode()))
        self.environments = tuple(e for name, e in space.places if name == task)
        self._index = {name: k for k, name in enumerate(self.environments)}
        self.factors = FactorSpace(entry.factors, entry.conditions, seed=self._seed)
        self._continuous = int((~self.factors.is_discrete & ~self.factors.is_fixed).sum())

    @property
    def is_continuous(self) -> bool:
        """Tell whether a factor of the task is continuous."""
        return self._continuous > 0

    def length(self, level: int) -> float:
        """Return the length over which configurations are alike, see `length_of`."""
        return length_of(self.factors.dimensions, self._continuous, level)

    def point(self, scenario: Scenario) -> Point | None:
        """Return where a scenario lies; None for one that is not of this space."""
        at = self.factors.encode(scenario.values)
        if at is None:
            return None
        return Point(at, self._index.get(scenario.environment, -1))

    def allowed(self, points: Points, environment: int) -> Mask:
        """Return for points of shape (n, d) whether no exclusion covers them there."""
        return self.factors.is_allowed(
            points, self._task, self.environments[environment], self._exclusions)

    def alike(self, points: Points, environments: Indices, others: Points,
              other_environments: Indices, level: int) -> Points:
        """Return how alike arrangements are, 0 to 1, shape (n, m); see `FactorSpace.alike`."""
        same = environments[:, None] == other_environments[None, :]
        return self.factors.alike(points, others, self.length(level)) * np.where(
            same, 1.0, OTHER_ENVIRONMENT)

    def targets(self, level: int) -> Targets:
        """Return the targets for so many doublings of the demonstrations: others at each level."""
        return Targets(self, level, np.random.default_rng((*self._seed, level)))

    def random(self, environment: str, random: np.random.Generator, *, tries: int) -> Points:
        """Return configurations drawn evenly that nothing forbids there, at most `tries`."""
        points = self.factors.from_unit(random.random((tries, self.factors.dimensions)))
        index = self._index[environment]
        return points[self.factors.is_feasible(points) & self.allowed(points, index)]

    def index(self, environment: str) -> int:
        """Return the index of an environment of the task."""
        return self._index[environment]


class Targets:
    """
    Arrangements spread evenly over all of a task's configurations and environments.

    What a policy is asked for is a random arrangement, not the farthest corner, so these stand
    for the test: a seeded, scrambled sequence through the factors, and the environments dealt out
    at random, each as often as any other.

    :ivar points: shape (Z, d); `environments`, their indices, ascending, shape (Z,)
    :ivar candidates: configurations to choose from, the targets' first, shape (X, d)
    :ivar allowed: whether a candidate is allowed in an environment, shape (E, X)
    """

    def __init__(self, space: TaskSpace, level: int, random: np.random.Generator) -> None:
        self._space = space
        self.level = level
        count = len(space.environments)
        start = level * TARGETS
        found = space.factors.sequence(start, start + TARGETS)
        if not len(found):
            found = space.factors.sequence(0, TARGETS)
        where = random.permutation(np.arange(len(found)) % count)
        self.candidates, self.allowed = self._candidates(found)
        fits = self.allowed[where, np.arange(len(found))]
        if not fits.any():  # so little is allowed that no target is: all that is stands for it
            where, chosen = np.nonzero(self.allowed)
            points = self.candidates[chosen]
        else:
            where, points = where[fits], found[fits]
        order = np.argsort(where, kind='stable')
        self.environments: Indices = where[order].astype(np.int64)
        self.points: Points = points[order]
        self.starts = np.flatnonzero(np.diff(self.environments, prepend=-1))

    def _candidates(self, found: Points) -> tuple[Points, Mask]:
        space, count = self._space, len(self._space.environments)
        allowed = np.array([space.allowed(found, e) for e in range(count)])
        bare = np.flatnonzero(~allowed.any(axis=1))
        if bare.size:
            more = space.factors.sequence(0, SEARCHED)
            kept = [more[space.allowed(more, int(e))][:ADDED] for e in bare]
            found = np.vstack([found, *kept])
            allowed = np.array([space.allowed(found, e) for e in range(count)])
        return found, allowed

    @cached_property
    def alike(self) -> tuple[npt.NDArray[np.float32], ...]:
        """Return how alike targets and candidates are, environments aside, by `POWERS`, (Z, X)."""
        raised = [self._space.factors.alike(
            self.points, self.candidates, self._space.length(self.level)).astype(np.float32)]
        powers = POWERS if self._space.is_continuous else POWERS[:1]
        for before, power in pairwise(powers):
            alike = raised[-1]
            for _ in range((power // before).bit_length() - 1):  # squares are far faster
                alike = alike * alike
            raised.append(alike)
        return tuple(raised)

    def alike_to(self, point: Point) -> npt.NDArray[np.float32]:
        """Return how alike the targets are to one arrangement, shape (Z,)."""
        return self._space.alike(
            self.points, self.environments, point.at[None, :], np.array([point.environment]),
            self.level)[:, 0].astype(np.float32)

    def decode(self, candidate: int) -> Mapping[str, Value]:
        """Return a candidate's object configuration."""
        return self._space.factors.decode(self.candidates[candidate])
