# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import json
import pickle

import pytest
import torch
from safetensors.torch import load_file
from safetensors.torch import save_file

from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.building import build
from active_collection.uncertainty.ensemble_directory import newest
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.ensemble_files import load_newest


@pytest.fixture
def ensemble(make_dataset, spec, quick, now, tmp_path):
    return build(make_dataset(), spec, quick.model_copy(update={'steps': 2}),
                 out=tmp_path / 'ensembles', now=now).path


def change_tensors(path, change):
    file = path / 'members.safetensors'
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    change(tensors)
    save_file(tensors, file)


def change_description(path, **changes):
    file = path / 'description.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_what_was_saved_predicts_the_same(built, make_dataset):
    observations = make_dataset().observations

    ensemble = load(built.path)

    expected = built.trained.members.stacked().predict(observations)
    found = ensemble.members.predict(observations)
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.variance, expected.variance)
    assert ensemble.description.ensemble_id == built.path.name


@pytest.mark.parametrize('batch', [1, 40, 300])
def test_batched_members_compute_what_each_would_alone(built, make_dataset, batch):
    members = built.trained.members
    observations = make_dataset().observations[:batch]
    means, variances = [], []
    for m in range(3):
        x = (observations - members.input_mean) / members.input_scale
        for layer, (weight, bias) in enumerate(zip(members.weights, members.biases, strict=True)):
            x = x @ weight[m] + bias[m, 0]
            if layer < 2:
                x = torch.nn.functional.relu(x)
        means.append(x[:, :2] * members.action_scale + members.action_mean)
        variance = (2 - torch.nn.functional.softplus(2 - x[:, 2:])).exp() + members.variance_floor
        variances.append(variance * members.variance_scale[m] * members.action_scale ** 2)

    found = load(built.path).members.predict(observations)

    assert found.mean.shape == found.variance.shape == (3, batch, 1, 2)
    torch.testing.assert_close(found.mean[:, :, 0], torch.stack(means), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        found.variance[:, :, 0], torch.stack(variances), rtol=1e-5, atol=1e-5)


def wrong_shape(tensors):
    tensors['weights.0'] = torch.zeros(3, 7, 32)


def not_a_number(tensors):
    tensors['biases.1'][0] = torch.nan


def missing(tensors):
    del tensors['action_scale']


def unknown(tensors):
    tensors['more'] = torch.zeros(1)


def integers(tensors):
    tensors['input_mean'] = tensors['input_mean'].long()


@pytest.mark.parametrize(('change', 'message'), [
    (wrong_shape, r'weights\.0: found shape \(3, 7, 32\), expected shape \(3, 8, 32\)'),
    (not_a_number, r'biases\.1: found NaN or infinite values, expected finite numbers'),
    (missing, r'action_scale: found no such tensor, expected shape \(2\)'),
    (unknown, r'more: found an unknown tensor'),
    (integers, r'input_mean: found dtype torch.int64'),
])
def test_a_bad_tensor_is_named_with_its_file(ensemble, change, message):
    change_tensors(ensemble, change)

    with pytest.raises(UncertaintyError, match=r'members\.safetensors: ' + message) as error:
        load(ensemble)
    assert '\n' not in str(error.value)


def test_doubles_serve_as_well(ensemble):
    observations = torch.ones(2, load(ensemble).description.inputs)
    before = load(ensemble)
    for name in ('members.safetensors', 'novelty.safetensors'):
        tensors = load_file(ensemble / name)
        save_file({k: v.double() for k, v in tensors.items()}, ensemble / name)

    after = load(ensemble)

    assert torch.equal(after.members.predict(observations).mean,
                       before.members.predict(observations).mean)
    assert after.novelty_of(observations[:1]) == before.novelty_of(observations[:1])


def test_a_file_that_is_copied_over_changes_nothing_of_what_was_read(ensemble):
    file = ensemble / 'members.safetensors'
    before = load(ensemble)
    observations = torch.ones(2, before.description.inputs)
    expected = before.members.predict(observations).mean.clone()
    size = file.stat().st_size
    with file.open('r+b') as opened:
        opened.write(bytes([255]) * size)

    assert torch.equal(before.members.predict(observations).mean, expected)


def test_a_truncated_file_is_named(ensemble):
    file = ensemble / 'members.safetensors'
    file.write_bytes(file.read_bytes()[:1000])

    with pytest.raises(UncertaintyError, match=r'members\.safetensors'):
        load(ensemble)


def test_a_pickle_is_refused_with_the_reason(ensemble):
    (ensemble / 'members.safetensors').unlink()
    (ensemble / 'members.pt').write_bytes(pickle.dumps({'weights': [1.0]}))

    with pytest.raises(UncertaintyError, match='a pickle, which runs code when it is opened'):
        load(ensemble)


@pytest.mark.parametrize(('changes', 'message'), [
    ({'format': 2}, 'format: found 2, expected 1'),
    ({'members': 0}, 'members'),
    ({'source': 'mpl'}, "did you mean 'mlp'"),
    ({'sizes': {'hand': 3}}, 'sizes: found hand, expected hand, goal, task'),
    ({'network': {'hiden': [3]}}, "network: hiden: .*did you mean 'hidden'"),
    ({'nose': 1}, 'nose'),
    ({'members': 10**30}, 'members: found 1000'),
    ({'members': 10_000, 'network': {'hidden': [10**6, 10**6], 'variance_floor': 0.1}}, 'shape'),
    ({'sizes': {'hand': 10**30, 'goal': 1, 'task': 1}}, r'sizes\.hand'),
    ({'sizes': {'hand': -1, 'goal': 1, 'task': 1}}, r'sizes\.hand'),
    ({'network': {'hidden': [-1], 'variance_floor': 0.1}}, r'hidden\.0'),
    ({'ensemble_id': '../..'}, 'ensemble_id'),
])
def test_a_bad_description_is_named(ensemble, changes, message):
    change_description(ensemble, **changes)

    with pytest.raises(ActiveCollectionError, match=message):
        load(ensemble)


def test_the_newest_has_the_largest_id(tmp_path):
    for name in ('20260101T000000-bbbbbb', '20260102T000000-aaaaaa', '.20270101T000000.partial'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'description.json').write_text('{}')
    (tmp_path / '20280101T000000-cccccc').mkdir()

    assert newest(tmp_path) == tmp_path / '20260102T000000-aaaaaa'
    assert newest(tmp_path / '20260101T000000-bbbbbb').name == '20260101T000000-bbbbbb'
    assert newest(tmp_path / 'none') is None


def test_a_directory_without_ensembles_is_said(tmp_path):
    with pytest.raises(UncertaintyError, match='no ensemble'):
        load_newest(tmp_path)
