# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What every kind of ensemble must do, and what each does by its own formula."""
import dataclasses
import json
import math
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from safetensors.torch import save_file

from active_collection.config import validate
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.assessment import Assessor
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dropout import masks
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.laplace import Posterior
from active_collection.uncertainty.laplace import with_constant
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.settings import TrainingSettings

CASES = {
    'members': {}, 'chunk': {'horizon': 4}, 'heads': {'kind': 'heads'},
    'priors': {'prior_scale': 1.0}, 'dropout': {'kind': 'dropout'},
    'laplace': {'kind': 'laplace'}, 'laplace_chunk': {'kind': 'laplace', 'horizon': 3},
    'information': {'measure': 'mutual_information'},
}


class Programs(torch.nn.Module):
    """Three heads on one vector, each a mean of two actions."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(8, 6)

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        return self.layer(vector).reshape(-1, 3, 1, 2).permute(1, 0, 2, 3)


def write_programs(out, spec, program, **network):
    (out / 'programs').mkdir(parents=True)
    members, horizon = network.pop('members', 3), network.pop('horizon', 1)
    measure = network.pop('measure', 'variance')
    description = EnsembleDescription(
        ensemble_id='programs', created='today', source='programs', members=members,
        horizon=horizon, measure=measure, observation=spec,
        sizes={'hand': 3, 'goal': 3, 'task': 2},
        network={'files': ['all.ts'], 'heads': True, **network})
    (out / 'programs' / 'description.json').write_text(description.model_dump_json())
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.script(program).save(str(out / 'programs' / 'all.ts'))
    return out / 'programs'


@pytest.fixture(scope='module', params=[*CASES, 'programs'])
def path(request, make_dataset, spec, quick, now, tmp_path_factory):
    """One ensemble of each kind on disk."""
    out = tmp_path_factory.mktemp(request.param)
    if request.param == 'programs':
        return write_programs(out, spec, Programs())
    settings = TrainingSettings.model_validate({**quick.model_dump(), **CASES[request.param]})
    return build(make_dataset(), spec, settings, out=out, now=now).path


def test_every_kind_predicts_what_its_description_says(path, make_dataset):
    observations = make_dataset().observations
    ensemble = load(path)
    description = ensemble.description
    shape = (description.members, len(observations), description.horizon, 2)

    prediction = ensemble.members.predict(observations)

    assert prediction.mean.shape == shape
    assert bool(torch.isfinite(prediction.mean).all())
    if prediction.variance is not None:
        assert prediction.variance.shape == shape
        assert float(prediction.variance.min()) > 0
    assert ensemble.members.embed(observations).shape[0] == len(observations)


def test_every_kind_is_the_same_when_it_is_read_again(path, make_dataset):
    observations = make_dataset().observations

    first, second = (load(path).members.predict(observations) for _ in range(2))

    for field in dataclasses.fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        assert (one is None and other is None) or torch.equal(one, other)


@pytest.mark.parametrize('batch', [1, 2, 70])
def test_every_kind_predicts_each_observation_by_itself(path, make_dataset, batch):
    observations = make_dataset().observations[:100]
    members = load(path).members
    whole = members.predict(observations)

    part = members.predict(observations[:batch])

    torch.testing.assert_close(part.mean, whole.mean[:, :batch], rtol=1e-4, atol=1e-5)
    if whole.variance is not None:
        torch.testing.assert_close(part.variance, whole.variance[:, :batch], rtol=1e-4, atol=1e-5)
    if whole.epistemic is not None:
        torch.testing.assert_close(part.epistemic, whole.epistemic[:batch], rtol=1e-4, atol=1e-6)


def test_every_kind_knows_less_far_from_the_data(path, make_dataset):
    if path.name == 'programs':
        pytest.skip('has not been trained')
    ensemble = load(path)
    action = ensemble.description.observation.action
    assessor = Assessor(ensemble.description.measure, torch.tensor(action.low),
                        torch.tensor(action.high))
    near = make_dataset().observations
    far = near + torch.tensor([3.0, -3.0, 3.0, -3.0, 3.0, -3.0, 0.0, 0.0])

    here, there = (assessor.assess(ensemble.members.predict(x)).epistemic for x in (near, far))

    assert float(there.median()) > 3 * float(here.median())


def test_every_kind_gives_an_estimate_with_all_its_parts(path, make_dataset):
    ensemble = load(path)
    description = ensemble.description

    estimate = UncertaintyMonitor(ensemble).observe(
        make_dataset().observations[0].double().numpy(), 7)

    assert estimate.measure == description.measure
    assert estimate.epistemic_per_dimension.shape == (2,)
    assert estimate.epistemic_per_step.shape == (description.horizon,)
    assert estimate.member_disagreement.shape == (description.members,)
    assert estimate.action_chunk.shape == (description.horizon, 2)
    np.testing.assert_array_equal(estimate.action_mean, estimate.action_chunk[0])
    if description.measure == 'variance':
        assert estimate.epistemic_per_step.mean() == pytest.approx(estimate.epistemic, rel=1e-4)
        assert estimate.epistemic_per_dimension.mean() == pytest.approx(
            estimate.epistemic, rel=1e-4)
    if description.source in {'mlp', 'mc_dropout'} and description.measure == 'variance':
        assert estimate.member_disagreement.sum() == pytest.approx(estimate.epistemic, rel=1e-3)
    if description.novelty:
        assert 0 < estimate.novelty_p_value <= 1
    else:
        assert math.isnan(estimate.novelty_p_value)


def test_every_kind_refuses_what_it_cannot_see(path):
    monitor = UncertaintyMonitor(load(path))

    with pytest.raises(UncertaintyError, match='found 3 values, expected 8'):
        monitor.observe(np.zeros(3), 0)
    with pytest.raises(UncertaintyError, match='NaN'):
        monitor.observe(np.full(8, np.nan), 0)


def test_every_trained_kind_names_a_bad_tensor(path, tmp_path):
    for file in path.glob('*.safetensors'):
        tensors = load_file(file)
        name = sorted(tensors)[0]
        copy = tmp_path / file.name
        copy.mkdir()
        for other in path.iterdir():
            (copy / other.name).write_bytes(other.read_bytes())
        save_file({**tensors, name: torch.full_like(tensors[name], torch.nan)}, copy / file.name)

        with pytest.raises(UncertaintyError, match=f'{file.name}: {name}: found NaN'):
            load(copy)


# Laplace


def test_the_posterior_is_that_of_bayesian_linear_regression():
    """With noise and prior given, mean and covariance are those of the textbook."""
    generator = torch.Generator().manual_seed(0)
    features = with_constant(torch.randn(200, 5, generator=generator, dtype=torch.float64))
    weights = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    targets = features @ weights + 0.3 * torch.randn(200, 2, generator=generator).double()
    fitted = torch.linalg.lstsq(features, targets).solution

    posterior = Posterior.fit(features, targets, fitted)

    asked = torch.randn(7, 6, generator=generator)
    for output in range(2):
        inverse = posterior.basis @ torch.diag(1 / posterior.variance[output]) @ posterior.basis.T
        squares = (features.T @ features).float()
        # inverse = squares / noise + prior * identity, for one noise and one prior
        off = ~torch.eye(6, dtype=torch.bool)
        noise = float((squares[off] / inverse[off]).median())
        prior = float((inverse - squares / noise).diagonal().mean())
        expected = torch.linalg.inv(squares / noise + prior * torch.eye(6))
        torch.testing.assert_close(
            posterior.predictive_variance(asked)[:, output],
            ((asked @ expected) * asked).sum(1), rtol=1e-3, atol=1e-6)
        assert noise == pytest.approx(0.09, rel=0.25)


def test_noise_and_prior_are_those_of_the_largest_evidence():
    """The marginal likelihood of the targets, computed from its own definition, has its top."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    weights = 0.5 * torch.randn(4, 1, generator=generator, dtype=torch.float64)
    targets = features @ weights + 0.4 * torch.randn(60, 1, generator=generator).double()

    def evidence(noise, prior):
        covariance = noise * torch.eye(60).double() + features @ features.T / prior
        return torch.distributions.MultivariateNormal(
            torch.zeros(60).double(), covariance).log_prob(targets[:, 0]).item()

    noise, prior, mean = 0.16, 1.0, None
    for _ in range(50):  # the mean moves with them, where the network's is trained
        precision = features.T @ features / noise + prior * torch.eye(4).double()
        mean = torch.linalg.solve(precision, features.T @ targets / noise)
        posterior = Posterior.fit(features, targets, mean)
        inverse = (posterior.basis.double() / posterior.variance[0].double()
                   ) @ posterior.basis.double().T
        off = (features.T @ features)[0, 1] / inverse[0, 1]
        noise = float(off)
        prior = float((inverse - features.T @ features / noise).diagonal().mean())

    best = evidence(noise, prior)
    for factor in (0.8, 1.25):
        assert evidence(noise * factor, prior) < best
        assert evidence(noise, prior * factor) < best + 1e-4


