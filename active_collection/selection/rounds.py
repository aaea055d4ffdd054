# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A round on disk: what was selected, and how."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from active_collection.errors import SelectionError
from active_collection.files import read_json
from active_collection.files import whole_directory
from active_collection.names import check_name
from active_collection.selection.pool import Pool
from active_collection.selection.select import Query
from active_collection.selection.select import Selection
from active_collection.selection.tables import read_table

SELECTION = 'selection.parquet'
MANIFEST = 'manifest.json'
FORMAT = 1

#: One row a pick, in the order in which they should be labelled.
SCHEMA = pa.schema([
    ('order', pa.int32()), ('unit_id', pa.string()), ('score', pa.float64()),
    ('reason', pa.string()), ('strategy', pa.string()), ('bag', pa.string()),
    ('topic', pa.string()), ('receive_ns', pa.int64()), ('sequence', pa.int32()),
    ('stamp_ns', pa.int64()), ('width', pa.int32()), ('height', pa.int32()),
    ('episode_id', pa.string()), ('scenario', pa.string()), ('task', pa.string()),
    ('environment', pa.string()), ('outcome', pa.string()), ('epistemic', pa.float32()),
])


@dataclass(frozen=True)
class Round:
    """
    A selected batch. Use `Round.open`.

    :param manifest: how it was selected: pool, strategy, options, seed, counts, limits, time
    :param picks: one row a pick, with SCHEMA's columns
    """

    directory: Path
    manifest: dict[str, Any]
    picks: pa.Table

    @classmethod
    def open(cls, directory: Path | str) -> Round:
        """
        Open what `active-collection select` wrote.

        :raises SelectionError: where a file is missing, corrupt or of another format
        :raises InvalidNameError: where the id of a pick would be no file name
        """
        directory = Path(directory)
        path = directory / MANIFEST
        expected = 'a round (`active-collection select` makes one)'
        try:
            manifest = read_json(path)
        except (OSError, ValueError) as error:
            raise SelectionError(path, found=error,
                                 expected=expected) from error
        if not isinstance(manifest, dict) or manifest.get('format') != FORMAT:
            raise SelectionError(path, found='another format', expected=expected)
        for key in ('pool', 'strategy'):
            value = manifest.get(key)
            if not isinstance(value, str) or '\0' in value:
                raise SelectionError(f'{path}: {key}', found=repr(value), expected='text')
        picks = read_table(directory / SELECTION, SCHEMA, expected=expected)
        for unit in picks['unit_id'].to_pylist():
            check_name(unit, f'{directory / SELECTION}: unit_id')
        return cls(directory, manifest, picks)

    @property
    def is_held_out(self) -> bool:
        """Tell whether its labels are kept apart for testing."""
        return self.manifest.get('held_out') is True

    @property
    def pool(self) -> Path:
        """Return the directory of the pool that it was selected from."""
        return (self.directory / str(self.manifest['pool'])).resolve()


def write_round(directory: Path, pool: Pool, query: Query, selection: Selection, *,
                held_out: bool = False) -> Round:
    """
    Write a round, whole or not at all.

    :param directory: must not exist
    :param held_out: its labels are for testing, never for training
    :raises SelectionError: where it does: a round is never selected twice
    :raises OSError: where it cannot be written
    """
    units = [pick.unit for pick in selection.picks]
    table = pool.units.take(pa.array(units, pa.int64()))
    added = {
        'order': range(len(units)),
        'score': [pick.score for pick in selection.picks],
        'reason': [pick.reason for pick in selection.picks],
        'strategy': [query.strategy] * len(units),
    }
    columns = [pa.array(added[f.name], f.type) if f.name in added else table[f.name].cast(f.type)
               for f in SCHEMA]
    manifest = {**_manifest(directory, pool, query, selection), 'held_out': held_out}
    try:
        with whole_directory(directory) as partial:
            pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), partial / SELECTION)
            (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + '\n')
    except FileExistsError as error:
        raise SelectionError(directory, found='something there', expected='a new directory: a '
                             'round is never selected twice') from error
    return Round.open(directory)


def number_of(directory: Path) -> int:
    """Return the number that a round's directory is called by; 0 where it is no number."""
    return int(directory.name) if directory.name.isdecimal() else 0


def all_rounds(directory: Path) -> list[Path]:
    """Return the rounds in a directory that are called by a number, oldest first."""
    found = [path.parent for path in directory.glob(f'*/{SELECTION}') if number_of(path.parent)]
    return sorted(found, key=number_of)


def chosen_before(rounds: Sequence[Path]) -> list[str]:
    """
    Return the unit ids that rounds selected.

    :raises SelectionError: where one is no round
    """
    return [str(unit) for directory in rounds
            for unit in Round.open(directory).picks['unit_id'].to_pylist()]


def _manifest(directory: Path, pool: Pool, query: Query, selection: Selection) -> dict[str, Any]:
    try:
        software = version('active-collection')
    except PackageNotFoundError:
        software = ''
    return {
        'format': FORMAT,
        'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'software': software,
        'pool': _relative(pool.directory, directory),
        'units': len(pool),
        'strategy': query.strategy,
        'options': dict(query.options),
        'seed': query.seed,
        'asked': query.count,
        'selected': len(selection.picks),
        'gap_s': query.limits.gap_s,
        'duplicate_bits': query.limits.duplicate_bits,
        'quotas': dict(query.limits.quotas),
        'trajectories': asdict(query.trajectories) if query.trajectories else None,
        'predictions': query.predictions is not None,
        'labelled': len(query.labelled),
        'included': len(query.include),
        'excluded': len(query.exclude),
        'duplicates_avoided': selection.duplicates,
        'notes': list(selection.notes),
    }


def _relative(pool: Path, directory: Path) -> str:
    """Return the pool's place as seen from the round, so that both can be moved together."""
    import os
    return os.path.relpath(pool.resolve(), directory.resolve())
