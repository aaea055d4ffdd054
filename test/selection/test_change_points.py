# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Change points are the exact optimum, as found by trying every segmentation."""
from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.selection.change_points import _whitened
from active_collection.selection.change_points import change_points


def cost(signal, starts, price):
    """Sum of squared distances to each segment's mean, and the price of each border."""
    pieces = np.split(signal, starts[1:])
    return sum(float(((piece - piece.mean(axis=0)) ** 2).sum()) for piece in pieces) + price * (
        len(starts) - 1)


def cheapest(signal, price, shortest):
    """The least cost of all segmentations with segments of at least `shortest`."""
    n = len(signal)
    allowed = [
        [0, *borders] for k in range(n // shortest) for borders in combinations(range(1, n), k)
        if all(end - first >= shortest for first, end in zip([0, *borders], [*borders, n],
                                                             strict=True))]
    return min((cost(signal, starts, price) for starts in allowed), default=0.0)


@st.composite
def recordings(draw):
    """Vectors (N, D) that stand still, jump and wander."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    dimension, jump = draw(st.integers(1, 3)), draw(st.sampled_from([0.0, 1.0, 5.0, 50.0]))
    noise = draw(st.sampled_from([0.0, 0.1, 1.0]))
    levels = np.repeat(rng.normal(size=(len(lengths), dimension)) * jump, lengths, axis=0)
    return (levels + noise * rng.normal(size=levels.shape)).astype(np.float32)[:12]


@settings(max_examples=200, deadline=None)
@given(recordings(), st.integers(1, 4), st.sampled_from([0.01, 0.1, 0.5, 1.0, 5.0]))
def test_no_segmentation_is_cheaper(vectors, shortest, penalty):
    found = change_points(vectors, penalty=penalty, shortest=shortest)

    if len(vectors) == 1:
        assert found == [0]
        return
    signal = _whitened(vectors.astype(np.float64))
    price = penalty * 2 * signal.shape[1] * np.log(len(vectors))
    assert found[0] == 0
    lengths = np.diff([*found, len(vectors)])
    assert len(found) == 1 or lengths.min() >= shortest
    assert cost(signal, found, price) == pytest.approx(
        cheapest(signal, price, min(shortest, len(vectors))), rel=1e-6, abs=1e-6)


def test_jumps_are_found_where_they_are():
    rng = np.random.default_rng(0)
    levels = np.repeat(rng.normal(size=(4, 32)) * 3, [40, 25, 60, 35], axis=0)

    found = change_points(levels + rng.normal(size=levels.shape), penalty=1.0, shortest=4)

    assert found == [0, 40, 65, 125]


def test_noise_has_no_change_points():
    noise = np.random.default_rng(0).normal(size=(300, 64))
    assert change_points(noise, penalty=1.0, shortest=2) == [0]


def test_a_higher_penalty_gives_no_more_segments():
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=(120, 3)), axis=0)
    counts = [len(change_points(walk, penalty=p, shortest=2)) for p in (0.1, 1.0, 10.0, 1e6)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] == 1


def test_the_scale_of_the_vectors_does_not_matter():
    rng = np.random.default_rng(2)
    levels = np.repeat(rng.normal(size=(3, 5)), 20, axis=0) + 0.1 * rng.normal(size=(60, 5))
    assert (change_points(levels, penalty=1.0, shortest=3)
            == change_points(levels * 1000, penalty=1.0, shortest=3) == [0, 20, 40])


@pytest.mark.parametrize('count', [1, 2, 7])
def test_vectors_that_never_change_are_one_segment(count):
    assert change_points(np.ones((count, 4)), penalty=1.0, shortest=1) == [0]
