# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What every query strategy must do, and what each does beside."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pools import make_batch
from pools import make_units

from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.selection.batch import Limits
from active_collection.selection.clusters import cluster
from active_collection.selection.farthest_first import farthest_first
from active_collection.selection.select import strategy
from active_collection.selection.strategies import STRATEGIES
from active_collection.selection.strategies.batch_bald import _JointLabels
from active_collection.selection.strategies.information_density import densities
from active_collection.selection.strategies.query_by_committee import disagreement
from active_collection.selection.strategies.ranking import entropy
from active_collection.selection.strategies.temporal_uncertainty_change import changes
from active_collection.selection.units import Embeddings

ALL = STRATEGIES.names()
NEED_UNCERTAINTY = {
    'uncertainty', 'entropy', 'cluster_margin', 'least_confidence', 'margin', 'bald', 'batch_bald',
    'query_by_committee', 'information_density', 'badge', 'temporal_uncertainty_change',
    'expected_model_change'}
QUICK = {'batch_bald': {'configurations': '60'}}
LIMITS = Limits(gap_s=1.1, duplicate_bits=3, quotas={'bag': 9})


def picks(name, units, count=25, *, seed=0, limits=None, options=None, candidates=None):
    batch = make_batch(units, count, limits=limits, candidates=candidates)
    strategy(name, options or QUICK.get(name, {})).fill(units, batch, np.random.default_rng(seed))
    return batch.picks


@pytest.mark.parametrize('name', ALL)
@pytest.mark.parametrize('limits', [None, LIMITS])
@pytest.mark.parametrize('labelled', [0, 20])
class TestContract:
    def test_fills_the_batch_with_candidates_only(self, name, limits, labelled):
        units = make_units(labelled=labelled)
        candidates = np.arange(len(units)) % 3 != 0
        chosen = picks(name, units, limits=limits, candidates=candidates)
        numbers = [p.unit for p in chosen]
        assert len(numbers) == len(set(numbers)) == 25
        assert candidates[numbers].all()
        assert not units.labelled[numbers].any()

    def test_scores_are_finite_and_reasons_one_line(self, name, limits, labelled):
        for pick in picks(name, make_units(labelled=labelled), limits=limits):
            assert np.isfinite(pick.score)
            assert pick.reason
            assert '\n' not in pick.reason
            assert '{' not in pick.reason

    def test_same_seed_same_picks(self, name, limits, labelled):
        units = make_units(labelled=labelled)
        assert picks(name, units, limits=limits, seed=3) == picks(
            name, units, limits=limits, seed=3)

    def test_takes_all_there_is_where_more_is_wanted(self, name, limits, labelled):
        units = make_units(60, labelled=labelled)
        candidates = np.zeros(60, bool)
        candidates[5:40] = True
        chosen = picks(name, units, 500, limits=limits, candidates=candidates)
        if limits is None:
            assert len(chosen) == int((candidates & ~units.labelled).sum())
        assert len(chosen) >= 5

    def test_the_pool_stays_as_it_is(self, name, limits, labelled):
        units = make_units(labelled=labelled)
        before = [a.copy() for a in (units.embeddings.array, units.uncertainty, units.labelled,
                                     units.stamps, units.probabilities)]
        picks(name, units, limits=limits)
        after = (units.embeddings.array, units.uncertainty, units.labelled, units.stamps,
                 units.probabilities)
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('name', ALL)
@pytest.mark.parametrize('change', ['equal', 'unknown', 'one', 'float16', 'permuted'])
def test_strange_pools_give_picks_or_an_error_that_says_what_is_missing(name, change):
    units = make_units(80)
    if change == 'equal':
        units = replace(units, embeddings=Embeddings.of(np.ones((80, 5), np.float32)),
                        uncertainty=np.ones(80))
    elif change == 'unknown':
        units = replace(units, uncertainty=np.full(80, np.nan), probabilities=None,
                        members=None)
    elif change == 'one':
        units = make_units(1)
    elif change == 'float16':
        units = replace(units, embeddings=Embeddings.of(
            units.embeddings.array.astype(np.float16)))
    else:
        rows = np.random.default_rng(0).permutation(80)
        units = replace(units, embeddings=Embeddings(units.embeddings.array, rows))
    needs_two = change == 'one' and name == 'temporal_uncertainty_change'
    if needs_two or (change == 'unknown' and name in NEED_UNCERTAINTY):
        with pytest.raises(SelectionError, match='expected'):
            picks(name, units, 10)
    else:
        assert len(picks(name, units, 10)) == min(10, len(units))


@pytest.mark.parametrize('name', ALL)
def test_a_full_batch_and_an_empty_pool_are_left_alone(name):
    units = make_units(30)
    assert picks(name, units, 5, candidates=np.zeros(30, bool)) == []


