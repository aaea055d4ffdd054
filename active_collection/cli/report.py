# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Write one HTML page of what was collected and why, what it did for the policy, and what was chosen.

What a data directory lacks is left out of the page, with a line that says so.
"""
from __future__ import annotations

import argparse
import sys

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import add_pool
from active_collection.cli.data_directory import add_round
from active_collection.cli.data_directory import data_of
from active_collection.cli.data_directory import round_of
from active_collection.cli.options import path

NAME = 'report'
HELP = 'write an HTML page of collection, learning and selection'

#: Lines about what could not be read that are shown; the rest is counted.
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_data(parser, 'data directory: ledger, episodes, evaluations; none where only --pool or '
                     '--round is given')
    add_pool(parser, 'the pool; or that of the round')
    add_round(parser)
    parser.add_argument('--title', default='Collection report', help='heading of the page')
    parser.add_argument('--out', required=True, type=path, help='the HTML file')


def run(arguments: argparse.Namespace) -> int:
    """Gather what there is, write the page and print where it is."""
    import time

    from active_collection.cli.progress import progress
    from active_collection.pipeline.reporting.gather import Sources
    from active_collection.pipeline.reporting.gather import gather
    from active_collection.report.page import write_report

    if arguments.data is not None or (arguments.pool is None and arguments.round is None):
        arguments.data = data_of(arguments, or_else=', or --pool and --round')
    source = arguments.data or arguments.pool or arguments.round
    with progress('reading pictures') as update:
        data, complaints = gather(
            Sources(arguments.data, arguments.pool,
                    round_of(arguments) if arguments.round is not None else None),
            title=arguments.title, source=str(source), now_ns=time.time_ns(), update=update)
    for line in complaints[:_SHOWN]:
        print(f'active-collection: left out: {line}', file=sys.stderr)
    if len(complaints) > _SHOWN:
        print(f'active-collection: left out: {len(complaints) - _SHOWN} more', file=sys.stderr)
    write_report(data, arguments.out)
    print(f'{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB')
    return 0
