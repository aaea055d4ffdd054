# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The moments at which the policy becomes unsure, or sure again."""
from __future__ import annotations

import numpy as np

from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Scores
from active_collection.selection.units import Units


class TemporalUncertaintyChange:
    """
    Takes the units at which uncertainty changes fastest within its recording.

    The score is the larger absolute change to the unit before and after, in uncertainty a second.
    Such moments are where a grasp slips or a scene turns unknown; long unsure stretches give one
    pick each instead of many.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where no two units of a recording have an uncertainty
        """
        scores = changes(units)
        if not np.isfinite(scores).any():
            raise SelectionError('uncertainty', found='no two known ones in a recording',
                                 expected='bags recorded with an uncertainty node')
        take_highest(scores, batch, rng, 'uncertainty changes by {score} a second')


def changes(units: Units) -> Scores:
    """Return the fastest change of uncertainty at each unit, (N,); NaN where not known."""
    order = np.lexsort((units.stamps, units.recordings))
    values, stamps = units.uncertainty[order], units.stamps[order]
    seconds = np.maximum(np.diff(stamps) / 1e9, 1e-9)
    rate = np.abs(np.diff(values)) / seconds
    rate[np.diff(units.recordings[order]) != 0] = np.nan
    after = np.append(rate, np.nan)
    before = np.insert(rate, 0, np.nan)
    result = np.empty(len(units))
    result[order] = np.fmax(before, after)
    return result
