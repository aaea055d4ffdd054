# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A Parquet table of items: for scripts and data frames, with types and exact times."""
from __future__ import annotations

import io
import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import astuple
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import check
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import entry
from active_collection.annotation.reading import refuse
from active_collection.errors import AnnotationError
from active_collection.files import write_whole

FILE = 'items.parquet'
_TYPES = {'str': pa.string(), 'int': pa.int64(), 'float': pa.float64()}
_EDGES = ('box_x', 'box_y', 'box_width', 'box_height')
SCHEMA = pa.schema([
    *((field.name, _TYPES[str(field.type)]) for field in fields(Item)),
    ('label', pa.string()), ('annotator', pa.string()),
    *((name, pa.float64()) for name in _EDGES)])


class Parquet:
    """
    One row an item and label, with the columns of the CSV table.

    A row whose label is empty waits for an annotator; box_* are null where the label is of the
    picture as a whole.
    """

    file = FILE

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write items.parquet; `classes` are not in it."""
        rows = []
        for item in items:
            mine = [a for a in annotations if a.unit_id == item.unit_id]
            rows += [{**asdict(item), **labels}
                     for labels in [_columns(a) for a in mine] or [{'label': ''}]]
        data = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), data)
        path = directory / FILE
        write_whole(path, data.getvalue())
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read a table with the columns unit_id and label, and perhaps annotator and box_*."""
        units = by_unit(items)
        try:
            with path.open('rb') as file:  # of a directory Arrow would read all files
                table = pq.read_table(file, page_checksum_verification=True)
            rows = table.to_pylist()
        except (OSError, ValueError, pa.ArrowException) as error:
            raise AnnotationError(path, found=error, expected='Parquet'
                                  ) from error
        found = []
        for number, row in enumerate(rows):
            where = f'{path}: row {number}'
            with entry(where, f'columns unit_id and label; {", ".join(_EDGES)}', reject):
                label = str(row['label'] or '')
                if not label:
                    continue
                annotation = Annotation(str(row['unit_id']), label,
                                        str(row.get('annotator') or ''), _box(row))
                found.append(check(annotation, units, where, classes))
        return found


def _columns(annotation: Annotation) -> dict[str, Any]:
    edges = astuple(annotation.box) if annotation.box is not None else (None,) * len(_EDGES)
    return {'label': annotation.label, 'annotator': annotation.annotator,
            **dict(zip(_EDGES, edges, strict=True))}


def _box(row: Mapping[str, Any]) -> Box | None:
    """Return a row's box: none where all edges are null or, as pandas writes a gap, NaN."""
    edges = [row.get(name) for name in _EDGES]
    if all(edge is None or math.isnan(edge) for edge in edges):
        return None
    return Box(*map(float, edges))  # type: ignore[arg-type] # place() names a gap among them
