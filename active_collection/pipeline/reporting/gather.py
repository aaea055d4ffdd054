# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that the report shows, from whatever there is; what is not there is said."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from active_collection.errors import ActiveCollectionError
from active_collection.pipeline.data_layout import EVALUATIONS
from active_collection.pipeline.data_layout import LEDGER
from active_collection.pipeline.data_layout import POOL
from active_collection.pipeline.reporting.collected import History
from active_collection.pipeline.reporting.collected import in_rounds
from active_collection.pipeline.reporting.collected import read_episodes
from active_collection.pipeline.reporting.collected import read_evaluations
from active_collection.pipeline.reporting.collected import read_ledger
from active_collection.pipeline.reporting.collected import with_episodes
from active_collection.pipeline.reporting.labelled import read_labels
from active_collection.pipeline.reporting.selected import newest_round
from active_collection.pipeline.reporting.selected import read_pool
from active_collection.pipeline.reporting.selected import read_selection
from active_collection.pipeline.reporting.selected import with_pictures
from active_collection.report.data import ReportData
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import Round

Update = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Sources:
    """
    Where the content is; None for what was not named, and is looked for in what was.

    :param data: data directory
    :param round: directory of a round
    """

    data: Path | None
    pool: Path | None
    round: Path | None


def gather(sources: Sources, *, title: str, source: str, now_ns: int,
           update: Update) -> tuple[ReportData, list[str]]:
    """
    Return the content of a report, and what could not be read, a line each.

    :param source: what the report says that it is of
    :param now_ns: ns since 1970
    :param update: told (done, of how many, note) of the pictures
    :raises ActiveCollectionError: where a pool or round that was named cannot be read
    """
    complaints: list[str] = []
    parts: dict[str, Any] = {'missing': {}}
    if sources.data is not None:
        _add_collection(parts, sources.data, complaints)
    _add_selection(parts, sources, complaints, update)
    return (ReportData(title=title, source=source, made_ns=now_ns, **parts),
            list(dict.fromkeys(complaints)))  # a bag may fail more than one reader


def _add_collection(parts: dict[str, Any], data: Path, complaints: list[str]) -> None:
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
    try:
        rounds, verdicts = read_labels(data)
    except ActiveCollectionError as error:
        complaints.append(str(error))
        missing['labels'] = str(error)
        return
    parts.update(labels=rounds, verdicts=(*parts['verdicts'], *verdicts))


def _add_selection(parts: dict[str, Any], sources: Sources, complaints: list[str],
                   update: Update) -> None:
    missing = parts['missing']
    opened = _open_round(sources, missing, complaints)
    pool = _open_pool(sources, opened, missing, complaints)
    selection = read_selection(opened, pool) if opened is not None else None
    if selection is not None and pool is not None:
        selection = with_pictures(selection, pool, complaints.append, update)
    if pool is not None:
        parts['pool'] = read_pool(
            pool, (pick.unit.unit_id for pick in selection.picks) if selection else (),
            complaints.append)
    parts['selection'] = selection


def _open_round(sources: Sources, missing: dict[str, str],
                complaints: list[str]) -> Round | None:
    """Return the round; None where there is none and none was asked for."""
    if sources.round is not None:
        return Round.open(sources.round)
    newest = newest_round(sources.data) if sources.data is not None else None
    if newest is None:
        missing['contact'] = 'no round has a selection'
        return None
    try:
        return Round.open(newest)
    except ActiveCollectionError as error:
        complaints.append(str(error))
        missing['contact'] = str(error)
        return None


def _open_pool(sources: Sources, opened: Round | None, missing: dict[str, str],
               complaints: list[str]) -> Pool | None:
    """Return the pool; None where there is none and none was asked for."""
    if sources.pool is not None:
        return Pool.open(sources.pool)
    nearby = [sources.data / POOL] if sources.data is not None else []
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
