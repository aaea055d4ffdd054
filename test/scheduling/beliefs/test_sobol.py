# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The sequence that fills a unit cube."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from active_collection.scheduling.beliefs.sobol import Sobol

SEEDS = range(20)


def even(points, shares):
    """Tell whether boxes of 1 over the shares across hold one point each."""
    boxes = (points * shares).astype(int)
    return len(np.unique(boxes, axis=0)) == len(points) == np.prod(shares)


@pytest.mark.parametrize('dimensions', [1, 2, 3, 5, 8])
@pytest.mark.parametrize(('start', 'stop'), [(0, 256), (256, 512), (0, 100)])
def test_it_fills_the_cube_as_evenly_as_that_of_scipy(dimensions, start, stop):
    ours = [qmc.discrepancy(Sobol(dimensions, seed=(seed,)).points(start, stop))
            for seed in SEEDS]
    theirs = [qmc.discrepancy(
        qmc.Sobol(dimensions, scramble=True, seed=seed).random_base2(9)[start:stop])
        for seed in SEEDS]

    assert np.median(ours) <= 1.25 * np.median(theirs)
    assert np.median(ours) < 0.3 * np.median([qmc.discrepancy(
        np.random.default_rng(seed).random((stop - start, dimensions))) for seed in SEEDS])


@pytest.mark.parametrize('seed', SEEDS)
def test_each_block_is_even_across_every_factor_and_over_the_first_two(seed):
    for start in (0, 64, 640):
        points = Sobol(6, seed=(seed, 1)).points(start, start + 64)

        assert all(even(points[:, k:k + 1], [64]) for k in range(6))
        assert all(even(points[:, :2], shares) for shares in ([2, 32], [8, 8], [32, 2]))


def test_a_seed_is_one_sequence_whichever_part_is_asked_for():
    whole = Sobol(3, seed=(4, 2)).points(0, 600)

    assert (Sobol(3, seed=(4, 2)).points(300, 600) == whole[300:]).all()
    assert not (Sobol(3, seed=(4, 3)).points(0, 600) == whole).any()
    assert ((whole >= 0) & (whole < 1)).all()


def test_a_seed_gives_the_same_points_for_good():
    points = Sobol(3, seed=(0,)).points(6, 8)

    assert (points * 2**32).astype(int).tolist() == [
        [2601264666, 156433087, 2267530598], [910235456, 3751987663, 2110588571]]


@pytest.mark.parametrize('seed', SEEDS)
def test_a_dozen_factors_are_hardly_correlated(seed):
    points = Sobol(12, seed=(seed,)).points(0, 256)

    assert all(even(points[:, k:k + 1], [256]) for k in range(12))
    assert np.abs(np.corrcoef(points.T) - np.eye(12)).max() < 0.25
