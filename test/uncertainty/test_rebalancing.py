# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Training on the weights that `active-collection ledger weights` writes."""
from dataclasses import replace

import pytest
import torch

from active_collection.cli.main import main
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.decoding import read_demonstrations
from active_collection.uncertainty.draws import Draw
from active_collection.uncertainty.ensemble_files import load_newest
from active_collection.uncertainty.folds import split
from active_collection.uncertainty.rebalancing import shares
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.task_weights import read_weights
from active_collection.uncertainty.training import train

HEADER = 'episode_id,task,outcome,impersonated,weight\n'
SPACE = """
format: 1
tasks:
  push: {skill_group: slide, success: effects, effects: {drawer: shut}}
  pull: {skill_group: slide, success: effects, effects: {drawer: open}}
environments: {table: {}}
"""


@pytest.fixture
def data(write_episode, tmp_path):
    """Seven pushes, one of them failed so that it is a pull, and one pull that a policy did."""
    for seed in range(6):
        write_episode(seed, task='push', tags={'scene.drawer': 'shut'})
    write_episode(6, task='push', outcome=Outcome.FAILURE, tags={'scene.drawer': 'open'})
    write_episode(7, task='pull', source=Source.POLICY, length=40,
                  tags={'scene.drawer': 'open'})
    return tmp_path / 'data'


@pytest.fixture
def weights(tmp_path):
    def write(*rows, header=HEADER):
        path = tmp_path / 'weights.csv'
        path.write_text(header + ''.join(f'{row}\n' for row in rows))
        return path

    return write


@pytest.fixture
def decode(data, spec, tmp_path):
    def read(path):
        return read_demonstrations(
            data, spec, cache=tmp_path / 'cache', weights=read_weights(path)).dataset

    return read


def test_what_the_ledger_command_writes_is_what_training_takes(data, spec, tmp_path, capsys):
    (tmp_path / 'space.yaml').write_text(SPACE)
    (tmp_path / 'spec.yaml').write_text(spec.model_dump_json())
    (tmp_path / 'training.yaml').write_text('steps: 30\nhidden: [16]\nmembers: 2\n')
    assert main(['ledger', 'weights', str(tmp_path / 'space.yaml'), str(data)]) == 0
    (tmp_path / 'weights.csv').write_text(capsys.readouterr().out)

    assert main(['train', '--data', str(data), '--spec', str(tmp_path / 'spec.yaml'),
                 '--out', str(tmp_path / 'ensembles'), '--weights', str(tmp_path / 'weights.csv'),
                 '--config', str(tmp_path / 'training.yaml')]) == 0

    training = load_newest(tmp_path / 'ensembles').description.training
    assert training['episodes'] == 8
    assert training['task_shares'] == pytest.approx({'pull': 0.5, 'push': 0.5})
    assert 'drawn as pull' in capsys.readouterr().out


def test_an_impersonated_task_is_what_the_policy_is_told(decode, weights):
    dataset = decode(weights('episode-6,pull,success,1,0.5', 'episode-0,push,success,0,0.25',
                             'episode-0,pull,success,1,0.25'))

    told = {(e.episode_id, e.task): e.observations[:, 6:].unique(dim=0).tolist()
            for e in dataset.episodes}
    assert told == {('episode-6', 'pull'): [[0.0, 1.0]], ('episode-0', 'push'): [[1.0, 0.0]],
                    ('episode-0', 'pull'): [[0.0, 1.0]]}
    assert shares(dataset) == pytest.approx({'pull': 0.75, 'push': 0.25})


def test_a_policy_that_is_not_told_its_task_sees_an_episode_once(data, spec, weights, tmp_path):
    blind = spec.model_copy(update={'observation': spec.observation[:2]})

    dataset = read_demonstrations(
        data, blind, cache=tmp_path / 'cache', weights=read_weights(weights(
            'episode-0,push,success,0,0.25', 'episode-0,pull,success,1,0.25',
            'episode-1,push,success,0,0.5'))).dataset

    assert [e.episode_id for e in dataset.episodes] == ['episode-0', 'episode-1']
    assert dataset.weights.sum() == pytest.approx(1)
    assert dataset.weights[:20].sum() == pytest.approx(0.5)


def test_an_episode_is_drawn_as_often_as_it_weighs_however_long(decode, weights):
    dataset = decode(weights('episode-0,push,success,0,3', 'episode-7,pull,success,0,1'))
    draw = Draw.of(dataset.rows([0, 1]), dataset.weights, torch.device('cpu'))

    rows = draw.batch(20_000, torch.Generator().manual_seed(1))

    counts = torch.bincount(rows, minlength=60)
    assert counts[:20].sum() / 20_000 == pytest.approx(0.75, abs=0.02)  # 6 standard errors
    assert counts[20:].sum() / 20_000 == pytest.approx(0.25, abs=0.02)
    assert (counts > 0).all()


