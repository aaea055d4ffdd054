# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The baseline that every strategy has to beat: any unit, equally likely."""
from __future__ import annotations

import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.units import Units


class AtRandom:
    """Takes units uniformly at random. Scores are 0."""

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """Take units until the batch is full."""
        order = rng.permutation(len(units))
        batch.take_in_order(order, np.zeros(len(units)), 'random')
