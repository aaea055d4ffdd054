# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Write one HTML page of what was collected and why, what it did for the policy, and what was chosen.

What a data directory lacks is left out of the page, with a line that says so.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from active_collection.cli.options import path
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ReportError

if TYPE_CHECKING:
    from active_collection.selection.pool import Pool
    from active_collection.selection.rounds import Round

NAME = 'report'
HELP = 'write an HTML page of collection, learning and selection'

#: Lines about what could not be read that are shown; the rest is counted.
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--data', type=path, help='data directory: ledger, episodes, evaluations')
    parser.add_argument('--pool', type=path,
                        help='the pool (default: DATA/pool, or that of the round)')
    parser.add_argument('--round', help='the round: its number in DATA/rounds, or its directory '
                                        '(default: the newest of DATA)')
    parser.add_argument('--title', default='Collection report', help='heading of the page')
    parser.add_argument('--out', required=True, type=path, help='the HTML file')


def run(arguments: argparse.Namespace) -> int:
    """Gather what there is, write the page and print where it is."""
    import time

    from active_collection.report.data import ReportData
    from active_collection.report.page import write_report

    if arguments.data is None and arguments.pool is None and arguments.round is None:
        raise ReportError('report', found='nothing to report on',
                          expected='--data, or --pool and --round')
    if arguments.data is not None and not arguments.data.is_dir():
        raise ReportError(f'--data {arguments.data}', found='no such directory',
                          expected='a data directory')
    source = arguments.data or arguments.pool or arguments.round
    complaints: list[str] = []
    parts: dict[str, Any] = {'missing': {}}
    if arguments.data is not None:
        _add_collection(parts, arguments.data, complaints)
    _add_selection(parts, arguments, complaints)
    data = ReportData(title=arguments.title, source=str(source), made_ns=time.time_ns(), **parts)
    for line in complaints[:_SHOWN]:
        print(f'active-collection: left out: {line}', file=sys.stderr)
    if len(complaints) > _SHOWN:
        print(f'active-collection: left out: {len(complaints) - _SHOWN} more', file=sys.stderr)
    write_report(data, arguments.out)
    print(f'{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB')
    return 0


def _add_collection(parts: dict[str, Any], data: Path, complaints: list[str]) -> None:
    from active_collection.cli.report_collection import EVALUATIONS
    from active_collection.cli.report_collection import LEDGER
    from active_collection.cli.report_collection import History
    from active_collection.cli.report_collection import in_rounds
    from active_collection.cli.report_collection import read_episodes
    from active_collection.cli.report_collection import read_evaluations
    from active_collection.cli.report_collection import read_ledger
    from active_collection.cli.report_collection import with_episodes

    missing = parts['missing']
    history = History()
    if (data / LEDGER).exists():
        try:
            history = read_ledger(data / LEDGER)
        except ActiveCollectionError as error:
            complaints.append(str(error))
            missing['collection'] = str(error)
    evaluations = read_evaluations(data / EVALUATIONS, complaints.append)
    if not evaluations:
        missing['learning'] = f'no evaluation in {data / EVALUATIONS}'
    assignments = with_episodes(
        history.assignments, read_episodes(data, complaints.append))
    if not assignments:
        missing.setdefault('collection', f'no {LEDGER} and no episodes in {data}')
    parts.update(
        assignments=in_rounds(assignments, evaluations, history.ensembles),
        evaluations=tuple(evaluations), factors=history.factors, verdicts=history.verdicts)
    _add_labels(parts, data, complaints)


def _add_labels(parts: dict[str, Any], data: Path, complaints: list[str]) -> None:
    from active_collection.cli.report_labels import read_labels

    try:
        rounds, verdicts = read_labels(data)
    except ActiveCollectionError as error:
        complaints.append(str(error))
        parts['missing']['labels'] = str(error)
        return
    parts.update(labels=rounds, verdicts=(*parts['verdicts'], *verdicts))


def _add_selection(parts: dict[str, Any], arguments: argparse.Namespace,
                   complaints: list[str]) -> None:
    from active_collection.cli.progress import progress
    from active_collection.cli.report_selection import read_pool
    from active_collection.cli.report_selection import read_selection
    from active_collection.cli.report_selection import with_pictures

    missing = parts['missing']
    opened = _open_round(arguments, missing, complaints)
    pool = _open_pool(arguments, opened, missing, complaints)
    selection = read_selection(opened, pool) if opened is not None else None
    if selection is not None and pool is not None:
        with progress('reading pictures') as update:
            selection = with_pictures(selection, pool, complaints.append, update)
    if pool is not None:
        parts['pool'] = read_pool(
            pool, (pick.unit.unit_id for pick in selection.picks) if selection else ())
    parts['selection'] = selection


def _open_round(arguments: argparse.Namespace, missing: dict[str, str],
                complaints: list[str]) -> Round | None:
    """Return the round; None where there is none and none was asked for."""
    from active_collection.cli.report_selection import newest_round
    from active_collection.selection.rounds import Round

    if arguments.round is not None:
        return Round.open(_round_directory(arguments))
    newest = newest_round(arguments.data) if arguments.data is not None else None
    if newest is None:
        missing['contact'] = 'no round has a selection'
        return None
    try:
        return Round.open(newest)
    except ActiveCollectionError as error:
        complaints.append(str(error))
        missing['contact'] = str(error)
        return None


def _open_pool(arguments: argparse.Namespace, opened: Round | None, missing: dict[str, str],
               complaints: list[str]) -> Pool | None:
    """Return the pool; None where there is none and none was asked for."""
    from active_collection.selection.pool import Pool

    if arguments.pool is not None:
        return Pool.open(arguments.pool)
    nearby = [arguments.data / 'pool'] if arguments.data is not None else []
    nearby += [opened.pool] if opened is not None else []
    directory = next((path for path in nearby if path.exists()), None)
    missing['map'] = missing['bags'] = 'no pool has been indexed'
    if directory is None:
        return None
    try:
        return Pool.open(directory)
    except ActiveCollectionError as error:
        complaints.append(str(error))
        missing['map'] = missing['bags'] = str(error)
        return None


def _round_directory(arguments: argparse.Namespace) -> Path:
    """Return the directory of the round that was asked for."""
    given: str = arguments.round
    if not given.isdecimal():
        return Path(given)
    if arguments.data is not None:
        return Path(arguments.data, 'rounds', given)
    if Path(given).is_dir():
        return Path(given)
    raise ReportError(f'--round {given}', found='a number without --data',
                      expected='--data, or the directory of the round')
