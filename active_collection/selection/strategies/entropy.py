# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units about whose class a classifier is least sure, by the entropy of its probabilities."""
from __future__ import annotations

import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import entropy
from active_collection.selection.strategies.ranking import probabilities_of
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Units


class Entropy:
    """
    Takes the units with the largest entropy of the class probabilities (Settles, 2009, 2.1).

    The score is that entropy (nats), 0 to log C.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no class probabilities
        """
        take_highest(entropy(probabilities_of(units)), batch, rng, 'entropy {score}')
