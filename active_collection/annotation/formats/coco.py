# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""COCO: one JSON file of images, categories and annotations."""
from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import timezone
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
from active_collection.files import write_whole

FILE = 'coco.json'


class Coco:
    """
    COCO object detection (Lin et al., 2014; cocodataset.org/#format-data).

    Each image carries, beside COCO's own keys, where it comes from and why it was chosen. Image
    ids are the order in which to label, from 1. A class of the picture as a whole is an
    annotation without a box.
    """

    file = 'instances_default.json'

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write coco.json."""
        names = list(dict.fromkeys([*classes, *(a.label for a in annotations)]))
        numbers = {item.unit_id: item.order + 1 for item in items}
        content = {
            'info': {'description': 'active_collection', 'version': '1.0'},
            'licenses': [],
            'images': [_image(item) for item in items],
            'categories': [{'id': number, 'name': name, 'supercategory': ''}
                           for number, name in enumerate(names, 1)],
            'annotations': [_annotation(number, a, numbers[a.unit_id], names.index(a.label) + 1)
                            for number, a in enumerate(annotations, 1)],
        }
        path = directory / FILE
        write_whole(path, json.dumps(content, indent=1) + '\n')
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read a COCO file; images are known by their file names."""
        content = json_of(path)
        files, units = by_file(items), by_unit(items)
        with place(str(path), 'COCO: lists images, categories and annotations'):
            images = {entry['id']: str(entry['file_name']) for entry in content['images']}
            labels = {entry['id']: str(entry['name']) for entry in content['categories']}
            entries = list(content['annotations'])
        found = []
        for number, made in enumerate(entries):
            where = f'{path}: annotations[{number}]{_id(made)}'
            with entry(where, 'image_id, category_id and bbox', reject):
                item = item_of(_named(images, made, 'image_id', where), files, where)
                bbox = made.get('bbox')
                box = Box(*(float(v) for v in bbox)) if bbox else None
                annotation = Annotation(
                    item.unit_id, _named(labels, made, 'category_id', where),
                    str(made.get('annotator', '')), box)
                found.append(check(annotation, units, where, classes))
        return found


def _named(names: Mapping[Any, str], entry: Any, key: str, where: str) -> str:
    if entry[key] not in names:
        raise AnnotationError(f'{where}: {key}', found=entry[key],
                              expected='an id that the file itself gives')
    return names[entry[key]]


def _id(entry: Any) -> str:
    return f' (id {entry["id"]})' if isinstance(entry, dict) and 'id' in entry else ''


def _image(item: Item) -> dict[str, Any]:
    taken = datetime.fromtimestamp(item.stamp_ns / 1e9, timezone.utc)
    return {
        'id': item.order + 1,
        'file_name': item.file,
        'width': item.width,
        'height': item.height,
        'date_captured': taken.strftime('%Y-%m-%d %H:%M:%S'),
        'unit_id': item.unit_id,
        'bag': item.bag,
        'topic': item.topic,
        'receive_ns': item.receive_ns,
        'sequence': item.sequence,
        'stamp_ns': item.stamp_ns,
        'score': item.score,
        'reason': item.reason,
        'scenario': item.scenario,
        'outcome': item.outcome,
    }


def _annotation(number: int, annotation: Annotation, image: int, category: int) -> dict[str, Any]:
    entry: dict[str, Any] = {'id': number, 'image_id': image, 'category_id': category,
                             'iscrowd': 0, 'annotator': annotation.annotator}
    if annotation.box is not None:
        box = annotation.box
        entry['bbox'] = [box.x, box.y, box.width, box.height]
        entry['area'] = box.width * box.height
        entry['segmentation'] = []
    return entry
