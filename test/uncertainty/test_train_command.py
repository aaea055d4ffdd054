# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from active_collection.cli.main import main
from active_collection.config import load as load_configuration
from active_collection.uncertainty.ensemble_files import load
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


def test_a_killed_training_goes_on_to_the_same_bits(arguments, tmp_path, capsys):
    """SIGKILL a real process in the middle of its training, and give the same command again."""
    config = tmp_path / 'training.yaml'
    config.write_text('steps: 1500\nhidden: [64, 64]\nmembers: 5\ncheckpoint_s: 0.0\n'
                      'check_every: 50\npatience: 1000\n')
    interrupted, whole = tmp_path / 'interrupted', tmp_path / 'ensembles'
    again = [*arguments[:5], '--out', str(interrupted), *arguments[7:]]
    process = subprocess.Popen(
        [sys.executable, '-c', 'import sys; from active_collection.cli.main import main; '
         'sys.exit(main(sys.argv[1:]))', *again], cwd='/', stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(interrupted.glob('.training/*.safetensors')):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(interrupted.glob('2*'))  # killed before the end

    assert main(again) == 0
    resumed = capsys.readouterr().out
    assert main(arguments) == 0

    assert 'before a restart' in resumed
    assert 'before a restart' not in capsys.readouterr().out
    for name in ('members.safetensors', 'novelty.safetensors'):
        first, second = (next(out.glob(f'2*/{name}')) for out in (interrupted, whole))
        assert first.read_bytes() == second.read_bytes()
    assert not (interrupted / '.training').exists()


def test_a_warm_start_begins_from_the_newest_ensemble(
        arguments, write_episode, tmp_path, capsys):
    assert main(arguments) == 0
    previous = load_newest(tmp_path / 'ensembles').description
    write_episode(17)
    capsys.readouterr()

    assert main([*arguments, '--from', str(tmp_path / 'ensembles')]) == 0

    training = load(Path(capsys.readouterr().out.splitlines()[-1])).description.training
    assert training['began_from'] == previous.ensemble_id
    assert training['episodes'] == 7
    for before, after in zip(previous.training['folds'], training['folds'], strict=True):
        assert after['members'] == before['members'] == [0, 1]
        assert set(before['episodes']) <= set(after['episodes'])
        assert not set(previous.training['trained_on']) & set(after['episodes'])
    assert main([*arguments, '--from', str(tmp_path / 'ensembles'), '--members', '3']) == 2
    assert 'members: found 2, expected 3' in capsys.readouterr().err


def test_an_ensemble_tells_what_each_member_has_not_learnt_and_how_well_it_did_there(
        arguments, tmp_path, capsys):
    assert main([*arguments, '--members', '4']) == 0
    description = load_newest(tmp_path / 'ensembles').description

    folds = description.training['folds']
    assert [fold['members'] for fold in folds] == [[0, 1], [1, 2], [2, 3], [0, 3]]
    held_out = {episode for fold in folds for episode in fold['episodes']}
    assert description.training['trained_on'] == [f'episode-{seed}' for seed in range(6)]
    assert f'6, {len(held_out)} of them held out by some member, 0 by all' in (
        capsys.readouterr().out)
    tasks = {('push', 'pull')[int(episode[-1]) % 2] for episode in held_out}
    assert set(description.held_out_loss) == tasks
    assert all(0 < loss < 10 for loss in description.held_out_loss.values())


def test_an_ensemble_of_before_there_were_folds_is_read_and_begun_from(
        arguments, tmp_path, capsys):
    assert main([*arguments, '--members', '4']) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1])
    told = json.loads((path / 'description.json').read_text())
    told['training']['held_out'] = ['episode-1', 'episode-4']
    told['training']['trained_on'] = [f'episode-{seed}' for seed in (0, 2, 3, 5)]
    del told['training']['folds'], told['training']['held_out_loss']
    (path / 'description.json').write_text(json.dumps(told))

    assert load(path).description.held_out_loss == {}
    assert main([*arguments, '--members', '4', '--from', str(path)]) == 0

    training = load(Path(capsys.readouterr().out.splitlines()[-1])).description.training
    assert {episode for fold in training['folds'] for episode in fold['episodes']} <= {
        'episode-1', 'episode-4'}
    assert set(training['trained_on']) == {f'episode-{seed}' for seed in range(6)}


@pytest.mark.parametrize(('change', 'message'), [
    (['--from', 'nowhere'], 'nowhere: found no ensemble'),
    (['--members', '0'], 'members'),
    (['--members', '1000000000'], 'members'),
    (['--seed', '9' * 30], 'seed'),
    (['--spec', 'nowhere.yaml'], 'nowhere.yaml'),
    (['--data', 'nowhere'], '--data nowhere: found no such directory, expected a data directory'),
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
