# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Look into a scheduler's ledger: explain, verify, export; count episodes in it.

  explain ID     why an assignment was made, and the same decision made once more
  verify         whether the ledger can be trusted (exit status 1 where it cannot)
  export OUT     assignments, episodes and operators' actions as CSV or Parquet
  ingest DATA    count the episodes of a data directory that it does not know yet
  labels         episodes that wait for a person's label
  weights SPACE  sampling weights for training: equal tasks, constant share of successes
"""
from __future__ import annotations

import argparse
import sys

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import data_of
from active_collection.cli.data_directory import ledger_of
from active_collection.cli.options import path

NAME = 'ledger'
HELP = "explain, verify and export a scheduler's ledger, and count episodes in it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    explain = commands.add_parser('explain', help='say why an assignment was made, and replay it')
    _add_ledger(explain)
    explain.add_argument('assignment', help="assignment id; 'last' for the last one")
    explain.set_defaults(command=_explain)
    verify = commands.add_parser('verify', help='check that the ledger can be trusted')
    _add_ledger(verify)
    verify.set_defaults(command=_verify)
    export = commands.add_parser('export', help='write its tables to a new directory')
    _add_ledger(export)
    export.add_argument('out', type=path)
    export.add_argument('--format', choices=('csv', 'parquet'), default='csv')
    export.set_defaults(command=_export)
    ingest = commands.add_parser(
        'ingest', help='count the episodes of a data directory that it does not know yet; a '
                       'scheduler that runs fetches them by itself')
    add_data(ingest, 'data directory with the episodes', place=True)
    ingest.add_argument('--ledger', help='its path, or postgresql://user@host/database '
                                         '(default: DATA/scheduler.sqlite3)')
    ingest.add_argument('--space', type=path, help='scenario space of a ledger that is to be made')
    ingest.set_defaults(command=_ingest)
    labels = commands.add_parser(
        'labels', help="list the episodes that wait for a person's label, each with its robot; "
                       'give one with the service /<robot>/recorder/amend_episode')
    _add_ledger(labels)
    labels.set_defaults(command=_labels)
    weights = commands.add_parser('weights', help='print sampling weights for training as CSV')
    weights.add_argument('space', type=path, help='scenario space')
    add_data(weights, 'data directory with the episodes', place=True)
    weights.add_argument('--success-share', type=float, default=1.0,
                         help="share of a task's weight that its successes get (default: 1)")
    weights.set_defaults(command=_weights)


def _add_ledger(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('ledger', nargs='?', metavar='LEDGER',
                        help='its path, or postgresql://user@host/database '
                             '(default: DATA/scheduler.sqlite3)')
    add_data(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    return int(arguments.command(arguments))


def _explain(arguments: argparse.Namespace) -> int:
    from active_collection.scheduling.choosing.explain import explain
    from active_collection.scheduling.ledger.ledger import LedgerReader

    with LedgerReader(ledger_of(arguments)) as reader:
        assignment = arguments.assignment
        if assignment == 'last':
            assignment = reader.last_assignment() or assignment
        explanation = explain(reader, assignment)
    for line in explanation.lines():
        print(line)
    return 1 if explanation.differences else 0


def _verify(arguments: argparse.Namespace) -> int:
    from active_collection.cli.progress import progress
    from active_collection.scheduling.ledger.ledger import LedgerReader
    from active_collection.scheduling.ledger.verification import problems

    with LedgerReader(ledger_of(arguments)) as reader:
        name, last = reader.name, reader.last_sequence()
        with progress('verify') as update:
            found = problems(reader, progress=lambda number: update(number, last, ''))
    for problem in found:
        print(f'{name}: {problem}')
    if not found:
        print(f'{name}: sound, {last} events')
    return 1 if found else 0


def _export(arguments: argparse.Namespace) -> int:
    from active_collection.scheduling.ledger.ledger import LedgerReader
    from active_collection.scheduling.ledger.tables import export

    with LedgerReader(ledger_of(arguments)) as reader:
        for path in export(reader, arguments.out, form=arguments.format):
            print(path)
    return 0


def _ingest(arguments: argparse.Namespace) -> int:
    import time

    from active_collection.cli.progress import progress
    from active_collection.config import load
    from active_collection.pipeline.ledger_ingest import ingest
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.fleet.results import Counted

    place = ledger_of(arguments)
    space = load(arguments.space, ScenarioSpace) if arguments.space else None
    with progress('ingest') as update:
        done = ingest(data_of(arguments), place, space=space, now_ns=time.time_ns(),
                      progress=update)
    for directory, reason in done.refused:
        print(f'{directory}: {reason}')
    counted = done.counted
    print(f'{place}: {counted[Counted.COUNTED]} new, {counted[Counted.AMENDED]} amended, '
          f'{counted[Counted.DUPLICATE]} known, {len(done.refused)} refused')
    return 0


def _labels(arguments: argparse.Namespace) -> int:
    from active_collection.scheduling.ledger.ledger import LedgerReader

    with LedgerReader(ledger_of(arguments)) as reader:
        for event in reader.unjudged():
            print(event.episode_id, event.robot, event.result.scenario)
    return 0


def _weights(arguments: argparse.Namespace) -> int:
    import csv

    from active_collection.bags.episodes import find_episodes
    from active_collection.bags.episodes import read_record
    from active_collection.config import load
    from active_collection.errors import ConfigError
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.fleet.sampling import balanced

    if not 0 <= arguments.success_share <= 1:
        raise ConfigError('--success-share', found=arguments.success_share, expected='0 to 1')
    space = load(arguments.space, ScenarioSpace)
    records = [read_record(path) for path in find_episodes(data_of(arguments))]
    samples = balanced(space, (r for r in records if r is not None),
                       success_share=arguments.success_share)
    writer = csv.writer(sys.stdout)
    writer.writerow(('episode_id', 'task', 'outcome', 'impersonated', 'weight'))
    for sample in samples:
        writer.writerow((sample.episode_id, sample.task, sample.outcome.value,
                         int(sample.is_impersonated), f'{sample.weight:.9g}'))
    return 0
