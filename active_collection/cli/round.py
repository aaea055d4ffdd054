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
from typing import TYPE_CHECKING

from active_collection.cli.options import path

if TYPE_CHECKING:
    from active_collection.selection.rounds import Round

NAME = 'round'
HELP = 'turn the annotation loop: start, export, ingest, status, stop'

#: The first round covers the pool: this share of it, within these bounds.
_SEED_SHARE, _SEED_LEAST, _SEED_MOST = 0.05, 50, 500
_BATCH = 300
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
        step.add_argument('--data', required=True, type=path, metavar='DIR',
                          help='directory of the pool and the rounds')
        if name in {'export', 'ingest'}:
            step.add_argument('--round', type=int, default=0, metavar='N',
                              help='its number (default: the newest)')
        _STEPS[name][0](step)


def _add_start(step: argparse.ArgumentParser) -> None:
    from active_collection.cli import query

    step.add_argument('--count', type=int, default=0,
                      help=f'units to select (default: {_BATCH}; in the first round '
                           f'{_SEED_SHARE:.0%}% of the pool, {_SEED_LEAST} to {_SEED_MOST})')
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
    from active_collection.errors import ConfigError

    if not arguments.data.is_dir():
        raise ConfigError(f'--data {arguments.data}', found='no such directory',
                          expected='the directory of a pool and its rounds')
    return int(_STEPS[arguments.step][1](arguments))


def _start(arguments: argparse.Namespace) -> int:
    from active_collection.cli import query as shared
    from active_collection.errors import ConfigError
    from active_collection.selection.pool import Pool
    from active_collection.selection.rounds import Round
    from active_collection.selection.rounds import all_rounds
    from active_collection.selection.rounds import number_of
    from active_collection.selection.rounds import write_round
    from active_collection.selection.select import select

    if arguments.count < 0:
        raise ConfigError('--count', found=arguments.count, expected='at least 0')
    before = all_rounds(arguments.data / 'rounds')
    pool = Pool.open(arguments.data / 'pool')
    seeded = any(not Round.open(directory).is_held_out for directory in before)
    seed_count = max(_SEED_LEAST, min(_SEED_MOST, round(_SEED_SHARE * len(pool))))
    usual = 'random' if arguments.held_out else 'hybrid' if seeded else 'typiclust'
    query = shared.query_of(
        arguments, pool, count=arguments.count or (_BATCH if seeded else seed_count),
        strategy=arguments.strategy or usual, before=before)
    selection = select(pool, query)
    number = number_of(before[-1]) + 1 if before else 1
    made = write_round(arguments.data / 'rounds' / str(number), pool, query, selection,
                       held_out=arguments.held_out)
    shared.tell(query, selection, pool)
    print(f'round {number}: {len(selection.picks)} of {len(pool)} units selected by '
          f'{query.strategy} into {made.directory}')
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from active_collection.cli import export

    return export.export_round(arguments, _round(arguments))


def _ingest(arguments: argparse.Namespace) -> int:
    from active_collection.annotation.annotations import by
    from active_collection.annotation.annotations import check_annotator
    from active_collection.annotation.annotations import without_repeats
    from active_collection.annotation.ingest import ingest
    from active_collection.annotation.ingest import write_rejected
    from active_collection.annotation.items import read_items
    from active_collection.cli.learning import measure_from
    from active_collection.cli.rounds import label_rows
    from active_collection.selection import labels

    check_annotator(arguments.annotator, '--annotator')
    opened = _round(arguments)
    items, classes = read_items(arguments.export or opened.directory / 'export')
    read = ingest(arguments.file, arguments.format, items, classes)
    annotations = without_repeats(by(read.annotations, arguments.annotator))
    path = labels.add(opened.directory, label_rows(annotations))
    disagree = len(labels.disagreement(labels.read(path)))
    repeats = len(read.annotations) - len(annotations)
    print(f'{len(annotations)} annotations of {len({a.unit_id for a in annotations})} of '
          f'{len(items)} pictures, {repeats} repeats; version {path.stem}; '
          f'annotators disagree on {disagree} pictures')
    if read.rejected:
        rejects = path.with_suffix('.rejected.csv')
        write_rejected(rejects, read.rejected)
        for error in read.rejected[:_SHOWN]:
            print(f'active-collection: left out: {error}', file=sys.stderr)
        print(f'active-collection: {len(read.rejected)} labels left out, all in {rejects}',
              file=sys.stderr)
    # Last: the labels are in, whatever becomes of what they teach.
    measure_from(arguments.data, opened)
    return 1 if read.rejected else 0


def _status(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from active_collection.cli.learning import curve
    from active_collection.selection import labels
    from active_collection.selection.rounds import Round
    from active_collection.selection.rounds import all_rounds

    table = Table('round', 'strategy', 'selected', 'labelled', 'disagree', 'accuracy', 'entropy',
                  'kappa', 'radius')
    known = {point.round: point for point in curve(arguments.data)}
    for directory in all_rounds(arguments.data / 'rounds'):
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

    from active_collection.cli.learning import curve
    from active_collection.cli.report_labels import keep_settings
    from active_collection.cli.report_labels import label_rounds
    from active_collection.cli.report_labels import settings_of
    from active_collection.cli.report_labels import verdicts
    from active_collection.config import load
    from active_collection.errors import SelectionError
    from active_collection.report.data import ReportData
    from active_collection.report.page import write_report
    from active_collection.selection.stopping import StoppingSettings
    from active_collection.selection.stopping import judge

    points = curve(arguments.data)
    if not points:
        raise SelectionError(arguments.data / 'rounds', found='no round with labels',
                             expected='at least one (`round ingest` takes them in)')
    settings = settings_of(arguments.data)
    if arguments.criteria:
        settings = load(arguments.criteria, StoppingSettings)
        keep_settings(arguments.data, settings)
    judged = judge(points, settings)
    for verdict in judged:
        print(f'{"stop" if verdict.fired else "go on"}: {verdict.criterion}: {verdict.text}')
    page = arguments.data / 'rounds' / _PAGE
    write_report(ReportData(
        'Whether to label more', str(arguments.data), time.time_ns(),
        labels=label_rounds(arguments.data, points), verdicts=verdicts(points, settings)), page)
    print(f'plot: {page}')
    fired = [verdict.criterion for verdict in judged if verdict.fired]
    print(f'stop, because of {", ".join(fired)}' if fired else 'go on')
    return 0


def _round(arguments: argparse.Namespace) -> Round:
    from active_collection.errors import SelectionError
    from active_collection.selection.rounds import Round
    from active_collection.selection.rounds import all_rounds

    found = all_rounds(arguments.data / 'rounds')
    if arguments.round:
        return Round.open(arguments.data / 'rounds' / str(arguments.round))
    if not found:
        raise SelectionError(arguments.data / 'rounds', found='no round',
                             expected='at least one (`round start` selects it)')
    return Round.open(found[-1])


def _short(value: float) -> str:
    return '' if math.isnan(value) else f'{value:.3f}'


_STEPS = {'start': (_add_start, _start), 'export': (_add_export, _export),
          'ingest': (_add_ingest, _ingest), 'status': (_add_nothing, _status),
          'stop': (_add_stop, _stop)}
