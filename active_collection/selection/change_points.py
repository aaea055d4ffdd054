# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Find where a recording changes: exact change points by PELT, with a cost on its embeddings."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Directions of the largest variance that are looked at: the rest is mostly noise.
_DIRECTIONS = 16
#: A normal variable's variance over the squared median of its absolute deviation.
_MAD = 1.4826
_NEVER = np.int64(2 ** 62)


def change_points(vectors: NDArray[Any], *, penalty: float, shortest: int) -> list[int]:
    """
    Return where segments begin, the first at 0.

    PELT (Killick, Fearnhead and Eckley, "Optimal detection of changepoints with a linear
    computational cost", JASA 2012): the exact minimum over all segmentations of the sum of squared
    distances to the segments' means, plus a price a segment. Vectors are first reduced to their 16
    principal directions, and each direction is divided by its noise, which the differences of
    neighbours tell. The price is penalty * 2 * directions * log(N): with 1 about the Bayesian
    information criterion of independent noise.

    :param vectors: float (N, D), in the order of time
    :param penalty: of one more segment, greater than 0; more gives fewer segments
    :param shortest: vectors of a segment, at least 1
    """
    count = len(vectors)
    if count < 2 * shortest:
        return [0]
    signal = _whitened(np.asarray(vectors, np.float64))
    price = penalty * 2 * signal.shape[1] * np.log(count)
    sums = np.concatenate([np.zeros((1, signal.shape[1])), np.cumsum(signal, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum(np.einsum('ij,ij->i', signal, signal))])
    best = np.full(count + 1, np.inf)
    best[0] = -price
    last = np.zeros(count + 1, np.int64)
    starts, expires = np.zeros(1, np.int64), np.full(1, _NEVER)
    for end in range(shortest, count + 1):
        offset = sums[end] - sums[starts]
        costs = squares[end] - squares[starts] - np.einsum(
            'ij,ij->i', offset, offset) / (end - starts)
        totals = best[starts] + costs
        place = int(totals.argmin())
        best[end], last[end] = totals[place] + price, starts[place]
        # A start that is worse than beginning anew here never wins again once a segment from here
        # is long enough. Dropping it keeps the search linear.
        beaten = totals > best[end]
        expires[beaten] = np.minimum(expires[beaten], end + shortest)
        starts, expires = starts[expires > end + 1], expires[expires > end + 1]
        if end + 1 - shortest >= shortest:
            starts = np.append(starts, end + 1 - shortest)
            expires = np.append(expires, _NEVER)
    found = [int(last[count])]
    while found[-1] > 0:
        found.append(int(last[found[-1]]))
    return found[::-1]


def _whitened(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, at most 16) principal directions with noise of variance 1."""
    centred = vectors - vectors.mean(axis=0)
    if centred.shape[1] > _DIRECTIONS:
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        centred = centred @ directions[:_DIRECTIONS].T
    steps = np.abs(np.diff(centred, axis=0))
    noise = _MAD * np.median(steps, axis=0) / np.sqrt(2)
    # A direction that mostly stands still has no median: its mean step then, or nothing.
    noise = np.where(noise > 0, noise, steps.mean(axis=0))
    spread = centred.std(axis=0)
    kept = (noise > 0) & (spread > 1e-9 * max(float(spread.max(initial=0.0)), 1e-30))
    return centred[:, kept] / noise[kept] if kept.any() else np.zeros((len(vectors), 1))
