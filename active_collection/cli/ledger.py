# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Look into a scheduler's ledger: explain, verify, export.

  explain LEDGER ID   why an assignment was made, and the same decision made once more
  verify LEDGER       whether the ledger can be trusted (exit status 1 where it cannot)
  export LEDGER OUT   assignments, episodes and operators' actions as CSV or Parquet
  labels LEDGER       episodes that wait for a person's label
  weights SPACE DATA  sampling weights for training: equal tasks, constant share of successes
"""
from __future__ import annotations

import argparse
import sys

from active_collection.cli.options import path

NAME = 'ledger'
LEDGER = 'path of the ledger, or postgresql://user@host/database'
HELP = "explain, verify and export a scheduler's ledger"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    explain = commands.add_parser('explain', help='say why an assignment was made, and replay it')
    explain.add_argument('ledger', help=LEDGER)
    explain.add_argument('assignment', help="assignment id; 'last' for the last one")
    explain.set_defaults(command=_explain)
    verify = commands.add_parser('verify', help='check that the ledger can be trusted')
    verify.add_argument('ledger', help=LEDGER)
    verify.set_defaults(command=_verify)
    export = commands.add_parser('export', help='write its tables to a new directory')
    export.add_argument('ledger', help=LEDGER)
    export.add_argument('out', type=path)
    export.add_argument('--format', choices=('csv', 'parquet'), default='csv')
    export.set_defaults(command=_export)
    labels = commands.add_parser(
        'labels', help="list the episodes that wait for a person's label, each with its robot; "
                       'give one with the service /<robot>/recorder/amend_episode')
    labels.add_argument('ledger', help=LEDGER)
    labels.set_defaults(command=_labels)
    weights = commands.add_parser('weights', help='print sampling weights for training as CSV')
    weights.add_argument('space', type=path, help='scenario space')
    weights.add_argument('data', type=path, help='data directory with the episodes')
    weights.add_argument('--success-share', type=float, default=1.0,
                         help="share of a task's weight that its successes get (default: 1)")
    weights.set_defaults(command=_weights)


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    return int(arguments.command(arguments))


def _explain(arguments: argparse.Namespace) -> int:
    from active_collection.scheduling.explain import explain
    from active_collection.scheduling.ledger import LedgerReader

    with LedgerReader(arguments.ledger) as reader:
        assignment = arguments.assignment
        if assignment == 'last':
            assignment = reader.last_assignment() or assignment
        explanation = explain(reader, assignment)
    for line in explanation.lines():
        print(line)
    return 1 if explanation.differences else 0


def _verify(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from active_collection.scheduling.ledger import LedgerReader
    from active_collection.scheduling.verify import problems

    with LedgerReader(arguments.ledger) as reader:
        name, last = reader.name, reader.last_sequence()
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task('verify', total=last)
            found = problems(
                reader, progress=lambda number: progress.update(bar, completed=number))
    for problem in found:
        print(f'{name}: {problem}')
    if not found:
        print(f'{name}: sound, {last} events')
    return 1 if found else 0


def _export(arguments: argparse.Namespace) -> int:
    from active_collection.scheduling.ledger import LedgerReader
    from active_collection.scheduling.ledger_tables import export

    with LedgerReader(arguments.ledger) as reader:
        for path in export(reader, arguments.out, form=arguments.format):
            print(path)
    return 0


def _labels(arguments: argparse.Namespace) -> int:
    from active_collection.scheduling.ledger import LedgerReader

    with LedgerReader(arguments.ledger) as reader:
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
    from active_collection.scheduling.sampling import balanced

    if not 0 <= arguments.success_share <= 1:
        raise ConfigError('--success-share', found=arguments.success_share, expected='0 to 1')
    space = load(arguments.space, ScenarioSpace)
    records = [read_record(path) for path in find_episodes(arguments.data)]
    samples = balanced(space, (r for r in records if r is not None),
                       success_share=arguments.success_share)
    writer = csv.writer(sys.stdout)
    writer.writerow(('episode_id', 'task', 'outcome', 'impersonated', 'weight'))
    for sample in samples:
        writer.writerow((sample.episode_id, sample.task, sample.outcome.value,
                         int(sample.is_impersonated), f'{sample.weight:.9g}'))
    return 0