def test_draws_from_the_posterior_have_its_variance():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(50, 4, generator=generator)
    posterior = Posterior.fit(features, torch.randn(50, 3, generator=generator),
                              torch.randn(4, 3, generator=generator))
    asked = torch.randn(5, 4, generator=generator)

    draws = asked @ posterior.draw(100_000, generator)

    torch.testing.assert_close(draws.var(0), posterior.predictive_variance(asked),
                               rtol=0.03, atol=1e-4)
    assert float((draws.mean(0) / draws.std(0)).abs().max()) < 0.02


def test_many_laplace_members_disagree_as_the_closed_form_says(make_dataset, spec, quick, now,
                                                               tmp_path):
    dataset = make_dataset()
    settings = TrainingSettings.model_validate(
        {**quick.model_dump(), 'kind': 'laplace', 'members': 1000})
    ensemble = load(build(dataset, spec, settings, out=tmp_path, now=now).path)

    prediction = ensemble.members.predict(dataset.observations[:20])

    torch.testing.assert_close(prediction.mean.var(0), prediction.epistemic, rtol=0.25, atol=1e-7)


# dropout


def test_masks_leave_out_their_share_and_keep_the_mean():
    drawn = masks((1000,), (40, 60), rate=0.2, generator=torch.Generator().manual_seed(0))

    assert [mask.shape for mask in drawn] == [(1000, 40), (1000, 60)]
    for mask in drawn:
        assert set(mask.unique().tolist()) == {0.0, 1.25}
        assert float((mask == 0).float().mean()) == pytest.approx(0.2, abs=0.01)


