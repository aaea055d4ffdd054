# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Cover the pool: each pick is the unit farthest from everything that is labelled or picked."""
from __future__ import annotations

import numpy as np

from active_collection.errors import ConfigError
from active_collection.selection.batch import Batch
from active_collection.selection.farthest_first import farthest_first
from active_collection.selection.shards import two_rounds
from active_collection.selection.units import Units


class KCenter:
    """
    Greedy k-centre, exact, seeded with what is labelled.

    Gonzalez (1985); for active learning Sener and Savarese (2018).

    After k picks no unit is farther from a pick than twice the smallest radius possible. The score
    is the Euclidean distance to the nearest labelled or earlier picked unit; without any, the
    first pick is random, with score 0. It looks for outliers: for a first round with few picks
    `typiclust` does better.

    :param shards: more than 1: in two rounds, first within so many parts of the pool, for one that
        no single pass can hold; what that costs is noted
    """

    def __init__(self, *, shards: int = 1) -> None:
        if shards < 1:
            raise ConfigError('k_center shards', found=shards, expected='at least 1')
        self._shards = shards

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """Take units until the batch is full."""
        centres = np.union1d(np.flatnonzero(units.labelled),
                             np.array([p.unit for p in batch.picks], np.int64))
        if not len(centres) and not batch.is_full:
            first = int(rng.choice(np.flatnonzero(batch.available)))
            batch.take(first, 0.0, 'first, at random')
            centres = np.array([first], np.int64)
        reason = 'distance {score} to all that is labelled or picked'
        if self._shards > 1 and not batch.is_full:
            batch.notes.append(str(two_rounds(units, batch, centres=centres,
                                              shards=self._shards, reason=reason)))
        else:
            farthest_first(units.embeddings, batch, centres=centres, reason=reason)
