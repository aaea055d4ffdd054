# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The state is told at a bounded rate, and every change in the end."""
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.scheduling.fleet.publish_rate import PublishRate


def make():
    return PublishRate(soonest_s=0.5, latest_s=2.0, share=0.05)


def test_the_first_is_due_at_once():
    assert make().is_due(0, 7.0)


def test_a_change_is_told_soon_and_no_change_later():
    pace = make()
    pace.told(1, 10.0, 10.001)

    assert not pace.is_due(2, 10.4)
    assert pace.is_due(2, 10.5)
    assert not pace.is_due(1, 11.9)
    assert pace.is_due(1, 12.0)


@pytest.mark.parametrize(('took_s', 'pause_s'), [(0.01, 0.5), (0.05, 1.0), (0.4, 2.0)])
def test_what_takes_long_is_told_less_often(took_s, pause_s):
    pace = make()
    pace.told(1, 10.0, 10.0 + took_s)

    assert not pace.is_due(2, 10.0 + pause_s - 0.01)
    assert pace.is_due(2, 10.0 + pause_s + 0.001)


@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.booleans(), st.floats(0.0, 0.05)),
                min_size=1))
def test_every_change_is_told_and_the_rate_is_bounded(steps):
    pace, now, version, told = make(), 0.0, 0, []
    for step_s, changes, took_s in steps:
        now += step_s
        version += changes
        if pace.is_due(version, now):
            pace.told(version, now, now + took_s)
            told.append((now, version))

    assert all(after - before >= 0.5 for (before, _), (after, _) in pairwise(told))
    assert pace.is_due(version, told[-1][0] + 2.001)
