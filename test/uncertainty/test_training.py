# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.calibration import calibrate
from active_collection.uncertainty.calibration import expected_calibration_error
from active_collection.uncertainty.checkpoints import Checkpoints
from active_collection.uncertainty.checkpoints import training_key
from active_collection.uncertainty.ensemble import Prediction
from active_collection.uncertainty.fitting import Targets
from active_collection.uncertainty.fitting import negative_log_likelihood
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.training import train
from active_collection.uncertainty.warm_start import WarmStart
from active_collection.uncertainty.warm_start import begin_from

QUICK = TrainingSettings(members=3, hidden=(32, 32), steps=150, check_every=50, batch_size=64)


def test_members_learn_the_actions_of_held_out_episodes(make_dataset):
    dataset = make_dataset(60)

    trained = train(dataset, QUICK.model_copy(update={'steps': 600}))

    rows = dataset.rows(trained.folds.episodes[0])
    mean = trained.members.stacked().predict(dataset.observations[rows]).mean.mean((0, 2))
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
    trained = train(dataset, QUICK.model_copy(update={'steps': 1})).members.requires_grad_(True)
    trained.zero_grad()
    observations = dataset.observations[:16]
    mean, log_variance = trained.heads(observations)

    (mean[1].sum() + log_variance[1].sum()).backward()

    for parameter in trained.parameters():
        assert float(parameter.grad[[0, 2]].abs().max()) == 0.0
        assert float(parameter.grad[1].abs().max()) > 0.0


def test_one_episode_is_not_enough(make_dataset):
    with pytest.raises(UncertaintyError, match='at least 2'):
        train(make_dataset(1), QUICK)


def with_other_actions(dataset, episodes):
    rows = dataset.rows(episodes)
    actions = dataset.actions.clone()
    actions[rows] = -actions[rows]
    return replace(dataset, actions=actions)


def test_a_network_learns_all_but_what_it_holds_out(make_dataset):
    settings = QUICK.model_copy(update={'members': 4, 'check_every': 150})
    dataset = make_dataset(40)
    first = train(dataset, settings)
    fold, holders = first.folds.episodes[1], first.folds.holders[1]

    second = train(with_other_actions(dataset, fold), settings)

    assert holders == (1, 2)
    for weight, other in zip(first.members.weights, second.members.weights, strict=True):
        for network in range(4):
            assert torch.equal(weight[network], other[network]) == (network in holders)


@pytest.mark.parametrize('kind', ['members', 'heads'])
def test_a_network_is_judged_by_what_it_holds_out(make_dataset, kind):
    settings = QUICK.model_copy(update={'kind': kind, 'members': 4, 'steps': 50})
    dataset = make_dataset(50)

    trained = train(dataset, settings)

    predicted = trained.members.stacked().predict(dataset.observations).mean[:, :, 0]
    errors = (predicted - dataset.actions).pow(2).mean(2)
    by_task = {'push': [], 'pull': []}
    for network, found in enumerate(trained.errors):
        episodes = trained.folds.held_out(network)
        assert found == pytest.approx(errors[network, dataset.rows(episodes)].mean().item())
        for episode in episodes:
            by_task[dataset.episodes[episode].task] += errors[
                network, dataset.rows([episode])].tolist()
    assert len({len(trained.folds.held_out(network)) for network in range(4)}) == (
        2 if kind == 'members' else 1)
    assert trained.losses == {
        task: pytest.approx(fmean(found)) for task, found in by_task.items()}


def test_early_stopping_ends_before_the_last_step(make_dataset):
    settings = QUICK.model_copy(update={
        'steps': 2000, 'check_every': 1, 'patience': 3, 'learning_rate': 0.05})

    trained = train(make_dataset(), settings)

    assert trained.steps < 2000


def test_a_chunk_is_the_next_actions_of_the_same_episode(make_dataset):
    dataset = make_dataset(3, length=5)

    chunks, valid = dataset.chunks(4)

    assert chunks.shape == (15, 4, 2)
    for row in range(15):
        left = 5 - row % 5
        for step in range(4):
            assert bool(valid[row, step]) == (step < left)
            expected = dataset.actions[row + min(step, left - 1)]
            assert torch.equal(chunks[row, step], expected)


def test_what_lies_beyond_an_episode_is_not_learnt():
    """A chunk's padding has no weight: its target changes no gradient and no error."""
    weights = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    terms = torch.rand(2, 2, 3)

    mean = Targets(torch.zeros(2, 3), weights).mean(terms)
    terms[:, weights == 0] = 1e9

    torch.testing.assert_close(mean, (terms[:, 0, 0] + terms[:, 0, 1] + terms[:, 1, 0]) / 3)
    torch.testing.assert_close(Targets(torch.zeros(2, 3), weights).mean(terms), mean)


