# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Points of a space that fulfil its constraints, as many as one asks for, without listing it."""
from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
#: Points that are looked at together.
BLOCK = 4096
#: Points of the sequence that are looked at in any case before others are sought.
SEARCHED = 2**18
#: Share of them that must fulfil the constraints for the sequence to go on.
DENSE = 1 / 64
#: Walks of a block at most, and the points that each adds at most.
WALKS = 2000
ADDED = 512
#: How often a step of a walk tries another label.
RELABELLED = 0.2


class Space(Protocol):
    """What is asked of a space of d factors."""

    #: Which factors have labels, and which continuous ones a single value; shape (d,).
    is_discrete: npt.NDArray[np.bool_]
    is_fixed: npt.NDArray[np.bool_]

    @property
    def dimensions(self) -> int:
        """Return d."""
        ...

    def unconstrained(self, start: int, stop: int) -> Points:
        """Return points of a sequence that fills the space."""
        ...

    def from_unit(self, unit: Points) -> Points:
        """Return points for numbers drawn from the unit cube."""
        ...

    def is_feasible(self, points: Points) -> npt.NDArray[np.bool_]:
        """Tell which points fulfil the constraints."""
        ...


class FeasiblePoints:
    """
    The points of a sequence that fulfil the constraints; where few do, walks among them for more.

    A walk steps from a point that was found, by any length, and stays where the constraints are
    fulfilled (hit-and-run sampling: Smith, "Efficient Monte Carlo procedures for generating points
    uniformly distributed over bounded regions", 1984). What has been found never changes, however
    much is asked for and in which order, so that a decision can be made again.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._points = np.empty((0, space.dimensions))
        self._looked_at = 0
        self._walks = 0

    def until(self, count: int) -> Points:
        """Return the first points, as many as wanted or as could be found, shape (n, d)."""
        while len(self._points) < count and self._search_goes_on():
            block = self._space.unconstrained(self._looked_at, self._looked_at + BLOCK)
            self._looked_at += BLOCK
            self._add(block[self._space.is_feasible(block)])
        while 0 < len(self._points) < count and self._walks < WALKS:
            self._walk()
        return self._points[:count]

    def _search_goes_on(self) -> bool:
        if self._looked_at < SEARCHED:
            return True
        return not self._walks and len(self._points) >= DENSE * self._looked_at

    def _walk(self) -> None:
        space, random = self._space, np.random.default_rng(self._walks)
        self._walks += 1
        at = self._points[random.integers(len(self._points), size=BLOCK)]
        length = 2.0 ** -random.uniform(1, 12, size=(BLOCK, 1))
        moved = np.where(space.is_fixed, at, at + length * random.normal(size=at.shape))
        labels = space.from_unit(random.random(at.shape))
        relabelled = np.where(random.random(at.shape) < RELABELLED, labels, at)
        step = np.where(space.is_discrete, relabelled, moved)
        is_inside = (space.is_discrete | ((step >= 0) & (step <= 1))).all(axis=1)
        found = step[is_inside]
        self._add(found[space.is_feasible(found)][:ADDED])

    def _add(self, points: Points) -> None:
        self._points = np.vstack([self._points, points])