def test_what_is_held_out_is_held_out_as_every_task(decode, weights):
    dataset = decode(weights(*(f'episode-{k},{task},success,{int(task == "pull")},1'
                               for k in range(6) for task in ('push', 'pull'))))

    folds = split(dataset, TrainingSettings(held_out=0.3))

    for network in range(5):
        ids = [dataset.episodes[place].episode_id for place in folds.held_out(network)]
        assert len(ids) == 2 * len(set(ids)) > 0


def test_a_task_that_weighs_more_is_learnt_better(make_dataset, spec):
    """Two tasks that contradict each other for a policy that cannot tell them apart."""
    whole = make_dataset(20)
    blind = [replace(e, observations=e.observations[:, :6]) for e in whole.episodes]
    places = spec.model_copy(update={'observation': spec.observation[:2]})
    settings = TrainingSettings(members=2, hidden=(32,), steps=300, check_every=50, batch_size=64)

    def error(task, weights):
        dataset = Dataset.of(blind, places, {'hand': 3, 'goal': 3}, weights=weights)
        trained = train(dataset, settings)
        rows = dataset.rows([k for k, e in enumerate(blind) if e.task == task])
        mean = trained.members.stacked().predict(dataset.observations[rows]).mean.mean((0, 2))
        return float((mean - dataset.actions[rows]).pow(2).mean())

    for push in (20.0, 0.05):
        weights = [push if e.task == 'push' else 1.0 for e in blind]
        better, worse = ('push', 'pull') if push > 1 else ('pull', 'push')
        assert error(better, weights) < 0.5 * error(worse, weights)


@pytest.mark.parametrize(('row', 'message'), [
    ('episode-99,push,success,0,1', 'weights.csv:3: episode_id: found episode-99, expected an '),
    ('episode-1,pull,success,0,1', 'weights.csv:3: task: found pull, expected push, which'),
    ('episode-1,push,success,1,1', 'weights.csv:3: task: found push, expected another task than'),
    ('episode-1,twist,success,1,1', "weights.csv:3: task: found twist, expected one that 'task'"),
    ('episode-1,push,success,0,-0.1', 'weights.csv:3: weight: found -0.1, expected a number, 0'),
    ('episode-1,push,success,0,nan', 'weights.csv:3: weight: found nan'),
    ('episode-1,push,success,0,inf', 'weights.csv:3: weight: found inf'),
    ('episode-1,push,success,0,much', 'weights.csv:3: weight: found much'),
    ('episode-6,push,failure,0,1', 'weights.csv:3: outcome: found failure, expected success'),
    ('episode-1,push,success,yes,1', 'weights.csv:3: impersonated: found yes, expected 0 or 1'),
    ('episode-1,push,success,0', 'weights.csv:3: found 4 values, expected 5'),
    ('episode-0,push,success,0,1', 'weights.csv:3: found episode-0 as push a second time'),
    ('episode-8,push,success,0,1', 'which was discarded, expected an episode that counts'),
])
def test_a_wrong_row_is_one_line(decode, weights, write_episode, row, message):
    write_episode(8, outcome=Outcome.DISCARDED)

    with pytest.raises(UncertaintyError) as raised:
        decode(weights('episode-0,push,success,0,1', row))

    assert message in str(raised.value)
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize(('text', 'message'), [
    (None, 'weights.csv: found no such file, expected a readable CSV'),
    ('', 'no column episode_id'),
    (HEADER.replace('task', 'tsk'), 'no column task'),
    (HEADER + 'episode-0,push,success,0,0\n', 'no weight above 0'),
])
def test_a_wrong_file_is_one_line(tmp_path, text, message):
    path = tmp_path / 'weights.csv'
    if text is not None:
        path.write_text(text)

    with pytest.raises(UncertaintyError, match=message):
        read_weights(path)


def test_the_command_ends_with_status_2(data, spec, weights, tmp_path, capsys):
    (tmp_path / 'spec.yaml').write_text(spec.model_dump_json())
    path = weights('episode-0,push,success,0,1', 'episode-9,push,success,0,1')

    assert main(['train', '--data', str(data), '--spec', str(tmp_path / 'spec.yaml'),
                 '--out', str(tmp_path / 'ensembles'), '--weights', str(path)]) == 2

    assert 'weights.csv:3: episode_id' in capsys.readouterr().err.strip().splitlines()[-1]