def test_a_chunk_is_predicted_step_by_step(make_dataset):
    dataset = make_dataset(60)

    trained = train(dataset, QUICK.model_copy(update={'steps': 600, 'horizon': 3}))

    rows = dataset.rows(trained.folds.any_held_out)
    targets, valid = (values[rows] for values in dataset.chunks(3))
    found = trained.members.stacked().predict(dataset.observations[rows]).mean.mean(0)
    for step in range(3):
        error = (found - targets)[valid[:, step], step].pow(2).mean()
        baseline = (targets - dataset.actions.mean(0))[valid[:, step], step].pow(2).mean()
        assert error < 0.2 * baseline


class Interrupted(Exception):
    pass


@pytest.mark.parametrize('kind', ['members', 'heads', 'dropout'])
@pytest.mark.parametrize('bootstrap', ['episodes', 'none'])
def test_a_training_goes_on_from_its_checkpoint_to_the_same_bits(
        make_dataset, tmp_path, kind, bootstrap):
    dataset = make_dataset()
    settings = QUICK.model_copy(update={
        'bootstrap': bootstrap, 'kind': kind, 'checkpoint_s': 0.0, 'check_every': 20})
    whole = train(dataset, settings)
    checkpoints = Checkpoints(tmp_path, training_key(dataset, settings))

    def interrupt(done, total, error):
        if done == 77:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(dataset, settings, checkpoints=checkpoints, progress=interrupt)
    resumed = train(dataset, settings, checkpoints=checkpoints)

    assert resumed.resumed_at == 60
    assert resumed.steps == whole.steps
    assert resumed.errors == whole.errors
    expected = whole.members.state_dict()
    assert all(torch.equal(tensor, expected[name])
               for name, tensor in resumed.members.state_dict().items())


def test_a_damaged_checkpoint_or_that_of_other_data_is_not_taken(make_dataset, tmp_path):
    dataset = make_dataset()
    key = training_key(dataset, QUICK)
    Checkpoints(tmp_path, key).write(lambda: {'steps': torch.tensor(3)})
    (tmp_path / f'{key}.safetensors').write_bytes(b'nonsense')

    assert Checkpoints(tmp_path, key).read() is None
    assert key == training_key(dataset, QUICK.model_copy(update={'checkpoint_s': 3.0}))
    assert key != training_key(make_dataset(13), QUICK)
    assert key != training_key(dataset, QUICK.model_copy(update={'seed': 5}))
    assert key != training_key(dataset, QUICK, more=['other'])


def warm(trained, dataset):
    ids = [episode.episode_id for episode in dataset.episodes]
    return WarmStart(
        'previous', trained.members,
        tuple(frozenset(ids[e] for e in fold) for fold in trained.folds.episodes),
        frozenset(ids[e] for e in trained.learnt(dataset)))


def test_a_warm_start_of_nothing_but_the_previous_weights_predicts_as_before(make_dataset):
    """The normalisation of new data changes; the policy does not."""
    few, more = make_dataset(10), make_dataset(30)
    previous = train(few, QUICK).members
    members = MlpMembers(members=3, inputs=8, actions=2, hidden=(32, 32), variance_floor=1e-4)
    members.initialise(torch.Generator().manual_seed(9))
    members.input_mean.copy_(more.observations.mean(0))
    members.input_scale.copy_(more.observations.std(0) + 0.1)
    members.action_mean.copy_(torch.tensor([0.5, -1.0]))
    members.action_scale.copy_(torch.tensor([2.0, 0.7]))

    begin_from(members, previous, 1.0)

    expected = previous.stacked().predict(more.observations).mean
    torch.testing.assert_close(members.stacked().predict(more.observations).mean, expected,
                               rtol=1e-3, atol=1e-4)


def test_a_warm_start_is_ahead_after_a_few_steps(make_dataset):
    few, more = make_dataset(30), make_dataset(34)
    previous = train(few, QUICK.model_copy(update={'steps': 600}))
    settings = QUICK.model_copy(update={'steps': 20, 'check_every': 20})

    warmed = train(more, settings.model_copy(update={'warm_start_share': 1.0}),
                   warm_start=warm(previous, few)).members
    cold = train(more, settings).members

    def error(members):
        mean = members.stacked().predict(more.observations).mean.mean((0, 2))
        return float((mean - more.actions).pow(2).mean())

    assert error(warmed) < 0.5 * error(cold)


def test_a_warm_start_of_other_observations_is_refused(make_dataset):
    dataset = make_dataset()
    members = MlpMembers(members=3, inputs=5, actions=2, hidden=(32, 32), variance_floor=1e-4)

    with pytest.raises(UncertaintyError, match='observation: found 5 numbers, expected 8'):
        train(dataset, QUICK, warm_start=WarmStart('x', members, (), frozenset()))


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
    mean = torch.zeros(2, 100, 1, 1)
    target = torch.full((100, 1), 3.0)
    mean[0, :50], target[:50] = 1e-3, target[:50] + 1e-3

    prediction = Prediction(mean, torch.ones(2, 100, 1, 1))

    result = calibrate(prediction, target, scale=torch.tensor([6.0]))

    assert result.error == pytest.approx(0.5, rel=1e-3)
    assert result.sharpness == pytest.approx(1 / 6)
    assert result.observations == 100
