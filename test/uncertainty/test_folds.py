# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.folds import Folds
from active_collection.uncertainty.folds import split
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.novelty import CalibratedNovelty
from active_collection.uncertainty.out_of_fold import full_size
from active_collection.uncertainty.out_of_fold import predict_out_of_fold
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.warm_start import WarmStart

FIVE = TrainingSettings(members=5)
ONE_NETWORK = ('heads', 'dropout', 'laplace')


def ids(dataset, episodes):
    return {dataset.episodes[e].episode_id for e in episodes}


def fold_of(dataset, folds):
    """Return the fold of each episode by its id; none of those that all learn."""
    return {dataset.episodes[e].episode_id: number
            for number, fold in enumerate(folds.episodes) for e in fold}


def previous(dataset, folds, *, members=5):
    return WarmStart(
        'previous', MlpMembers(members=members, inputs=1, actions=1, hidden=(1,),
                               variance_floor=1.0),
        tuple(frozenset(ids(dataset, fold)) for fold in folds.episodes),
        frozenset(ids(dataset, dataset.all_but(folds.none_learnt(members)))))


def test_every_fold_is_held_out_by_two_and_learnt_by_the_others(make_dataset):
    folds = split(make_dataset(80, length=1), FIVE)

    assert [len(fold) for fold in folds.episodes] == [4] * 5
    assert len(folds.any_held_out) == 20
    assert folds.holders == ((0, 1), (1, 2), (2, 3), (3, 4), (0, 4))
    assert [len(folds.held_out(network)) for network in range(5)] == [8] * 5
    assert folds.none_learnt(5) == ()


@pytest.mark.parametrize('kind', ONE_NETWORK)
def test_networks_that_know_of_each_other_hold_out_the_same(make_dataset, kind):
    folds = split(make_dataset(40, length=1), TrainingSettings(kind=kind, members=5))

    assert [len(fold) for fold in folds.episodes] == [4]
    assert folds.holders == (((0, 1, 2, 3, 4),) if kind == 'heads' else ((0,),))
    assert folds.none_learnt(len(folds.holders[0])) == folds.episodes[0]


@pytest.mark.parametrize('members', [1, 2])
def test_too_few_members_to_disagree_and_to_learn_hold_out_the_same(make_dataset, members):
    folds = split(make_dataset(20, length=1), TrainingSettings(members=members))

    assert folds.holders == (tuple(range(members)),)
    assert [len(fold) for fold in folds.episodes] == [2]


@pytest.mark.parametrize('share', [0.02, 0.1, 0.13, 0.4])
def test_every_task_gives_its_share(make_dataset, share):
    settings = TrainingSettings(members=5, held_out=share)
    dataset = make_dataset(90, length=1)

    folds = split(dataset, settings)

    held_out = Counter(dataset.episodes[e].task for e in folds.any_held_out)
    for task in ('push', 'pull'):
        assert abs(held_out[task] - 5 * share / 2 * 45) < 1
        for fold in folds.episodes:
            assert abs(sum(dataset.episodes[e].task == task for e in fold) - share / 2 * 45) < 1


def test_episodes_that_are_added_move_hardly_any_other(make_dataset):
    """So that the held-out loss of two trainings is of the same episodes, but for the new."""
    few, more = make_dataset(400, length=1), make_dataset(440, length=1)

    before, after = (fold_of(d, split(d, FIVE)) for d in (few, more))

    assert len(before) == 100
    assert sum(after.get(name) == fold for name, fold in before.items()) >= 85
    one_more = make_dataset(401, length=1)
    changed = fold_of(one_more, split(one_more, FIVE))
    assert sum(changed.get(name) != fold for name, fold in before.items()) <= 2


def test_folds_follow_from_ids_and_seed_and_not_from_the_order(make_dataset):
    dataset = make_dataset(60, length=1)
    turned = replace(dataset, episodes=dataset.episodes[::-1])

    assert fold_of(dataset, split(dataset, FIVE)) == fold_of(turned, split(turned, FIVE))
    other = FIVE.model_copy(update={'seed': 1})
    assert fold_of(dataset, split(dataset, FIVE)) != fold_of(dataset, split(dataset, other))


@pytest.mark.parametrize('episodes', range(2, 12))
@pytest.mark.parametrize('members', [1, 2, 3, 5, 20])
@pytest.mark.parametrize('share', [0.01, 0.1, 0.99])
def test_every_member_holds_out_something_and_learns_something(
        make_dataset, episodes, members, share):
    settings = TrainingSettings(members=members, held_out=share)

    folds = split(make_dataset(episodes, length=1), settings)

    for network in range(members):
        assert 1 <= len(folds.held_out(network)) < episodes


def test_every_member_learns_the_only_demonstration_of_a_task(make_dataset):
    dataset = make_dataset(40, length=1)
    episodes = [replace(e, task=f'task {k}' if k < 10 else 'push')
                for k, e in enumerate(dataset.episodes)]

    folds = split(replace(dataset, episodes=tuple(episodes)), FIVE)

    assert min(folds.any_held_out) >= 10