def test_thinned_members_are_the_network_with_units_left_out():
    network = MlpMembers(members=1, inputs=5, actions=2, hidden=(16, 12), variance_floor=1e-4)
    network.initialise(torch.Generator().manual_seed(0))
    drawn = masks((4,), (16, 12), rate=0.3, generator=torch.Generator().manual_seed(1))
    observations = torch.randn(9, 5)

    found = network.thinned(drawn).predict(observations)

    for member in range(4):
        mean, log_variance = network.heads(
            observations, [mask[member].expand(1, 9, -1) for mask in drawn])
        torch.testing.assert_close(found.mean[member, :, 0], mean[0])
        torch.testing.assert_close(
            found.variance[member, :, 0], network.variance_of(log_variance)[0])


# randomised priors


def test_a_prior_stays_and_is_added_to_the_mean():
    members = MlpMembers(members=3, inputs=5, actions=2, hidden=(64, 64), variance_floor=1e-4,
                         priors=True)
    members.initialise(torch.Generator().manual_seed(0), prior_scale=2.0)
    observations = torch.randn(500, 5, generator=torch.Generator().manual_seed(1))
    with_prior, variance = members.heads(observations)
    prior = [weight.clone() for weight in members.priors]

    (with_prior ** 2).mean().backward()

    assert all(weight.grad is None for weight in members.priors)
    for weight in members.priors:
        weight.data.zero_()
    without, same_variance = members.heads(observations)
    torch.testing.assert_close(variance, same_variance)
    assert float((with_prior - without).detach().std()) == pytest.approx(2.0, rel=0.35)
    hidden = observations.expand(3, -1, -1)
    for weight in prior[:-1]:
        hidden = torch.relu(hidden @ weight)
    torch.testing.assert_close((with_prior - without), (hidden @ prior[-1])[..., :2])


