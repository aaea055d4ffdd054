# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations to a level, and the share of another arm's, on curves that are known."""
from __future__ import annotations

import math

import numpy as np
import pytest
from _collection.curves import Curve
from _collection.curves import isotonic
from _collection.curves import share
from _collection.curves import to_level


def curve(demonstrations, success):
    return Curve(np.array(demonstrations, dtype=float), np.array(success))


def line(slope, *, end=100, step=10):
    grid = np.arange(0, end + 1, step, dtype=float)
    return curve(grid, np.minimum(slope * grid, 1.0))


def test_isotonic_pools_what_falls():
    assert isotonic([0.1, 0.5, 0.3, 0.7]) == pytest.approx([0.1, 0.4, 0.4, 0.7])
    assert isotonic([0.3, 0.2, 0.1]) == pytest.approx([0.2, 0.2, 0.2])


def test_a_level_between_two_evaluations_is_on_the_line_between_them():
    assert to_level([0, 10, 20], [0.2, 0.6, 0.9], 0.75) == pytest.approx(15)


def test_a_lucky_evaluation_is_no_arrival():
    assert to_level([0, 10, 20, 30, 40], [0.2, 0.85, 0.5, 0.6, 0.9], 0.8) > 30


def test_a_level_that_is_not_reached_takes_infinitely_many():
    assert to_level([0, 10], [0.2, 0.6], 0.7) == math.inf


def test_a_unit_that_ended_early_stays_at_its_last_three():
    ended = curve([0, 10, 20, 30], [0.5, 0.84, 0.9, 0.93])

    assert ended.on(np.array([20.0, 30.0, 50.0])) == pytest.approx([0.9, 0.93, 0.89])


def test_a_curve_twice_as_steep_needs_half():
    own = {seed: line(0.02) for seed in range(3)}
    other = {seed: line(0.01) for seed in range(3)}

    found = share(own, other, 0.8, random=np.random.default_rng(0))

    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (found.own, found.other, found.seeds) == pytest.approx((40, 80, 3))


def test_seeds_are_drawn_in_pairs():
    # Each seed's own scale cancels only where both arms have the same seeds in a resample.
    slopes = [0.01, 0.02, 0.04]
    own = {seed: line(2 * slope, step=1) for seed, slope in enumerate(slopes)}
    other = {seed: line(slope, step=1) for seed, slope in enumerate(slopes)}

    found = share(own, other, 0.3, random=np.random.default_rng(0))

    assert (found.low, found.high) == pytest.approx((0.5, 0.5), abs=0.01)


def test_only_seeds_of_both_are_compared():
    found = share({0: line(0.02), 1: line(0.001)}, {0: line(0.01)}, 0.5,
                  random=np.random.default_rng(0))

    assert (found.value, found.seeds) == (0.5, 1)
    assert math.isnan(found.low) and math.isnan(found.high)


def test_an_arm_that_does_not_get_there_has_no_share():
    never = {seed: line(0.001) for seed in range(2)}
    there = {seed: line(0.01) for seed in range(2)}

    assert share(never, there, 0.8, random=np.random.default_rng(0)).value == math.inf
    assert math.isnan(share(there, never, 0.8, random=np.random.default_rng(0)).value)
