# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line over recorded episodes."""
from __future__ import annotations

import json

import pytest

from active_collection.cli import main as command_line
from active_collection.episode import Outcome


@pytest.fixture
def data(bench):
    bench.add_topic('/a')
    for episode, outcome in (('e1', Outcome.SUCCESS), ('e2', Outcome.FAILURE)):
        bench.start(episode_id=episode, notes='hello', operator='ann')
        bench.send('/a', bytes(1000), count=10)
        bench.recorder.finish(episode, outcome=outcome)
    return bench.recorder.store.data


def test_list_filters_and_writes_json(data, capsys):
    assert command_line.main(['episodes', 'list', str(data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and 'pick_mug @ kitchen_b' in lines[0] and 'success' in lines[0]
    assert command_line.main(
        ['episodes', 'list', str(data), '--outcome', 'failure', '--json']) == 0
    assert json.loads(capsys.readouterr().out)['episode_id'] == 'e2'
    assert command_line.main(['episodes', 'list', str(data), '--task', 'other']) == 0
    assert capsys.readouterr().out == ''


def test_show_by_id_and_by_path(data, capsys):
    assert command_line.main(['episodes', 'show', 'e1', '--data', str(data)]) == 0
    text = capsys.readouterr().out
    assert 'ann' in text and 'hello' in text and '10 written' in text
    [path] = data.glob('episodes/*/e1')
    assert command_line.main(['episodes', 'show', str(path), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['episode_id'] == 'e1'


def test_verify_finds_a_flipped_bit(data, capsys):
    assert command_line.main(['episodes', 'verify', '--data', str(data)]) == 0
    assert '2 of 2 episodes are whole' in capsys.readouterr().out
    [path] = data.glob('episodes/*/e2/*.mcap')
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(bytes(content))
    assert command_line.main(['episodes', 'verify', '--data', str(data)]) == 1
    assert 'checksum' in capsys.readouterr().out


def test_list_and_verify_take_the_data_directory_in_the_same_ways(data, capsys):
    for form in ([str(data)], ['--data', str(data)]):
        assert command_line.main(['episodes', 'list', *form]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 2
        assert command_line.main(['episodes', 'verify', *form]) == 0
        assert '2 of 2 episodes are whole' in capsys.readouterr().out
    assert command_line.main(['episodes', 'verify', 'e1', '--data', str(data)]) == 0
    assert '1 of 1 episodes are whole' in capsys.readouterr().out


@pytest.mark.parametrize('arguments', [
    ['episodes', 'list', '/nowhere'], ['episodes', 'list', '/', '--outcome', 'sucess'],
    ['episodes', 'show', 'none', '--data', '/nowhere'],
    ['episodes', 'show', '../..'], ['episodes', 'verify', '/nowhere/e1']])
def test_mistakes_are_one_line_and_status_2(arguments, capsys):
    assert command_line.main(arguments) == 2
    assert capsys.readouterr().err.count('\n') == 1