@pytest.mark.parametrize(('name', 'options', 'error'), [
    ('hybrid', {'emphasis': '-1'}, 'emphasis'), ('hybrid', {'emphasis': 'x'}, 'float'),
    ('hybrid', {'emphasis': 'nan'}, 'emphasis'), ('hybrid', {'emphasi': '1'}, 'emphasis'),
    ('cluster_margin', {'factor': '0.5'}, 'factor'), ('cluster_margin', {'clusters': '-1'}, '-1'),
    ('batch_bald', {'configurations': '0'}, 'configurations'),
    ('batch_bald', {'candidates': '0'}, 'candidates'),
    ('query_by_committee', {'measure': 'vote_entopy'}, 'vote_entropy'),
    ('information_density', {'beta': '-1'}, 'beta'),
    ('information_density', {'neighbours': '0'}, 'neighbours'),
    ('random', {'a': '1'}, 'option'), ('hybird', {}, 'hybrid')])
def test_wrong_names_and_options_are_refused(name, options, error):
    with pytest.raises(ConfigError, match=error):
        strategy(name, options)


def brute_force(vectors, count, centres, weights, available):
    """Gonzalez's greedy in float64, all distances after each pick."""
    vectors = vectors.astype(np.float64)
    distances = np.full(len(vectors), np.inf)
    for centre in centres:
        distances = np.minimum(distances, ((vectors - vectors[centre]) ** 2).sum(1))
    chosen = []
    for _ in range(min(count, int(available.sum()))):
        values = np.where(available, weights ** 2 * distances, -1.0)
        values[chosen] = -1.0
        best = int(values.argmax())
        chosen.append(best)
        distances = np.minimum(distances, ((vectors - vectors[best]) ** 2).sum(1))
    return chosen


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 400), d=st.integers(1, 20), seed=st.integers(0, 10**6),
       weighted=st.booleans(), centres=st.integers(1, 90), blobs=st.booleans())
def test_farthest_first_picks_what_brute_force_picks(n, d, seed, weighted, centres, blobs):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, d)) + 3.0
    if blobs:
        vectors += rng.normal(size=(4, d))[rng.integers(0, 4, n)] * 10
    vectors = vectors.astype(np.float32)
    units = replace(make_units(n), embeddings=Embeddings.of(vectors))
    weights = rng.random(n) if weighted else np.ones(n)
    first = rng.permutation(n)[:min(centres, n - 1)]
    available = np.ones(n, bool)
    available[first] = False
    expected = brute_force(vectors, 60, first, weights, available)
    batch = make_batch(units, 60, candidates=available)
    farthest_first(units.embeddings, batch, centres=first, weights=weights if weighted else None,
                   reason='')
    chosen = [p.unit for p in batch.picks]
    if chosen != expected:  # only where two distances differ by less than float32 can tell
        assert_same_up_to_rounding(vectors, first, weights, chosen, available)


def assert_same_up_to_rounding(vectors, centres, weights, chosen, available):
    vectors = vectors.astype(np.float64)
    distances = np.min([((vectors - vectors[c]) ** 2).sum(1) for c in centres], axis=0)
    left = available.copy()
    for unit in chosen:
        values = weights ** 2 * distances
        assert values[unit] >= values[left].max() - 1e-4 * (1.0 + values[left].max())
        left[unit] = False
        distances = np.minimum(distances, ((vectors - vectors[unit]) ** 2).sum(1))


@pytest.mark.parametrize('n', [3000, 40_000])
def test_farthest_first_is_exact_beyond_one_block_and_one_front(n):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(n, 16)).astype(np.float32)
    units = replace(make_units(n), embeddings=Embeddings.of(vectors))
    batch = make_batch(units, 150)
    batch.take(7, 0.0, '')
    farthest_first(units.embeddings, batch, centres=np.array([7]), reason='')
    expected = brute_force(vectors, 149, [7], np.ones(n), np.arange(n) != 7)
    assert [p.unit for p in batch.picks[1:]] == expected


def test_k_center_keeps_clear_of_what_is_labelled():
    units = make_units(labelled=30)
    vectors = units.embeddings.array.astype(np.float64)
    labelled = vectors[units.labelled]
    far = np.sqrt(((vectors[:, None] - labelled[None]) ** 2).sum(2)).min(1)
    first = picks('k_center', units, 1)[0]
    assert first.unit == int(far.argmax())
    assert first.score == pytest.approx(far.max(), rel=1e-4)


