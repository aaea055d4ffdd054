# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""FiftyOne's own importer reads our samples, and we read what its samples become."""
from __future__ import annotations

import pytest
from other_python import answers
from other_python import python_with

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.formats import FORMATS
from active_collection.annotation.items import Item

ITEMS = [Item(unit_id=f'u{n}', file=f'images/u{n}.jpg', order=n, bag='/b', topic='/c',
              receive_ns=1_700_000_000_000_000_000 + n, sequence=0, stamp_ns=n, width=64,
              height=48, score=0.5) for n in (0, 1, 2)]

#: Importing makes samples before it needs a database: a person's box is drawn on the last one.
PROBE = """
import json, sys
import fiftyone as fo
from bson import json_util
from fiftyone.utils.data.importers import FiftyOneDatasetImporter, _handle_legacy_formats
importer = _handle_legacy_formats(FiftyOneDatasetImporter(sys.argv[1]))
importer.setup()
samples = list(importer)
print('said', json.dumps([[s.filepath, s['unit_id'], s['bag'], s['topic'], s['receive_ns'],
                           s.metadata.width] for s in samples]))
samples[-1]['detections'] = fo.Detections(detections=[
    fo.Detection(label='cup', bounding_box=[.25, .5, .5, .25], annotator='cleo')])
with open(sys.argv[2], 'w') as file:
    file.write(json_util.dumps({'samples': [s.to_dict() for s in samples]}))
"""


def test_fiftyone_reads_it_and_what_it_makes_of_it_is_read(tmp_path):
    python = python_with('fiftyone', 'FIFTYONE_PYTHON')
    form = FORMATS.get('fiftyone')()
    made = [Annotation('u0', 'mug', 'ann', Box(1, 2, 3, 4)), Annotation('u1', 'hand', 'bob')]
    form.write(ITEMS, tmp_path, ['mug'], made)

    said, = answers(python, PROBE, tmp_path, tmp_path / 'back.json', home=tmp_path)

    assert said == [[str(tmp_path / i.file), i.unit_id, i.bag, i.topic, i.receive_ns, i.width]
                    for i in ITEMS]
    found = form.read(tmp_path / 'back.json', ITEMS, [])
    assert [(a.unit_id, a.label, a.annotator) for a in found] == [
        ('u0', 'mug', 'ann'), ('u1', 'hand', 'bob'), ('u2', 'cup', 'cleo')]
    box = found[-1].box
    assert (box.x, box.y, box.width, box.height) == pytest.approx((16, 24, 32, 12))
