# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What demonstrations cover of a task's targets, and what one more would add."""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from active_collection.scheduling.beliefs.targets import OTHER_ENVIRONMENT
from active_collection.scheduling.beliefs.targets import POWERS
from active_collection.scheduling.beliefs.targets import Indices
from active_collection.scheduling.beliefs.targets import Targets
from active_collection.scheduling.beliefs.targets import TaskSpace

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
#: Coverage is looked at over a length, and over a quarter and a sixteenth of it, which tell apart
#: what is alike over the whole (`targets.POWERS`): what each counts for.
SCALES = (1.0, 0.1, 0.01)
#: What one more demonstration of the same labels gives, over their number: motions differ too.
REPEATED = 0.1


class Coverage:
    """
    Facility location over the targets of a task (Nemhauser, Wolsey and Fisher 1978).

    What changes is followed target by target: a demonstration covers few of them more than those
    before did. What comes of it is the same to the last bit as if all were computed anew.

    :param alike: how alike the targets are to what was demonstrated or is out, shape (n, Z)
    :param demonstrations: how many these are, with those that the space no longer has
    :ivar covered: how far each target is covered, 0 to 1, shape (Z,)
    """

    def __init__(self, space: TaskSpace, targets: Targets, alike: Rows, *,
                 demonstrations: int) -> None:
        self._space = space
        self.targets = targets
        self._demonstrations = demonstrations
        self.covered = _most(alike, len(targets.points))
        self._stale = np.ones(len(targets.points), dtype=bool)
        self._there: Rows = np.empty(0, np.float32)
        self._beyond: Rows = np.empty(0, np.float32)

    def add(self, alike: Rows) -> None:
        """
        Take in one more demonstration.

        :param alike: how alike the targets are to it, shape (1, Z); (0, Z) outside of the space
        """
        self._demonstrations += 1
        self._cover(np.maximum(self.covered, _most(alike, len(self.covered))))

    def remove(self, alike: Rows, others: Rows) -> None:
        """
        Take out a demonstration.

        :param alike: as it was added; (0, Z) where the same was demonstrated once more too
        :param others: of those that are left, shape (n, Z)
        """
        self._demonstrations -= 1
        covered = self.covered.copy()
        for row in alike:
            falls = covered == row
            covered[falls] = _most(others[:, falls], int(falls.sum()))
        self._cover(covered)

    def _cover(self, covered: Rows) -> None:
        self._stale |= covered != self.covered
        if not self._space.is_continuous:  # what is repeated counts by their number, everywhere
            self._stale[:] = True
        self.covered = covered

    def gains(self, weights: Floats) -> Floats:
        """
        Return what a demonstration at each candidate adds, shape (E, X).

        That is the mean over the targets of their weight times what the candidate covers of them
        beyond what is covered.

        :param weights: of the targets, shape (Z,)
        """
        targets, environments = self.targets, self._space.environments
        weight = (weights / len(weights)).astype(np.float32)
        self._refresh(is_one=len(environments) == 1)
        gains = np.tile(weighed(weight, self._there), (len(environments), 1))
        if len(environments) > 1:
            own = targets.environments[targets.starts]
            gains[own] += np.add.reduceat(
                weight[:, None] * self._beyond, targets.starts, axis=0)
        return gains

    def _refresh(self, *, is_one: bool) -> None:
        """
        Compute what candidates add elsewhere, and beyond that in their environment, (Z, X) each.

        :param is_one: whether there is but one environment
        """
        stale = np.flatnonzero(self._stale)
        if not len(self._there):
            self._there = np.empty_like(self.targets.alike[0])
            self._beyond = np.empty_like(self._there[:0] if is_one else self._there)
        if not stale.size:
            return
        here = self._added(1.0, stale)
        if is_one:
            self._there[stale] = here
        else:
            there = self._added(OTHER_ENVIRONMENT, stale)
            self._there[stale] = there
            self._beyond[stale] = here - there
        self._stale[:] = False

    def _added(self, same: float, rows: Indices) -> Rows:
        """
        Return what demonstrations at the candidates add to the coverage of n targets, (n, X).

        :param same: how alike their environments are
        :param rows: indices of the targets, shape (n,)
        """
        targets, covered = self.targets, self.covered[:, None].astype(np.float64)
        if not self._space.is_continuous:
            alike = targets.alike[0][rows] * np.float32(same)
            repeated = np.float32(REPEATED / (1 + self._demonstrations))
            return np.asarray(
                np.maximum(alike - covered[rows].astype(np.float32), 0) + repeated * alike)
        added = np.zeros((len(rows), targets.alike[0].shape[1]), np.float32)
        for power, alike, counts in zip(POWERS, targets.alike, SCALES, strict=True):
            beyond = alike[rows] * np.float32(counts * same ** power)
            beyond -= (counts * covered ** power).astype(np.float32)[rows]
            np.maximum(beyond, 0, out=beyond)
            added += beyond
        return added


def _most(alike: Rows, targets: int) -> Rows:
    """Return the largest of each column, 0 where there are no rows, shape (targets,)."""
    return np.asarray(alike.max(axis=0, initial=0.0), dtype=np.float32).reshape(targets)


def weighed(weights: npt.NDArray[np.floating], rows: npt.NDArray[np.floating]) -> Floats:
    """
    Return the sum of rows times weights, shape (n,) and (n, m).

    Row by row, so that it is the same to the last bit in a replay: a product of matrices is not,
    whose order of summation depends on threads and on where the numbers lie in memory.
    """
    return np.asarray((weights[:, None] * rows).sum(axis=0), dtype=np.float64)