@pytest.mark.parametrize('batch', [1, 10, 80])
def test_a_stack_with_priors_computes_what_was_trained(batch):
    members = MlpMembers(members=3, inputs=5, actions=2, hidden=(16, 12), variance_floor=1e-4,
                         priors=True, horizon=2)
    members.initialise(torch.Generator().manual_seed(0))
    members.action_mean.copy_(torch.tensor([1.0, -2.0]))
    members.action_scale.copy_(torch.tensor([3.0, 0.5]))
    observations = torch.randn(batch, 5)

    found = members.stacked().predict(observations)

    mean, log_variance = members.heads(observations)
    scale = members.action_scale
    torch.testing.assert_close(
        found.mean, (mean.reshape(3, batch, 2, 2) * scale + members.action_mean))
    torch.testing.assert_close(
        found.variance, members.variance_of(log_variance).reshape(3, batch, 2, 2) * scale ** 2)


@pytest.mark.parametrize('kind', ['heads', 'dropout', 'laplace'])
def test_priors_belong_to_members(kind):
    with pytest.raises(ValueError, match='0 for kind'):
        TrainingSettings(kind=kind, prior_scale=1.0)


# programs of other heads


class Sampler(torch.nn.Module):
    """Samples of three members that differ by a constant, with noise of their own."""

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        noise = torch.sin(100.0 * torch.arange(3.0 * 8 * 4 * 2).reshape(3, 8, 1, 4, 2))
        members = torch.tensor([-0.5, 0.0, 0.5]).reshape(3, 1, 1, 1, 1)
        return (0.1 * noise + members).expand(3, 8, vector.shape[0], 4, 2)


class Classifier(torch.nn.Module):
    """Logits of five classes of three members, of which one dissents."""

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(3, vector.shape[0], 1, 2, 5)
        logits[:2, ..., 1] = 30.0
        logits[2, ..., 4] = 30.0
        return logits


@pytest.mark.parametrize('measure', ['variance', 'energy_distance', 'mmd'])
def test_members_that_only_sample_are_measured(tmp_path, spec, measure):
    ensemble = load(write_programs(
        tmp_path, spec, Sampler(), outputs='samples', horizon=4, measure=measure))

    estimate = UncertaintyMonitor(ensemble).observe(np.zeros(8), 0)

    assert estimate.epistemic > 0.1
    assert estimate.aleatoric == pytest.approx(0.005, rel=0.3)
    assert estimate.epistemic_per_dimension.mean() == pytest.approx(0.25, rel=0.05)
    if measure == 'variance':
        assert estimate.epistemic == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize(('measure', 'expected'), [
    ('mutual_information', (math.log(3) - 2 / 3 * math.log(2)) / math.log(3)),
    ('vote_entropy', (math.log(3) - 2 / 3 * math.log(2)) / math.log(3)),
    ('variation_ratio', 1 / 3),
    ('consensus_kl', 1.0),
    ('variance', 2 / 9 * 1.2 ** 2),
])
def test_members_that_classify_are_measured(tmp_path, spec, measure, expected):
    ensemble = load(write_programs(
        tmp_path, spec, Classifier(), outputs='logits', measure=measure))

    estimate = UncertaintyMonitor(ensemble).observe(np.zeros(8), 0)

    assert estimate.epistemic == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(estimate.action_mean, (2 * -0.4 + 0.8) / 3, atol=1e-5)


