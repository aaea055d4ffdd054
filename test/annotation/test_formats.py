# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What every annotation format must do: what goes out comes back, and nothing is lost silently."""
from __future__ import annotations

import csv
import json
import math
from dataclasses import astuple
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import by
from active_collection.annotation.annotations import without_repeats
from active_collection.annotation.formats import FORMATS
from active_collection.annotation.items import Item
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError
from active_collection.errors import ConfigError

NAMES = FORMATS.names()
ITEMS = [Item(unit_id=f'u{n}', file=f'images/u{n}.jpg', order=n, bag='/b', topic='/c',
              receive_ns=n, sequence=0, stamp_ns=n, width=64, height=48, score=0.5)
         for n in (0, 1, 2)]

words = st.text(st.characters(min_codepoint=32, blacklist_categories=['Cs', 'Cn', 'Cc']),
                min_size=1, max_size=12).filter(lambda t: t.strip() == t)
boxes = st.builds(
    lambda x, y, w, h: Box(x, y, w * (64 - x), h * (48 - y)),
    st.floats(0, 60), st.floats(0, 44), st.floats(0.05, 1), st.floats(0.05, 1))


def same(found: list[Annotation], expected: list[Annotation]) -> None:
    left = list(found)
    for a in expected:
        left.remove(next(b for b in left if alike(a, b)))
    assert left == []


def alike(a: Annotation, b: Annotation) -> bool:
    if (a.unit_id, a.label, a.annotator) != (b.unit_id, b.label, b.annotator):
        return False
    return (a.box is None) == (b.box is None) and (
        a.box is None or astuple(b.box) == pytest.approx(astuple(a.box), abs=1e-4))


