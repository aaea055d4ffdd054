# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The annotation loop as a person turns it: from bags to a verdict."""
from __future__ import annotations

import argparse
import json

import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.cli import round as command
from active_collection.errors import ActiveCollectionError
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.rounds import Round


@pytest.fixture
def data(tmp_path):
    for i in range(4):
        write_bag(tmp_path / 'bags' / f'b{i}', camera(15, first=20 * i))
    index(find_bags([tmp_path / 'bags']), tmp_path / 'pool',
          IndexSettings(sampling=Sampling(rate_hz=0)))
    return tmp_path


def run(step, data, *arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([step, '--data', str(data), *map(str, arguments)]))


def label(data, number, *, annotator=''):
    """Label what lies in the export as an annotation tool would: by the first bits of the id."""
    path = data / 'rounds' / str(number) / 'export' / 'coco.json'
    content = json.loads(path.read_text())
    content['categories'] = [{'id': 1, 'name': 'even'}, {'id': 2, 'name': 'odd'}]
    content['annotations'] = [
        {'id': n, 'image_id': image['id'], 'annotator': annotator,
         'category_id': 1 + int(image['unit_id'][0], 16) % 2}
        for n, image in enumerate(content['images'], 1)]
    out = data / f'labels{number}.json'
    out.write_text(json.dumps(content))
    return out


def test_the_loop_turns_until_it_says_stop(data, capsys):
    for number in (1, 2, 3):
        assert run('start', data, '--count', 12, '--gap', 0, '--duplicate-bits', -1) == 0
        assert run('export', data) == 0
        assert run('ingest', data, label(data, number)) == 0
    chosen = [u for n in '123' for u in Round.open(
        data / 'rounds' / n).picks['unit_id'].to_pylist()]
    assert len(chosen) == len(set(chosen)) == 36
    assert [Round.open(data / 'rounds' / n).manifest['strategy'] for n in '123'] == [
        'typiclust', 'hybrid', 'hybrid']
    capsys.readouterr()
    assert run('status', data) == 0
    table = capsys.readouterr().out
    assert all(text in table for text in ('typiclust', 'hybrid', '12', 'accuracy'))
    criteria = data / 'stop.yaml'
    criteria.write_text('budget: 36\n')
    assert run('stop', data, '--criteria', criteria) == 0
    assert 'stop, because of budget' in capsys.readouterr().out
    assert run('stop', data) == 0
    assert capsys.readouterr().out.endswith('go on\n')


def test_ingesting_again_makes_a_version_and_keeps_disagreement(data, capsys):
    run('start', data, '--count', 10, '--gap', 0, '--duplicate-bits', -1)
    run('export', data)
    run('ingest', data, label(data, 1, annotator='ann'))
    path = label(data, 1, annotator='bob')
    content = json.loads(path.read_text())
    content['annotations'][0]['category_id'] = 3 - content['annotations'][0]['category_id']
    path.write_text(json.dumps(content))
    run('ingest', data, path)
    assert 'version 2; annotators disagree on 1 pictures' in capsys.readouterr().out


def test_strategies_that_learn_from_labels_work_in_a_later_round(data):
    run('start', data, '--count', 12, '--gap', 0, '--duplicate-bits', -1)
    run('export', data)
    run('ingest', data, label(data, 1))
    assert run('start', data, '--count', 5, '--strategy', 'badge', '--gap', 0) == 0


@pytest.mark.parametrize('arguments', [
    ['export'], ['ingest', '/none'], ['stop'], ['start', '--count', '-1'],
    ['export', '--round', '7'], ['start', '--strategy', 'entropy']])
def test_what_cannot_be_done_yet_is_an_error_of_one_line(data, arguments):
    with pytest.raises(ActiveCollectionError) as caught:
        run(arguments[0], data, *arguments[1:])
    assert '\n' not in str(caught.value)
    assert not (data / 'rounds').exists()


def test_labels_of_another_round_are_refused_and_nothing_is_lost(data):
    for number in (1, 2):
        run('start', data, '--count', 8, '--gap', 0, '--duplicate-bits', -1)
        run('export', data)
        label(data, number)
    run('ingest', data, '--round', 1, data / 'labels1.json')
    before = (data / 'rounds' / '1' / 'labels' / '1.parquet').read_bytes()
    with pytest.raises(ActiveCollectionError, match='another round'):
        run('ingest', data, '--round', 1, data / 'labels2.json')
    assert (data / 'rounds' / '1' / 'labels' / '1.parquet').read_bytes() == before
    assert len(list((data / 'rounds' / '1' / 'labels').iterdir())) == 1


def test_the_status_of_a_directory_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ActiveCollectionError, match=r'nowhere: found no such directory'):
        run('status', tmp_path / 'nowhere')
