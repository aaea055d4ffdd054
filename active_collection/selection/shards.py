# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Greedy k-centre of a pool in shards: each gives its own centres, and from those the picks are made.

Farthest-first in each shard, then among what the shards picked, is at most 4 times as far from
the best cover as it can be, against 2 times for one round (Malkomes et al., 2015). What it costs
on the pool at hand is measured: `Loss`.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_collection.selection.batch import Batch
from active_collection.selection.batch import Part
from active_collection.selection.farthest_first import farthest_first
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Indices
from active_collection.selection.units import Units

_PIECE = 1 << 11


@dataclass(frozen=True)
class Loss:
    """
    What two rounds cost.

    :param radius: largest distance of any unit to a pick or an earlier centre
    :param seen: the same over the shards' own centres, all that the second round saw
    :param shards: number of shards
    """

    radius: float
    seen: float
    shards: int

    def __str__(self) -> str:
        more = self.radius / self.seen - 1.0 if self.seen else 0.0
        return (f'two rounds over {self.shards} shards: cover radius {self.radius:.4g}, '
                f'{max(more, 0.0):.1%} more than the {self.seen:.4g} that the second round saw')


def two_rounds(units: Units, batch: Batch, *, centres: Indices, shards: int, reason: str) -> Loss:
    """
    Fill a batch with the units that are farthest from all centres and from each other.

    :param centres: units that count as taken, at least one
    :param shards: parts of adjacent units, at least 1
    :param reason: of each pick; its '{score}' becomes the distance
    """
    wanted = batch.remaining
    parts = np.array_split(np.arange(len(units), dtype=np.int64), shards)
    chosen = np.unique(np.concatenate([centres, *(
        _of_shard(units, part, batch.available, centres, wanted) for part in parts)]))
    before = [pick.unit for pick in batch.picks]
    _fill_from(units, chosen, batch, centres, reason)
    taken = np.union1d(centres, np.array([pick.unit for pick in batch.picks[len(before):]],
                                         np.int64))
    return Loss(radius(units.embeddings, taken),
                radius(Embeddings(units.embeddings.array, units.embeddings.rows[chosen]),
                       np.searchsorted(chosen, taken)), shards)


def radius(embeddings: Embeddings, centres: Indices) -> float:
    """Return the largest Euclidean distance of any unit to the nearest centre."""
    origin = embeddings.take(centres[:_PIECE]).mean(axis=0)
    vectors = embeddings.take(centres) - origin
    lengths = np.einsum('ij,ij->i', vectors, vectors)
    largest = 0.0
    for _, chunk in embeddings.chunks(_PIECE):
        moved = chunk - origin
        products = moved @ vectors.T
        products *= np.float32(-2.0)
        products += lengths
        squares = products.min(axis=1) + np.einsum('ij,ij->i', moved, moved)
        largest = max(largest, float(squares.max()))
    return float(np.sqrt(largest))


def _of_shard(units: Units, part: Indices, available: NDArray[np.bool_], centres: Indices,
              wanted: int) -> Indices:
    """Return the units that a shard would pick, had it the pool to itself."""
    # The centres go first, so that the shard knows what is covered.
    numbers = np.concatenate([centres, np.setdiff1d(part, centres)])
    free = available[numbers].copy()
    free[:len(centres)] = False
    rows = Embeddings(units.embeddings.array, units.embeddings.rows[numbers])
    zeros = np.zeros(len(numbers), np.int64)
    shard = Batch(Units(rows, zeros, zeros, zeros.astype(np.float64), zeros.astype(np.bool_)),
                  wanted, candidates=free)
    farthest_first(rows, shard, centres=np.arange(len(centres)), reason='')
    return numbers[[pick.unit for pick in shard.picks]]


def _fill_from(units: Units, chosen: Indices, batch: Batch, centres: Indices,
               reason: str) -> None:
    """Fill a batch from some units; then, where limits ruled too many out, from all."""
    some = Embeddings(units.embeddings.array, units.embeddings.rows[chosen])
    farthest_first(some, Part(batch, chosen), centres=np.searchsorted(chosen, centres),
                   reason=reason)
    if not batch.is_full:
        taken = np.array([pick.unit for pick in batch.picks], np.int64)
        farthest_first(units.embeddings, batch, centres=np.union1d(centres, taken), reason=reason)
