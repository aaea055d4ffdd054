# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units from whose label most would be learnt about the model."""
from __future__ import annotations

import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.strategies.query_by_committee import disagreement
from active_collection.selection.strategies.ranking import members_of
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Units


class Bald:
    """
    Takes the units with the largest mutual information of label and model.

    Bayesian active learning by disagreement (Houlsby et al., 2011): the entropy of the members'
    mean less the mean of their entropies (nats), which is the score. It sees each unit alone, so
    the units of a batch may be alike: `batch_bald` sees them together.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no committee
        """
        take_highest(disagreement(members_of(units), 'consensus_kl'), batch, rng,
                     'mutual information {score}')
