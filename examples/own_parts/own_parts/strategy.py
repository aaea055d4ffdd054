# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A query strategy: the newest units first."""
import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.units import Units


class Newest:
    """
    Takes units from the newest on.

    :param skip: take every how many-th of those that may be taken
    """

    def __init__(self, *, skip: int = 1) -> None:
        """Take the options, each with a default: `--option skip=3`."""
        self._skip = max(1, skip)

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """Take units until the batch is full or nothing is left that it allows."""
        while not batch.is_full:  # what a pick rules out is known only after it
            order = np.argsort(-units.stamps, kind='stable')
            for unit in order[batch.available[order]][::self._skip]:
                if not batch.is_full and batch.allows(int(unit)):
                    batch.take(int(unit), float(units.stamps[unit]) / 1e9, 'among the newest')
