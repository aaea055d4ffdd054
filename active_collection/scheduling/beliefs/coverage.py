# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What demonstrations cover of a task's targets, and what one more would add."""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from active_collection.scheduling.beliefs.targets import OTHER_ENVIRONMENT
from active_collection.scheduling.beliefs.targets import POWERS
from active_collection.scheduling.beliefs.targets import Targets
from active_collection.scheduling.beliefs.targets import TaskSpace

Floats = npt.NDArray[np.float64]
#: Coverage is looked at over a length, and over a quarter and a sixteenth of it, which tell apart
#: what is alike over the whole (`targets.POWERS`): what each counts for.
SCALES = (1.0, 0.1, 0.01)
#: What one more demonstration of the same labels gives, over their number: motions differ too.
REPEATED = 0.1


class Coverage:
    """
    Facility location over the targets of a task (Nemhauser, Wolsey and Fisher 1978).

    :param alike: how alike the targets are to what was demonstrated or is out, shape (n, Z)
    :param demonstrations: how many these are, with those that the space no longer has
    :ivar covered: how far each target is covered, 0 to 1, shape (Z,)
    """

    def __init__(self, space: TaskSpace, targets: Targets, alike: Floats, *,
                 demonstrations: int) -> None:
        self._space = space
        self._targets = targets
        self._demonstrations = demonstrations
        self.covered = (alike.max(axis=0).astype(np.float32) if len(alike)
                        else np.zeros(len(targets.points), np.float32))

    def gains(self, weights: Floats) -> Floats:
        """
        Return what a demonstration at each candidate adds, shape (E, X).

        That is the mean over the targets of their weight times what the candidate covers of them
        beyond what is covered.

        :param weights: of the targets, shape (Z,)
        """
        targets, environments = self._targets, self._space.environments
        weight = (weights / len(weights)).astype(np.float32)
        here = self._added(1.0)
        if len(environments) == 1:
            return weighed(weight, here)[None, :]
        there = self._added(OTHER_ENVIRONMENT)
        gains = np.tile(weighed(weight, there), (len(environments), 1))
        own = targets.environments[targets.starts]
        gains[own] += np.add.reduceat(weight[:, None] * (here - there), targets.starts, axis=0)
        return gains

    def _added(self, same: float) -> npt.NDArray[np.float32]:
        """
        Return what demonstrations at the candidates add to the coverage of the targets, (Z, X).

        :param same: how alike their environments are
        """
        targets, covered = self._targets, self.covered[:, None].astype(np.float64)
        if not self._space.is_continuous:
            alike = targets.alike[0] * np.float32(same)
            repeated = np.float32(REPEATED / (1 + self._demonstrations))
            return np.asarray(
                np.maximum(alike - covered.astype(np.float32), 0) + repeated * alike)
        added = np.zeros_like(targets.alike[0])
        for power, alike, counts in zip(POWERS, targets.alike, SCALES, strict=True):
            beyond = alike * np.float32(counts * same ** power)
            beyond -= (counts * covered ** power).astype(np.float32)
            np.maximum(beyond, 0, out=beyond)
            added += beyond
        return added


def weighed(weights: npt.NDArray[np.floating], rows: npt.NDArray[np.floating]) -> Floats:
    """
    Return the sum of rows times weights, shape (n,) and (n, m).

    Row by row, so that it is the same to the last bit in a replay: a product of matrices is not,
    whose order of summation depends on threads and on where the numbers lie in memory.
    """
    return np.asarray((weights[:, None] * rows).sum(axis=0), dtype=np.float64)
