# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The labels of a round: versioned, with every annotator's answer kept."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from active_collection.errors import SelectionError
from active_collection.files import make_directory
from active_collection.files import whole_file
from active_collection.selection.tables import read_table

DIRECTORY = 'labels'

#: One row an annotation, box edges in pixels, NaN where the label is of the whole picture.
SCHEMA = pa.schema([
    ('unit_id', pa.string()), ('label', pa.string()), ('annotator', pa.string()),
    ('box_x', pa.float64()), ('box_y', pa.float64()), ('box_width', pa.float64()),
    ('box_height', pa.float64())])


def versions(round_directory: Path) -> list[Path]:
    """Return the label files of a round, oldest first."""
    found = (round_directory / DIRECTORY).glob('[0-9]*.parquet')
    return sorted((p for p in found if p.stem.isdecimal()), key=lambda p: int(p.stem))


def add(round_directory: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """
    Add a version that holds these labels beside those of the version before.

    A version is never changed. Labels that are there already are not doubled; labels of a unit by
    an annotator who labelled it before replace that annotator's.

    :param rows: with SCHEMA's columns
    :return: the new file
    :raises SelectionError: where there are no labels
    :raises OSError: where it cannot be written
    """
    if not rows:
        raise SelectionError(round_directory, found='no labels', expected='at least one')
    before = versions(round_directory)
    again = {(row['unit_id'], row['annotator']) for row in rows}
    kept = [row for row in (read(before[-1]) if before else [])
            if (row['unit_id'], row['annotator']) not in again]
    directory = round_directory / DIRECTORY
    make_directory(directory)
    path = directory / f'{int(before[-1].stem) + 1 if before else 1}.parquet'
    with whole_file(path, anew=True) as partial:
        pq.write_table(pa.Table.from_pylist([*kept, *rows], schema=SCHEMA), partial)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """
    Return the labels of a version, one dictionary of SCHEMA's columns an annotation.

    :raises SelectionError: where the file cannot be read
    """
    return list(read_table(
        path, SCHEMA, expected='labels that `round ingest` wrote').to_pylist())


def newest(round_directory: Path) -> list[dict[str, Any]]:
    """Return the newest labels of a round; none where it has none."""
    found = versions(round_directory)
    return read(found[-1]) if found else []


def majority(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """
    Return each unit's label: the most frequent one, the first in the alphabet of equals.

    A label counts once an annotator, whatever the number of its boxes.
    """
    votes: dict[str, Counter[str]] = {}
    for unit, label, _ in sorted({(r['unit_id'], r['label'], r['annotator']) for r in rows}):
        votes.setdefault(unit, Counter())[label] += 1
    return {unit: min(count.items(), key=lambda vote: (-vote[1], vote[0]))[0]
            for unit, count in votes.items()}


def disagreement(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the units, sorted, that two annotators gave different sets of labels."""
    said: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        said.setdefault(row['unit_id'], {}).setdefault(row['annotator'], set()).add(row['label'])
    return sorted(unit for unit, by in said.items()
                  if len({frozenset(labels) for labels in by.values()}) > 1)
