# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Of a label file the right labels are taken and the wrong ones named; a zip file does no harm."""
from __future__ import annotations

import csv
import io
import json
import re
import stat
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.annotation import archive
from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.formats import FORMATS
from active_collection.annotation.ingest import ingest
from active_collection.annotation.ingest import write_rejected
from active_collection.annotation.items import Item
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError

NAMES = FORMATS.names()
ITEMS = [Item(unit_id=f'u{n}', file=f'images/u{n}.jpg', order=n, bag='/b', topic='/c',
              receive_ns=n, sequence=0, stamp_ns=n, width=64, height=48)
         for n in range(5)]
GOOD = [Annotation(f'u{n}', 'mug', '', Box(1, 2, 3, 4)) for n in (1, 2)]


def write(name, directory, extra=()):
    """A file of right labels, and others, of the pictures u0 to u4 and x."""
    directory.mkdir(exist_ok=True)
    items = [*ITEMS, replace(ITEMS[0], unit_id='x', file='images/x.jpg', order=5)]
    return FORMATS.get(name)().write(items, directory, ['mug', 'mugg'], [*GOOD, *extra])


WRONG = [Annotation('x', 'mug', '', Box(1, 2, 3, 4)),
         Annotation('u3', 'mugg', '', Box(1, 2, 3, 4)),
         Annotation('u4', 'mug', '', Box(1, 2, 300, 4))]


@pytest.mark.parametrize('name', NAMES)
def test_wrong_labels_are_named_and_the_right_ones_taken(name, tmp_path):
    path = write(name, tmp_path / 'e', WRONG)

    read = ingest(path, name, ITEMS, ['mug', 'hand'])

    assert [(a.unit_id, a.label) for a in read.annotations] == [('u1', 'mug'), ('u2', 'mug')]
    lines = sorted(map(str, read.rejected), key=lambda line: (
        'another round' not in line, 'did you mean' not in line))
    assert len(lines) == 3
    assert re.search(r"found picture '(images/)?x(\.jpg)?', expected .*another round", lines[0])
    assert "found 'mugg' (did you mean 'mug'?)" in lines[1]
    assert 'width 300' in lines[2] and 'within 64 x 48' in lines[2]
    assert all(line.startswith(str(tmp_path)) and '\n' not in line for line in lines)
    assert len({error.where for error in read.rejected}) == 3


@pytest.mark.parametrize('name', NAMES)
def test_a_file_of_nothing_but_wrong_labels_is_refused_with_the_first(name, tmp_path):
    path = write(name, tmp_path / 'e')
    others = [replace(item, unit_id=f'y{n}', file=f'images/y{n}.jpg')
              for n, item in enumerate(ITEMS)]
    with pytest.raises(AnnotationError, match=r"u1(\.jpg)?' \(and 1 more, none right\), expected"):
        ingest(path, name, others, [])


@pytest.mark.parametrize('name', NAMES)
def test_a_file_without_labels_is_refused(name, tmp_path):
    (tmp_path / 'e').mkdir()
    path = FORMATS.get(name)().write(ITEMS, tmp_path / 'e', ['mug'])
    with pytest.raises(AnnotationError, match='found no labels, expected at least one') as caught:
        ingest(path, name, ITEMS, ['mug'])
    assert caught.value.where == str(path)


@pytest.mark.parametrize('bad', [
    {'image_id': 99}, {'category_id': 99}, {'bbox': [1, 2]}, {'bbox': 'x'},
    {'bbox': [1, 2, float('nan'), 4]}, 7, None, [], {'image_id': []}])
def test_whatever_is_wrong_with_one_entry_the_others_are_read(bad, tmp_path):
    path = write('coco', tmp_path / 'e')
    content = json.loads(path.read_text())
    entry = content['annotations'][0]
    content['annotations'].insert(1, {**entry, **bad} if isinstance(bad, dict) else bad)
    path.write_text(json.dumps(content))
    read = ingest(path, 'coco', ITEMS, ['mug'])
    assert (len(read.annotations), len(read.rejected)) == (2, 1)
    assert f'{path}: annotations[1]' in str(read.rejected[0])


@pytest.mark.parametrize('name', ['\ud800', 'a\nb', '\x00', 'x' * 201, ''])
def test_names_that_no_file_can_hold_are_wrong(name, tmp_path):
    path = write('coco', tmp_path / 'e')
    content = json.loads(path.read_text())
    content['categories'].append({'id': 9, 'name': name})
    content['annotations'].append({**content['annotations'][0], 'category_id': 9})
    if name:
        content['annotations'].append({**content['annotations'][0], 'annotator': name})
    path.write_text(json.dumps(content))
    read = ingest(path, 'coco', ITEMS, [])
    assert (len(read.annotations), len(read.rejected)) == (2, 2 if name else 1)
    write_rejected(tmp_path / 'r.csv', read.rejected)


