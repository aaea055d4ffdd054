# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What was scored of bags, as files and in the index of a pool."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from active_collection.files import write_whole
from active_collection.selection.estimates import FIELDS
from active_collection.selection.estimates import Estimates
from active_collection.selection.estimates import nearest
from active_collection.selection.pool import INDEX
from active_collection.selection.pool import Pool
from active_collection.selection.pool import stored_path
from active_collection.uncertainty.scoring import ScoredBag


def bags_of(pool_directory: Path) -> list[Path]:
    """Return the bags of a pool, where they are by now."""
    pool = Pool.open(pool_directory)
    return [pool.bag_path(bag) for bag in sorted(set(pool.texts('bag')))]


def write_steps(path: Path, scored: Sequence[ScoredBag]) -> None:
    """Write every step of bags into a Parquet file."""
    rows = [
        {'bag': str(bag.path), 'episode_id': e.episode.episode_id, 'ensemble_id': e.ensemble_id,
         'stamp_ns': e.stamp_ns, 'actor': actor.name.lower() if actor is not None else None,
         'epistemic': e.epistemic, 'aleatoric': e.aleatoric,
         'total': e.total, 'novelty': e.novelty, 'threshold': e.threshold, 'high': e.high,
         'epistemic_per_dimension': e.epistemic_per_dimension.tolist(),
         'action_mean': e.action_mean.tolist()}
        for bag in scored for e, actor in zip(bag.estimates, bag.actors, strict=True)]
    _write_parquet(path, pa.Table.from_pylist(rows))


def update_pool(directory: Path, scored: Sequence[ScoredBag], tolerance_ns: int) -> int:
    """
    Put the nearest step's numbers into the rows of the scored bags; return how many got any.

    :param tolerance_ns: largest distance of a frame to its step (ns)
    """
    pool = Pool.open(directory)
    stored = np.array(pool.texts('bag'))
    stamps = pool.numbers('stamp_ns')
    columns = {name: pool.numbers(name).copy() for name in FIELDS}
    updated = 0
    for bag in scored:
        rows = np.flatnonzero(stored == stored_path(bag.path, directory))
        estimates = Estimates(
            np.array([e.stamp_ns for e in bag.estimates], dtype=np.int64),
            np.array([[getattr(e, name) for name in FIELDS] for e in bag.estimates], np.float32))
        values = nearest(estimates, stamps[rows], tolerance_ns)
        for place, name in enumerate(FIELDS):
            columns[name][rows] = values[:, place]
        updated += int(np.isfinite(values[:, 0]).sum())
    units = pool.units
    for name, column in columns.items():
        units = units.set_column(units.column_names.index(name), name, pa.array(column))
    _write_parquet(directory / INDEX, units)
    return updated


def _write_parquet(path: Path, table: Any) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    write_whole(path, buffer.getvalue().to_pybytes())
