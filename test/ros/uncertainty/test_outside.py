# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Nothing from outside ends the uncertainty node or blinds it: paths, third parties, copies."""
from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from uncertainty_peers import DEADLINE_S
from uncertainty_peers import wait_for

#: A source whose members do what the file 'mood' beside them says.
THEIRS = '''
import sys
from pathlib import Path
import torch
from active_collection.uncertainty.ensemble import Prediction

class Panic(BaseException):
    """What a compiled extension raises where it gives up."""

def act(path):
    mood = path.read_text() if path.exists() else 'well'
    if mood == 'raise':
        raise KeyError('weights of theirs')
    if mood == 'exit':
        sys.exit(3)
    if mood == 'panic':
        raise Panic('index out of bounds')
    if mood == 'memory':
        raise MemoryError
    if mood == 'recurse':
        act(path)

class Members:
    def __init__(self, path):
        self.path = path
        if (path.parent / 'large').exists():
            self.weights = torch.ones(10_000_000)
            self.itself = self  # nothing but the garbage collector can take it away
    def predict(self, observations):
        act(self.path)
        members = torch.arange(2.0).reshape(2, 1, 1, 1)
        return Prediction(members.expand(2, len(observations), 1, 2))
    def embed(self, observations):
        return observations

class Source:
    def load(self, directory, description):
        act(directory / 'loading')
        return Members(directory / 'mood')
'''


@pytest.fixture
def theirs(ensembles, tmp_path, monkeypatch):
    """Give a maker of ensembles of a third party's source, which each node started finds."""
    site = tmp_path / 'site'
    (site / 'theirs-1.dist-info').mkdir(parents=True)
    (site / 'theirs-1.dist-info' / 'METADATA').write_text('Name: theirs\nVersion: 1\n')
    (site / 'theirs-1.dist-info' / 'entry_points.txt').write_text(
        '[active_collection.ensemble_sources]\ntheirs = their_source:Source\n')
    (site / 'their_source.py').write_text(THEIRS)
    monkeypatch.setenv('PYTHONPATH', f'{site}:{os.environ.get("PYTHONPATH", "")}')
    described = json.loads((ensembles[0] / 'description.json').read_text())

    def make(path, **moods):
        path.mkdir(parents=True)
        for name, mood in moods.items():
            (path / name).write_text(mood)
        (path / 'description.json').write_text(json.dumps({
            **described, 'ensemble_id': path.name, 'source': 'theirs', 'members': 2,
            'network': {}, 'novelty': {}, 'reference_epistemic': []}))
        return path

    return make


