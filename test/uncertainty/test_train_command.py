# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest
import yaml

from active_collection.cli.main import main
from active_collection.config import load as load_configuration
from active_collection.uncertainty.ensemble_files import load_newest
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.settings import UncertaintySettings


@pytest.fixture
def arguments(write_episode, tmp_path, spec):
    for seed in range(6):
        write_episode(seed, task=('push', 'pull')[seed % 2])
    (tmp_path / 'spec.yaml').write_text(spec.model_dump_json())
    (tmp_path / 'training.yaml').write_text('steps: 30\nhidden: [16]\nmembers: 2\n')
    return ['train', '--data', str(tmp_path / 'data'), '--spec', str(tmp_path / 'spec.yaml'),
            '--out', str(tmp_path / 'ensembles'), '--config', str(tmp_path / 'training.yaml')]


def test_train_writes_an_ensemble_and_prints_its_calibration(arguments, tmp_path, capsys):
    assert main([*arguments, '--members', '4']) == 0

    lines = capsys.readouterr().out.splitlines()
    ensemble = load_newest(tmp_path / 'ensembles')
    assert lines[-1] == str(tmp_path / 'ensembles' / ensemble.description.ensemble_id)
    assert ensemble.description.members == 4
    assert ensemble.description.training['episodes'] == 6
    table = '\n'.join(lines)
    for name in ('negative log-likelihood', 'rank correlation', 'sharpness', 'calibration error'):
        assert name in table


def test_the_same_seed_gives_the_same_weights(arguments, tmp_path, capsys):
    for _ in range(2):
        assert main(arguments) == 0
    first, second = (tmp_path / 'ensembles').glob('2*/members.safetensors')

    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(('change', 'message'), [
    (['--members', '0'], 'members'),
    (['--members', '1000000000'], 'members'),
    (['--seed', '9' * 30], 'seed'),
    (['--spec', 'nowhere.yaml'], 'nowhere.yaml'),
    (['--data', 'nowhere'], '--data: found nowhere, expected a data directory'),
])
def test_a_mistake_is_one_line_and_status_2(arguments, capsys, change, message):
    assert main([*arguments, *change]) == 2

    errors = capsys.readouterr().err.strip().splitlines()
    assert message in errors[-1]
    assert not any('Traceback' in line for line in errors)


def test_a_directory_that_cannot_be_written_is_one_line(arguments, tmp_path, capsys):
    (tmp_path / 'ensembles').write_text('in the way')

    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f'active-collection: {tmp_path}/ensembles: found ')
    assert errors.count('\n') == 1  # told before the bags are read


def test_importing_the_command_is_quick():
    """Torch is imported when training starts, not for --help."""
    code = ('import sys; import active_collection.cli.train; '
            'sys.exit("torch" in sys.modules)')

    assert subprocess.run([sys.executable, '-c', code], check=False, cwd='/').returncode == 0


def test_the_shipped_files_hold_the_defaults(pytestconfig):
    config = pytestconfig.rootpath / 'config'
    training = load_configuration(config / 'training.yaml', TrainingSettings)
    node = yaml.safe_load((config / 'uncertainty.yaml').read_text())['/**']['ros__parameters']

    assert training == TrainingSettings()
    assert yaml.safe_load((config / 'training.yaml').read_text()).keys() == (
        TrainingSettings.model_fields.keys())
    assert UncertaintySettings.model_validate(node) == UncertaintySettings()
    assert node.keys() == UncertaintySettings.model_fields.keys()


def test_the_shipped_specification_is_valid(pytestconfig):
    from active_collection.bags.observation import ObservationSpec

    spec = load_configuration(
        pytestconfig.rootpath / 'config' / 'observation_metaworld.yaml', ObservationSpec)

    assert spec.action.size == 4
    assert spec.latched_topics == {'scenario'}
