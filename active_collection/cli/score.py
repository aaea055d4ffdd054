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
from typing import TYPE_CHECKING
from typing import Any

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import pool_of
from active_collection.cli.options import path
from active_collection.files import make_directory

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
    parser.add_argument('--pool', type=path, metavar='DIR',
                        help='pool whose index is updated (default: DATA/pool, or none where '
                             'neither is given and there is a PATH)')
    add_data(parser)
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
    from active_collection.errors import UncertaintyError
    from active_collection.pipeline.scored_bags import bags_of
    from active_collection.pipeline.scored_bags import update_pool
    from active_collection.pipeline.scored_bags import write_steps
    from active_collection.selection.pool import Pool
    from active_collection.uncertainty.ensemble_files import load_newest
    from active_collection.uncertainty.scoring import score_bag

    tolerance_ns = round(min(positive(arguments.tolerance, '--tolerance', zero=True), 1e9) * 1e9)
    pool = (None if arguments.paths and arguments.pool is None and arguments.data is None
            else pool_of(arguments))
    ensemble = load_newest(arguments.ensemble)
    bags = find_bags(arguments.paths) if pool is None or arguments.paths else bags_of(pool)
    if pool is not None:
        Pool.open(pool)  # what is wrong with it should not show only after the work
    if arguments.out is not None:
        make_directory(arguments.out.parent)
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
        write_steps(arguments.out, scored)
        print(arguments.out)
    if pool is not None:
        print(f'{update_pool(pool, scored, tolerance_ns)} frames of '
              f'{pool} scored')
    return 0


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
