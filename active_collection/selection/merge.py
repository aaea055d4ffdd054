# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Merge the parts that index jobs wrote into the pool, so that a crash leaves old or new."""
from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from active_collection.bags.episodes import read_record
from active_collection.errors import ActiveCollectionError
from active_collection.errors import SelectionError
from active_collection.files import of_path
from active_collection.files import sync_directory
from active_collection.selection.index_bag import record_columns
from active_collection.selection.parts import DIRECTORY
from active_collection.selection.parts import read_part
from active_collection.selection.pool import EMBEDDINGS
from active_collection.selection.pool import INDEX
from active_collection.selection.pool import SCHEMA
from active_collection.selection.pool import Description
from active_collection.selection.pool import Pool
from active_collection.selection.pool import stored_path

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
    parts = [(path, *_part(path)) for path in sorted((pool / DIRECTORY).glob('*.parquet'))]
    old = Pool.open(pool) if (pool / INDEX).exists() else None
    before = old.units.cast(SCHEMA) if old else SCHEMA.empty_table()
    units, fresh = _added(before, parts, len(old.embeddings) if old else 0, description)
    units = _updated(_dropped(units, keep or {}, moved or {}), pool, moved or {})
    if fresh:
        _append(pool / EMBEDDINGS, old.embeddings if old else None, fresh, description)
    if units is not before:
        _write_table(pool / INDEX, units)
    for path, _, _ in parts:
        path.unlink()


def _added(units: pa.Table, parts: list[tuple[Path, pa.Table, NDArray[Any]]], rows: int,
           description: Description) -> tuple[pa.Table, list[NDArray[Any]]]:
    """Return the units with those of the parts, and the parts' vectors."""
    known = set(pc.unique(units['bag_key']).to_pylist())
    fresh: list[NDArray[Any]] = []
    for path, table, vectors in parts:
        if vectors.shape[1] != description.dimension:
            raise SelectionError(path, found=f'{vectors.shape[1]} dimensions',
                                 expected=description.dimension)
        # A kill between the index and the deletion of a part leaves one that is merged already.
        new = np.array([key not in known for key in table['bag_key'].to_pylist()], bool)
        if not new.any():
            continue
        numbers = pa.array(np.arange(rows, rows + int(new.sum())), pa.int64())
        added = table.filter(pa.array(new)).append_column('embedding_row', numbers)
        units = pa.concat_tables([units, added.cast(SCHEMA)])
        fresh.append(vectors[new])
        rows += len(fresh[-1])
    return units, fresh


def _part(path: Path) -> tuple[pa.Table, NDArray[Any]]:
    try:
        return read_part(path)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise SelectionError(path, found=f'{type(error).__name__}: {error}',
                             expected='a part of an index (delete it to index again)') from error


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


def _append(path: Path, old: NDArray[Any] | None, fresh: list[NDArray[Any]],
            description: Description) -> None:
    rows = (len(old) if old is not None else 0) + sum(map(len, fresh))
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        with partial.open('wb') as file:
            np.lib.format.write_array_header_1_0(file, {
                'descr': np.dtype(description.dtype).str, 'fortran_order': False,
                'shape': (rows, description.dimension)})
            for vectors in ([old] if old is not None else []) + fresh:
                for start in range(0, len(vectors), _COPY):
                    file.write(np.ascontiguousarray(
                        vectors[start:start + _COPY], dtype=description.dtype).data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_directory(path.parent)


def _write_table(path: Path, table: pa.Table) -> None:
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        pq.write_table(table, partial, compression='zstd')
        with partial.open('rb') as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise of_path(path, error) from error
    finally:
        partial.unlink(missing_ok=True)
    sync_directory(path.parent)
