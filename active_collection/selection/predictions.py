# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Class probabilities of the pool's units that a model of the user's own has predicted."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from active_collection.errors import SelectionError
from active_collection.selection.pool import Pool
from active_collection.selection.tables import read_table

_EXPECTED = ('a Parquet file with unit_id, a column of probabilities a class, and perhaps member '
             '(from 0)')
#: How far the probabilities of a unit may be from summing to 1: float16 is enough.
_SLACK = 1e-2


def read_predictions(path: Path, pool: Pool) -> NDArray[np.float32]:
    """
    Return what each member of a committee says of each unit, (M, N, C); M is 1 for one model.

    Each row of the file is a unit, as one member sees it; all columns beside `unit_id` and
    `member` are classes. Rows of units that the pool does not have are left out.

    :raises SelectionError: where the file cannot be read, a unit is missing or there twice, or the
        values are no probabilities
    """
    table = read_table(path, pa.schema([('unit_id', pa.string())]), expected=_EXPECTED)
    classes = [name for name in table.column_names if name not in {'unit_id', 'member'}]
    if len(classes) < 2:
        raise SelectionError(path, found=f'{len(classes)} classes', expected='at least two')
    try:
        values = np.stack([np.asarray(table[name].to_numpy(), np.float32) for name in classes], 1)
        members = (np.asarray(table['member'].to_numpy(), np.int64)
                   if 'member' in table.column_names else np.zeros(len(values), np.int64))
    except (ValueError, TypeError) as error:
        raise SelectionError(path, found=error, expected=_EXPECTED) from error
    sums = values.sum(axis=1)
    wrong = ~(np.isfinite(sums) & (values >= 0).all(axis=1) & (np.abs(sums - 1.0) <= _SLACK))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise SelectionError(f'{path}: row {row}', found=values[row].tolist(),
                             expected='probabilities that sum to 1')
    return _placed(path, pool, table['unit_id'].to_pylist(), members, values)


def _placed(path: Path, pool: Pool, names: list[str], members: NDArray[np.int64],
            values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows in the pool's order, (M, N, C)."""
    numbers = {name: number for number, name in enumerate(pool.texts('unit_id'))}
    units = np.array([numbers.get(name, -1) for name in names], np.int64)
    kept = units >= 0
    units, members, values = units[kept], members[kept], values[kept]
    found, members = np.unique(members, return_inverse=True)
    count = max(len(found), 1)
    seen = np.bincount(members * len(pool) + units, minlength=count * len(pool))
    if (seen != 1).any():
        place = int(np.flatnonzero(seen != 1)[0])
        raise SelectionError(
            path, found=f'{seen[place]} rows of {pool.texts("unit_id")[place % len(pool)]!r}',
            expected='one for each unit of the pool and member')
    result = np.empty((count, len(pool), values.shape[1]), np.float32)
    result[members, units] = values / values.sum(axis=1, keepdims=True)
    return result
