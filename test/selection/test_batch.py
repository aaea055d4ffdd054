# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pools import SECOND
from pools import make_batch
from pools import make_units

from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.batch import Limits
from active_collection.selection.batch import _bits

UNITS = make_units()


@settings(max_examples=60, deadline=None)
@given(gap=st.floats(0, 20), quota=st.integers(1, 40), bits=st.integers(-1, 24),
       seed=st.integers(0, 100))
def test_no_two_picks_break_a_limit_and_nothing_is_ruled_out_without_one(gap, quota, bits, seed):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**20, len(UNITS), dtype=np.uint64)
    batch = Batch(UNITS, 40, candidates=np.ones(len(UNITS), bool),
                  limits=Limits(gap, bits, {'bag': quota}), hashes=hashes)
    while not batch.is_full:
        batch.take(int(rng.choice(np.flatnonzero(batch.available))), 0.0, '')
    taken = [p.unit for p in batch.picks]

    def conflict(a: int, b: int) -> bool:
        near = (UNITS.recordings[a] == UNITS.recordings[b]
                and abs(int(UNITS.stamps[a]) - int(UNITS.stamps[b])) < gap * SECOND)
        return near or (int(hashes[a]) ^ int(hashes[b])).bit_count() <= bits

    assert not any(conflict(a, b) for i, a in enumerate(taken) for b in taken[:i])
    counts = np.bincount(UNITS.strata['bag'][taken], minlength=5)
    assert counts.max() <= quota
    for unit in set(range(len(UNITS))) - set(taken):
        ruled_out = (any(conflict(unit, t) for t in taken)
                     or counts[UNITS.strata['bag'][unit]] >= quota)
        assert batch.allows(unit) != ruled_out


def test_what_is_not_available_cannot_be_taken():
    batch = make_batch(UNITS, 2)
    batch.take(3, 0.0, '')
    with pytest.raises(SelectionError, match='unit 3'):
        batch.take(3, 0.0, '')
    batch.take(4, 0.0, '')
    with pytest.raises(SelectionError):
        batch.take(5, 0.0, '')


def test_the_available_view_cannot_be_written():
    with pytest.raises(ValueError, match='read-only'):
        make_batch(UNITS, 2).available[0] = False


def test_unknown_quotas_are_refused():
    with pytest.raises(SelectionError, match='bag, task'):
        make_batch(UNITS, 2, limits=Limits(quotas={'weather': 1}))


def test_keeping_away_rules_out_neighbours_only():
    batch = make_batch(UNITS, 9, limits=Limits(gap_s=1.0))
    batch.keep_away_from(10)
    assert np.flatnonzero(~batch.available).tolist() == [9, 10, 11]


def test_bits_are_counted_alike_on_every_numpy(monkeypatch):
    values = np.random.default_rng(0).integers(0, 2**63, 50, dtype=np.uint64)
    expected = [int(v).bit_count() for v in values]
    assert _bits(values).tolist() == expected
    monkeypatch.delattr(np, 'bitwise_count', raising=False)
    assert _bits(values).tolist() == expected
