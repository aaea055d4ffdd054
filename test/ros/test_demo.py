# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole loop as `make demo` runs it, in small, and what Ctrl-C leaves."""
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.bags.reader import open_bag
from active_collection.episode import Actor

PROGRAM = [sys.executable, '-c',
           'from active_collection.nodes.demo.demo import main; import sys; sys.exit(main())']
SMALL = ['--tasks', 'drawer_close,reach', '--demonstrations', '2', '--rounds', '1', '--budget',
         '3', '--members', '2', '--evaluations', '1', '--frames', '8', '--rate', '0']


# Looked for, not imported: the camera tests must choose the GL library before mujoco is imported.
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec('metaworld') is None, reason='metaworld is not installed')]


def start(directory: Path, *arguments: str) -> subprocess.Popen:
    with (directory / 'demo.log').open('wb') as log:
        return subprocess.Popen(
            [*PROGRAM, '--data', str(directory / 'data'), *arguments], cwd=directory,
            stdout=log, stderr=subprocess.STDOUT)


def first_actor(path: Path) -> Actor:
    """Return who acts first by the messages that are about this episode."""
    with open_bag(path) as bag:
        said = (message.decode() for message in bag.messages([f'/{bag.episode.robot}/actor']))
        return next(Actor(told.actor) for told in said if told.episode_id == path.name)


def test_the_loop_runs_from_demonstrations_to_a_report(tmp_path):
    demo = start(tmp_path, *SMALL)
    status = demo.wait(timeout=560)
    log = (tmp_path / 'demo.log').read_text()
    data = tmp_path / 'data' / '001'

    assert status == 0, log
    assert 'Traceback' not in log
    bags = find_episodes(data)
    assert len(bags) >= 7
    for bag in bags:
        with AnyReader([bag]) as reader:
            assert reader.message_count > 0
        for path in bag.glob('*.mcap'):
            with path.open('rb') as file:
                assert sum(1 for _ in make_reader(file).iter_messages()) > 0
        assert first_actor(bag) is read_record(bag).source.actor
    steered = [record for record in map(read_record, bags) if record.uncertainty.steps]
    assert steered, 'no episode was scored by the ensemble'
    assert len(list((data / 'evaluations').glob('*.json'))) == 2
    report = (data / 'report.html').read_text()
    assert 'drawer_close' in report
    assert f'Report: {data}' in log.replace('\n', '')
    for path in (data / 'logs').iterdir():
        assert 'Traceback' not in path.read_text(), path


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_keeps_what_was_recorded_and_leaves_no_process(tmp_path, number):
    demo = start(tmp_path, *SMALL)
    deadline = time.monotonic() + 90
    while not find_episodes(tmp_path / 'data' / '001'):
        assert time.monotonic() < deadline, 'no episode within 90 s'
        with pytest.raises(subprocess.TimeoutExpired):
            demo.wait(timeout=0.2)
    children = psutil.Process(demo.pid).children(recursive=True)

    demo.send_signal(number)

    assert demo.wait(timeout=60) == 130
    for log in (tmp_path / 'demo.log', *(tmp_path / 'data').glob('*/logs/*.log')):
        assert 'Traceback' not in log.read_text(), log
    assert not [child for child in children if child.is_running()]
    assert all(read_record(bag) for bag in find_episodes(tmp_path / 'data' / '001'))
    assert not list((tmp_path / 'data').rglob('*.recording'))


def test_an_unwritable_data_directory_is_one_line_and_status_2(tmp_path):
    (tmp_path / 'data').write_text('a file')

    demo = start(tmp_path)

    assert demo.wait(timeout=60) == 2
    log = (tmp_path / 'demo.log').read_text()
    assert len(log.strip().splitlines()) == 1
    assert str(tmp_path / 'data') in log
