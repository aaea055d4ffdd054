# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How hard an episode is for the policy that was there: for a curriculum from easy to hard."""
from __future__ import annotations

from collections.abc import Collection

import numpy as np

from active_collection.selection.pool import Pool
from active_collection.selection.select import units_of
from active_collection.selection.trajectories import STRATUM
from active_collection.selection.trajectories import Trajectories
from active_collection.selection.trajectories import aggregate


def difficulties(pool: Pool, wanted: Collection[str]) -> dict[str, float]:
    """
    Return the difficulty of the episode of each unit; NaN where it cannot be told.

    The difficulty is what a trained model says of the examples (transfer scoring; Hacohen and
    Weinshall, 2019), here the ensemble's mean epistemic uncertainty over the episode's units.
    Where that is not known of every episode, it is their mean novelty, if that is: the two cannot
    be compared. Learning from easy to hard: Bengio et al., 2009.

    :param wanted: ids of units; those that the pool does not hold are left out
    """
    if not len(pool):
        return {}
    units = units_of(pool, np.zeros(len(pool), np.bool_))
    asked = frozenset(wanted)
    names = pool.texts('unit_id')
    rows = [row for row, name in enumerate(names) if name in asked]
    found = [aggregate(values, units, Trajectories(1, aggregate='mean'))[
        units.strata[STRATUM]][rows]
        for values in (units.uncertainty, pool.numbers('novelty').astype(np.float64))]
    # The measure that is known of most of them, which are all or cannot be put in order anyway.
    scores = max(found, key=lambda values: int(np.isfinite(values).sum()))
    return dict(zip((names[row] for row in rows), scores.tolist(), strict=True))
