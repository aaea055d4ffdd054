# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import io
import json
import os
import pickle
import sys
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.monitor import UncertaintyMonitor


class Policy(nn.Module):
    """A policy of an observation dictionary, with a variance head."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = nn.Linear(6, 4)

    def forward(self, observation: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        seen = torch.cat([observation['hand'], observation['goal']], dim=1)
        out = self.layer(seen) * observation['task'][:, :1]
        return out[:, :2], out[:, 2:]


class Heads(nn.Module):
    """Three heads on one vector."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 6)

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        return self.layer(vector).reshape(-1, 3, 2).permute(1, 0, 2)


def write(path, spec, *, members, **network):
    path.mkdir()
    description = EnsembleDescription(
        ensemble_id=path.name, created='today', source='programs', members=members,
        observation=spec, sizes={'hand': 3, 'goal': 3, 'task': 2}, network=network)
    (path / 'description.json').write_text(description.model_dump_json())


def export(policy, path, example):
    if path.suffix == '.ts':
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            torch.jit.script(policy).save(str(path))
        return
    batch = torch.export.Dim('batch')
    shape = {0: batch}
    shapes = dict.fromkeys(example, shape) if isinstance(example, dict) else shape
    torch.export.save(torch.export.export(policy, (example,), dynamic_shapes=(shapes,)), path)


EXAMPLE = {'hand': torch.ones(2, 3), 'goal': torch.ones(2, 3), 'task': torch.ones(2, 2)}


@pytest.mark.parametrize('suffix', ['.pt2', '.ts'])
def test_programs_of_an_observation_dictionary_predict_as_their_policies(tmp_path, spec, suffix):
    policies = [Policy(seed) for seed in range(3)]
    names = [f'member_{n}{suffix}' for n in range(3)]
    write(tmp_path / 'e', spec, members=3, files=names, inputs='dictionary',
          outputs='mean_log_variance')
    for policy, name in zip(policies, names, strict=True):
        export(policy, tmp_path / 'e' / name, EXAMPLE)
    observations = torch.rand(5, 8)

    prediction = load(tmp_path / 'e').members.predict(observations)

    hand, goal, task = observations.split([3, 3, 2], dim=1)
    for place, policy in enumerate(policies):
        mean, log_variance = policy({'hand': hand, 'goal': goal, 'task': task})
        torch.testing.assert_close(prediction.mean[place, :, 0], mean)
        torch.testing.assert_close(prediction.variance[place, :, 0], log_variance.exp())


def test_heads_of_one_program_are_members(tmp_path, spec):
    write(tmp_path / 'e', spec, members=3, files=['all.pt2'], heads=True)
    policy = Heads()
    export(policy, tmp_path / 'e' / 'all.pt2', torch.ones(2, 8))
    ensemble = load(tmp_path / 'e')

    estimate = UncertaintyMonitor(ensemble).observe(torch.rand(8).double().numpy(), 0)

    assert estimate.epistemic > 0
    assert estimate.aleatoric != estimate.aleatoric
    assert estimate.total == estimate.epistemic
    assert estimate.novelty != estimate.novelty


@pytest.mark.parametrize(('network', 'message'), [
    ({'files': ['all.pt2'], 'heads': False}, 'found 1 programs, expected 3'),
    ({'files': ['none.pt2'], 'heads': True}, r'none\.pt2: found no such file'),
    ({'files': ['../all.pt2'], 'heads': True}, 'names of .pt2 or .ts files'),
    ({'files': ['all.pkl'], 'heads': True}, 'names of .pt2 or .ts files'),
    ({'files': ['bad.ts'], 'heads': True}, r'bad\.ts: found'),
    ({'files': ['all.pt2'], 'heads': True, 'outputs': 'mean_variance'},
     r'all\.pt2: found 1 outputs, expected 2'),
    ({'files': ['all.pt2'], 'heads': True, 'inputs': 'dictionary'}, r'all\.pt2: found'),
])
def test_a_bad_program_is_refused_by_name_when_it_is_loaded(tmp_path, spec, network, message):
    write(tmp_path / 'e', spec, members=3, **network)
    export(Heads(), tmp_path / 'e' / 'all.pt2', torch.ones(2, 8))
    (tmp_path / 'e' / 'bad.ts').write_bytes(b'nonsense')

    with pytest.raises(ActiveCollectionError, match=message) as error:
        load(tmp_path / 'e')
    assert '\n' not in str(error.value)


