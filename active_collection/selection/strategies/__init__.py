# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Query strategies, found by name: which units of the pool are worth a label."""
from __future__ import annotations

from typing import Protocol

import numpy as np

from active_collection.registry import Registry
from active_collection.selection.batch import Batch
from active_collection.selection.units import Units

_HERE = 'active_collection.selection.strategies'


class QueryStrategy(Protocol):
    """
    Fills a batch with units of the pool.

    It takes only what `batch.available` allows, sees what has a label in `units.labelled` and what
    is taken already in `batch.picks`, and draws all randomness from `rng`: same pool, same limits,
    same generator, same picks. It leaves the batch short only where nothing is available any more.
    Options are keyword arguments of the constructor, all with a default.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :param units: the N units of the pool
        :param batch: takes the picks, in the order in which they should be labelled
        :raises SelectionError: where the pool lacks what the strategy needs
        """
        ...


STRATEGIES: Registry[QueryStrategy] = Registry(
    'query strategy', 'active_collection.query_strategies', {
        'hybrid': f'{_HERE}.hybrid:Hybrid',
        'random': f'{_HERE}.at_random:AtRandom',
        'uniform_in_time': f'{_HERE}.uniform_in_time:UniformInTime',
        'entropy': f'{_HERE}.entropy:Entropy',
        'uncertainty': f'{_HERE}.most_uncertain:MostUncertain',
        'k_center': f'{_HERE}.k_center:KCenter',
        'typiclust': f'{_HERE}.typiclust:TypiClust',
        'cluster_margin': f'{_HERE}.cluster_margin:ClusterMargin',
        'stratified': f'{_HERE}.stratified:Stratified',
        'least_confidence': f'{_HERE}.least_confidence:LeastConfidence',
        'margin': f'{_HERE}.margin:Margin',
        'query_by_committee': f'{_HERE}.query_by_committee:QueryByCommittee',
        'bald': f'{_HERE}.bald:Bald',
        'batch_bald': f'{_HERE}.batch_bald:BatchBald',
        'expected_model_change': f'{_HERE}.expected_model_change:ExpectedModelChange',
        'information_density': f'{_HERE}.information_density:InformationDensity',
        'badge': f'{_HERE}.badge:Badge',
        'temporal_uncertainty_change':
            f'{_HERE}.temporal_uncertainty_change:TemporalUncertaintyChange',
    })
