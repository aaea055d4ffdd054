# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Formats of annotation tools, found by name: one file a tool."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from typing import Protocol

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import refuse
from active_collection.registry import Registry

_HERE = 'active_collection.annotation.formats'


class Format(Protocol):
    """
    Writes what an annotation tool reads, and reads what it writes.

    The pictures are there already, below images/. What `write` is given `read` returns.

    :param file: what the tool calls the file that `read` takes: looked for in a zip
    """

    file: ClassVar[str]

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """
        Write the tool's file of items into an export directory, whole or not at all.

        :param items: in the order in which to label
        :param classes: names of what is to be annotated; may be empty
        :param annotations: what is known already, for annotators to correct
        :return: the file
        :raises AnnotationError: where the format cannot hold the items or annotations
        :raises OSError: where it cannot be written
        """
        ...

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """
        Read what annotators made of the items.

        :param path: the file or directory that the tool exported
        :param classes: allowed labels; any where empty
        :param reject: told, with the place, of each label that is not of one of `items` or
            `classes`, or whose box lies outside of its picture; the others are read on. Without
            it the first one is raised
        :return: in the file's order, repeats and all; items without a label are not in it
        :raises AnnotationError: where the file itself cannot be read
        """
        ...


FORMATS: Registry[Format] = Registry(
    'annotation format', 'active_collection.annotation_formats', {
        'coco': f'{_HERE}.coco:Coco',
        'csv': f'{_HERE}.table:Csv',
        'cvat': f'{_HERE}.cvat:Cvat',
        'parquet': f'{_HERE}.parquet:Parquet',
        'label_studio': f'{_HERE}.label_studio:LabelStudio',
        'yolo': f'{_HERE}.yolo:Yolo',
        'fiftyone': f'{_HERE}.fiftyone:FiftyOne',
    })
