# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import csv
import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import estimate
from bag_factory import image
from bag_factory import scene
from bag_factory import write_bag
from bag_factory import write_bag1

from active_collection.annotation.export import export
from active_collection.annotation.formats import FORMATS
from active_collection.annotation.items import Item
from active_collection.annotation.items import read_items
from active_collection.annotation.tabular import harmless
from active_collection.bags.find import find_bags
from active_collection.cli import export as command
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError
from active_collection.errors import ConfigError
from active_collection.selection.batch import Limits
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import write_round
from active_collection.selection.select import Query
from active_collection.selection.select import select


def items_of(path, numbers, kind='png'):
    return [Item(unit_id=f'u{n}', file=f'images/u{n}.{kind}', order=order, bag=str(path),
                 topic='/camera/image_raw', receive_ns=START_NS + n * 10**8 + 10**6, sequence=0,
                 stamp_ns=START_NS + n * 10**8, width=32, height=24, score=0.5, reason='why')
            for order, n in enumerate(numbers)]


@pytest.fixture
def items(tmp_path):
    return items_of(write_bag(tmp_path / 'bag', camera(6)), [4, 0, 2])


def read(path):
    return cv2.imread(str(path))[:, :, ::-1]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3', 'rosbag1'])
def test_each_picture_is_that_of_its_message(tmp_path, storage):
    if storage == 'rosbag1':
        frames = [(t, ns, image(scene(i), ros1=True)) for i, (t, ns, _) in enumerate(camera(6))]
        path = write_bag1(tmp_path / 'a.bag', frames)
    else:
        path = write_bag(tmp_path / 'bag', camera(6), storage=storage)
    report = export(items_of(path, [4, 0, 2]), tmp_path / 'out', 'coco')
    assert (report.items, report.missing) == (3, ())
    for number in (0, 2, 4):
        assert np.array_equal(read(tmp_path / 'out' / 'images' / f'u{number}.png'), scene(number))


def test_messages_of_one_instant_are_told_apart(tmp_path):
    frames = [('/camera/image_raw', START_NS, image(scene(i))) for i in range(3)]
    path = write_bag(tmp_path / 'bag', frames)
    first = items_of(path, [0])[0]
    wanted = [replace(first, unit_id=f's{i}', file=f'images/s{i}.png', sequence=i,
                      receive_ns=START_NS) for i in range(3)]
    export(wanted, tmp_path / 'out', 'csv')
    for i in range(3):
        assert np.array_equal(read(tmp_path / 'out' / 'images' / f's{i}.png'), scene(i))


@pytest.mark.parametrize('name', FORMATS.names())
def test_every_format_writes_one_file_in_the_order_to_label(tmp_path, items, name):
    report = export(items, tmp_path / 'out', name, classes=['mug', 'hand'])
    assert report.file.is_relative_to(tmp_path / 'out')
    content = report.file.read_bytes()
    places = [content.find(f'u{n}'.encode()) for n in (4, 0, 2)]
    assert places == sorted(places)
    assert min(places) >= 0
    assert read_items(tmp_path / 'out') == (items, ['mug', 'hand'])


def test_coco_has_its_own_keys_and_the_map_to_the_bag(tmp_path, items):
    content = json.loads(export(items, tmp_path / 'out', 'coco', classes=['mug']).file.read_text())
    assert content['categories'] == [{'id': 1, 'name': 'mug', 'supercategory': ''}]
    assert content['annotations'] == []
    first = content['images'][0]
    assert (first['id'], first['file_name'], first['width'], first['height']) == (
        1, 'images/u4.png', 32, 24)
    assert (first['bag'], first['topic'], first['receive_ns'], first['sequence']) == (
        items[0].bag, items[0].topic, items[0].receive_ns, 0)


def test_csv_holds_every_field_and_no_formula(tmp_path, items):
    evil = replace(items[0], reason='=HYPERLINK("http://x")', task='@sum', outcome='-1+1')
    path = export([evil, *items[1:]], tmp_path / 'out', 'csv').file
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert rows[0]['reason'].startswith("'=")
    assert rows[0]['task'] == "'@sum"
    assert rows[0]['receive_ns'] == str(items[0].receive_ns)
    assert harmless(-0.5) == -0.5


