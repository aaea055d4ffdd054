# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Units spread evenly over the recorded time."""
from __future__ import annotations

import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.units import Units


class UniformInTime:
    """
    Lays all recordings end to end and takes units at equal steps, in a random order.

    A recording gets picks in proportion to its number of units. Where a unit is not available, the
    next one that is takes its place. The score is the unit's position, 0 to 1.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """Take units until the batch is full."""
        while not batch.is_full:
            order = np.lexsort((units.stamps, units.recordings))
            order = order[batch.available[order]]
            wanted = min(batch.remaining, len(order))
            offset = rng.uniform(0.0, 1.0)
            steps = ((np.arange(wanted) + offset) * len(order) / wanted).astype(np.int64)
            steps = rng.permutation(np.minimum(steps, len(order) - 1))
            # Limits may rule out some of these; another turn then fills up from what is left.
            batch.take_in_order(order[steps], steps / len(order), 'at {score} of all recordings')