def shows_on(robot, step):
    """Show one more observation and tell whether it was scored."""
    count = len(robot.estimates)
    robot.show(step, [0.1, 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: len(robot.estimates) > count, 'the estimate')
    return robot.estimates[-1]


def errors_with(robot, text):
    return next((s for s in reversed(robot.reports)
                 if s.name.endswith(': errors') and text in s.message), None)


@pytest.mark.parametrize('make', [
    lambda tmp: '~nosuchuser/x',
    lambda tmp: str(tmp / ('n' * 300)),
    lambda tmp: '/' + 'deep/' * 2000,
    lambda tmp: '',
    lambda tmp: '/dev/null',
    lambda tmp: '/proc/self/mem/x',
    lambda tmp: fifo(tmp / 'fifo'),
    lambda tmp: loop(tmp / 'loop'),
    lambda tmp: str(tmp / '\udcff\n'.encode('utf-8', 'surrogatepass').decode('latin-1')),
], ids=['no user', 'long name', 'long path', 'nothing', 'a device', 'no directory', 'a pipe',
        'a loop', 'odd characters'])
def test_whatever_path_is_to_be_loaded_it_is_refused_with_the_reason(
        robot, start, ensembles, tmp_path, make):
    process = start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')

    answer = robot.load(make(tmp_path))

    assert not answer.loaded
    assert 'found' in answer.message
    assert '\n' not in answer.message
    assert answer.ensemble_id == ensembles[0].name
    assert shows_on(robot, 0).ensemble_id == ensembles[0].name
    assert process.poll() is None


def fifo(path):
    """Make an ensemble whose description would be waited for without end."""
    path.mkdir()
    os.mkfifo(path / 'description.json')
    return path


def loop(path):
    path.symlink_to(path)
    return path


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_a_directory_without_rights_is_refused_until_it_has_them(
        robot, start, ensembles, tmp_path):
    shut = tmp_path / 'shut'
    shutil.copytree(ensembles[0], shut / ensembles[0].name)
    shut.chmod(0)
    start(ensembles=str(shut))
    wait_for(lambda: robot.report_with('no permission'), 'the report')
    assert 'no permission' in robot.load(shut).message

    shut.chmod(0o755)

    wait_for(lambda: robot.report_with('scoring with'), 'the ensemble')


@pytest.mark.parametrize('mood', ['raise', 'exit', 'panic', 'memory', 'recurse'])
def test_whatever_a_third_party_raises_is_told_and_the_node_goes_on(
        robot, start, theirs, tmp_path, mood):
    own = theirs(tmp_path / 'e' / '20260101T000000-aaaaaa')
    process = start(ensembles=str(tmp_path / 'e'))
    wait_for(robot.is_heard, 'subscriptions')
    shows_on(robot, 0)

    # To be loaded by the service, and found by the watcher.
    answer = robot.load(theirs(tmp_path / 'other', loading=mood))
    assert (answer.loaded, answer.ensemble_id) == (False, own.name)
    assert str(tmp_path / 'other') in answer.message
    bad = theirs(tmp_path / 'e' / '20260102T000000-bbbbbb', loading=mood)
    wait_for(lambda: robot.report_with(f'refused: {bad}'), 'the refusal')
    assert shows_on(robot, 1).ensemble_id == own.name

    # While it scores.
    (own / 'mood').write_text(mood)
    robot.show(2, [0.1, 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: errors_with(robot, f'ensemble {own.name}'), 'the report')
    (own / 'mood').write_text('well')
    assert shows_on(robot, 3).ensemble_id == own.name

    # The watcher still watches.
    newer = theirs(tmp_path / 'e' / '20260103T000000-cccccc')
    wait_for(lambda: robot.report_with(f'scoring with {newer.name}'), 'the newer one')
    assert shows_on(robot, 4).ensemble_id == newer.name
    assert process.poll() is None


def test_what_a_third_party_raises_each_time_is_logged_once(robot, start, theirs, tmp_path):
    own = theirs(tmp_path / 'e' / '20260101T000000-aaaaaa')
    process = start(ensembles=str(tmp_path / 'e'))
    wait_for(robot.is_heard, 'subscriptions')
    shows_on(robot, 0)

    (own / 'mood').write_text('raise')
    for step in range(1, 20):
        robot.show(step, [0.1, 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: any(value.value == '19' for report in robot.reports
                         if report.name.endswith(': errors') for value in report.values),
             'the count')
    (own / 'mood').write_text('well')
    shows_on(robot, 20)
    process.terminate()
    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert output.count('Traceback') == 1
    assert 'weights of theirs' in output


def test_an_ensemble_that_is_being_copied_is_taken_once_it_is_whole(
        robot, start, ensembles, tmp_path):
    old, new = ensembles
    shutil.copytree(old, tmp_path / old.name)
    start(ensembles=str(tmp_path))
    wait_for(robot.is_heard, 'subscriptions')
    shows_on(robot, 0)

    # As rsync and scp do it: the description first, the weights piece by piece.
    copy = tmp_path / new.name
    copy.mkdir()
    shutil.copy(new / 'description.json', copy)
    wait_for(lambda: robot.report_with(f'refused: {copy}/members.safetensors: found no such file'),
             'the refusal')
    weights = (new / 'members.safetensors').read_bytes()
    (copy / 'members.safetensors').write_bytes(weights[:len(weights) // 2])
    wait_for(lambda: robot.report_with(f'refused: {copy}/members.safetensors: found Error'),
             'the next refusal')
    assert shows_on(robot, 1).ensemble_id == old.name
    (copy / 'members.safetensors').write_bytes(weights)
    for path in new.iterdir():
        if not (copy / path.name).exists():
            shutil.copy(path, copy)

    wait_for(lambda: robot.report_with(f'scoring with {new.name}'), 'the new ensemble')
    assert shows_on(robot, 2).ensemble_id == new.name


def test_while_the_newest_cannot_be_read_the_newest_that_can_is_used(
        robot, start, ensembles, tmp_path):
    shutil.copytree(ensembles[0], tmp_path / ensembles[0].name)
    broken = tmp_path / '20990101T000000-ffffff'
    broken.mkdir()
    (broken / 'description.json').write_text('{')

    start(ensembles=str(tmp_path))

    wait_for(lambda: robot.report_with(f'scoring with {ensembles[0].name}; refused: {broken}'),
             'the report')
    wait_for(robot.is_heard, 'subscriptions')
    assert shows_on(robot, 0).ensemble_id == ensembles[0].name


def test_a_topic_of_a_type_that_is_not_installed_is_told_once_and_taken_once_it_is(
        robot, start, ensembles, tmp_path, monkeypatch):
    # In front of the real one: a package that cannot be imported.
    hidden = tmp_path / 'site' / 'sensor_msgs'
    hidden.mkdir(parents=True)
    (hidden / '__init__.py').write_text("raise ImportError('no sensor_msgs here')")
    monkeypatch.setenv('PYTHONPATH', f'{hidden.parent}:{os.environ.get("PYTHONPATH", "")}')
    process = start(ensembles=str(ensembles[0]))
    said = 'joints: not received: its type sensor_msgs/msg/JointState is not installed'
    wait_for(lambda: robot.report_with(said), 'the report')
    reports = len(robot.reports)
    wait_for(lambda: len(robot.reports) > reports + 15, 'reports: it is tried again meanwhile')
    assert process.poll() is None

    hidden.rename(tmp_path / 'away')

    wait_for(robot.is_heard, 'subscriptions')
    assert shows_on(robot, 0).ensemble_id == ensembles[0].name
    wait_for(lambda: said not in robot.reports[-1].message, 'a report without it')
    process.terminate()
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert output.count('is not installed') == 1


def test_messages_that_cannot_be_read_do_not_end_it(robot, start, ensembles):
    process = start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    shows_on(robot, 0)

    for rubbish in (b'\x00\x01\x00\x00' + b'\xff' * 40, b'\x00\x01\x00\x00', b'\x00' * 5000):
        robot.joints.publish(rubbish)
        robot.hand.publish(rubbish)
        robot.recorder.publish(rubbish)

    assert shows_on(robot, 1).ensemble_id == ensembles[0].name
    assert process.poll() is None


def test_what_an_ensemble_leaves_in_cycles_is_given_back(robot, start, theirs, tmp_path):
    pair = [theirs(tmp_path / name, large='') for name in ('one', 'other')]
    process = start(ensembles=str(pair[0]))
    wait_for(robot.is_heard, 'subscriptions')
    shows_on(robot, 0)
    assert all(robot.load(path).loaded for path in pair)
    before = resident_bytes(process.pid)

    for _ in range(5):
        assert all(robot.load(path).loaded for path in pair)

    # Each holds 40 MB: ten that are kept would be 400 MB.
    wait_for(lambda: resident_bytes(process.pid) < before + 100e6, 'the memory')
    assert shows_on(robot, 1).ensemble_id == 'other'


def resident_bytes(process_id):
    status = Path(f'/proc/{process_id}/status').read_text()
    return 1024 * int(re.search(r'VmRSS:\s+(\d+) kB', status).group(1))