def test_a_second_format_keeps_the_pictures(tmp_path, items):
    export(items, tmp_path / 'out', 'coco')
    before = (tmp_path / 'out' / 'images' / 'u0.png').stat().st_mtime_ns
    shutil.rmtree(items[0].bag)
    assert export(items, tmp_path / 'out', 'csv').items == 3
    assert (tmp_path / 'out' / 'images' / 'u0.png').stat().st_mtime_ns == before
    assert (tmp_path / 'out' / 'coco.json').exists()


def test_what_is_gone_is_reported_and_the_rest_exported(tmp_path, items):
    other = replace(items[0], unit_id='x', file='images/x.png', order=3, bag='/none/bag')
    late = replace(items[0], unit_id='y', file='images/y.png', order=4, receive_ns=5)
    report = export([*items, other, late], tmp_path / 'out', 'coco')
    assert report.items == 3
    assert any('/none/bag' in line for line in report.missing)
    assert any('at 5 ns' in line for line in report.missing)
    with pytest.raises(AnnotationError, match='/none/bag'):
        export([other], tmp_path / 'other', 'coco')


def test_jpeg_is_close_and_smaller(tmp_path):
    big = [(t, ns, image(cv2.GaussianBlur(scene(i, size=(240, 320)), (0, 0), 9)))
           for i, (t, ns, _) in enumerate(camera(2))]
    path = write_bag(tmp_path / 'bag', big)
    export(items_of(path, [1], 'jpg'), tmp_path / 'out', 'coco')
    picture = tmp_path / 'out' / 'images' / 'u1.jpg'
    expected = np.asarray(big[1][2].data).reshape(240, 320, 3)
    assert np.abs(read(picture).astype(int) - expected).mean() < 3
    assert picture.stat().st_size < 30_000


def test_a_directory_that_cannot_be_written_is_an_os_error(tmp_path, items):
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='file'):
        export(items, tmp_path / 'file' / 'out', 'coco')


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path, items):
    with pytest.raises(ConfigError, match='coco'):
        export(items, tmp_path / 'out', 'kitti')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('text', ['', '{}', '[]', '{"format": 1}', '{"format": 2, "items": []}',
                                  '{"format": 1, "classes": [], "items": [{"a": 1}]}'])
def test_a_damaged_map_is_an_error_of_one_line(tmp_path, text):
    (tmp_path / 'items.json').write_text(text)
    with pytest.raises(AnnotationError) as caught:
        read_items(tmp_path)
    assert '\n' not in str(caught.value)


@pytest.fixture
def round_directory(tmp_path):
    for i in range(2):
        write_bag(tmp_path / 'data' / 'bags' / f'b{i}', camera(6, first=10 * i))
    index(find_bags([tmp_path / 'data' / 'bags']), tmp_path / 'data' / 'pool',
          IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))
    pool = Pool.open(tmp_path / 'data' / 'pool')
    query = Query(5)
    return write_round(tmp_path / 'data' / 'rounds' / '1', pool, query,
                       select(pool, query)).directory


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(a) for a in arguments]))


def test_the_command_exports_a_round_even_after_the_data_was_moved(tmp_path, round_directory,
                                                                   capsys):
    (tmp_path / 'data').rename(tmp_path / 'moved')
    directory = tmp_path / 'moved' / 'rounds' / '1'
    assert run('--round', directory, '--class', 'mug') == 0
    assert '5 pictures' in capsys.readouterr().out
    items, classes = read_items(directory / 'export')
    assert classes == ['mug']
    assert len(items) == 5
    for item in items:
        assert (directory / 'export' / item.file).is_file()
        assert item.bag.startswith(str(tmp_path / 'moved' / 'bags'))


@pytest.mark.parametrize('extra', [['--quality', 0], ['--format', 'x'], ['--round', '/none']])
def test_wrong_arguments_are_errors(round_directory, extra):
    with pytest.raises(ActiveCollectionError):
        run('--round', round_directory, *extra)


