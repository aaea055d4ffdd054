# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Units whose gradients are long and point in different directions."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import probabilities_of
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Units

#: Centres that are gathered before all units are compared with them, in one matrix product.
_PENDING = 32


class Badge:
    """
    k-means++ seeds of the last layer's gradients (BADGE; Ash et al., 2020).

    The gradient of a unit under its most likely label is the outer product of a = p - e_label and
    its embedding h: C times D numbers that are never written down, because
    |a h' - b g'|^2 = |a|^2 |h|^2 + |b|^2 |g|^2 - 2 (a.b)(h.g). The first pick has the longest
    gradient; each further one is drawn with a chance in proportion to its squared distance to the
    nearest pick, which is its score. Draws are made from distances of a little earlier, which
    are upper bounds, and kept with the chance that the present distance has of the bound: the
    distribution is exact, and N units meet many picks in one matrix product.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no class probabilities
        """
        errors = probabilities_of(units).astype(np.float32)
        errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1.0
        seeds = _Seeds(units.embeddings, errors)
        if batch.is_full:
            return
        lengths = np.where(batch.available, seeds.lengths, -1.0)
        first = int(lengths.argmax())
        batch.take(first, float(lengths[first]), 'the longest gradient')
        seeds.add(first)
        while not batch.is_full:
            unit, distance = seeds.draw(batch.available, rng)
            batch.take(unit, distance, f'squared gradient distance {distance:.4g}')
            seeds.add(unit)


class _Seeds:
    """Squared distances to the nearest centre, some centres behind."""

    def __init__(self, embeddings: Embeddings, errors: NDArray[np.float32]) -> None:
        self._embeddings = embeddings
        self._errors = errors
        squares = np.empty(len(errors), np.float32)
        for start, chunk in embeddings.chunks():
            squares[start:start + len(chunk)] = np.einsum('ij,ij->i', chunk, chunk)
        #: Squared length of each gradient, (N,).
        self.lengths = squares * np.einsum('ij,ij->i', errors, errors)
        self._bounds = np.full(len(errors), np.inf, np.float32)
        self._pending: list[int] = []

    def add(self, unit: int) -> None:
        """Add a centre."""
        self._pending.append(unit)
        if len(self._pending) >= _PENDING or not np.isfinite(self._bounds[0]):
            self._compare_all()

    def draw(self, available: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, float]:
        """Return an available unit, drawn in proportion to its squared distance, and that."""
        bounds = np.where(available, self._bounds, np.float32(0.0))
        sums = np.cumsum(bounds, dtype=np.float64)
        if sums[-1] <= 0.0:
            return int(rng.choice(np.flatnonzero(available))), 0.0
        for _ in range(10 * _PENDING):
            unit = min(int(np.searchsorted(sums, rng.uniform(0.0, sums[-1]), 'right')),
                       len(sums) - 1)
            if bounds[unit] <= 0.0:
                continue
            distance = min(float(self._bounds[unit]), self._to_pending(unit))
            if rng.uniform(0.0, float(self._bounds[unit])) < distance:
                return unit, distance
        # Hardly ever: nearly all that is left coincides with the pending centres.
        self._compare_all()
        return self._any(available, rng)

    def _any(self, available: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, float]:
        weights = np.where(available, self._bounds, 0.0).astype(np.float64)
        total = weights.sum()
        if total <= 0.0:
            return int(rng.choice(np.flatnonzero(available))), 0.0
        unit = int(rng.choice(len(weights), p=weights / total))
        return unit, float(self._bounds[unit])

    def _to_pending(self, unit: int) -> float:
        if not self._pending:
            return float('inf')
        one = np.array([unit])
        return float(self._distances(self._embeddings.take(one), self._errors[one],
                                     self.lengths[one])[0])

    def _compare_all(self) -> None:
        for start, chunk in self._embeddings.chunks():
            part = slice(start, start + len(chunk))
            new = self._distances(chunk, self._errors[part], self.lengths[part])
            np.minimum(self._bounds[part], new, out=self._bounds[part])
        self._bounds[self._pending] = 0.0
        self._pending.clear()

    def _distances(self, vectors: NDArray[np.float32], errors: NDArray[np.float32],
                   lengths: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the squared distance of units to the nearest pending centre."""
        centres = np.array(self._pending)
        products = vectors @ self._embeddings.take(centres).T
        products *= errors @ self._errors[centres].T
        nearest = (self.lengths[centres] - 2.0 * products).min(axis=1)
        return np.asarray(np.maximum(nearest + lengths, 0.0), dtype=np.float32)
