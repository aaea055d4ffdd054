# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Ultralytics finds the pictures of a YOLO export from wherever it is started."""
from __future__ import annotations

import pytest
import yaml
from other_python import answers
from other_python import python_with

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.formats import FORMATS
from active_collection.annotation.items import Item

ITEMS = [Item(unit_id=f'u{n}', file=f'images/u{n}.jpg', order=n, bag='/b', topic='/c',
              receive_ns=n, sequence=0, stamp_ns=n, width=64, height=48) for n in (0, 1)]
PROBE = """
import json, sys
from ultralytics.data import utils
utils.check_font = lambda *_: None  # which it would download
found = utils.check_det_dataset(sys.argv[1], autodownload=False)
print('said', json.dumps([str(found['train']), str(found['val']), found['names']]))
"""


@pytest.fixture
def export(tmp_path):
    (tmp_path / 'export' / 'images').mkdir(parents=True)
    for item in ITEMS:
        (tmp_path / 'export' / item.file).write_bytes(b'')
    return FORMATS.get('yolo')().write(
        ITEMS, tmp_path / 'export', ['mug'], [Annotation('u0', 'mug', '', Box(1, 2, 3, 4))])


def test_the_place_of_data_yaml_is_the_place_of_the_pictures(export):
    content = yaml.safe_load(export.read_text())
    # With a path, even '.', it would be looked up from the working directory.
    assert 'path' not in content
    assert {content['train'], content['val']} == {'images'}


def test_ultralytics_finds_the_pictures_from_another_directory(export, tmp_path):
    python = python_with('ultralytics', 'ULTRALYTICS_PYTHON')
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()

    [said] = answers(python, PROBE, export, home=elsewhere)

    images = str(export.parent / 'images')
    assert said == [images, images, {'0': 'mug'}]