def test_the_command_exports_a_curriculum_from_easy_to_hard(tmp_path, capsys):
    for number, level in enumerate((0.9, 0.1, 0.5)):
        entries = camera(6, first=10 * number)
        entries += [('/estimate', ns, estimate(ns, level)) for _, ns, _ in entries]
        write_bag(tmp_path / 'bags' / f'b{number}', sorted(entries, key=lambda e: e[1]))
    index(find_bags([tmp_path / 'bags']), tmp_path / 'pool',
          IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))
    pool = Pool.open(tmp_path / 'pool')
    query = Query(9, 'random')
    write_round(tmp_path / 'round', pool, query, select(pool, query))
    assert run('--round', tmp_path / 'round', '--order', 'curriculum') == 0
    with (tmp_path / 'round' / 'export' / 'curriculum.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['bag'][-2:] for row in rows] == ['b1', 'b2', 'b0']
    assert [float(row['difficulty']) for row in rows] == pytest.approx([0.1, 0.5, 0.9])
    found, _ = read_items(tmp_path / 'round' / 'export')
    order = [i.bag[-2:] for i in found]
    assert order == sorted(order, key=['b1', 'b2', 'b0'].index)
    assert run('--round', tmp_path / 'round', '--format', 'mcap') == 0
    assert (tmp_path / 'round' / 'moments.mcap').stat().st_size > 0
    capsys.readouterr()


def test_a_curriculum_goes_by_what_is_known_of_every_episode(tmp_path, capsys):
    """One bag without uncertainty: all by novelty. One without either: refused, and named."""
    nan = float('nan')
    for number, (epistemic, novelty) in enumerate(((0.9, 1.0), (nan, 2.0), (0.5, 3.0))):
        entries = camera(6, first=10 * number)
        entries += [('/estimate', ns, estimate(ns, epistemic, novelty=novelty))
                    for _, ns, _ in entries]
        write_bag(tmp_path / 'bags' / f'b{number}', sorted(entries, key=lambda e: e[1]))
    settings = IndexSettings('descriptor', sampling=Sampling(rate_hz=0))
    index(find_bags([tmp_path / 'bags']), tmp_path / 'pool', settings)
    pool = Pool.open(tmp_path / 'pool')
    query = Query(18, 'random', limits=Limits())
    write_round(tmp_path / 'round', pool, query, select(pool, query))

    assert run('--round', tmp_path / 'round', '--order', 'curriculum') == 0

    with (tmp_path / 'round' / 'export' / 'curriculum.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['bag'][-2:], float(row['difficulty'])) for row in rows] == [
        ('b0', 1.0), ('b1', 2.0), ('b2', 3.0)]
    write_bag(tmp_path / 'bags' / 'b3', camera(6, first=90))
    index(find_bags([tmp_path / 'bags']), tmp_path / 'pool', settings)
    pool = Pool.open(tmp_path / 'pool')
    query = Query(24, 'random', limits=Limits())
    write_round(tmp_path / 'all', pool, query, select(pool, query))
    with pytest.raises(AnnotationError, match=r'b3: found neither .*1 of 4 bags'):
        run('--round', tmp_path / 'all', '--order', 'curriculum')
    capsys.readouterr()


def test_a_curriculum_without_any_uncertainty_is_refused(tmp_path):
    write_bag(tmp_path / 'bags' / 'b', camera(6))
    index(find_bags([tmp_path / 'bags']), tmp_path / 'pool',
          IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))
    pool = Pool.open(tmp_path / 'pool')
    query = Query(3, 'random')
    write_round(tmp_path / 'round', pool, query, select(pool, query))
    with pytest.raises(AnnotationError, match=r'neither uncertainty nor novelty, as in 1 of 1 bags'
                       r'.*active-collection score'):
        run('--round', tmp_path / 'round', '--order', 'curriculum')
    with pytest.raises(ConfigError, match='--observation'):
        run('--round', tmp_path / 'round', '--format', 'lerobot')
