# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Cut a pool into clusters of similar units: mini-batch k-means with k-means++ seeds."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_collection.selection.units import Embeddings
from active_collection.selection.units import Indices

_SEED_SAMPLE = 20    # units a cluster among which the seeds are drawn
_MINI_BATCH = 4096
_STEPS = 60


@dataclass(frozen=True)
class Clusters:
    """
    A partition of N units.

    :param labels: int64 (N,): cluster of each unit, 0 to K - 1; every cluster has a unit
    :param centres: float32 (K, D): mean of each cluster
    """

    labels: Indices
    centres: NDArray[np.float32]


def cluster(embeddings: Embeddings, count: int, rng: np.random.Generator) -> Clusters:
    """
    Return at most `count` clusters by k-means.

    Seeds: k-means++ (Arthur and Vassilvitskii, 2007) on a sample; steps: mini-batches (Sculley,
    2010), then one pass over all units. Time O(N K D) once, memory O(N + K D).

    :param embeddings: N vectors
    :param count: clusters wanted, at least 1; empty ones are left out
    """
    n = len(embeddings)
    sample = rng.permutation(n)[:max(count * _SEED_SAMPLE, _MINI_BATCH)].astype(np.int64)
    vectors = embeddings.take(np.sort(sample))
    centres = _seeds(vectors, min(count, len(vectors)), rng)
    weights = np.zeros(len(centres), np.float32)
    for _ in range(_STEPS):
        chosen = vectors[rng.integers(0, len(vectors), min(_MINI_BATCH, 4 * len(vectors)))]
        labels = _nearest(chosen, centres)
        counts = np.bincount(labels, minlength=len(centres)).astype(np.float32)
        hit = counts > 0
        order = np.argsort(labels, kind='stable')
        starts = np.searchsorted(labels[order], np.flatnonzero(hit))
        means = np.add.reduceat(chosen[order], starts, axis=0) / counts[hit, None]
        weights = weights + counts
        rate = (counts[hit] / weights[hit])[:, None]
        centres[hit] = centres[hit] + rate * (means - centres[hit])
    return _partition(embeddings, centres)


def _partition(embeddings: Embeddings, centres: NDArray[np.float32]) -> Clusters:
    labels = np.empty(len(embeddings), np.int64)
    for start, chunk in embeddings.chunks():
        labels[start:start + len(chunk)] = _nearest(chunk, centres)
    used, labels = np.unique(labels, return_inverse=True)
    return Clusters(labels.astype(np.int64), centres[used])


def _seeds(vectors: NDArray[np.float32], count: int,
           rng: np.random.Generator) -> NDArray[np.float32]:
    centres = np.empty((count, vectors.shape[1]), np.float32)
    squares = np.einsum('ij,ij->i', vectors, vectors)
    centres[0] = vectors[rng.integers(len(vectors))]
    distances = np.full(len(vectors), np.inf)
    for i in range(1, count):
        last = centres[i - 1]
        new = squares + float(last @ last) - 2.0 * (vectors @ last)
        distances = np.minimum(distances, np.maximum(new, 0.0))
        total = float(distances.sum())
        if total <= 0.0:
            return centres[:i].copy()
        centres[i] = vectors[rng.choice(len(vectors), p=distances / total)]
    return centres


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32]) -> Indices:
    lengths = np.einsum('ij,ij->i', centres, centres)
    return np.asarray((lengths - 2.0 * (vectors @ centres.T)).argmin(axis=1), dtype=np.int64)
