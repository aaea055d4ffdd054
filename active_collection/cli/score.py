# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Score the observations of recorded bags with an ensemble, as the uncertainty node would have.

With --pool, uncertainty and novelty go into the pool's index, each frame taking those of the step
nearest in time; with --out, every step goes into a Parquet file. Prints the means of each task.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from active_collection.cli.options import path

if TYPE_CHECKING:
    from active_collection.uncertainty.scoring import ScoredBag

NAME = 'score'
HELP = 'score recorded bags with an ensemble'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument('paths', nargs='*', type=path, metavar='PATH',
                        help='bags, directories or globs (default: the bags of the pool)')
    parser.add_argument('--ensemble', type=path, required=True, metavar='DIR',
                        help='an ensemble, or a directory of ensembles: the newest')
    parser.add_argument('--pool', type=path, metavar='DIR', help='pool whose index is updated')
    parser.add_argument('--out', type=path, metavar='PARQUET', help='file for every step')
    parser.add_argument('--tolerance', type=float, default=0.1, metavar='SECONDS',
                        help='largest distance of a frame to its step (default: %(default)s)')


def run(arguments: argparse.Namespace) -> int:
    """Score, write what was asked for, print a table."""
    import torch

    from active_collection.bags.find import find_bags
    from active_collection.cli.options import positive
    from active_collection.cli.progress import progress
    from active_collection.errors import ActiveCollectionError
    from active_collection.errors import ConfigError
    from active_collection.errors import UncertaintyError
    from active_collection.selection.pool import Pool
    from active_collection.uncertainty.ensemble_files import load_newest
    from active_collection.uncertainty.scoring import score_bag

    tolerance_ns = round(min(positive(arguments.tolerance, '--tolerance', zero=True), 1e9) * 1e9)
    if not arguments.paths and arguments.pool is None:
        raise ConfigError('arguments', found='neither PATH nor --pool', expected='one of them')
    ensemble = load_newest(arguments.ensemble)
    bags = find_bags(arguments.paths) if arguments.paths else _bags_of(arguments.pool)
    if arguments.pool is not None:
        Pool.open(arguments.pool)  # what is wrong with it should not show only after the work
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    scored: list[ScoredBag] = []
    with progress('scoring bags') as update:
        for done, bag in enumerate(bags):
            try:
                scored.append(score_bag(bag, ensemble))
            except ActiveCollectionError as error:
                if len(bags) == 1:
                    raise
                print(f'active-collection: left out: {error}', file=sys.stderr)
            update(done + 1, len(bags), '')
    if not scored:
        raise UncertaintyError(f'{len(bags)} bags', found='none that could be scored',
                               expected='bags with the topics that the ensemble asks for')
    print(_table(scored))
    if arguments.out is not None:
        _write_steps(arguments.out, scored)
        print(arguments.out)
    if arguments.pool is not None:
        print(f'{_update_pool(arguments.pool, scored, tolerance_ns)} frames of '
              f'{arguments.pool} scored')
    return 0


def _bags_of(pool_directory: Path) -> list[Path]:
    from active_collection.selection.pool import Pool

    pool = Pool.open(pool_directory)
    return [pool.bag_path(bag) for bag in sorted(set(pool.texts('bag')))]


def _table(scored: Sequence[ScoredBag]) -> str:
    by_task: dict[str, list[Any]] = {}
    for bag in scored:
        task = bag.record.scenario.task if bag.record is not None else '(no episode)'
        by_task.setdefault(task, []).append(bag.estimates[-1].episode)
    lines = [f'{"task":<24}{"bags":>6}{"steps":>8}{"epistemic":>12}{"p95":>10}{"novelty":>10}']
    for task, summaries in sorted(by_task.items()):
        steps = sum(s.steps for s in summaries)

        def mean(values: Sequence[float]) -> float:
            return sum(values) / len(values)

        lines.append(
            f'{task:<24}{len(summaries):>6}{steps:>8}'
            f'{mean([s.epistemic_mean for s in summaries]):>12.5f}'
            f'{mean([s.epistemic_p95 for s in summaries]):>10.5f}'
            f'{mean([s.novelty_mean for s in summaries]):>10.2f}')
    return '\n'.join(lines)


def _write_steps(path: Path, scored: Sequence[ScoredBag]) -> None:
    import pyarrow as pa

    rows = [
        {'bag': str(bag.path), 'episode_id': e.episode.episode_id, 'ensemble_id': e.ensemble_id,
         'stamp_ns': e.stamp_ns, 'epistemic': e.epistemic, 'aleatoric': e.aleatoric,
         'total': e.total, 'novelty': e.novelty, 'threshold': e.threshold, 'high': e.high,
         'epistemic_per_dimension': e.epistemic_per_dimension.tolist(),
         'action_mean': e.action_mean.tolist()}
        for bag in scored for e in bag.estimates]
    _write_parquet(path, pa.Table.from_pylist(rows))


def _update_pool(directory: Path, scored: Sequence[ScoredBag], tolerance_ns: int) -> int:
    """Put the nearest step's numbers into the rows of the scored bags; return how many got any."""
    import numpy as np
    import pyarrow as pa

    from active_collection.selection.estimates import FIELDS
    from active_collection.selection.estimates import Estimates
    from active_collection.selection.estimates import nearest
    from active_collection.selection.pool import INDEX
    from active_collection.selection.pool import Pool
    from active_collection.selection.pool import stored_path

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
    import pyarrow as pa
    import pyarrow.parquet as pq

    from active_collection.files import write_whole

    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    write_whole(path, buffer.getvalue().to_pybytes())
