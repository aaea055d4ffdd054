# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A CSV table of items: for spreadsheets and scripts."""
from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import fields
from pathlib import Path

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import check
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import entry
from active_collection.annotation.reading import refuse
from active_collection.annotation.reading import text_of
from active_collection.annotation.tabular import csv_text
from active_collection.annotation.tabular import plain
from active_collection.errors import AnnotationError
from active_collection.files import write_whole

FILE = 'items.csv'
COLUMNS = [field.name for field in fields(Item)]
LABEL_COLUMNS = ['label', 'annotator', 'box_x', 'box_y', 'box_width', 'box_height']


class Csv:
    """
    One row an item and label; a row without a label waits for an annotator to fill it in.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """

    file = FILE

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write items.csv; `classes` are not in it."""
        rows = []
        for item in items:
            mine = [a for a in annotations if a.unit_id == item.unit_id]
            rows += [[*asdict(item).values(), *labels]
                     for labels in [_cells(a) for a in mine] or [[''] * len(LABEL_COLUMNS)]]
        path = directory / FILE
        write_whole(path, csv_text([*COLUMNS, *LABEL_COLUMNS], rows))
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read a table with the columns unit_id and label, and perhaps annotator and box_*."""
        units = by_unit(items)
        try:
            table = csv.DictReader(io.StringIO(text_of(path)), strict=True)
            rows = list(table)
        except csv.Error as error:
            raise AnnotationError(path, found=error, expected='CSV') from error
        _check_columns(table.fieldnames or (), path)
        found = []
        for number, row in enumerate(rows, 2):
            where = f'{path}:{number}'
            with entry(where, 'columns unit_id and label; box_x, box_y, box_width, box_height',
                       reject):
                label = plain(row['label'] or '')
                if not label:
                    continue
                edges = [row.get(name) or '' for name in LABEL_COLUMNS[2:]]
                box = Box(*map(float, edges)) if any(edges) else None
                annotation = Annotation(plain(row['unit_id']), label,
                                        plain(row.get('annotator') or ''), box)
                found.append(check(annotation, units, where, classes))
        return found


def _check_columns(names: Sequence[str], path: Path) -> None:
    missing = [name for name in ('unit_id', 'label') if name not in names]
    if missing:
        raise AnnotationError(path, found=f'no column {" and ".join(missing)}',
                              expected='the table of the export with its labels filled in')


def _cells(annotation: Annotation) -> list[object]:
    box = annotation.box
    edges: list[object] = ['', '', '', '']
    if box is not None:
        edges = [box.x, box.y, box.width, box.height]
    return [annotation.label, annotation.annotator, *edges]
