# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Merge the parts that index jobs wrote into the pool, so that a crash leaves old or new."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from active_collection.bags.episodes import read_record
from active_collection.errors import ActiveCollectionError
from active_collection.errors import SelectionError
from active_collection.files import whole_file
from active_collection.selection.index_bag import record_columns
from active_collection.selection.parts import DIRECTORY
from active_collection.selection.parts import read_rows
from active_collection.selection.parts import read_vectors
from active_collection.selection.pool import EMBEDDINGS
from active_collection.selection.pool import INDEX
from active_collection.selection.pool import SCHEMA
from active_collection.selection.pool import Description
from active_collection.selection.pool import Pool
from active_collection.selection.pool import checksum
from active_collection.selection.pool import checksum_of
from active_collection.selection.pool import stored_path
from active_collection.selection.pool import with_checksum

_COPY = 1 << 16


def known_keys(pool: Path) -> set[str]:
    """Return the content key of every bag in a pool; none where there is no pool yet."""
    if not (pool / INDEX).exists():
        return set()
    return set(pc.unique(Pool.open(pool).units['bag_key']).to_pylist())


def count(pool: Path) -> int:
    """Return the number of units in a pool; 0 where there is none yet."""
    return len(Pool.open(pool)) if (pool / INDEX).exists() else 0


def merge(pool: Path, description: Description, *, moved: Mapping[str, Path] | None = None,
          keep: Mapping[str, str] | None = None) -> None:
    """
    Take all parts into the pool, and delete them.

    Embeddings are appended to a copy, and the index that needs them replaced after them: whatever
    is on disk after a crash fits together.

    :param moved: content key to where a bag lies now: its path and episode record are brought up
        to date
    :param keep: stored path to content key: rows of that path with another key are dropped,
        because the bag has changed
    """
    parts = sorted((pool / DIRECTORY).glob('*.parquet'))
    old = Pool.open(pool) if (pool / INDEX).exists() else None
    before = old.units.cast(SCHEMA.with_metadata(old.units.schema.metadata)
                            ) if old else SCHEMA.empty_table()
    units, fresh = _added(before, parts, len(old.embeddings) if old else 0)
    units = _updated(_dropped(units, keep or {}, moved or {}), pool, moved or {})
    if fresh:
        rows, value = _append(pool / EMBEDDINGS, old, fresh, description)
        units = with_checksum(units, rows, value)
    if units is not before:
        _write_table(pool / INDEX, units)
    for path in parts:
        path.unlink()


def _added(units: pa.Table, parts: list[Path], rows: int) -> tuple[
        pa.Table, list[tuple[Path, NDArray[np.bool_]]]]:
    """Return the units with those of the parts, and which rows of which part are new."""
    known = set(pc.unique(units['bag_key']).to_pylist())
    fresh: list[tuple[Path, NDArray[np.bool_]]] = []
    tables = [units]
    for path in parts:
        table = read_rows(path)
        # A kill between the index and the deletion of a part leaves one that is merged already.
        new = np.array([key not in known for key in table['bag_key'].to_pylist()], bool)
        if not new.any():
            continue
        numbers = pa.array(np.arange(rows, rows + int(new.sum())), pa.int64())
        added = table.filter(pa.array(new)).append_column('embedding_row', numbers)
        tables.append(added.cast(SCHEMA))
        fresh.append((path, new))
        rows += int(new.sum())
    return (pa.concat_tables(tables) if fresh else units), fresh


def _dropped(units: pa.Table, keep: Mapping[str, str], moved: Mapping[str, Path]) -> pa.Table:
    """Return the units without those of bags that have changed since."""
    current = [key in moved or keep.get(stored, key) == key for stored, key in zip(
        units['bag'].to_pylist(), units['bag_key'].to_pylist(), strict=True)]
    return units if all(current) else units.filter(pa.array(current, pa.bool_()))


def _updated(units: pa.Table, pool: Path, moved: Mapping[str, Path]) -> pa.Table:
    """Return the units with the paths and episode records that the bags have by now."""
    first = {key: row for row, key in reversed(list(enumerate(units['bag_key'].to_pylist())))}
    changes: dict[str, dict[str, str]] = {}
    for key, bag in moved.items():
        if key not in first:
            continue
        try:
            columns = {'bag': stored_path(bag, pool), **record_columns(
                None if bag.suffix == '.bag' else read_record(bag))}
        except ActiveCollectionError:
            continue  # a record that cannot be read leaves what was known
        before = {name: units[name][first[key]].as_py() for name in ('bag', 'record_key')}
        if any(columns[name] != value for name, value in before.items()):
            changes[key] = columns
    if not changes:
        return units
    keys = units['bag_key'].to_pylist()
    for name in next(iter(changes.values())):
        values = [changes[key][name] if key in changes else value
                  for key, value in zip(keys, units[name].to_pylist(), strict=True)]
        units = units.set_column(units.column_names.index(name), SCHEMA.field(name),
                                 pa.array(values, pa.string()))
    return units


def _append(path: Path, old: Pool | None, fresh: list[tuple[Path, NDArray[np.bool_]]],
            description: Description) -> tuple[int, int]:
    """
    Write the embeddings with those of the parts, one part at a time; return rows and checksum.

    :raises SelectionError: where the old ones are corrupt, or a part has another dimension
    """
    before = old.embeddings if old else np.empty((0, description.dimension), description.dtype)
    rows = len(before) + sum(int(new.sum()) for _, new in fresh)
    value = 0
    stored = checksum_of(old.units) if old else None
    with whole_file(path) as partial, partial.open('wb') as file:
        np.lib.format.write_array_header_1_0(file, {
            'descr': np.dtype(description.dtype).str, 'fortran_order': False,
            'shape': (rows, description.dimension)})
        for start, end in _pieces(len(before), stored[0] if stored else 0):
            piece = np.ascontiguousarray(before[start:end])
            value = checksum(piece, value)
            file.write(piece.data)
            if stored and end == stored[0] and value != stored[1]:
                raise SelectionError(path, found='rows that differ from the checksum in '
                                     f'{INDEX}', expected='a copy that is whole')
        for part, new in fresh:
            vectors = read_vectors(part)
            if vectors.shape[1] != description.dimension:
                raise SelectionError(part, found=f'{vectors.shape[1]} dimensions',
                                     expected=description.dimension)
            vectors = np.ascontiguousarray(vectors[new], dtype=description.dtype)
            value = checksum(vectors, value)
            file.write(vectors.data)
    return rows, value


def _pieces(rows: int, border: int) -> list[tuple[int, int]]:
    """Return (first, end) of pieces of rows, one of which ends at a border."""
    ends = sorted({*range(_COPY, rows, _COPY), min(border, rows), rows} - {0})
    return list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []


def _write_table(path: Path, table: pa.Table) -> None:
    with whole_file(path) as partial:
        pq.write_table(table, partial, compression='zstd', write_page_checksum=True)
