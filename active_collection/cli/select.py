# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Select the units of a pool that are worth a label.

Writes a round: selection.parquet (what, why, in which order) and manifest.json (how).
"""
from __future__ import annotations

import argparse

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import add_pool
from active_collection.cli.data_directory import pool_of
from active_collection.cli.options import path

NAME = 'select'
HELP = 'select the frames of a pool that are worth a label'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from active_collection.cli import query

    add_pool(parser)
    add_data(parser)
    parser.add_argument('--out', required=True, type=path, metavar='ROUND_DIR',
                        help='directory of the round; must not exist')
    parser.add_argument('--count', default=300, type=int,
                        help='units to select (default: %(default)s)')
    parser.add_argument('--strategy', default='hybrid',
                        help=f'query strategy (default: %(default)s): {query.STRATEGIES}')
    parser.add_argument('--labelled', action='append', default=[], type=path, metavar='ROUND_DIR',
                        help='an earlier round: its picks are not selected again, and its '
                             'labels are learnt from')
    query.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Select, and print where the round lies."""
    from active_collection.cli import query as shared
    from active_collection.selection.pool import Pool
    from active_collection.selection.rounds import write_round
    from active_collection.selection.select import select

    pool = Pool.open(pool_of(arguments))
    query = shared.query_of(arguments, pool, count=arguments.count, strategy=arguments.strategy,
                            before=arguments.labelled)
    selection = select(pool, query)
    made = write_round(arguments.out, pool, query, selection)
    shared.tell(query, selection, pool)
    print(f'{len(selection.picks)} of {len(pool)} units selected by {query.strategy} into '
          f'{made.directory}; {selection.duplicates} near-duplicates avoided')
    return 0
