# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The annotation loop as a person turns it: from bags to a verdict."""
from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.cli import round as command
from active_collection.errors import ActiveCollectionError
from active_collection.pipeline.rounds.label_curve import curve
from active_collection.selection import labels
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.rounds import Round
from active_collection.selection.rounds import all_rounds


@pytest.fixture
def data(tmp_path):
    for i in range(4):
        write_bag(tmp_path / 'bags' / f'b{i}', camera(15, first=20 * i))
    index(find_bags([tmp_path / 'bags']), tmp_path / 'pool',
          IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))
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
    assert run('stop', data) == 0  # the criteria are kept
    assert 'stop, because of budget' in capsys.readouterr().out
    criteria.write_text('budget: 37\n')
    assert run('stop', data, '--criteria', criteria) == 0
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


def test_labels_of_an_export_that_lies_elsewhere_are_taken_in(data, tmp_path):
    run('start', data, '--count', 12)
    run('export', data, '--out', tmp_path / 'shared')
    made = json.loads((tmp_path / 'shared' / 'coco.json').read_text())
    made['categories'] = [{'id': 1, 'name': 'even'}]
    made['annotations'] = [{'id': 1, 'image_id': 1, 'category_id': 1}]
    (tmp_path / 'made.json').write_text(json.dumps(made))

    assert run('ingest', data, tmp_path / 'made.json', '--export', tmp_path / 'shared') == 0

    assert len(labels.newest(data / 'rounds' / '1')) == 1


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


def half_wrong(data, number):
    """Labels of which one is of a picture that is in no export, and one of no class."""
    path = label(data, number)
    content = json.loads(path.read_text())
    content['images'].append({'id': 99, 'file_name': 'images/elsewhere.jpg'})
    content['annotations'][2]['image_id'] = 99
    content['annotations'][5]['category_id'] = 7
    path.write_text(json.dumps(content))
    return path


def test_wrong_labels_are_left_out_named_and_written_down(data, capsys):
    run('start', data, '--count', 12, '--gap', 0, '--duplicate-bits', -1)
    run('export', data)
    path = half_wrong(data, 1)
    capsys.readouterr()

    assert run('ingest', data, path) == 1

    out, err = capsys.readouterr()
    rejected = data / 'rounds' / '1' / 'labels' / '1.rejected.csv'
    assert out.startswith('10 annotations of 10 of 12 pictures, 0 repeats; version 1')
    assert err.splitlines() == [
        f"active-collection: left out: {path}: annotations[2] (id 3): found picture "
        "'images/elsewhere.jpg', expected one of this export (labels of another round?)",
        f'active-collection: left out: {path}: annotations[5] (id 6): category_id: found 7, '
        'expected an id that the file itself gives',
        f'active-collection: 2 labels left out, all in {rejected}']
    assert len(rejected.read_text().splitlines()) == 3
    assert len(labels.newest(data / 'rounds' / '1')) == 10
    assert metrics_of(data, 1)['labelled'] == 10
    assert run('ingest', data, label(data, 1)) == 0  # mended: the next version has all
    assert len(labels.newest(data / 'rounds' / '1')) == 12


def test_labels_are_in_whatever_becomes_of_what_they_teach(data, capsys):
    run('start', data, '--count', 12, '--gap', 0, '--duplicate-bits', -1)
    run('export', data)
    shutil.move(data / 'pool', data / 'elsewhere')
    with pytest.raises(ActiveCollectionError, match='no such file'):
        run('ingest', data, label(data, 1))
    assert '12 annotations of 12 of 12 pictures' in capsys.readouterr().out
    assert len(labels.newest(data / 'rounds' / '1')) == 12


def test_a_zip_file_is_taken_as_it_is(data):
    run('start', data, '--count', 12, '--gap', 0, '--duplicate-bits', -1)
    run('export', data)
    with zipfile.ZipFile(data / 'labels.zip', 'w') as file:
        file.write(label(data, 1), 'annotations/instances_default.json')
    assert run('ingest', data, data / 'labels.zip') == 0
    assert len(labels.newest(data / 'rounds' / '1')) == 12


def test_nobody_is_called_so(data):
    run('start', data, '--count', 12, '--gap', 0, '--duplicate-bits', -1)
    run('export', data)
    with pytest.raises(ActiveCollectionError, match='--annotator: found annotator'):
        run('ingest', data, '--annotator', 'x' * 201, label(data, 1))


def turn(data, *arguments, count=12, annotator=''):
    """Start, export and label a round; return its number."""
    number = len(all_rounds(data / 'rounds')) + 1
    run('start', data, '--count', count, '--gap', 0, '--duplicate-bits', -1, *arguments)
    run('export', data)
    run('ingest', data, label(data, number, annotator=annotator))
    return number


def metrics_of(data, number):
    return json.loads((data / 'rounds' / str(number) / 'metrics.json').read_text())


