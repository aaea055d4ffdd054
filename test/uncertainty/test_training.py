# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.calibration import calibrate
from active_collection.uncertainty.calibration import expected_calibration_error
from active_collection.uncertainty.ensemble import Prediction
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.training import hold_out
from active_collection.uncertainty.training import negative_log_likelihood
from active_collection.uncertainty.training import train

QUICK = TrainingSettings(members=3, hidden=(32, 32), steps=150, check_every=50, batch_size=64)


def test_members_learn_the_actions_of_held_out_episodes(make_dataset):
    dataset = make_dataset(60)

    trained = train(dataset, QUICK.model_copy(update={'steps': 600}))

    rows = dataset.rows(trained.held_out)
    mean = trained.members.stacked().predict(dataset.observations[rows]).mean.mean(0)
    error = (mean - dataset.actions[rows]).pow(2).mean()
    baseline = (dataset.actions[rows] - dataset.actions.mean(0)).pow(2).mean()
    assert error < 0.2 * baseline


@pytest.mark.parametrize('bootstrap', ['episodes', 'none'])
def test_the_same_seed_gives_the_same_members(make_dataset, bootstrap):
    settings = QUICK.model_copy(update={'bootstrap': bootstrap})

    first = train(make_dataset(), settings).members.state_dict()
    second = train(make_dataset(), settings).members.state_dict()
    other = train(make_dataset(), settings.model_copy(update={'seed': 1})).members.state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first['weights.0'], other['weights.0'])


def test_a_member_does_not_depend_on_the_others(make_dataset):
    """Training together is training each by itself: no gradient crosses members."""
    dataset = make_dataset()
    trained = train(dataset, QUICK.model_copy(update={'steps': 1})).members
    trained.zero_grad()
    observations = dataset.observations[:16]
    mean, log_variance = trained.heads(observations)

    (mean[1].sum() + log_variance[1].sum()).backward()

    for parameter in trained.parameters():
        assert float(parameter.grad[[0, 2]].abs().max()) == 0.0
        assert float(parameter.grad[1].abs().max()) > 0.0


def test_held_out_are_whole_episodes_spread_over_tasks(make_dataset):
    dataset = make_dataset(20)

    held_out = hold_out(dataset, 0.2, torch.Generator().manual_seed(1))

    assert len(set(held_out)) == 4
    assert sorted(dataset.episodes[e].task for e in held_out) == ['pull'] * 2 + ['push'] * 2


@pytest.mark.parametrize('share', [0.01, 0.5, 0.99])
def test_something_is_held_out_and_something_left(make_dataset, share):
    held_out = hold_out(make_dataset(2), share, torch.Generator().manual_seed(1))

    assert len(held_out) == 1


def test_one_episode_is_not_enough(make_dataset):
    with pytest.raises(UncertaintyError, match='at least 2'):
        train(make_dataset(1), QUICK)


def test_early_stopping_ends_before_the_last_step(make_dataset):
    settings = QUICK.model_copy(update={
        'steps': 2000, 'check_every': 1, 'patience': 3, 'learning_rate': 0.05})

    trained = train(make_dataset(), settings)

    assert trained.steps < 2000


def test_a_loss_that_is_not_finite_is_said(make_dataset):
    settings = QUICK.model_copy(update={'learning_rate': 1e12})

    with pytest.raises(UncertaintyError, match='learning_rate'):
        train(make_dataset(), settings)


def test_progress_counts_every_step(make_dataset):
    seen = []

    train(make_dataset(), QUICK, progress=lambda done, total, error: seen.append((done, total)))

    assert seen == [(step, 150) for step in range(1, 151)]


def test_the_likelihood_is_that_of_torch_distributions():
    mean, target = torch.randn(5, 4).double(), torch.randn(5, 4).double()
    variance = torch.rand(5, 4).double() + 0.1

    expected = -torch.distributions.Normal(mean, variance.sqrt()).log_prob(target)

    torch.testing.assert_close(negative_log_likelihood(mean, variance, target), expected)


def test_calibrated_predictions_have_no_calibration_error():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(200_000, generator=generator)
    mean, variance = torch.zeros(200_000), torch.ones(200_000)

    assert expected_calibration_error(mean, variance, target) < 0.005
    assert expected_calibration_error(mean, 0.01 * variance, target) > 0.15


def test_calibration_counts_in_half_ranges():
    mean = torch.zeros(2, 100, 1)
    target = torch.full((100, 1), 3.0)
    mean[0, :50], target[:50] = 1e-3, target[:50] + 1e-3

    result = calibrate(Prediction(mean, torch.ones(2, 100, 1)), target, scale=torch.tensor([6.0]))

    assert result.error == pytest.approx(0.5, rel=1e-3)
    assert result.sharpness == pytest.approx(1 / 6)
    assert result.observations == 100
