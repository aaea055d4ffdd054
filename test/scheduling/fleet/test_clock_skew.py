# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Skew of robots' clocks by the stamps of their heartbeats, which may be late but never early."""
import pytest
from fleets import START
from fleets import S
from hypothesis import given
from hypothesis import strategies as st

from active_collection.scheduling.fleet.clock_skew import SILENT_S
from active_collection.scheduling.fleet.clock_skew import WINDOW
from active_collection.scheduling.fleet.clock_skew import ClockSkews
from active_collection.scheduling.fleet.clock_skew import in_words


class Steady:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def steady():
    return Steady()


def beat(skews, robot, *, ahead_s=0.0, delay_s=0.01):
    now = START
    skews.heard(robot, now_ns=now, stamp_ns=now - int((delay_s - ahead_s) * S))


@given(delays=st.lists(st.floats(0, 30), min_size=WINDOW - 1, max_size=WINDOW - 1))
def test_late_heartbeats_are_no_skew_while_one_in_a_window_is_prompt(delays):
    skews = ClockSkews(Steady())
    for delay in [0.02, *delays]:
        beat(skews, 'arm1', delay_s=delay)

    assert skews.beyond(0.5) == {}


@pytest.mark.parametrize('ahead', [3.0, -3.0, 3600.0, -1.7e9])
def test_a_clock_that_differs_is_named_with_its_sign_until_it_is_right(steady, ahead):
    skews = ClockSkews(steady)
    for _ in range(WINDOW):
        beat(skews, 'arm1', ahead_s=ahead)
        beat(skews, 'arm2')
    assert skews.beyond(1.0) == {'arm1': pytest.approx(ahead, abs=0.02)}
    assert skews.beyond(2e9) == skews.beyond(0) == {}

    for _ in range(WINDOW):
        beat(skews, 'arm1')
    assert skews.beyond(1.0) == {}


def test_who_is_silent_or_says_no_time_is_not_named(steady):
    skews = ClockSkews(steady)
    beat(skews, 'gone', ahead_s=9)
    skews.heard('stampless', now_ns=START, stamp_ns=0)
    assert set(skews.beyond(1.0)) == {'gone'}

    steady.now += SILENT_S + 1

    assert skews.beyond(1.0) == {}


def test_a_line_names_some_and_counts_the_rest():
    assert in_words({}) == ''
    line = in_words({f'arm{k}': (-1) ** k * 2.0 for k in range(7)})
    assert 'arm0 is 2.0 s ahead, arm1 is 2.0 s behind' in line and line.endswith('and 2 more')