def test_wrong_rows_of_a_table_are_named_by_line(tmp_path):
    path = tmp_path / 'labels.csv'
    path.write_text('unit_id,label,box_x,box_y,box_width,box_height\nu1,mug,,,,\nu1,mug,1,,,\n'
                    'u9,mug,,,,\nu2,mug,,,,\nu2,mug,nan,1,1,1\n')
    read = ingest(path, 'csv', ITEMS, [])
    assert [a.unit_id for a in read.annotations] == ['u1', 'u2']
    assert [error.where.rpartition('csv:')[2].partition(':')[0] for error in read.rejected] == [
        '3', '4', '6']


def test_a_table_without_its_columns_is_not_a_table_without_labels(tmp_path):
    (tmp_path / 'labels.csv').write_text('id,class\n1,mug\n')
    with pytest.raises(AnnotationError, match='no column unit_id and label'):
        ingest(tmp_path / 'labels.csv', 'csv', ITEMS, [])


def test_the_file_of_wrong_labels_runs_in_no_spreadsheet(tmp_path):
    path = write('coco', tmp_path / 'e')
    content = json.loads(path.read_text())
    content['annotations'].append({**content['annotations'][0], 'category_id': 9})
    content['categories'].append({'id': 9, 'name': '=cmd()'})
    path.write_text(json.dumps(content))
    read = ingest(path, 'coco', ITEMS, ['mug'])
    write_rejected(tmp_path / 'r.csv', [
        *read.rejected, AnnotationError('=here', found='a,"b"', expected='@c')])
    with (tmp_path / 'r.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert rows[0]['where'] == f'{path}: annotations[2] (id 1): label'
    assert rows[1] == {'where': "'=here", 'found': 'a,"b"', 'expected': "'@c"}


def zipped(path, members):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


#: How the tools themselves pack what they export: CVAT, Label Studio, FiftyOne.
PACKED = {'coco': 'annotations/instances_default.json', 'cvat': 'annotations.xml',
          'yolo': 'data.yaml', 'fiftyone': 'dataset/samples.json',
          'label_studio': 'project-1-at-2026.json', 'csv': 'items.csv', 'parquet': 'items.parquet'}


@pytest.mark.parametrize('name', NAMES)
def test_a_zip_file_is_read_as_what_is_in_it(name, tmp_path):
    path = write(name, tmp_path / 'e', WRONG)
    members = {f'images/u{n}.jpg': b'no picture' for n in range(5)}
    members[PACKED[name]] = path.read_bytes()
    if name == 'yolo':
        members |= {f'labels/train/{file.name}': file.read_bytes()
                    for file in (tmp_path / 'e' / 'labels').iterdir()}
    packed = zipped(tmp_path / 'export', members)

    read = ingest(packed, name, ITEMS, ['mug', 'hand'])

    plain = ingest(path, name, ITEMS, ['mug', 'hand'])
    assert sorted(read.annotations, key=repr) == sorted(plain.annotations, key=repr)
    assert len(read.rejected) == len(plain.rejected) == 3
    assert all(str(error).startswith(f'{packed}/') for error in read.rejected)


def test_of_several_files_the_one_called_as_the_tool_calls_it_is_taken(tmp_path):
    text = write('coco', tmp_path / 'e').read_text()
    two = zipped(tmp_path / 'two.zip', {'a/instances_default.json': text, 'b.json': '{'})
    assert len(ingest(two, 'coco', ITEMS, []).annotations) == 2
    for members, found in (({'a.json': text, 'b.json': text}, 'a.json, b.json'),
                           ({'a.txt': text}, r'no \.json file'), ({}, r'no \.json file')):
        with pytest.raises(AnnotationError, match=f'found {found}, expected one instances_'):
            ingest(zipped(tmp_path / 'x.zip', members), 'coco', ITEMS, [])


@pytest.mark.parametrize('name', ['../x.json', '/etc/x.json', 'a/../../x.json', 'a\\..\\x.json',
                                  'C:/x.json', '..'])
def test_a_member_that_would_lie_elsewhere_is_refused(name, tmp_path):
    inner = tmp_path / 'a' / 'b'
    inner.mkdir(parents=True)
    path = zipped(inner / 'x.zip', {name: '{}'})
    with pytest.raises(AnnotationError, match='names below the archive'):
        ingest(path, 'coco', ITEMS, [])
    assert [p for p in tmp_path.rglob('*') if p.is_file()] == [path]


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo('x.json')
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as file:
        file.writestr(link, '/etc/passwd')
    with pytest.raises(AnnotationError, match='a link or device'):
        ingest(tmp_path / 'x.zip', 'coco', ITEMS, [])


def test_a_bomb_is_refused_before_it_goes_off(tmp_path, monkeypatch):
    path = zipped(tmp_path / 'x.zip', {f'{n}.json': bytes(3 << 20) for n in range(4)})
    assert path.stat().st_size < 1 << 16
    with pytest.raises(AnnotationError, match='more than 10,485,760 bytes'), \
            archive.unpacked(path, 10 << 20):
        pass
    monkeypatch.setattr(archive, 'MOST_MEMBERS', 3)
    with pytest.raises(AnnotationError, match='found 4 members, expected at most 3'), \
            archive.unpacked(path):
        pass


def test_a_bomb_that_lies_about_its_size_is_refused_too(tmp_path):
    content = bytearray(zipped(tmp_path / 'x.zip', {'x.json': bytes(20 << 20)}).read_bytes())
    size = struct.pack('<I', 20 << 20)
    while size in content:
        place = content.index(size)
        content[place:place + 4] = struct.pack('<I', 10)
    (tmp_path / 'x.zip').write_bytes(bytes(content))
    with pytest.raises(AnnotationError) as caught, archive.unpacked(tmp_path / 'x.zip', 1 << 20):
        pass
    assert '\n' not in str(caught.value)


def test_pictures_are_not_unpacked(tmp_path):
    path = zipped(tmp_path / 'x.zip', {'images/a.JPG': bytes(1 << 20), 'a.json': '{}'})
    with archive.unpacked(path, 100) as directory:
        assert [p.name for p in directory.rglob('*') if p.is_file()] == ['a.json']
    assert not directory.exists()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_zip_file_gives_labels_or_one_line(data):
    with TemporaryDirectory() as temporary:
        directory = Path(temporary)
        packed = io.BytesIO()
        zipped(packed, {'instances_default.json': write('coco', directory / 'e').read_bytes()})
        content = bytearray(packed.getvalue())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(4, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        content = content[:data.draw(st.one_of(st.just(len(content)),
                                               st.integers(4, len(content))))]
        (directory / 'x.zip').write_bytes(bytes(content))
        try:
            read = ingest(directory / 'x.zip', 'coco', ITEMS, [])
        except ActiveCollectionError as error:
            message = str(error)
        else:
            message = ''
            assert {a.unit_id for a in read.annotations} <= {'u1', 'u2'}
    assert '\n' not in message


def in_field(path, name, label):
    """Put a label into a field of the sample of u1, as FiftyOne's own datasets have them."""
    content = json.loads(path.read_text())
    for sample in content['samples']:
        sample.update(detections=None, classifications=None)
    content['samples'][1][name] = label
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('label', [
    {'_cls': 'Classification', 'label': 'mug'},
    {'_cls': 'Classifications', 'classifications': [{'label': 'mug'}]},
    {'_cls': 'Detection', 'label': 'mug', 'bounding_box': [0, 0, .5, .5]},
    {'_cls': 'Detections', 'detections': [{'label': 'mug', 'bounding_box': [0, 0, .5, .5]}]},
])
def test_fiftyone_labels_are_read_from_the_fields_that_are_named(label, tmp_path):
    path = write('fiftyone', tmp_path / 'e')
    in_field(path, 'ground_truth', label)
    in_field_too = json.loads(path.read_text())
    in_field_too['samples'][2]['predictions'] = {**label, 'model': 'x'}
    path.write_text(json.dumps(in_field_too))

    with pytest.raises(AnnotationError) as caught:
        ingest(path, 'fiftyone', ITEMS, ['mug'])
    assert str(caught.value) == (
        f'{path}: found labels in ground_truth, predictions alone, expected them in detections or '
        'classifications, or --option fields=ground_truth')
    read = ingest(path, 'fiftyone', ITEMS, ['mug'], {'fields': 'ground_truth'})
    assert [(a.unit_id, a.label) for a in read.annotations] == [('u1', 'mug')]
    both = ingest(path, 'fiftyone', ITEMS, [], {'fields': 'ground_truth, predictions'})
    assert [a.unit_id for a in both.annotations] == ['u1', 'u2']


def test_fiftyone_labels_that_are_all_wrong_are_told_of_and_not_another_field(tmp_path):
    path = write('fiftyone', tmp_path / 'e')
    content = json.loads(path.read_text())
    content['samples'][2]['predictions'] = {'_cls': 'Classification', 'label': 'mug'}
    path.write_text(json.dumps(content))

    with pytest.raises(AnnotationError, match=r"found 'mug'.*\(and 1 more, none right\)"):
        ingest(path, 'fiftyone', ITEMS, ['hand'])


def test_options_that_a_format_has_not_are_refused(tmp_path):
    path = write('fiftyone', tmp_path / 'e')
    with pytest.raises(ActiveCollectionError, match=r"found 'field' \(did you mean 'fields'\?\)"):
        ingest(path, 'fiftyone', ITEMS, [], {'field': 'a'})
    with pytest.raises(ActiveCollectionError, match='yolo option: found'):
        ingest(path, 'yolo', ITEMS, [], {'fields': 'a'})
    with pytest.raises(ActiveCollectionError, match='fiftyone option fields'):
        ingest(path, 'fiftyone', ITEMS, [], {'fields': ' '})
