# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Select the units of a pool that are worth a label.

Writes a round: selection.parquet (what, why, in which order) and manifest.json (how).
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

NAME = 'select'
HELP = 'select the frames of a pool that are worth a label'

#: An annotator needs a batch of some size to be worth a hand-over, and a model to learn from it;
#: a very large one is chosen with what was known at its start.
_SMALL, _LARGE = 50, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--pool', required=True, type=Path, help='directory of the pool')
    parser.add_argument('--out', required=True, type=Path, metavar='ROUND_DIR',
                        help='directory of the round; must not exist')
    parser.add_argument('--count', default=300, type=int,
                        help='units to select (default: %(default)s)')
    parser.add_argument('--strategy', default='hybrid',
                        help='query strategy (default: %(default)s)')
    parser.add_argument('--option', action='append', default=[], metavar='KEY=VALUE',
                        help='option of the strategy, may be given again')
    parser.add_argument('--seed', default=0, type=int, help='of all randomness (default: 0)')
    parser.add_argument('--gap', default=1.0, type=float, metavar='SECONDS',
                        help='least time between two picks of one camera (default: %(default)s)')
    parser.add_argument('--duplicate-bits', default=2, type=int, metavar='BITS',
                        help='picks differ in more than so many of 64 hash bits; -1 for no limit '
                             '(default: %(default)s)')
    parser.add_argument('--quota', action='append', default=[], metavar='NAME=COUNT',
                        help='most picks of one bag, camera, scenario, task, environment, '
                             'outcome or robot')
    parser.add_argument('--labelled', action='append', default=[], type=Path, metavar='ROUND_DIR',
                        help='an earlier round: its picks are not selected again, and its '
                             'labels are learnt from')
    parser.add_argument('--include', type=Path, metavar='FILE',
                        help='unit ids, one a line, that are taken first')
    parser.add_argument('--exclude', type=Path, metavar='FILE',
                        help='unit ids, one a line, that are never taken')


def run(arguments: argparse.Namespace) -> int:
    """Select, and print where the round lies."""
    from active_collection.cli.options import key_values
    from active_collection.cli.options import lines
    from active_collection.cli.options import positive
    from active_collection.cli.rounds import labels_of
    from active_collection.errors import ConfigError
    from active_collection.selection.batch import Limits
    from active_collection.selection.pool import Pool
    from active_collection.selection.rounds import chosen_before
    from active_collection.selection.rounds import write_round
    from active_collection.selection.select import Query
    from active_collection.selection.select import select

    quotas = {}
    for name, text in key_values(arguments.quota, '--quota').items():
        if not text.isdecimal() or int(text) < 1:
            raise ConfigError(f'--quota {name}', found=repr(text), expected='at least 1')
        quotas[name] = int(text)
    if not -1 <= arguments.duplicate_bits <= 64:
        raise ConfigError('--duplicate-bits', found=arguments.duplicate_bits, expected='-1 to 64')
    if arguments.seed < 0:
        raise ConfigError('--seed', found=arguments.seed, expected='at least 0')
    query = Query(
        count=arguments.count, strategy=arguments.strategy,
        options=key_values(arguments.option, '--option'), seed=arguments.seed,
        limits=Limits(positive(arguments.gap, '--gap', zero=True), arguments.duplicate_bits,
                      quotas),
        include=lines(arguments.include), exclude=lines(arguments.exclude),
        labelled=chosen_before(arguments.labelled), labels=labels_of(arguments.labelled))
    pool = Pool.open(arguments.pool)
    selection = select(pool, query)
    made = write_round(arguments.out, pool, query, selection)
    chosen = len(selection.picks)
    if chosen < query.count:
        print(f'active-collection: {chosen} of {query.count} units: the time gap, near-duplicates '
              f'and quotas leave no more of {len(pool)}', file=sys.stderr)
    elif not _SMALL <= query.count <= _LARGE:
        print(f'active-collection: {query.count} units: batches of 200 to 500 serve best; small '
              'ones cost a hand-over each, in large ones the last picks know nothing of the '
              'first labels', file=sys.stderr)
    print(f'{chosen} of {len(pool)} units selected by {query.strategy} into {made.directory}; '
          f'{selection.duplicates} near-duplicates avoided')
    return 0