def test_a_program_that_predicts_nan_is_refused(tmp_path, spec):
    write(tmp_path / 'e', spec, members=3, files=['all.pt2'], heads=True)
    policy = Heads()
    policy.layer.bias.data.fill_(torch.nan)
    export(policy, tmp_path / 'e' / 'all.pt2', torch.ones(2, 8))

    with pytest.raises(UncertaintyError, match='found NaN or infinite values'):
        load(tmp_path / 'e')


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def repack(path, change):
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def test_no_pickle_within_an_exported_program_is_opened(tmp_path, spec):
    write(tmp_path / 'e', spec, members=3, files=['all.pt2'], heads=True)
    export(Heads(), tmp_path / 'e' / 'all.pt2', torch.ones(2, 8))
    buffer = io.BytesIO()
    torch.save(Evil(str(tmp_path / 'touched')), buffer)
    changed = []

    def change(entries):
        for name in entries:
            if name.endswith('.pt'):
                entries[name] = buffer.getvalue()
                changed.append(name)

    repack(tmp_path / 'e' / 'all.pt2', change)

    assert changed
    with pytest.raises(UncertaintyError, match=r'all\.pt2'):
        load(tmp_path / 'e')
    assert not (tmp_path / 'touched').exists()


@pytest.mark.parametrize('protocol', [0, 2, 4])
@pytest.mark.parametrize(('path_name', 'use_pickle'), [
    ('tensor_0', True), ('custom_obj_0', True), ('opaque_obj_0', True), ('opaque_obj_0', False),
    ('tensor_1.pt', False), ('../weights/model.pt', True)])
def test_no_constant_that_is_a_pickle_is_opened(tmp_path, spec, protocol, path_name, use_pickle):
    write(tmp_path / 'e', spec, members=3, files=['all.pt2'], heads=True)
    export(Heads(), tmp_path / 'e' / 'all.pt2', torch.ones(2, 8))

    def change(entries):
        found = [name for name in entries if name.endswith('constants_config.json')]
        if not found:
            pytest.skip('this torch writes all constants into one file, see the test before')
        config, = found
        constant = {'path_name': path_name, 'is_param': False, 'use_pickle': use_pickle,
                    'tensor_meta': None}
        entries[config] = json.dumps({'config': {'c': constant}}).encode()
        entries[f'{config.rpartition("/")[0]}/{path_name}'] = pickle.dumps(
            Evil(str(tmp_path / 'touched')), protocol=protocol)

    repack(tmp_path / 'e' / 'all.pt2', change)

    with pytest.raises(UncertaintyError, match=r'all\.pt2'):
        load(tmp_path / 'e')
    assert not (tmp_path / 'touched').exists()


def test_programs_are_read_in_many_threads_with_the_environment_as_it_is(
        tmp_path, spec, monkeypatch):
    write(tmp_path / 'e', spec, members=3, files=['all.pt2'], heads=True)
    export(Heads(), tmp_path / 'e' / 'all.pt2', torch.ones(2, 8))
    changed = []
    monkeypatch.setattr(os, 'environ', Watched(os.environ, changed))

    with ThreadPoolExecutor(4) as threads:
        loaded = list(threads.map(load, [tmp_path / 'e'] * 8))

    assert len(loaded) == 8
    assert changed == []


class Watched(dict):
    """An environment that tells what is set in it or taken from it."""

    def __init__(self, environment, changed):
        super().__init__(environment)
        self.changed = changed

    def __setitem__(self, name, value):
        self.changed.append(name)
        super().__setitem__(name, value)

    def __delitem__(self, name):
        self.changed.append(name)
        super().__delitem__(name)


def test_a_compiled_library_within_a_program_is_refused(tmp_path, spec):
    write(tmp_path / 'e', spec, members=3, files=['all.pt2'], heads=True)
    export(Heads(), tmp_path / 'e' / 'all.pt2', torch.ones(2, 8))
    repack(tmp_path / 'e' / 'all.pt2',
           lambda entries: entries.update({'all/data/aotinductor/model/model.so': b'code'}))

    with pytest.raises(UncertaintyError, match='a compiled library'):
        load(tmp_path / 'e')


def test_a_third_party_adds_a_source_by_an_entry_point(tmp_path, spec, monkeypatch):
    package = tmp_path / 'site'
    (package / 'theirs-1.dist-info').mkdir(parents=True)
    (package / 'theirs-1.dist-info' / 'METADATA').write_text('Name: theirs\nVersion: 1\n')
    (package / 'theirs-1.dist-info' / 'entry_points.txt').write_text(
        '[active_collection.ensemble_sources]\nconstant = their_source:Constant\n')
    (package / 'their_source.py').write_text(
        'import torch\n'
        'from active_collection.uncertainty.ensemble import Prediction\n'
        'class Members:\n'
        '    def predict(self, observations):\n'
        '        return Prediction(torch.ones(2, len(observations), 1, 2))\n'
        '    def embed(self, observations):\n'
        '        return observations\n'
        'class Constant:\n'
        '    def load(self, directory, description):\n'
        '        return Members()\n')
    monkeypatch.setattr(sys, 'path', [str(package), *sys.path])
    write(tmp_path / 'e', spec, members=2)
    file = tmp_path / 'e' / 'description.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), 'source': 'constant'}))

    assert load(tmp_path / 'e').members.predict(torch.zeros(4, 8)).mean.shape == (2, 4, 1, 2)
