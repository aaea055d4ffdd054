# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Uncertain units from as many clusters as possible: the small clusters first."""
from __future__ import annotations

import numpy as np

from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.clusters import cluster
from active_collection.selection.units import Indices
from active_collection.selection.units import Scores
from active_collection.selection.units import Units


def margins(units: Units) -> Scores:
    """
    Return what the strategy takes the smallest of, (N,): NaN where nothing is known.

    The difference of the two largest class probabilities where there are some; else the negative
    uncertainty, which for a policy takes its place.
    """
    if units.probabilities is None:
        return -units.uncertainty
    two = np.partition(units.probabilities.astype(np.float64), -2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0])


class ClusterMargin:
    """
    Cluster-Margin (Citovsky et al., 2021), with k-means in place of agglomerative clustering.

    The pool is cut into clusters; the `factor` times as many units as wanted with the smallest
    margin are the candidates; then clusters take turns, those with the fewest candidates first,
    each giving its candidate with the smallest margin. Agglomerative clustering needs N^2
    distances; k-means needs O(N K D).

    :param factor: candidates a pick, at least 1 (the paper: 1.25 to 10)
    :param clusters: number of clusters; 0: half as many as units wanted, at least 20
    """

    def __init__(self, *, factor: float = 10.0, clusters: int = 0) -> None:
        if not factor >= 1.0:
            raise ConfigError('cluster_margin factor', found=factor, expected='at least 1')
        if clusters < 0:
            raise ConfigError('cluster_margin clusters', found=clusters, expected='at least 0')
        self._factor = factor
        self._clusters = clusters

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has neither class probabilities nor uncertainty
        """
        if batch.is_full:
            return
        margin = margins(units)
        if not np.isfinite(margin).any():
            raise SelectionError('margin', found='neither class probabilities nor uncertainty',
                                 expected='one of them, or strategy typiclust or k_center')
        margin = np.where(np.isfinite(margin), margin, np.inf)
        wanted = self._clusters or max(20, batch.count // 2)
        labels = cluster(units.embeddings, min(wanted, len(units)), rng).labels
        ranked = np.lexsort((rng.permutation(len(units)), margin))
        while not batch.is_full:
            left = ranked[batch.available[ranked]]
            candidates = left[:max(batch.remaining, round(self._factor * batch.remaining))]
            _round_robin(candidates, labels, margin, batch)


def _round_robin(candidates: Indices, labels: Indices, margin: Scores, batch: Batch) -> None:
    """
    Let clusters take turns, the small ones first.

    :param candidates: smallest margin first
    """
    groups: dict[int, list[int]] = {}
    for unit in candidates:
        groups.setdefault(int(labels[unit]), []).append(int(unit))
    turns = sorted(groups.values(), key=len)
    position = [0] * len(turns)
    moved = True
    while moved and not batch.is_full:
        moved = False
        for number, group in enumerate(turns):
            while position[number] < len(group) and not batch.allows(group[position[number]]):
                position[number] += 1
            if position[number] == len(group):
                continue
            unit = group[position[number]]
            batch.take(unit, -float(margin[unit]) if np.isfinite(margin[unit]) else 0.0,
                       f'margin {margin[unit]:.4g} in a cluster of {len(group)} candidates')
            moved = True
            if batch.is_full:
                return
