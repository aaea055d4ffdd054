# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a query strategy sees of the pool."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Embeddings:
    """
    Vectors of the units, read in pieces: the array behind may be larger than memory.

    :param array: (R, D) float16 or float32, perhaps memory-mapped
    :param rows: int64 (N,): row of each unit in it
    """

    array: NDArray[Any]
    rows: Indices

    @classmethod
    def of(cls, array: NDArray[Any]) -> Embeddings:
        """Return all rows of an array, in order."""
        return cls(array, np.arange(len(array), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dimension(self) -> int:
        """Return D."""
        return int(self.array.shape[1])

    def take(self, units: Indices) -> NDArray[np.float32]:
        """Return float32 (len(units), D)."""
        return np.asarray(self.array[self.rows[units]], dtype=np.float32)

    def chunks(self, size: int = 1 << 14) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (number of the first unit, float32 (at most size, D)) over all units in order."""
        for start in range(0, len(self), size):
            rows = self.rows[start:start + size]
            first, last = int(rows[0]), int(rows[-1])
            # Adjacent rows are read as one slice: no gather, and for float32 no copy.
            adjacent = last - first == len(rows) - 1 and bool(np.all(np.diff(rows) == 1))
            piece = self.array[first:last + 1] if adjacent else self.array[rows]
            yield start, np.asarray(piece, dtype=np.float32)


@dataclass(frozen=True)
class Units:
    """
    The pool as a query strategy sees it: N units, known to it by number.

    :param embeddings: of the N units
    :param stamps: int64 (N,): when each was taken (ns)
    :param recordings: int64 (N,): equal for units of one camera of one bag
    :param strata: name ('bag', 'scenario', 'task', 'outcome') to int64 (N,) codes
    :param uncertainty: float64 (N,), at least 0, NaN where not known: epistemic where the ensemble
        gave it; else what the class probabilities say
    :param labelled: bool (N,): has a label, or was chosen in an earlier round
    :param probabilities: float (N, C) class probabilities, or None where no classifier is there
    :param members: float (M, N, C): those of each member of a committee, or None
    """

    embeddings: Embeddings
    stamps: Indices
    recordings: Indices
    uncertainty: Scores
    labelled: NDArray[np.bool_]
    strata: Mapping[str, Indices] = field(default_factory=dict)
    probabilities: NDArray[np.float32] | None = None
    members: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.embeddings)