@pytest.mark.parametrize(('measure', 'expected'), [
    ('mutual_information', 'variance or categorical heads'),
    ('energy_distance', 'at least 2 samples'), ('mmd', 'at least 2 samples'),
    ('vote_entropy', 'categorical heads')])
def test_a_measure_that_the_heads_do_not_serve_is_refused(tmp_path, spec, measure, expected):
    path = write_programs(tmp_path, spec, Programs(), measure=measure)

    with pytest.raises(UncertaintyError, match=f'measure {measure}: .*{expected}'):
        load(path)


class Embedding(torch.nn.Module):
    """The first two numbers."""

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        return vector[:, :2]


def test_a_program_gives_the_space_of_novelty(tmp_path, spec):
    path = write_programs(tmp_path, spec, Programs(), embedding='space.ts')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.script(Embedding()).save(str(path / 'space.ts'))
    save_file({'reference': torch.zeros(4, 2), 'calibration': torch.ones(18),
               'calibration_episode': torch.arange(18.0) // 2},
              path / 'novelty.safetensors')
    file = path / 'description.json'
    description = json.loads(file.read_text())
    file.write_text(json.dumps(
        {**description, 'novelty': {'kind': 'knn', 'neighbours': 2}}))

    novelty, p_value = load(path).novelty_of(torch.tensor([[3.0, 4.0, *[9.0] * 6]]))

    assert novelty == pytest.approx(5.0)
    assert p_value == pytest.approx(0.1)


@pytest.mark.parametrize(('novelty', 'message'), [
    ({'kind': 'knm'}, "did you mean 'knn'"),
    ({'kind': 'knn'}, 'neighbours: found nothing'),
    ({'kind': 'mahalanobis'}, 'mean: found no such tensor'),
])
def test_a_bad_novelty_is_named(built, tmp_path, novelty, message):
    for file in built.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    file = tmp_path / 'description.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), 'novelty': novelty}))

    with pytest.raises(ActiveCollectionError, match=message):
        load(tmp_path)


def test_a_novelty_of_another_space_is_named(built, tmp_path):
    for file in built.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file({'reference': torch.zeros(4, 3), 'calibration': torch.ones(9)},
              tmp_path / 'novelty.safetensors')

    with pytest.raises(UncertaintyError, match=r'novelty\.safetensors'):
        load(tmp_path)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match='kind'):
        validate({'kind': 'committee'}, TrainingSettings, where='settings')


def test_a_distance_between_tasks_needs_two_and_says_so_before_it_trains(
        make_dataset, spec, quick, now, tmp_path):
    dataset = make_dataset()
    alone = dataclasses.replace(dataset, episodes=tuple(
        dataclasses.replace(episode, task='push') for episode in dataset.episodes))
    settings = quick.model_copy(update={'novelty': 'relative_mahalanobis'})

    with pytest.raises(UncertaintyError, match='found demonstrations of 1 task, expected'):
        build(alone, spec, settings, out=tmp_path, now=now,
              progress=lambda *_: pytest.fail('it trains'))


def test_variances_stay_finite_whatever_a_network_says():
    """At one observation and at many: far beyond what exp can take, without a warning."""
    network = MlpMembers(members=2, inputs=3, actions=2, hidden=(4,), variance_floor=1e-4)
    network.biases[-1].data[0, 0, 2:] = -1e4
    network.biases[-1].data[1, 0, 2:] = 1e4

    with np.errstate(over='raise', invalid='raise', divide='raise'):
        alone = network.stacked().predict(torch.ones(1, 3))
    together = network.stacked().predict(torch.ones(3, 3))

    for prediction in (alone, together):
        variance = prediction.variance[:, 0, 0]
        torch.testing.assert_close(variance[0], torch.full((2,), 1e-4))
        torch.testing.assert_close(variance[1], torch.full((2,), math.exp(2) + 1e-4))