def test_one_episode_cannot_be_learnt_and_held_out(make_dataset):
    with pytest.raises(UncertaintyError, match='at least 2'):
        split(make_dataset(1), FIVE)


def test_a_warm_start_holds_out_what_was_and_nothing_that_was_learnt(make_dataset):
    few, more = make_dataset(80, length=1), make_dataset(120, length=1)
    before = split(few, FIVE)

    folds = split(more, FIVE, previous(few, before))

    for old, new in zip(before.episodes, folds.episodes, strict=True):
        assert ids(few, old) <= ids(more, new)
        assert not (ids(more, new) - ids(few, old)) & ids(few, range(80))
        assert len(new) == 6


def test_a_warm_start_of_one_network_holds_out_its_share_of_what_is_new(make_dataset):
    settings = TrainingSettings(kind='dropout')
    few, more = make_dataset(80, length=1), make_dataset(120, length=1)
    before = split(few, settings)

    folds = split(more, settings, previous(few, before, members=1))

    assert ids(few, before.episodes[0]) <= ids(more, folds.episodes[0])
    assert len(folds.episodes[0]) == 8 + 4


def test_what_an_older_ensemble_held_out_from_all_members_is_learnt_from_now_on(make_dataset):
    dataset = make_dataset(60, length=1)
    shared = Folds((tuple(range(10)),), ((0, 1, 2, 3, 4),))

    folds = split(dataset, FIVE, previous(dataset, shared))

    assert folds.none_learnt(5) == ()
    assert set(folds.any_held_out) <= set(range(10))


def test_a_fold_that_is_gone_is_made_anew(make_dataset):
    few, dataset = make_dataset(6, length=1), make_dataset(40, length=1)
    later = replace(dataset, episodes=tuple(
        replace(e, episode_id=f'later {k}') for k, e in enumerate(dataset.episodes)))

    folds = split(later, FIVE, previous(few, split(few, FIVE)))

    assert [len(folds.held_out(network)) for network in range(5)] == [4] * 5


class Numbered:
    """Members of which the m-th says m, and an observation's number, of all actions."""

    def predict(self, observations):
        from active_collection.uncertainty.ensemble import Prediction

        said = observations[:, :1] + 1000.0 * torch.arange(5)[:, None, None]
        return Prediction(said[:, :, None], said[:, :, None])


def test_only_members_that_did_not_learn_an_episode_are_asked(make_dataset):
    dataset = make_dataset(100, length=3)
    dataset = replace(dataset, observations=torch.arange(300.0)[:, None])
    folds = split(dataset, FIVE)

    prediction, rows = predict_out_of_fold(Numbered(), dataset, folds)

    assert rows.tolist() == [row for fold in folds.episodes for row in dataset.rows(fold)]
    for place, row in enumerate(rows.tolist()):
        for said in (prediction.mean, prediction.variance):
            assert {int(value) // 1000 for value in said[:, place, 0, 0]} == {
                network for network in range(5) if row // 3 in folds.held_out(network)}
            assert [int(value) % 1000 for value in said[:, place, 0, 0]] == [row, row]


def test_two_members_say_on_average_what_five_would_disagree_by():
    means = torch.randn(5, 200_000, generator=torch.Generator().manual_seed(1))

    of_two = means[:2].var(dim=0, correction=0)
    found = full_size(of_two / 100, found=2, members=5, measure='variance')

    expected = means.var(dim=0, correction=0).mean().item() / 100
    assert found.mean().item() == pytest.approx(expected, rel=0.01)
    assert full_size(torch.tensor([0.3]), found=5, members=5, measure='variance').item() == (
        pytest.approx(0.3))
    assert full_size(torch.tensor([0.9]), found=2, members=5, measure='variance').item() == 1.0


def test_a_threshold_starts_from_pairs_that_did_not_learn_as_if_they_were_all(
        built, make_dataset):
    ensemble, dataset = load(built.path), make_dataset()
    pairs, _ = predict_out_of_fold(ensemble.members, dataset, built.trained.folds)

    reference = np.array(ensemble.description.reference_epistemic)

    assert len(reference) == len(pairs.mean[0])
    halves = (pairs.mean[0, :, 0] - pairs.mean[1, :, 0]).pow(2).mean(1) / 4
    assert reference.max() == pytest.approx(halves.max().item() * (2 / 3) / (1 / 2))
    assert np.median(reference) == pytest.approx(halves.quantile(0.5).item() * 4 / 3)


def test_novelty_of_a_held_out_episode_is_its_distance_from_all_others():
    """Not from itself, which the distance that is kept knows."""
    points = torch.tensor([[0.0], [0.1], [0.2], [5.0], [9.0]])
    folds = torch.tensor([-1, -1, -1, 0, 1])

    novelty = CalibratedNovelty.fit(
        points, TrainingSettings(novelty_neighbours=1),
        group_of=torch.zeros(5, dtype=torch.int64), episode_of=torch.arange(5), fold_of=folds,
        is_learnt=torch.ones(5, dtype=torch.bool))

    assert sorted(novelty.calibration.tolist()) == pytest.approx([4.0, 4.0])
    assert novelty.distance.distance(points[3:]).tolist() == [0.0, 0.0]
