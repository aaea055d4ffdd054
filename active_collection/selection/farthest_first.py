# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Exact greedy farthest-first traversal of a pool that may be larger than memory.

The naive greedy updates all N distances after each pick. Here a distance is an upper bound until
it matters: distances to the nearest centre only ever fall, so a unit whose old distance lies below
the best up-to-date one cannot be the next pick (lazy greedy; Minoux, 1978). The units with the
largest bounds are brought up to date together, in one matrix product, and picks are made among
them as long as the best of them is at least as far as every bound outside. The picks are those of
the naive greedy (Gonzalez, 1985; for active learning Sener and Savarese, 2018), equal distances
aside.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from active_collection.selection.batch import Batch
from active_collection.selection.batch import Part
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Indices
from active_collection.selection.units import Scores

_BLOCK = 1 << 12    # units brought up to date together
_PIECE = 1 << 12    # of them in one matrix product: units of a similar age
_FRONT = 1 << 14    # units among which the largest bounds are looked for
_CHUNK = 1 << 11    # units of a pass over all: their vectors stay in the processor's cache
_FIRST = 64         # centres that all units are compared with before the first pick
_SAMPLE = 4096      # units whose mean is the origin: small vectors, small rounding errors


def farthest_first(embeddings: Embeddings, batch: Batch | Part, *, centres: Indices, reason: str,
                   weights: Scores | None = None) -> None:
    """
    Fill a batch with the units that are farthest from all centres and from each other.

    Each pick is the available unit with the largest weight times Euclidean distance to the nearest
    centre or earlier pick. Time about O(N D) for the first pass, then what the picks need; memory
    O(N) beside the embeddings.

    :param embeddings: N vectors
    :param centres: units that count as taken, at least one: labelled ones and earlier picks
    :param weights: (N,), at least 0; all 1 where None
    :param reason: of each pick; its '{score}' becomes the weighted distance
    """
    if batch.is_full:
        return
    traversal = _Traversal(embeddings, centres, batch.remaining, weights)
    while not batch.is_full:
        front, floor = traversal.front(batch.available)
        while not batch.is_full and traversal.advance(front, floor, batch, reason):
            pass


