# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""FiftyOne: samples.json of a FiftyOneDataset, boxes as Detections, classes as Classifications."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import check
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import by_file
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import entry
from active_collection.annotation.reading import item_of
from active_collection.annotation.reading import json_of
from active_collection.annotation.reading import place
from active_collection.annotation.reading import refuse
from active_collection.files import write_whole

FILE = 'samples.json'
_BOXES, _CLASSES = 'detections', 'classifications'


class FiftyOne:
    """
    The samples.json of a FiftyOneDataset (docs.voxel51.com, dataset formats).

    A sample's fields detections and classifications hold the labels; unit_id, bag, topic and the
    other fields of an item are fields of the sample. Boxes are shares of the picture.
    """

    file = FILE

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write samples.json."""
        samples = [_sample(item, [a for a in annotations if a.unit_id == item.unit_id])
                   for item in items]
        path = directory / FILE
        write_whole(path, json.dumps({'samples': samples}, indent=1) + '\n')
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read samples.json; samples are known by their file names."""
        content = json_of(path)
        files, units = by_file(items), by_unit(items)
        with place(str(path), 'FiftyOne: a list samples'):
            samples = list(content['samples'])
        found = []
        for number, sample in enumerate(samples):
            where = f'{path}: samples[{number}]'
            labels: list[dict[str, Any]] = []
            with entry(where, 'filepath, detections and classifications', reject):
                labels = [*_labels(sample, _BOXES), *_labels(sample, _CLASSES)]
            for label in labels:
                with entry(where, 'label and bounding_box of a detection', reject):
                    item = item_of(str(sample['filepath']), files, where)
                    found.append(check(_annotation(label, item), units, where, classes))
        return found


def _sample(item: Item, annotations: Sequence[Annotation]) -> dict[str, Any]:
    boxes = [_detection(a, a.box, item) for a in annotations if a.box is not None]
    whole = [{'_cls': 'Classification', 'label': a.label, 'annotator': a.annotator}
             for a in annotations if a.box is None]
    fields = {k: v for k, v in asdict(item).items() if k not in {'file', 'width', 'height'}}
    return {
        'filepath': item.file,
        'tags': [],
        '_media_type': 'image',
        'metadata': {'_cls': 'ImageMetadata', 'width': item.width, 'height': item.height},
        **fields,
        _BOXES: {'_cls': 'Detections', _BOXES: boxes},
        _CLASSES: {'_cls': 'Classifications', _CLASSES: whole},
    }


def _detection(annotation: Annotation, box: Box, item: Item) -> dict[str, Any]:
    return {'_cls': 'Detection', 'label': annotation.label, 'annotator': annotation.annotator,
            'bounding_box': [box.x / item.width, box.y / item.height, box.width / item.width,
                             box.height / item.height]}


def _labels(sample: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return list((sample.get(name) or {}).get(name) or [])


def _annotation(label: dict[str, Any], item: Item) -> Annotation:
    box = None
    if 'bounding_box' in label:
        x, y, width, height = (float(value) for value in label['bounding_box'])
        box = Box(x * item.width, y * item.height, width * item.width, height * item.height)
    return Annotation(item.unit_id, str(label['label']), str(label.get('annotator', '')), box)
