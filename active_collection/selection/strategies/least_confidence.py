# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units whose most likely class is least likely."""
from __future__ import annotations

import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import probabilities_of
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Units


class LeastConfidence:
    """
    Takes the units with the smallest largest class probability (Lewis and Gale, 1994).

    The score is one minus that probability, 0 to 1 - 1/C.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no class probabilities
        """
        take_highest(1.0 - probabilities_of(units).max(axis=1), batch, rng,
                     'least confidence {score}')
