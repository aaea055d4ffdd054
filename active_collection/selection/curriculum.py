# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How hard an episode is for the policy that was there: for a curriculum from easy to hard."""
from __future__ import annotations

import numpy as np

from active_collection.selection.pool import Pool
from active_collection.selection.select import units_of
from active_collection.selection.trajectories import STRATUM
from active_collection.selection.trajectories import Trajectories
from active_collection.selection.trajectories import aggregate


def difficulties(pool: Pool) -> dict[str, float]:
    """
    Return each unit's id with the difficulty of its episode; NaN where it cannot be told.

    The difficulty is what a trained model says of the examples (transfer scoring; Hacohen and
    Weinshall, 2019), here the ensemble's mean epistemic uncertainty over the episode's units.
    Where no unit of the pool has one, it is their mean novelty. Learning from easy to hard: Bengio
    et al., 2009.
    """
    if not len(pool):
        return {}
    units = units_of(pool, np.zeros(len(pool), np.bool_))
    values = units.uncertainty
    if not np.isfinite(values).any():
        values = pool.numbers('novelty').astype(np.float64)
    scores = aggregate(values, units, Trajectories(1, aggregate='mean'))
    return dict(zip(pool.texts('unit_id'), scores[units.strata[STRATUM]].tolist(), strict=True))