class _Traversal:
    """
    Squared distances to the nearest centre, each as of the centres that it has been compared with.

    :param more: how many centres will be added at most
    """

    def __init__(self, embeddings: Embeddings, centres: Indices, more: int,
                 weights: Scores | None) -> None:
        n = len(embeddings)
        self._embeddings = embeddings
        sample = np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64)
        self._origin = embeddings.take(sample).mean(axis=0)
        self._weights = None if weights is None else (weights ** 2).astype(np.float32)
        #: Centres times -2, so that a product is the mixed term of a squared distance.
        self._doubled = np.empty((len(centres) + more, embeddings.dimension), np.float32)
        self._lengths = np.empty(len(self._doubled), np.float32)
        vectors = self._vectors(centres)
        self._lengths[:len(centres)] = np.einsum('ij,ij->i', vectors, vectors)
        self._doubled[:len(centres)] = np.float32(-2.0) * vectors
        self._count = len(centres)
        self._seen = np.full(n, min(_FIRST, len(centres)), np.int32)
        self._squares = np.empty(n, np.float32)
        self._distances = np.empty(n, np.float32)
        first = slice(0, min(_FIRST, len(centres)))
        for start, chunk in embeddings.chunks(_CHUNK):
            vectors = chunk - self._origin
            squares = np.einsum('ij,ij->i', vectors, vectors)
            part = slice(start, start + len(vectors))
            self._squares[part] = squares
            self._distances[part] = self._to_centres(vectors, squares, first)

    def front(self, available: NDArray[np.bool_]) -> tuple[Indices, float]:
        """Return the units with the largest bounds, and the largest bound of all others."""
        values = self._values(slice(None))
        values[~available] = -1.0
        if len(values) <= _FRONT:
            return np.flatnonzero(available), -1.0
        order = np.argpartition(values, -_FRONT)
        units = np.sort(order[-_FRONT:])
        return units[available[units]], float(values[order[:-_FRONT]].max())

    def advance(self, front: Indices, floor: float, batch: Batch | Part, reason: str) -> bool:
        """
        Bring the best of the front up to date and pick among them.

        :return: whether the front may still hold the next pick
        """
        values = self._values(front)
        values[~batch.available[front]] = -1.0
        if not len(front) or values.max() < max(floor, 0.0):
            return False
        block, others = front, floor
        if len(front) > _BLOCK:
            order = np.argpartition(values, -_BLOCK)
            others = max(floor, float(values[order[:-_BLOCK]].max()))
            block = front[order[-_BLOCK:]]
        block = block[batch.available[block]]
        block = block[np.argsort(self._seen[block], kind='stable')]
        vectors = self._update(block)
        self._pick(block, vectors, others, batch, reason)
        return True

    def _pick(self, block: Indices, vectors: NDArray[np.float32], others: float,
              batch: Batch | Part, reason: str) -> None:
        """Pick within a block while its best is at least as far as any bound outside."""
        # Distances only fall: what lies below the bound outside cannot be picked here any more.
        near = np.flatnonzero(self._values(block) >= max(others, 0.0))
        near = near[np.argsort(block[near])]  # the lowest number of equals, as the naive greedy
        block, vectors = block[near], vectors[near]
        squares = self._squares[block]
        distances = self._distances[block]
        weights = None if self._weights is None else self._weights[block]
        while not batch.is_full and len(block):
            values = distances if weights is None else weights * distances
            values = np.where(batch.available[block], values, np.float32(-1.0))
            best = int(values.argmax())
            if values[best] < max(others, 0.0):
                break
            score = float(np.sqrt(values[best]))
            batch.take(int(block[best]), score, reason.format(score=f'{score:.4g}'))
            centre, length = vectors[best], squares[best]
            self._add(centre, float(length))
            new = np.einsum('ij,j->i', vectors, centre)  # too small for BLAS's threads to pay
            new *= np.float32(-2.0)
            new += squares + length
            np.minimum(distances, np.maximum(new, 0.0), out=distances)
            distances[best] = 0.0
        self._distances[block] = distances
        self._seen[block] = self._count

    def _update(self, block: Indices) -> NDArray[np.float32]:
        """
        Compare units with the centres that they have not seen, and return their vectors.

        :param block: the units, the one that has seen least first
        """
        vectors = self._vectors(block)
        for start in range(0, len(block), _PIECE):
            units = block[start:start + _PIECE]
            unseen = slice(int(self._seen[units[0]]), self._count)
            if unseen.start < unseen.stop:
                new = self._to_centres(vectors[start:start + _PIECE], self._squares[units],
                                       unseen)
                self._distances[units] = np.minimum(self._distances[units], new)
        self._seen[block] = self._count
        return vectors

    def _add(self, centre: NDArray[np.float32], length: float) -> None:
        self._doubled[self._count] = centre
        self._doubled[self._count] *= np.float32(-2.0)
        self._lengths[self._count] = length
        self._count += 1

    def _to_centres(self, vectors: NDArray[np.float32], squares: NDArray[np.float32],
                    which: slice) -> NDArray[np.float32]:
        """Return the squared distance of each vector to the nearest of some centres."""
        products = vectors @ self._doubled[which].T
        products += self._lengths[which]
        nearest = products.min(axis=1)
        nearest += squares
        return np.asarray(np.maximum(nearest, np.float32(0.0), out=nearest))

    def _values(self, units: Indices | slice) -> NDArray[np.float32]:
        distances = self._distances[units]
        return distances.copy() if self._weights is None else self._weights[units] * distances

    def _vectors(self, units: Indices) -> NDArray[np.float32]:
        vectors = self._embeddings.take(units)
        vectors -= self._origin
        return vectors
