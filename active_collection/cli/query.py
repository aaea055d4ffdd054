# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The arguments of a query, shared by `select` and `round start`."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from active_collection.cli.options import path
from active_collection.errors import ConfigError

if TYPE_CHECKING:
    from active_collection.selection.pool import Pool
    from active_collection.selection.select import Query
    from active_collection.selection.select import Selection
    from active_collection.selection.trajectories import Trajectories

#: An annotator needs a batch of some size to be worth a hand-over, and a model to learn from it;
#: a very large one is chosen with what was known at its start.
SMALL, LARGE = 50, 1000
#: For the help, which is not to import what selects.
STRATEGIES = ('random, uniform_in_time, stratified, k_center, typiclust, information_density; by '
              'uncertainty: uncertainty, hybrid, temporal_uncertainty_change; by labels or '
              '--predictions: entropy, margin, least_confidence, cluster_margin, badge, bald, '
              'batch_bald, query_by_committee, expected_model_change; or one of your own')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
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
                             'outcome, robot, factor.NAME (of the scenario) or tag.NAME (of the '
                             'episode)')
    parser.add_argument('--include', type=path, metavar='FILE',
                        help='unit ids, one a line, that are taken first')
    parser.add_argument('--exclude', type=path, metavar='FILE',
                        help='unit ids, one a line, that are never taken')
    parser.add_argument('--predictions', type=path, metavar='FILE',
                        help='Parquet of unit_id, a column of probabilities a class and perhaps '
                             'member: in place of a head trained on the labels')
    whole = parser.add_argument_group('trajectories: choose these first, then units within')
    whole.add_argument('--trajectories', type=int, default=0, metavar='COUNT',
                       help='trajectories to choose (default: 0, units of any)')
    whole.add_argument('--measure', default='uncertainty',
                       help='uncertainty or novelty (default: %(default)s)')
    whole.add_argument('--aggregate', default='mean',
                       help='of their units: mean, max, quantile or time_above '
                            '(default: %(default)s)')
    whole.add_argument('--quantile', type=float, default=0.9,
                       help='that quantile, and the threshold of time_above as one of the pool '
                            '(default: %(default)s)')
    whole.add_argument('--threshold', type=float, default=None,
                       help='of time_above, in the unit of the measure')
    whole.add_argument('--trajectory-quota', action='append', default=[], metavar='NAME=COUNT',
                       help='most trajectories that share a value; names as of --quota')
    whole.add_argument('--each', type=int, default=0, metavar='COUNT',
                       help='most units of one trajectory (default: no limit)')


def query_of(arguments: argparse.Namespace, pool: Pool, *, count: int, strategy: str,
             before: Sequence[Path]) -> Query:
    """
    Return the query that arguments ask for.

    :param before: rounds whose picks are not selected again, and whose labels are learnt from
    :raises ConfigError: where an argument is out of range
    """
    from active_collection.cli.options import key_values
    from active_collection.cli.options import lines
    from active_collection.cli.options import positive
    from active_collection.pipeline.rounds.content import labels_of
    from active_collection.selection.batch import Limits
    from active_collection.selection.predictions import read_predictions
    from active_collection.selection.rounds import chosen_before
    from active_collection.selection.select import Query

    if not -1 <= arguments.duplicate_bits <= 64:
        raise ConfigError('--duplicate-bits', found=arguments.duplicate_bits, expected='-1 to 64')
    if arguments.seed < 0:
        raise ConfigError('--seed', found=arguments.seed, expected='at least 0')
    return Query(
        count=count, strategy=strategy, options=key_values(arguments.option, '--option'),
        seed=arguments.seed,
        limits=Limits(positive(arguments.gap, '--gap', zero=True), arguments.duplicate_bits,
                      _quotas(arguments.quota, '--quota')),
        include=lines(arguments.include), exclude=lines(arguments.exclude),
        labelled=chosen_before(before), labels=labels_of(before),
        predictions=read_predictions(arguments.predictions, pool) if arguments.predictions
        else None,
        trajectories=_trajectories(arguments))


def tell(query: Query, selection: Selection, pool: Pool) -> None:
    """Warn, on standard error, of a batch that is short or of an unwise size; print the notes."""
    chosen = len(selection.picks)
    if chosen < query.count:
        print(f'active-collection: {chosen} of {query.count} units: the time gap, near-duplicates '
              f'and quotas leave no more of {len(pool)}', file=sys.stderr)
    if query.count < SMALL:
        print(f'active-collection: a batch of {query.count}: under {SMALL}, the hand-over to '
              'annotators and the retraining cost more than the labels teach; 200 to 500 serve '
              'best', file=sys.stderr)
    elif query.count > LARGE:
        print(f'active-collection: a batch of {query.count}: over {LARGE:,}, the last picks know '
              'nothing of the first labels; 200 to 500 a round serve best', file=sys.stderr)
    for note in selection.notes:
        print(note)


def _trajectories(arguments: argparse.Namespace) -> Trajectories | None:
    from active_collection.selection.trajectories import Trajectories

    if arguments.trajectories:
        return Trajectories(
            arguments.trajectories, measure=arguments.measure, aggregate=arguments.aggregate,
            quantile=arguments.quantile, threshold=arguments.threshold,
            quotas=_quotas(arguments.trajectory_quota, '--trajectory-quota'), each=arguments.each)
    if arguments.each or arguments.trajectory_quota:
        raise ConfigError('--each or --trajectory-quota', found='no --trajectories',
                          expected='how many to choose')
    return None


def _quotas(texts: Sequence[str], name: str) -> dict[str, int]:
    from active_collection.cli.options import key_values

    quotas = {}
    for key, text in key_values(texts, name).items():
        if not text.isdecimal() or int(text) < 1:
            raise ConfigError(f'{name} {key}', found=repr(text), expected='at least 1')
        quotas[key] = int(text)
    return quotas
