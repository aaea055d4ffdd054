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
from active_collection.errors import AnnotationError
from active_collection.errors import ConfigError
from active_collection.files import write_whole

FILE = 'samples.json'
_BOXES, _CLASSES = 'detections', 'classifications'
#: FiftyOne's label classes that are read, each with the name of its list; none: it is one label.
_KINDS = {'Detections': _BOXES, 'Classifications': _CLASSES, 'Detection': None,
          'Classification': None}


class FiftyOne:
    """
    The samples.json of a FiftyOneDataset (docs.voxel51.com, dataset formats).

    A sample's fields detections and classifications hold the labels; unit_id, bag, topic and the
    other fields of an item are fields of the sample. Boxes are shares of the picture.

    :param fields: names of the fields that labels are read from, comma-separated; never all of a
        sample's, for some hold what a model predicted
    :raises ConfigError: where there is none
    """

    file = FILE

    def __init__(self, fields: str = f'{_BOXES},{_CLASSES}') -> None:
        self._fields = [name.strip() for name in fields.split(',') if name.strip()]
        if not self._fields:
            raise ConfigError('fiftyone option fields', found=repr(fields),
                              expected="names of the samples' fields that hold the labels")

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
        found, seen = [], 0
        for number, sample in enumerate(samples):
            where = f'{path}: samples[{number}]'
            labels: list[dict[str, Any]] = []
            with entry(where, f'filepath and labels in {" or ".join(self._fields)}', reject):
                labels = [label for name in self._fields for label in _labels(sample.get(name))]
            seen += len(labels)
            for label in labels:
                with entry(where, 'label and bounding_box of a detection', reject):
                    item = item_of(str(sample['filepath']), files, where)
                    found.append(check(_annotation(label, item), units, where, classes))
        if not seen:
            self._check_others(path, samples)
        return found

    def _check_others(self, path: Path, samples: Sequence[Any]) -> None:
        others = sorted({name for sample in samples if isinstance(sample, dict)
                         for name, value in sample.items()
                         if name not in self._fields and _is_labels(value)})
        if others:
            raise AnnotationError(
                path, found=f'labels in {", ".join(others)} alone',
                expected=f'them in {" or ".join(self._fields)}, or --option fields={others[0]}')


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


def _is_labels(value: object) -> bool:
    return isinstance(value, dict) and value.get('_cls') in _KINDS and bool(_labels(value))


def _labels(value: Any) -> list[dict[str, Any]]:
    """Return the labels of a field, which holds a list of them, one, or none."""
    if not value:
        return []
    inner = _KINDS.get(value.get('_cls'))
    if inner is None and 'label' in value:
        return [value]
    names = [inner] if inner else [_BOXES, _CLASSES]
    return [label for name in names for label in value.get(name) or []]


def _annotation(label: dict[str, Any], item: Item) -> Annotation:
    box = None
    if 'bounding_box' in label:
        x, y, width, height = (float(value) for value in label['bounding_box'])
        box = Box(x * item.width, y * item.height, width * item.width, height * item.height)
    return Annotation(item.unit_id, str(label['label']), str(label.get('annotator', '')), box)
