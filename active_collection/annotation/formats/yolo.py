# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""YOLO: one text file a picture, a line a box, and data.yaml with the names."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import check
from active_collection.annotation.items import IMAGES
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import entry
from active_collection.annotation.reading import item_of
from active_collection.annotation.reading import place
from active_collection.annotation.reading import refuse
from active_collection.annotation.reading import text_of
from active_collection.errors import AnnotationError
from active_collection.files import make_directory
from active_collection.files import write_whole

FILE = 'data.yaml'
LABELS = 'labels'


class Yolo:
    """
    YOLO detection (docs.ultralytics.com/datasets/detect): class, centre and size as shares.

    It has boxes only, no annotators, and classes by number: `classes` must name them all.
    data.yaml also lists the pictures in the order in which to label.
    """

    file = FILE

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write data.yaml, and labels/ for pictures with annotations."""
        names = list(dict.fromkeys([*classes, *(a.label for a in annotations)]))
        make_directory(directory / LABELS)
        for item in items:
            mine = [a for a in annotations if a.unit_id == item.unit_id]
            if mine:
                lines = [_line(a, item, names.index(a.label)) for a in mine]
                write_whole(directory / LABELS / f'{Path(item.file).stem}.txt', ''.join(lines))
        # No path: Ultralytics takes data.yaml's own directory then, and '.' for the working one.
        content = {'train': IMAGES, 'val': IMAGES, 'names': dict(enumerate(names)),
                   'order': [item.file for item in items]}
        path = directory / FILE
        write_whole(path, yaml.safe_dump(content, sort_keys=False))
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read data.yaml and the files in labels/ beside it; `path` is either's directory too."""
        path = path / FILE if path.is_dir() else path
        try:
            content = yaml.safe_load(text_of(path))
        except (yaml.YAMLError, RecursionError) as error:
            raise AnnotationError(path, found=error, expected='YAML') from error
        with place(f'{path}: names', 'names by number'):
            listed = content['names']
            names = dict(enumerate(listed)) if isinstance(listed, list) else dict(listed)
        stems = {Path(item.file).stem: item for item in items}
        units = by_unit(items)
        found = []
        for file in sorted((path.parent / LABELS).rglob('*.txt')):
            for number, line in enumerate(text_of(file).splitlines(), 1):
                where = f'{file}:{number}'
                if not line.strip():
                    continue
                with entry(where, 'class x y width height', reject):
                    item = item_of(file.stem, stems, where)
                    found.append(check(_annotation(line, item, names), units, where, classes))
        return found


def _line(annotation: Annotation, item: Item, number: int) -> str:
    box = annotation.box
    if box is None or annotation.annotator:
        raise AnnotationError(
            'yolo', found='a class of a whole picture' if box is None else 'an annotator',
            expected='boxes without annotators, for YOLO files have no place for others')
    x, y = (box.x + box.width / 2) / item.width, (box.y + box.height / 2) / item.height
    return (f'{number} {x:.9g} {y:.9g} {box.width / item.width:.9g} '
            f'{box.height / item.height:.9g}\n')


def _annotation(line: str, item: Item, names: dict[object, object]) -> Annotation:
    first, *rest = line.split()
    x, y, width, height = (float(value) for value in rest)
    box = Box((x - width / 2) * item.width, (y - height / 2) * item.height,
              width * item.width, height * item.height)
    return Annotation(item.unit_id, str(names[int(first)]), '', box)