def test_uncertainty_comes_highest_first_and_unknown_last():
    units = make_units(50, known=0.5)
    chosen = picks('uncertainty', units, 50)
    values = units.uncertainty[[p.unit for p in chosen]]
    known = int(np.isfinite(units.uncertainty).sum())
    assert np.all(np.diff(values[:known]) <= 0)
    assert np.isnan(values[known:]).all()


def test_entropy_is_that_of_the_textbook_and_highest_first():
    assert entropy(np.array([[1, 0, 0, 0], [0.25] * 4])) == pytest.approx([0, np.log(4)])
    units = make_units()
    chosen = picks('entropy', units)
    assert np.all(np.diff([p.score for p in chosen]) <= 0)


def test_uniform_in_time_gives_each_recording_its_share():
    units = make_units(500)
    taken = [p.unit for p in picks('uniform_in_time', units, 50)]
    assert np.bincount(units.recordings[taken]).tolist() == [10] * 5
    assert np.diff(np.sort(taken)).max() <= 11


def test_typiclust_takes_one_of_each_blob_before_a_second():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 8)) * 50
    which = np.repeat(np.arange(6), [200, 100, 50, 25, 15, 10])
    vectors = (centres[which] + rng.normal(size=(400, 8))).astype(np.float32)
    units = replace(make_units(400), embeddings=Embeddings.of(vectors))
    chosen = [p.unit for p in picks('typiclust', units, 6)]
    assert sorted(which[chosen]) == [0, 1, 2, 3, 4, 5]
    for unit in chosen:  # typical: nearer to its centre than most of its blob
        mine = np.flatnonzero(which == which[unit])
        far = np.linalg.norm(vectors - centres[which[unit]], axis=1)
        assert far[unit] < np.median(far[mine])


def test_typiclust_goes_where_nothing_is_labelled():
    rng = np.random.default_rng(0)
    which = np.repeat([0, 1], 100)
    vectors = (np.array([[0.0] * 8, [50.0] * 8])[which] + rng.normal(size=(200, 8)))
    labelled = np.zeros(200, bool)
    labelled[0] = True
    units = replace(make_units(200), embeddings=Embeddings.of(vectors.astype(np.float32)),
                    labelled=labelled)
    assert which[picks('typiclust', units, 1)[0].unit] == 1


def test_cluster_margin_picks_uncertain_units_of_many_clusters():
    units = replace(make_units(600), probabilities=None)
    chosen = [p.unit for p in picks('cluster_margin', units, 20, options={'factor': '3'})]
    cut = np.sort(units.uncertainty)[-60]
    assert units.uncertainty[chosen].min() >= cut
    labels = cluster(units.embeddings, 6, np.random.default_rng(0)).labels
    assert len(set(labels[chosen])) >= 5


def test_hybrid_is_cluster_margin_once_labels_teach_class_probabilities():
    units = make_units(600)
    assert units.probabilities is not None
    assert picks('hybrid', units, 30) == picks('cluster_margin', units, 30)


def test_hybrid_prefers_uncertain_units_and_spreads_them():
    units = replace(make_units(600), probabilities=None)
    uncertain = [p.unit for p in picks('hybrid', units, 60)]
    plain = [p.unit for p in picks('hybrid', units, 60, options={'emphasis': '0'})]
    strong = [p.unit for p in picks('hybrid', units, 60, options={'emphasis': '20'})]
    mean = [units.uncertainty[x].mean() for x in (plain, uncertain, strong)]
    assert mean[0] < mean[1] < mean[2]
    assert mean[1] > 0.6


def test_hybrid_without_any_uncertainty_is_typiclust():
    units = replace(make_units(known=0.0), probabilities=None)
    assert picks('hybrid', units) == picks('typiclust', units)


def test_clusters_partition_the_pool_and_are_never_empty():
    units = make_units(300)
    found = cluster(units.embeddings, 10, np.random.default_rng(0))
    counts = np.bincount(found.labels, minlength=len(found.centres))
    assert counts.min() >= 1
    assert counts.sum() == 300
    assert len(found.centres) <= 10
    same = cluster(Embeddings.of(np.ones((9, 3), np.float32)), 5, np.random.default_rng(0))
    assert len(same.centres) == 1


@pytest.mark.parametrize('name', ['least_confidence', 'margin', 'entropy', 'bald',
                                  'query_by_committee', 'expected_model_change'])
def test_rankings_come_highest_first(name):
    scores = [p.score for p in picks(name, make_units(), 60)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]


def test_measures_of_disagreement_are_those_of_the_textbook():
    agree = np.array([[[0.5, 0.5]]] * 4)
    differ = np.array([[[1.0, 0.0]], [[0.0, 1.0]]] * 2)
    for measure, most in (('vote_entropy', np.log(2)), ('consensus_kl', np.log(2)),
                          ('variance', 0.5)):
        assert disagreement(agree, measure) == pytest.approx([0.0])
        assert disagreement(differ, measure) == pytest.approx([most])


