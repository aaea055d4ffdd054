# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Turn the annotation loop: select, export, ingest labels, see what they taught, decide on stopping.

Rounds lie in DIR/rounds/1, 2, 3 and so on; the pool in DIR/pool. `ingest` ends with status 1 where
it left out labels that are wrong; they are listed in rounds/N/labels/VERSION.rejected.csv.
"""
from __future__ import annotations

import argparse
import math
import sys

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import add_round
from active_collection.cli.data_directory import data_of
from active_collection.cli.data_directory import round_of
from active_collection.cli.options import path
from active_collection.pipeline.data_layout import POOL
from active_collection.pipeline.data_layout import ROUNDS

NAME = 'round'
HELP = 'turn the annotation loop: start, export, ingest, status, stop'

#: What `stop` draws, below rounds/.
_PAGE = 'stopping.html'
#: Lines about wrong labels that are shown; the file has all.
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    steps = parser.add_subparsers(title='steps', metavar='STEP', dest='step', required=True)
    for name, text in (('start', 'select the next batch'), ('export', 'export it'),
                       ('ingest', 'take in labels'), ('status', 'show all rounds'),
                       ('stop', 'decide whether more labels pay')):
        step = steps.add_parser(name, help=text)
        add_data(step, 'directory of the pool and the rounds')
        if name in {'export', 'ingest'}:
            add_round(step)
        _STEPS[name][0](step)


def _add_start(step: argparse.ArgumentParser) -> None:
    from active_collection.cli import query

    step.add_argument('--count', type=int, default=0,
                      help='units to select (default: 300; in the first round 5%% of the pool, '
                           '50 to 500)')
    step.add_argument('--strategy', default='',
                      help='query strategy (default: hybrid; in the first round typiclust, '
                           f'which covers the pool; random for a plain seed): {query.STRATEGIES}')
    step.add_argument('--held-out', action='store_true',
                      help='keep the labels of this round apart, to test what the others teach '
                           '(strategy default: random, a fair sample)')
    query.add_arguments(step)


def _add_export(step: argparse.ArgumentParser) -> None:
    from active_collection.cli import export

    export.add_options(step)


def _add_ingest(step: argparse.ArgumentParser) -> None:
    step.add_argument('file', type=path,
                      help='what the annotation tool exported, perhaps as a zip file; labels in '
                           'it that are wrong are left out and named, and the status is 1')
    step.add_argument('--format', default='coco',
                      help='of the annotation tool (default: %(default)s)')
    step.add_argument('--option', action='append', default=[], metavar='KEY=VALUE',
                      help="of the format, may be given again; fiftyone: fields, the samples' "
                           'fields that hold the labels (default: detections,classifications)')
    step.add_argument('--export', type=path, metavar='DIR',
                      help='where `round export --out` wrote (default: export/ in the round)')
    step.add_argument('--annotator', default='', metavar='NAME',
                      help='who made the annotations that do not say so themselves')


def _add_nothing(_: argparse.ArgumentParser) -> None:
    pass


def _add_stop(step: argparse.ArgumentParser) -> None:
    step.add_argument('--criteria', type=path, metavar='FILE',
                      help='YAML: budget, target, confidence, gain, kappa, plateau, patience')


def run(arguments: argparse.Namespace) -> int:
    """Do the step."""
    return int(_STEPS[arguments.step][1](arguments))


def _start(arguments: argparse.Namespace) -> int:
    from active_collection.cli import query as shared
    from active_collection.errors import ConfigError
    from active_collection.pipeline.rounds.plan import plan_round
    from active_collection.selection.pool import Pool
    from active_collection.selection.rounds import write_round
    from active_collection.selection.select import select

    if arguments.count < 0:
        raise ConfigError('--count', found=arguments.count, expected='at least 0')
    data = data_of(arguments)
    pool = Pool.open(data / POOL)
    plan = plan_round(data / ROUNDS, pool, held_out=arguments.held_out)
    query = shared.query_of(
        arguments, pool, count=arguments.count or plan.count,
        strategy=arguments.strategy or plan.strategy, before=plan.before)
    selection = select(pool, query)
    made = write_round(data / ROUNDS / str(plan.number), pool, query, selection,
                       held_out=arguments.held_out)
    shared.tell(query, selection, pool)
    print(f'round {plan.number}: {len(selection.picks)} of {len(pool)} units selected by '
          f'{query.strategy} into {made.directory}')
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from active_collection.cli import export

    return export.run(arguments)


def _ingest(arguments: argparse.Namespace) -> int:
    from active_collection.cli.options import key_values
    from active_collection.pipeline.rounds.label_curve import measure_from
    from active_collection.pipeline.rounds.labelling import take_in
    from active_collection.selection.rounds import Round

    data, opened = data_of(arguments), Round.open(round_of(arguments))
    taken = take_in(
        opened, arguments.file, arguments.format, key_values(arguments.option, '--option'),
        exported=arguments.export, annotator=arguments.annotator)
    print(f'{taken.annotations} annotations of {taken.labelled} of {taken.items} pictures, '
          f'{taken.repeats} repeats; version {taken.path.stem}; annotators disagree on '
          f'{taken.disagreements} pictures')
    if taken.rejected:
        for error in taken.rejected[:_SHOWN]:
            print(f'active-collection: left out: {error}', file=sys.stderr)
        print(f'active-collection: {len(taken.rejected)} labels left out, all in {taken.rejects}',
              file=sys.stderr)
    # Last: the labels are in, whatever becomes of what they teach.
    measure_from(data, opened)
    return 1 if taken.rejected else 0


def _status(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from active_collection.pipeline.rounds.label_curve import curve
    from active_collection.selection import labels
    from active_collection.selection.rounds import Round
    from active_collection.selection.rounds import all_rounds

    data = data_of(arguments)
    table = Table('round', 'strategy', 'selected', 'labelled', 'disagree', 'accuracy', 'entropy',
                  'kappa', 'radius')
    known = {point.round: point for point in curve(data)}
    for directory in all_rounds(data / ROUNDS):
        opened, rows = Round.open(directory), labels.newest(directory)
        point = known.get(int(directory.name))
        values = [point.accuracy, point.entropy, point.kappa, point.radius] if point else []
        strategy = f'{opened.manifest["strategy"]}{" (held out)" if opened.is_held_out else ""}'
        table.add_row(directory.name, strategy, str(len(opened.picks)),
                      str(len({row['unit_id'] for row in rows})),
                      str(len(labels.disagreement(rows))), *map(_short, values))
    Console(width=100, highlight=False).print(table)
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    import time

    from active_collection.config import load
    from active_collection.errors import SelectionError
    from active_collection.pipeline.reporting.labelled import keep_settings
    from active_collection.pipeline.reporting.labelled import label_rounds
    from active_collection.pipeline.reporting.labelled import settings_of
    from active_collection.pipeline.reporting.labelled import verdicts
    from active_collection.pipeline.rounds.label_curve import curve
    from active_collection.report.data import ReportData
    from active_collection.report.page import write_report
    from active_collection.selection.stopping import StoppingSettings
    from active_collection.selection.stopping import judge

    data = data_of(arguments)
    points = curve(data)
    if not points:
        raise SelectionError(data / ROUNDS, found='no round with labels',
                             expected='at least one (`round ingest` takes them in)')
    settings = settings_of(data)
    if arguments.criteria:
        settings = load(arguments.criteria, StoppingSettings)
        keep_settings(data, settings)
    judged = judge(points, settings)
    for verdict in judged:
        print(f'{"stop" if verdict.fired else "go on"}: {verdict.criterion}: {verdict.text}')
    page = data / ROUNDS / _PAGE
    write_report(ReportData(
        'Whether to label more', str(data), time.time_ns(),
        labels=label_rounds(data, points), verdicts=verdicts(points, settings)), page)
    print(f'plot: {page}')
    fired = [verdict.criterion for verdict in judged if verdict.fired]
    print(f'stop, because of {", ".join(fired)}' if fired else 'go on')
    return 0


def _short(value: float) -> str:
    return '' if math.isnan(value) else f'{value:.3f}'


_STEPS = {'start': (_add_start, _start), 'export': (_add_export, _export),
          'ingest': (_add_ingest, _ingest), 'status': (_add_nothing, _status),
          'stop': (_add_stop, _stop)}
