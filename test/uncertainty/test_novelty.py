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
from active_collection.uncertainty.conformal import EpisodeScores
from active_collection.uncertainty.mahalanobis import Gaussian
from active_collection.uncertainty.mahalanobis import RelativeMahalanobis
from active_collection.uncertainty.novelty import NOVELTIES
from active_collection.uncertainty.novelty import CalibratedNovelty
from active_collection.uncertainty.novelty import KnnNovelty
from active_collection.uncertainty.novelty import knn_distance
from active_collection.uncertainty.novelty import whole_episodes
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


def fitted(kind, training, held_out, **settings):
    """Return a novelty of three tasks, calibrated by one fold that nothing learnt."""
    is_learnt = torch.arange(len(training) + len(held_out)) < len(training)
    return CalibratedNovelty.fit(
        torch.cat([training, held_out]), TrainingSettings(novelty=kind, **settings),
        group_of=torch.arange(len(is_learnt)) % 3, episode_of=torch.arange(len(is_learnt)),
        fold_of=torch.where(is_learnt, -1, 0), is_learnt=is_learnt)


@pytest.mark.parametrize('kind', NOVELTIES.names())
def test_a_typical_held_out_observation_has_novelty_one(kind):
    training, held_out = points(2000, 3, 0), points(500, 3, 0)[::2] + 0.01

    novelty = fitted(kind, training, held_out, novelty_reference=400)

    assert novelty.of(held_out).abs().median().item() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize('kind', NOVELTIES.names())
def test_every_novelty_contract(kind):
    """Finite, one number an observation, higher far away, the same when it is made again."""
    training, near = points(2000, 3, 0).float(), points(300, 3, 0).float()[1::2] + 0.01
    far = near + 30.0
    novelty = fitted(kind, training, near[::2])

    found = novelty.of(near)
    again = CalibratedNovelty(
        NOVELTIES.get(kind).load(novelty.distance.tensors(), novelty.distance.options(),
                                 where='description'), novelty.calibration,
        novelty.calibration_episode)

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


@given(calibration=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), min_size=1,
                            max_size=30),
       score=st.integers(-1, 21))
def test_the_p_value_is_its_count_of_episodes(calibration, score):
    values, episodes = torch.tensor(calibration).T
    scores = EpisodeScores(values.double(), episodes)

    found = scores.p_value(torch.tensor([score]).double()).item()

    strangest = [max(v for v, e in calibration if e == own) for own in {e for _, e in calibration}]
    expected = (1 + sum(value >= score for value in strangest)) / (len(strangest) + 1)
    assert found == pytest.approx(expected)
    assert scores.smallest == pytest.approx(1 / (len(strangest) + 1))


def episode(random, steps=60):
    """Return an episode's observations: around a place of its own, each near the one before."""
    walk = np.cumsum(random.standard_normal((steps, 3)), 0) * 0.05
    return torch.tensor(random.standard_normal(3) + walk).float()


@pytest.mark.parametrize('asked', [0.1, 0.2])
@pytest.mark.parametrize('held_out', [1, 2, 4, 5, 9, 10])
def test_of_ordinary_episodes_no_more_are_called_strange_than_asked(held_out, asked):
    """Few episodes of dependent steps; one is called strange for its strangest step."""
    random = np.random.default_rng(held_out)
    called = []
    for _ in range(150):
        episodes = [episode(random) for _ in range(20 + held_out)]
        of = torch.arange(len(episodes)).repeat_interleave(60)
        learnt = of < 20
        novelty = CalibratedNovelty.fit(
            torch.cat(episodes), TrainingSettings(novelty_neighbours=1),
            group_of=torch.zeros_like(of), episode_of=of, fold_of=torch.where(learnt, -1, 0),
            is_learnt=learnt)
        for _ in range(4):
            smallest = novelty.with_p_value(episode(random))[1].min().item()
            assert smallest >= novelty.smallest_p_value - 1e-6
            called.append(smallest <= asked)

    assert novelty.smallest_p_value == pytest.approx(1 / (held_out + 1))
    if novelty.smallest_p_value > asked:
        assert not any(called)  # so few episodes cannot tell
    else:
        # four asked of one calibration: its deviation is that of a beta, beside the binomial's
        error = (asked * (1 - asked) * (1 / (held_out + 2) / 150 + 1 / 600)) ** 0.5
        assert np.mean(called) <= asked + 3 * error
        assert np.mean(called) > asked / 4


def test_steps_of_the_same_few_episodes_taken_for_independent_call_more_strange():
    """What is asked of whole episodes cannot be had of their steps' ranks."""
    random = np.random.default_rng(0)
    called = []
    for _ in range(60):
        episodes = torch.cat([episode(random) for _ in range(4)]).norm(dim=1)
        by_step = EpisodeScores(episodes, torch.arange(len(episodes)))
        called += [by_step.p_value(episode(random).norm(dim=1)).min().item() <= 0.1
                   for _ in range(5)]

    assert np.mean(called) > 0.2


def test_without_episodes_no_p_value_can_be_told():
    novelty = CalibratedNovelty(KnnNovelty(torch.zeros(4, 2), 1), torch.ones(9))

    values, p_values = novelty.with_p_value(torch.ones(3, 2))

    assert bool(torch.isfinite(values).all())
    assert bool(p_values.isnan().all())
    assert np.isnan(novelty.smallest_p_value)


def test_calibration_episodes_are_taken_whole():
    of = torch.arange(10).repeat_interleave(30)

    rows = whole_episodes(of, 100, seed=1)

    assert len(rows) == 120
    taken = of[rows]
    assert len(set(taken.tolist())) == 4
    assert all((taken == one).sum() == 30 for one in set(taken.tolist()))
    assert set(whole_episodes(of, 10**6, seed=1).tolist()) == set(range(300))
    assert len(whole_episodes(of, 1, seed=1)) == 30
