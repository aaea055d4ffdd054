# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The typical units of each region of the pool: for the first rounds, when nothing is known."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from active_collection.selection.batch import Batch
from active_collection.selection.clusters import cluster
from active_collection.selection.units import Indices
from active_collection.selection.units import Scores
from active_collection.selection.units import Units

_MOST_CLUSTERS = 500   # as in the paper: more make them too small to be typical of anything
_NEIGHBOURS = 20
_LARGEST = 2048        # units of a cluster that are compared with each other


class TypiClust:
    """
    Clusters the pool and takes the most typical unit of each (Hacohen, Dekel, Weinshall, 2022).

    There are as many clusters as units labelled and wanted, at most 500. Those with the fewest
    labelled or picked units come first, the larger one of equals. The score is the typicality: one
    over the mean distance to the 20 nearest neighbours within the cluster.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """Take units until the batch is full."""
        if batch.is_full:
            return
        covered = units.labelled.copy()
        covered[[p.unit for p in batch.picks]] = True
        wanted = int(covered.sum()) + batch.remaining
        labels = cluster(units.embeddings, min(wanted, _MOST_CLUSTERS, len(units)), rng).labels
        counts = np.bincount(labels)
        covers = np.bincount(labels[covered], minlength=len(counts))
        members = np.split(np.argsort(labels, kind='stable'), np.cumsum(counts)[:-1])
        typical: dict[int, Scores] = {}
        while not batch.is_full:
            possible = np.bincount(labels[batch.available], minlength=len(counts)) > 0
            order = np.lexsort((-counts, np.where(possible, covers, np.iinfo(np.int64).max)))
            number = int(order[0])
            if number not in typical:
                typical[number] = _typicality(units, members[number], rng)
            scores = np.where(batch.available[members[number]], typical[number], -1.0)
            best = int(scores.argmax())
            batch.take(int(members[number][best]), float(scores[best]),
                       f'typical of {counts[number]} similar units ({covers[number]} covered)')
            covers[number] += 1


def _typicality(units: Units, members: Indices, rng: np.random.Generator) -> Scores:
    """Return one over the mean distance to the nearest neighbours, for each member."""
    vectors = units.embeddings.take(members)
    others = vectors
    if len(members) > _LARGEST:
        others = vectors[np.sort(rng.permutation(len(members))[:_LARGEST])]
    if len(others) < 2:
        return np.ones(len(members))
    count = min(_NEIGHBOURS + 1, len(others))
    result = np.empty(len(members))
    lengths = np.einsum('ij,ij->i', others, others)
    for start in range(0, len(members), _LARGEST):
        piece = vectors[start:start + _LARGEST]
        squares = np.einsum('ij,ij->i', piece, piece)[:, None] + lengths - 2.0 * piece @ others.T
        result[start:start + len(piece)] = _mean_of_smallest(squares, count)
    return np.asarray(1.0 / np.maximum(result, 1e-12))


def _mean_of_smallest(squares: NDArray[np.float32], count: int) -> Scores:
    """Return the mean distance to the nearest `count` - 1 others; the nearest is itself."""
    nearest = np.partition(squares, count - 1, axis=1)[:, :count]
    return np.asarray(np.sqrt(np.maximum(nearest, 0.0)).sum(axis=1) / (count - 1), np.float64)
