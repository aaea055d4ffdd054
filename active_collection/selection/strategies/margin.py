# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units between whose two most likely classes there is least to choose."""
from __future__ import annotations

import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import probabilities_of
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Units


class Margin:
    """
    Takes the units with the smallest difference of the two largest class probabilities.

    Scheffer, Decomain and Wrobel (2001). The score is one minus that difference, 0 to 1.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no class probabilities
        """
        two = np.partition(probabilities_of(units), -2, axis=1)[:, -2:]
        take_highest(1.0 - (two[:, 1] - two[:, 0]), batch, rng, 'one minus margin {score}')
