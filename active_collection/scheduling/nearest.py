# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How far many candidates are from the nearest of a set of points, kept as points come and go."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from active_collection.scheduling.design import Points

#: The owner of candidates while there is no point.
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Change:
    """
    What a point changed of the nearest ones.

    :param candidates: those that it was nearest to, shape (n,); the first point of all is nearest
        to each, which takes no list
    :param squared: their squared distances before, shape (n,)
    :param owner: the points that were nearest before, shape (n,)
    """

    nearest: Nearest
    candidates: npt.NDArray[np.int32] | slice
    squared: Points | float
    owner: npt.NDArray[np.int32] | int

    def undo(self) -> None:
        """Put back what was before; the changes after it are undone already."""
        self.nearest.squared[self.candidates] = self.squared
        self.nearest.owner[self.candidates] = self.owner


class Nearest:
    """
    How far each candidate is from the nearest of a set of points, kept up to date.

    :param count: number of candidates, C
    """

    def __init__(self, count: int) -> None:
        self.squared = np.full(count, np.inf)
        self.owner = np.full(count, NOBODY, dtype=np.int32)

    def add(self, row: int, distances: Points) -> Change:
        """
        Add a point that has these squared distances from the candidates, shape (C,).

        :returns: what it changed
        """
        if (self.owner == NOBODY).all():
            self.squared[:], self.owner[:] = distances, row
            return Change(self, slice(None), np.inf, NOBODY)
        closer = np.flatnonzero(distances < self.squared).astype(np.int32)
        change = Change(self, closer, self.squared[closer], self.owner[closer])
        self.squared[closer] = distances[closer]
        self.owner[closer] = row
        return change

    def remove(self, row: int, rows: npt.NDArray[np.int32],
               distances_of: Callable[[int], Points]) -> None:
        """
        Remove a point: the candidates that it was nearest to look for the next nearest.

        :param rows: the points that remain, shape (n,)
        :param distances_of: returns a candidate's squared distances from them, shape (n,)
        """
        for candidate in np.flatnonzero(self.owner == row):
            self.squared[candidate], self.owner[candidate] = np.inf, NOBODY
            if len(rows):
                distances = distances_of(int(candidate))
                best = int(np.argmin(distances))
                self.squared[candidate], self.owner[candidate] = distances[best], rows[best]
