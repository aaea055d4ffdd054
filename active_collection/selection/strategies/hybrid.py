# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The default: units that are uncertain and unlike each other, by what is known of them."""
from __future__ import annotations

import numpy as np

from active_collection.errors import ConfigError
from active_collection.selection.batch import Batch
from active_collection.selection.farthest_first import farthest_first
from active_collection.selection.strategies.cluster_margin import ClusterMargin
from active_collection.selection.strategies.typiclust import TypiClust
from active_collection.selection.units import Scores
from active_collection.selection.units import Units


class Hybrid:
    """
    Cluster-Margin where labels teach class probabilities; else k-centre weighted by uncertainty.

    With class probabilities, those of a head trained on the labels so far or the user's own,
    `cluster_margin` chooses. Without, it is greedy k-centre in which each distance is weighted
    with the unit's uncertainty by the policy's ensemble: each pick has the largest w x d: d its
    Euclidean distance to all that is labelled or picked (Sener and Savarese, 2018), w its
    uncertainty as the share of units that are less uncertain, to the power `emphasis`, so that
    neither the scale nor an outlier of either counts. Units whose uncertainty is not known get
    the weight of the median; the score is w x d. Where no unit's is known, `typiclust` chooses.

    :param emphasis: of uncertainty in k-centre; 0: coverage alone; 1: both alike; more:
        uncertainty first
    """

    def __init__(self, *, emphasis: float = 1.0) -> None:
        if not (np.isfinite(emphasis) and emphasis >= 0.0):
            raise ConfigError('hybrid emphasis', found=emphasis, expected='at least 0')
        self._emphasis = emphasis

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """Take units until the batch is full."""
        if batch.is_full:
            return
        if units.probabilities is not None:
            ClusterMargin().fill(units, batch, rng)
            return
        if not np.isfinite(units.uncertainty).any():
            TypiClust().fill(units, batch, rng)
            return
        weights = _shares(units.uncertainty) ** self._emphasis
        centres = np.union1d(np.flatnonzero(units.labelled),
                             np.array([p.unit for p in batch.picks], np.int64))
        if not len(centres):
            likely = np.where(batch.available, weights, -1.0)
            first = int(rng.choice(np.flatnonzero(likely == likely.max())))
            batch.take(first, float(weights[first]), 'first, the most uncertain')
            centres = np.array([first], np.int64)
        farthest_first(units.embeddings, batch, centres=centres, weights=weights,
                       reason='uncertain and unlike all that is labelled or picked ({score})')


def _shares(uncertainty: Scores) -> Scores:
    """Return the share of known units that are at most as uncertain, (0, 1]; median for NaN."""
    known = np.isfinite(uncertainty)
    values = np.sort(uncertainty[known])
    shares = np.full(len(uncertainty), 0.5)
    shares[known] = np.searchsorted(values, uncertainty[known], 'right') / len(values)
    return shares
