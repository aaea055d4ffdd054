# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units that the ensemble knows least about."""
from __future__ import annotations

import numpy as np

from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.units import Units


class MostUncertain:
    """
    Takes the units with the largest uncertainty (Lewis and Gale, 1994), highest first.

    For a policy that is the variance between the members of the ensemble; for a classifier what
    its class probabilities say. The score is that uncertainty; units without one come last, in
    random order, with score 0.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where no unit has an uncertainty
        """
        known = np.isfinite(units.uncertainty)
        if not known.any():
            raise SelectionError('uncertainty', found='none in the pool', expected='bags recorded '
                                 'with an uncertainty node, or strategy typiclust or k_center')
        tie = rng.permutation(len(units))
        order = np.lexsort((tie, -np.where(known, units.uncertainty, -np.inf)))
        most = int(known.sum())
        batch.take_in_order(order[:most], units.uncertainty[order[:most]],
                            'uncertainty {score}')
        batch.take_in_order(order[most:], np.zeros(len(units) - most), 'uncertainty not known')
