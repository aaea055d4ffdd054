# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A map of embeddings in two dimensions."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Vectors that are iterated for the two that are wanted.
BLOCK = 16
ITERATIONS = 24


@dataclass(frozen=True, slots=True)
class Projection:
    """
    Points in the plane.

    :param points: (N, 2) float64, centred; NaN rows for embeddings that are not finite
    :param explained: share of the variance that each of the two axes holds, 0 to 1
    """

    points: npt.NDArray[np.float64]
    explained: tuple[float, float]


def project(embeddings: npt.NDArray[np.floating]) -> Projection:
    """
    Return the first two principal components (Pearson, 1901).

    Deterministic: an axis points to where its largest loading is positive.

    :param embeddings: (N, D), any float type; rows that are not finite get no point
    """
    data = np.asarray(embeddings, dtype=np.float64)
    if data.ndim != 2:
        raise ValueError(f'embeddings of shape (N, D), not {data.shape}')
    points = np.full((len(data), 2), np.nan)
    finite = np.isfinite(data).all(axis=1)
    kept = data[finite]
    if not kept.size:
        return Projection(points, (0.0, 0.0))
    # scaled first, so that squares of float16-sized and of huge embeddings stay finite
    centred = kept - kept.mean(axis=0)
    centred /= np.abs(centred).max() or 1.0
    axes = _axes(centred)
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, range(axes.shape[1])] < 0, -1.0, 1.0)
    flat = np.zeros((len(kept), 2))
    flat[:, :axes.shape[1]] = centred @ axes
    points[finite] = flat
    total = float((centred ** 2).sum())
    shares = (flat ** 2).sum(axis=0) / total if total > 0 else np.zeros(2)
    return Projection(points, (float(shares[0]), float(shares[1])))


def _axes(centred: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """
    Return the directions of largest variance, (D, at most 2), the largest first.

    Subspace iteration (Halko, Martinsson and Tropp, 2011, algorithm 4.4): an eigendecomposition of
    a thousand dimensions takes seconds. The start depends on D alone.
    """
    dimension = centred.shape[1]
    basis = np.eye(dimension)
    if dimension > BLOCK:
        basis = np.random.default_rng(0).normal(size=(dimension, BLOCK))
        for _ in range(ITERATIONS):
            basis, _ = np.linalg.qr(centred.T @ (centred @ basis))
    _, _, rotation = np.linalg.svd(centred @ basis, full_matrices=False)
    return np.asarray(basis @ rotation[:2].T)
