# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Export items: pictures, the map back to their messages, and the file of an annotation tool."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

from active_collection.annotation.formats import FORMATS
from active_collection.annotation.items import IMAGES
from active_collection.annotation.items import Item
from active_collection.annotation.items import write_items
from active_collection.annotation.pictures import write_pictures
from active_collection.errors import AnnotationError


@dataclass(frozen=True)
class ExportReport:
    """
    What was exported.

    :param items: how many
    :param file: the annotation tool's file
    :param missing: one line for each item whose picture cannot be had any more
    """

    items: int
    file: Path
    missing: tuple[str, ...]


#: Told (pictures done, of how many).
Progress = Callable[[int, int], None]


def export(items: Sequence[Item], directory: Path, form: str, *, classes: Sequence[str] = (),
           quality: int = 95, progress: Progress = lambda *_: None) -> ExportReport:
    """
    Export items for an annotation tool.

    Another format may be exported into the same directory; pictures that are there are kept.

    :param items: each with the file that its picture is to have, below 'images/'
    :param form: name of the format
    :param classes: names of what is to be annotated
    :raises ConfigError: where the format is unknown
    :raises AnnotationError: where there is nothing to export
    :raises OSError: where the directory cannot be written
    """
    chosen = FORMATS.get(form)()
    (directory / IMAGES).mkdir(parents=True, exist_ok=True)
    missing: dict[str, str] = {}
    for number, (item, problem) in enumerate(
            write_pictures(items, directory, quality=quality), 1):
        if problem:
            missing[item.unit_id] = problem
        progress(number, len(items))
    kept = [replace(item, order=order) for order, item in enumerate(
        sorted((i for i in items if i.unit_id not in missing), key=lambda i: i.order))]
    if not kept:
        raise AnnotationError(directory, found=next(iter(missing.values()), 'no items'),
                              expected='at least one picture')
    write_items(directory, kept, classes)
    return ExportReport(len(kept), chosen.write(kept, directory, classes),
                        tuple(missing.values()))
