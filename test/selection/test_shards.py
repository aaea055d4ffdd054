# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Two rounds over shards cover the pool nearly as well as one, and say how nearly."""
from __future__ import annotations

import numpy as np
import pytest
from pools import make_batch
from pools import make_units

from active_collection.errors import ConfigError
from active_collection.selection.batch import Limits
from active_collection.selection.select import strategy
from active_collection.selection.shards import radius
from active_collection.selection.units import Embeddings


def fill(units, count, shards, *, limits=None):
    batch = make_batch(units, count, limits=limits)
    strategy('k_center', {'shards': str(shards)}).fill(units, batch, np.random.default_rng(0))
    return batch


def test_the_radius_is_the_distance_of_the_unit_that_is_farthest_from_all_centres():
    vectors = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    centres = np.array([3, 70, 200])
    distances = np.linalg.norm(vectors[:, None] - vectors[centres][None], axis=2).min(axis=1)
    assert radius(Embeddings.of(vectors), centres) == pytest.approx(distances.max(), rel=1e-5)


@pytest.mark.parametrize('labelled', [0, 20])
@pytest.mark.parametrize('shards', [2, 7, 1000])
def test_two_rounds_cover_at_most_twice_as_far_as_one(shards, labelled):
    units = make_units(600, labelled=labelled)
    one, two = fill(units, 30, 1), fill(units, 30, shards)
    marked = np.flatnonzero(units.labelled)
    radii = [radius(units.embeddings, np.union1d(marked, [p.unit for p in batch.picks]))
             for batch in (one, two)]
    assert radii[1] <= 2.0 * radii[0]
    assert len({p.unit for p in two.picks}) == 30


def test_the_loss_is_noted():
    note, = fill(make_units(400), 20, 4).notes
    assert note.startswith('two rounds over 4 shards: cover radius ')
    assert '% more than the ' in note


def test_one_shard_is_the_exact_greedy_and_notes_nothing():
    units = make_units(400)
    batch = make_batch(units, 20)
    strategy('k_center', {}).fill(units, batch, np.random.default_rng(0))
    assert fill(units, 20, 1).picks == batch.picks
    assert batch.notes == []


def test_limits_that_rule_out_what_the_shards_chose_leave_no_batch_short():
    units = make_units(400)
    batch = fill(units, 40, 5, limits=Limits(quotas={'bag': 4}))
    assert len(batch.picks) == len(fill(units, 40, 1, limits=Limits(quotas={'bag': 4})).picks)


def test_no_shards_at_all_are_refused():
    with pytest.raises(ConfigError, match='shards'):
        strategy('k_center', {'shards': '0'})
