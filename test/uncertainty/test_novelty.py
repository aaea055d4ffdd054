# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import KDTree
from scipy.spatial.distance import mahalanobis
from scipy.stats import chi2
from scipy.stats import kstest

from active_collection.errors import ActiveCollectionError
from active_collection.uncertainty.conformal import ConformalScores
from active_collection.uncertainty.mahalanobis import Gaussian
from active_collection.uncertainty.mahalanobis import RelativeMahalanobis
from active_collection.uncertainty.novelty import NOVELTIES
from active_collection.uncertainty.novelty import CalibratedNovelty
from active_collection.uncertainty.novelty import KnnNovelty
from active_collection.uncertainty.novelty import knn_distance
from active_collection.uncertainty.settings import TrainingSettings


def points(count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) @ mix + 3.0


@given(seed=st.integers(0, 100), neighbours=st.integers(1, 7))
def test_the_knn_distance_is_that_of_a_tree(seed, neighbours):
    reference, asked = points(50, 4, seed), points(9, 4, seed + 1)

    expected = KDTree(reference.numpy()).query(asked.numpy(), neighbours)[0].reshape(9, -1)

    np.testing.assert_allclose(
        knn_distance(asked, reference, neighbours), expected.mean(1), rtol=1e-9)


def test_more_neighbours_than_there_are_takes_all():
    reference = points(3, 2)

    expected = torch.cdist(points(2, 2, 1), reference).mean(1)

    torch.testing.assert_close(knn_distance(points(2, 2, 1), reference, 10), expected)


@pytest.mark.parametrize('kind', NOVELTIES.names())
def test_a_typical_held_out_observation_has_novelty_one(kind):
    training, held_out = points(2000, 3, 0), points(500, 3, 0)[::2] + 0.01

    novelty = CalibratedNovelty.fit(
        kind, training, torch.arange(2000) % 3, held_out, TrainingSettings(novelty_reference=400))

    assert novelty.of(held_out).abs().median().item() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize('kind', NOVELTIES.names())
def test_every_novelty_contract(kind):
    """Finite, one number an observation, higher far away, the same when it is made again."""
    training, near = points(2000, 3, 0).float(), points(300, 3, 0).float()[1::2] + 0.01
    far = near + 30.0
    novelty = CalibratedNovelty.fit(
        kind, training, torch.arange(2000) % 3, near[::2], TrainingSettings())

    found = novelty.of(near)
    again = CalibratedNovelty(
        NOVELTIES.get(kind).load(novelty.distance.tensors(), novelty.distance.options(),
                                 where='description'), novelty.calibration)

    assert found.shape == (150,)
    assert bool(torch.isfinite(found).all())
    assert float(novelty.of(far).min()) > float(found.max())
    assert torch.equal(again.of(near), found)
    torch.testing.assert_close(novelty.of(near[3:4]), found[3:4])
    values, p_values = novelty.with_p_value(far)
    assert torch.equal(values, novelty.of(far))
    assert float(p_values.max()) == pytest.approx(1 / 76)
    with pytest.raises(ActiveCollectionError, match='description'):
        NOVELTIES.get(kind).load({}, novelty.distance.options(), where='description')


def test_the_knn_reference_is_a_subset():
    training = points(2000, 3, 0)

    novelty = KnnNovelty.fit(training, torch.zeros(2000), TrainingSettings(novelty_reference=400))

    assert len(novelty.reference) == 400
    rows = {tuple(row) for row in training.tolist()}
    assert all(tuple(row) in rows for row in novelty.reference.tolist())


def test_the_mahalanobis_distance_is_scipys():
    data, asked = points(5000, 4), points(10, 4, 1)
    gaussian = Gaussian.fit(data)
    covariance = gaussian.factor @ gaussian.factor.T

    found = gaussian.squared_distance(asked)

    inverse = np.linalg.inv(covariance.numpy())
    expected = [mahalanobis(a, data.mean(0).numpy(), inverse) ** 2 for a in asked.numpy()]
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    torch.testing.assert_close(covariance, torch.cov(data.T), rtol=0.02, atol=0.02)


def test_distances_of_the_data_itself_are_chi_squared():
    data = points(20_000, 3)

    distances = Gaussian.fit(data[:10_000]).squared_distance(data[10_000:])

    assert kstest(distances.numpy(), chi2(3).cdf).statistic < 0.03


def test_a_direction_without_variance_has_a_finite_distance():
    data = torch.cat([points(100, 2), torch.zeros(100, 1, dtype=torch.float64)], 1)

    distances = Gaussian.fit(data).squared_distance(data + torch.tensor([0.0, 0.0, 1.0]).double())

    assert bool(torch.isfinite(distances).all())
    assert bool((distances > 10).all())


def test_the_relative_distance_cancels_what_all_groups_share():
    """Noise common to all groups hides a group in the plain distance, not in the relative one."""
    generator = torch.Generator().manual_seed(0)

    def draw(centre, count):
        own = 0.1 * torch.randn(count, 1, generator=generator) + centre
        return torch.cat([own, 5.0 * torch.randn(count, 20, generator=generator)], 1).double()

    training = torch.cat([draw(-1.0, 500), draw(1.0, 500)])
    group_of = torch.arange(2).repeat_interleave(500)
    usual, strange = draw(1.0, 300), draw(0.0, 300)

    def separation(distance):
        return (distance(strange)[:, None] > distance(usual)[None]).double().mean().item()

    relative = separation(RelativeMahalanobis.fit(training, group_of).distance)
    plain = separation(Gaussian.fit(training).squared_distance)

    assert relative > 0.95
    assert plain < 0.7


@given(calibration=st.lists(st.integers(0, 20), min_size=1, max_size=30),
       score=st.integers(-1, 21))
def test_the_p_value_is_its_count(calibration, score):
    scores = ConformalScores(torch.tensor(calibration).double())

    found = scores.p_value(torch.tensor([score]).double()).item()

    expected = (1 + sum(value >= score for value in calibration)) / (len(calibration) + 1)
    assert found == pytest.approx(expected)


def test_usual_scores_are_seldom_called_strange():
    generator = torch.Generator().manual_seed(0)
    alarms = []
    for _ in range(300):
        scores = torch.randn(60, generator=generator) ** 3
        alarms.append((ConformalScores(scores[:50]).p_value(scores[50:]) <= 0.1).double().mean())

    assert float(torch.stack(alarms).mean()) <= 0.1 + 0.02