def joint_information(members):
    """I(y_1 .. y_n; member) of (M, n, C), by listing every joint label."""
    m, n, _ = members.shape
    joint = np.ones((1, m))
    for i in range(n):
        joint = (joint[:, None, :] * members[:, i].T[None]).reshape(-1, m)
    return float(entropy(joint.mean(axis=1)) - entropy(members).sum(axis=1).mean())


def test_batch_bald_takes_what_a_full_enumeration_takes():
    units = make_units(30, classes=3)
    chosen = picks('batch_bald', units, 4, options={'candidates': '2000'})
    taken: list[int] = []
    for pick in chosen:
        before = joint_information(units.members[:, taken].astype(np.float64)) if taken else 0.0
        gains = [joint_information(units.members[:, [*taken, i]].astype(np.float64)) - before
                 if i not in taken else -1.0 for i in range(30)]
        assert pick.unit == int(np.argmax(gains))
        assert pick.score == pytest.approx(max(gains), abs=1e-6)
        taken.append(pick.unit)


def test_sampled_joint_labels_estimate_what_all_of_them_say():
    units = make_units(40, classes=3)
    members = units.members.astype(np.float64)
    rng = np.random.default_rng(0)
    start = _JointLabels(np.full((1, 6), 1 / 6), np.ones(1))
    every, sampled = start, start
    for unit in range(6):
        every = every.extended(members[:, unit], 10**6, rng)
        sampled = sampled.extended(members[:, unit], 400, rng)
    assert every.mass.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(sampled.expected_entropy(members), every.expected_entropy(members),
                               atol=0.03)


def test_batch_bald_does_not_take_the_same_question_twice():
    members = make_units(40, classes=2).members.copy()
    members[:, 20:] = members[:, :20]
    units = replace(make_units(40), members=members)
    chosen = [p.unit % 20 for p in picks('batch_bald', units, 3)]
    assert len(set(chosen)) == 3


def gradients(units):
    errors = units.probabilities.astype(np.float64).copy()
    errors[np.arange(len(units)), errors.argmax(1)] -= 1.0
    return np.einsum('nc,nd->ncd', errors, units.embeddings.array.astype(np.float64)).reshape(
        len(units), -1)


def test_badge_scores_are_squared_distances_of_the_written_out_gradients():
    units = make_units(200)
    flat = gradients(units)
    chosen = picks('badge', units, 70)
    assert chosen[0].unit == int((flat ** 2).sum(1).argmax())
    for i, pick in enumerate(chosen[1:], 1):
        before = flat[[p.unit for p in chosen[:i]]]
        expected = ((flat[pick.unit] - before) ** 2).sum(1).min()
        assert pick.score == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_badge_draws_in_proportion_to_the_squared_distance():
    units = make_units(8, d=3)
    flat = gradients(units)
    first = int((flat ** 2).sum(1).argmax())
    expected = ((flat - flat[first]) ** 2).sum(1)
    second = [picks('badge', units, 2, seed=s)[1].unit for s in range(2000)]
    shares = np.bincount(second, minlength=8) / 2000
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.045)


def test_stratified_gives_every_stratum_its_turn():
    units = make_units(300)
    codes = units.strata['bag'][[p.unit for p in picks('stratified', units, 25)]]
    assert np.bincount(codes).tolist() == [5] * 5
    with pytest.raises(ConfigError, match='weather'):
        picks('stratified', units, options={'by': 'weather'})


def test_changes_of_uncertainty_are_taken_within_a_recording_only():
    units = replace(make_units(6, recordings=2), stamps=np.arange(6) * 10**9,
                    uncertainty=np.array([0.0, 0.5, 0.6, 9.0, 9.0, np.nan]))
    np.testing.assert_allclose(changes(units), [0.5, 0.5, 0.1, 0.0, 0.0, np.nan], atol=1e-12)


def test_density_is_high_in_the_middle_of_a_blob():
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(size=(99, 4)) * 0.1 + 1.0, [[-1.0, 1.0, -1.0, 1.0]]])
    found = densities(Embeddings.of(vectors.astype(np.float32)), np.arange(100), 5)
    assert found[:99].min() > 0.9 > found[99]


def test_the_variance_of_actions_is_the_uncertainty_of_the_ensemble():
    units = replace(make_units(), members=None, probabilities=None)
    chosen = picks('query_by_committee', units, options={'measure': 'variance'})
    assert [p.unit for p in chosen] == list(np.argsort(-units.uncertainty)[:25])