@pytest.mark.parametrize('name', NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(name, data):
    only_boxes = name == 'yolo'
    made = data.draw(st.lists(st.builds(
        Annotation, st.sampled_from(['u0', 'u1', 'u2']), words,
        st.just('') if only_boxes else st.one_of(st.just(''), words),
        boxes if only_boxes else st.one_of(st.none(), boxes)), max_size=8))
    form = FORMATS.get(name)()
    with TemporaryDirectory() as directory:
        path = form.write(ITEMS, Path(directory), ['mug'], made)
        same(form.read(path, ITEMS, []), made)


@pytest.mark.parametrize('name', NAMES)
def test_an_export_without_labels_reads_as_none(tmp_path, name):
    form = FORMATS.get(name)()
    assert form.read(form.write(ITEMS, tmp_path, ['mug']), ITEMS, ['mug']) == []


def written(name, tmp_path, label='mug'):
    made = [Annotation('u1', label, '', Box(1, 2, 3, 4))]
    return FORMATS.get(name)().write(ITEMS, tmp_path, ['mug'], made)


@pytest.mark.parametrize('name', NAMES)
def test_labels_of_another_round_are_refused(tmp_path, name):
    path = written(name, tmp_path)
    others = [ITEMS[0], replace(ITEMS[1], unit_id='x', file='images/x.jpg')]
    with pytest.raises(AnnotationError, match='another round'):
        FORMATS.get(name)().read(path, others, [])


@pytest.mark.parametrize('name', NAMES)
def test_unknown_classes_are_refused_with_the_nearest(tmp_path, name):
    path = written(name, tmp_path, 'mugg')
    with pytest.raises(ConfigError, match='mug'):
        FORMATS.get(name)().read(path, ITEMS, ['mug', 'hand'])


@pytest.mark.parametrize('name', NAMES)
def test_a_missing_file_is_an_error_that_names_it(tmp_path, name):
    with pytest.raises(AnnotationError, match='none'):
        FORMATS.get(name)().read(tmp_path / 'none.x', ITEMS, [])


@pytest.mark.parametrize('name', NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_changed_bytes_give_labels_or_an_error_of_one_line(name, data):
    form = FORMATS.get(name)()
    with TemporaryDirectory() as directory:
        path = written(name, Path(directory))
        target = (Path(directory) / 'labels' / 'u1.txt' if name == 'yolo'
                  and data.draw(st.booleans()) else path)
        content = bytearray(target.read_bytes())
        for _ in range(data.draw(st.integers(1, 6))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place:place + data.draw(st.integers(0, 2))] = data.draw(
                st.binary(max_size=3))
            content = content or bytearray(b' ')
        target.write_bytes(bytes(content))
        try:
            found = form.read(path, ITEMS, [])
        except ActiveCollectionError as error:
            message = str(error)
        else:
            message = ''
            assert all(a.unit_id in {'u0', 'u1', 'u2'} for a in found)
    assert '\n' not in message


@pytest.mark.parametrize('edge', ['nan', 'inf', '-50', '1000'])
@pytest.mark.parametrize('name', ['csv', 'cvat', 'yolo'])
def test_boxes_that_are_not_in_the_picture_are_refused(tmp_path, name, edge):
    path = written(name, tmp_path)
    target = tmp_path / 'labels' / 'u1.txt' if name == 'yolo' else path
    text = target.read_text()
    old = {'csv': '1,2,3,4', 'cvat': 'xtl="1"', 'yolo': text.split()[1]}[name]
    new = {'csv': f'{edge},2,3,4', 'cvat': f'xtl="{edge}"', 'yolo': edge}[name]
    assert old in text
    target.write_text(text.replace(old, new))
    with pytest.raises(AnnotationError, match=r'box|within'):
        FORMATS.get(name)().read(path, ITEMS, [])


def test_numbers_that_json_cannot_hold_are_refused(tmp_path):
    path = written('coco', tmp_path)
    path.write_text(path.read_text().replace('"bbox": [\n    1,', '"bbox": [\n    NaN,'))
    with pytest.raises(AnnotationError, match='box'):
        FORMATS.get('coco')().read(path, ITEMS, [])


def test_cvat_refuses_entities_and_shapes_that_would_be_lost(tmp_path):
    cvat = FORMATS.get('cvat')()
    bomb = tmp_path / 'bomb.xml'
    bomb.write_text('<!DOCTYPE a [<!ENTITY x "yyyy">]><annotations>&x;</annotations>')
    with pytest.raises(AnnotationError, match='DOCTYPE'):
        cvat.read(bomb, ITEMS, [])
    path = tmp_path / 'polygon.xml'
    path.write_text('<annotations><image name="u0.jpg"><polygon label="a"/></image></annotations>')
    with pytest.raises(AnnotationError, match='polygon'):
        cvat.read(path, ITEMS, [])


def test_cvat_frames_are_counted_in_the_order_in_which_cvat_sorts_files(tmp_path):
    items = [replace(ITEMS[0], unit_id='b', file='images/b.jpg'),
             replace(ITEMS[1], unit_id='a', file='images/a.jpg')]
    path = FORMATS.get('cvat')().write(items, tmp_path, [])
    images = ElementTree.parse(path).getroot().findall('image')
    assert [(i.get('name'), i.get('id')) for i in images] == [('b.jpg', '1'), ('a.jpg', '0')]


def test_yolo_leaves_its_directory_open_so_that_it_can_be_anywhere(tmp_path):
    content = yaml.safe_load(FORMATS.get('yolo')().write(ITEMS, tmp_path, ['mug']).read_text())

    # Ultralytics takes a path, '.' too, from where it runs; without one, that of data.yaml.
    assert 'path' not in content
    assert (content['train'], content['names']) == ('images', {0: 'mug'})


def test_yolo_says_what_it_cannot_hold(tmp_path):
    for made in (Annotation('u0', 'mug'), Annotation('u0', 'mug', 'ann', Box(0, 0, 1, 1))):
        with pytest.raises(AnnotationError, match='YOLO'):
            FORMATS.get('yolo')().write(ITEMS, tmp_path, [], [made])


def test_label_studio_keeps_scores_and_drops_cancelled_annotations(tmp_path):
    path = written('label_studio', tmp_path)
    tasks = json.loads(path.read_text())
    assert tasks[0]['predictions'][0]['score'] == 0.5
    assert tasks[0]['data']['image'] == '/data/local-files/?d=images/u0.jpg'
    tasks[1]['annotations'][0]['was_cancelled'] = True
    tasks[2]['annotations'] = [{'completed_by': 7, 'result': [
        {'type': 'polygonlabels', 'value': {'points': []}}]}]
    path.write_text(json.dumps(tasks[:2]))
    assert FORMATS.get('label_studio')().read(path, ITEMS, []) == []
    path.write_text(json.dumps(tasks))
    with pytest.raises(AnnotationError, match='polygonlabels'):
        FORMATS.get('label_studio')().read(path, ITEMS, [])


def test_repeats_are_taken_once_in_their_first_order():
    a, b = Annotation('u0', 'mug'), Annotation('u1', 'mug')
    assert without_repeats([b, a, b]) == [b, a]


def test_cvat_says_which_message_each_frame_is_and_when_to_label_it(tmp_path):
    items = [replace(ITEMS[0], unit_id='b', file='images/b.jpg', reason='=cmd()'),
             replace(ITEMS[1], unit_id='a', file='images/a.jpg')]
    FORMATS.get('cvat')().write(items, tmp_path, [])
    with (tmp_path / 'cvat_frames.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(r['frame'], r['file'], r['order'], r['topic'], r['receive_ns']) for r in rows] == [
        ('0', 'a.jpg', '1', '/c', '1'), ('1', 'b.jpg', '0', '/c', '0')]
    assert rows[1]['reason'] == "'=cmd()"


@pytest.mark.parametrize('source', ['manual', 'semi-auto', 'auto', 'file', ''])
def test_how_cvat_says_a_shape_was_made_is_no_annotator(tmp_path, source):
    path = tmp_path / 'annotations.xml'
    path.write_text(f'<annotations><image id="0" name="images/u0.jpg"><tag label="mug" '
                    f'source="{source}"></tag></image></annotations>')
    assert FORMATS.get('cvat')().read(path, ITEMS, []) == [Annotation('u0', 'mug')]


def test_annotations_without_an_annotator_get_the_one_given():
    named, unnamed = Annotation('u0', 'mug', 'ann'), Annotation('u1', 'mug')
    assert by([named, unnamed], 'bob') == [named, replace(unnamed, annotator='bob')]


def test_the_interface_of_label_studio_offers_every_class(tmp_path):
    classes = ['mug', 'a <b> & "c"', 'Tür']
    FORMATS.get('label_studio')().write(ITEMS, tmp_path, classes)
    root = ElementTree.parse(tmp_path / 'label_studio.xml').getroot()
    assert [e.get('value') for e in root.iter('Label')] == classes
    assert [e.get('value') for e in root.iter('Choice')] == classes
    with pytest.raises(AnnotationError, match='control'):
        FORMATS.get('label_studio')().write(ITEMS, tmp_path, ['a\nb'])


def test_a_parquet_table_keeps_types_and_takes_pandas_gaps(tmp_path):
    path = FORMATS.get('parquet')().write(ITEMS, tmp_path, [])
    table = pq.read_table(path)
    assert table.schema.field('receive_ns').type == pa.int64()
    assert table['unit_id'].to_pylist() == ['u0', 'u1', 'u2']
    filled = pa.table({'unit_id': ['u0', 'u1'], 'label': ['mug', None],
                       'box_x': [math.nan] * 2, 'box_y': [math.nan] * 2,
                       'box_width': [math.nan] * 2, 'box_height': [math.nan] * 2})
    pq.write_table(filled, path)
    assert FORMATS.get('parquet')().read(path, ITEMS, []) == [Annotation('u0', 'mug')]
    pq.write_table(filled.set_column(2, 'box_x', [[1.0, math.nan]]), path)
    with pytest.raises(AnnotationError, match='row 0'):
        FORMATS.get('parquet')().read(path, ITEMS, [])
