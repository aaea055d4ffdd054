"""Formats of annotation tools, found by name: one file a tool."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from active_collection.annotation.items import Item
from active_collection.registry import Registry

_HERE = 'active_collection.annotation.formats'


class Format(Protocol):
    """Writes what an annotation tool reads. The pictures are there already, below images/."""

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str]) -> Path:
        """
        Write the tool's file of items into an export directory, whole or not at all.

        :param items: in the order in which to label
        :param classes: names of what is to be annotated; may be empty
        :return: the file
        :raises AnnotationError: where the format cannot hold the items
        :raises OSError: where it cannot be written
        """
        ...


FORMATS: Registry[Format] = Registry(
    'annotation format', 'active_collection.annotation_formats', {
        'coco': f'{_HERE}.coco:Coco',
        'csv': f'{_HERE}.table:Csv',
    })