def test_a_held_out_round_tests_the_others_and_teaches_nothing(data, capsys):
    turn(data)
    assert not metrics_of(data, 1)['held_out']
    turn(data, '--held-out', count=10)
    assert Round.open(data / 'rounds' / '2').manifest['strategy'] == 'random'
    assert not (data / 'rounds' / '2' / 'metrics.json').exists()
    first = metrics_of(data, 1)
    assert (first['held_out'], first['tested'], first['labelled']) == (True, 10, 22)
    turn(data)
    assert metrics_of(data, 3)['labelled'] == 34
    assert [point.round for point in curve(data)] == [1, 3]
    capsys.readouterr()
    run('status', data)
    assert 'random (held out)' in capsys.readouterr().out
    page = (data / 'rounds' / 'stopping.html')
    criteria = data / 'stop.yaml'
    criteria.write_text('target: 0.01\n')
    run('stop', data, '--criteria', criteria)
    out = capsys.readouterr().out
    assert '10 held-out labels' in out
    assert f'plot: {page}' in out
    assert 'a held-out set' in page.read_text()


def test_a_held_out_round_first_leaves_the_next_one_the_seed(data):
    turn(data, '--held-out', count=10)
    turn(data)
    assert Round.open(data / 'rounds' / '2').manifest['strategy'] == 'typiclust'


def test_labels_that_come_late_move_every_later_point(data):
    for _ in range(2):
        turn(data)
    before = metrics_of(data, 2)
    path = label(data, 1, annotator='late')
    content = json.loads(path.read_text())
    for entry in content['annotations']:
        entry['category_id'] = 3 - entry['category_id']
    path.write_text(json.dumps(content))
    run('ingest', data, '--round', 1, path)
    run('ingest', data, '--round', 1, '--annotator', 'third', path)
    assert metrics_of(data, 2) != before


def test_annotators_that_a_tool_does_not_name_are_kept_apart_by_name(data, capsys):
    run('start', data, '--count', 10, '--gap', 0, '--duplicate-bits', -1)
    run('export', data)
    path = label(data, 1)
    run('ingest', data, '--annotator', 'ann', path)
    content = json.loads(path.read_text())
    content['annotations'][0]['category_id'] = 3 - content['annotations'][0]['category_id']
    path.write_text(json.dumps(content))
    run('ingest', data, '--annotator', 'bob', path)
    assert 'version 2; annotators disagree on 1 pictures' in capsys.readouterr().out
    assert {row['annotator'] for row in labels.newest(data / 'rounds' / '1')} == {'ann', 'bob'}


def test_each_criterion_says_its_numbers_on_the_page(data, capsys):
    for _ in range(2):
        turn(data)
    criteria = data / 'stop.yaml'
    criteria.write_text('budget: 20\ntarget: 0.9\npatience: 1\nplateau: 1.0e9\n')
    run('stop', data, '--criteria', criteria)
    out = capsys.readouterr().out
    assert out.rstrip().splitlines()[-1].startswith('stop, because of budget')
    assert 'radius on a plateau' in out.rstrip().splitlines()[-1]
    page = (data / 'rounds' / 'stopping.html').read_text()
    for text in ('labels: budget', '24 of 20 units labelled', 'cover radius', '<svg',
                 'labels: target', 'largest relative change of the last 1 rounds'):
        assert text in page


def test_criteria_that_cannot_be_read_are_an_error_of_one_line(data):
    turn(data)
    (data / 'rounds' / 'stopping.json').write_text('{"bugdet": 3}')
    with pytest.raises(ActiveCollectionError, match=r'stopping\.json') as caught:
        run('stop', data)
    assert '\n' not in str(caught.value)


def test_a_start_that_was_killed_is_started_again(data):
    """A real process, killed while it writes: the round is not there, and the next start is it."""
    program = (
        'import os, signal, sys\n'
        'import pyarrow.parquet as pq\n'
        'from active_collection.cli.main import main\n'
        'def write(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n'
        'pq.write_table = write\n'
        'main(sys.argv[1:])\n')
    arguments = ['round', 'start', '--data', str(data), '--count', '8', '--gap', '0']
    killed = subprocess.run([sys.executable, '-c', program, *arguments], check=False,
                            capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert all_rounds(data / 'rounds') == []
    again = subprocess.run([sys.executable, '-m', 'active_collection.cli.main', *arguments],
                           check=False, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert 'round 1: 8 of 60 units' in again.stdout
    assert 'under 50' in again.stderr
    assert len(Round.open(data / 'rounds' / '1').picks) == 8


def test_an_export_that_was_killed_goes_on_where_it_was(data):
    run('start', data, '--count', 8, '--gap', 0, '--duplicate-bits', -1)
    program = (
        'import os, signal, sys\n'
        'from active_collection.annotation import pictures\n'
        'from active_collection.cli.main import main\n'
        'whole, done = pictures.write_whole, []\n'
        'def write(path, content):\n'
        '    done.append(whole(path, content))\n'
        '    if len(done) == 3: os.kill(os.getpid(), signal.SIGKILL)\n'
        'pictures.write_whole = write\n'
        'main(sys.argv[1:])\n')
    killed = subprocess.run(
        [sys.executable, '-c', program, 'round', 'export', '--data', str(data)], check=False,
        capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    images = data / 'rounds' / '1' / 'export' / 'images'
    first = {path.name: path.stat().st_mtime_ns for path in images.iterdir()}
    assert len(first) == 3
    run('export', data)
    assert len(list(images.iterdir())) == 8
    assert {name: (images / name).stat().st_mtime_ns for name in first} == first
