# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as tables for other programs: assignments, episodes and operators' actions."""
from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from active_collection.errors import ConfigError
from active_collection.files import whole_directory
from active_collection.scenario import scenario_key
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.repeats import Repeat

Cell = str | int | float | bool | None
Row = dict[str, Cell]


def tables(reader: LedgerReader) -> dict[str, list[Row]]:
    """Return the tables `assignments`, `episodes` and `operators`, a row each, oldest first."""
    assignments: dict[str, Row] = {}
    episodes: dict[str, Row] = {}
    operators: list[Row] = []
    for entry in reader.entries():
        event = entry.event
        if isinstance(event, Assignment):
            assignments[event.assignment_id] = _assignment(entry.sequence, entry.time_ns, event)
        elif isinstance(event, Ended):
            assignments[event.assignment_id].update(
                ended_ns=entry.time_ns, end=event.cause, reason=event.reason)
        elif isinstance(event, Finished):
            episodes[event.episode_id] = _episode(entry.sequence, entry.time_ns, event)
            if event.fulfils:
                assignments[event.assignment_id].update(
                    ended_ns=entry.time_ns, end='episode', episode_id=event.episode_id)
        elif isinstance(event, ScenarioOrder):
            operators.append({
                'sequence': entry.sequence, 'time_ns': entry.time_ns, 'action': event.command,
                'robot': '', 'task': event.task, 'environment': event.environment,
                'factor': event.factor, 'limit': event.limit, 'priority': event.priority,
                'until_ns': event.until_ns, 'author': event.author, 'reason': event.reason})
        elif isinstance(event, RobotOrder):
            operators.append({
                'sequence': entry.sequence, 'time_ns': entry.time_ns, 'action': event.command,
                'robot': event.robot, 'task': '', 'environment': '', 'factor': None,
                'limit': 0, 'priority': 0, 'until_ns': event.deadline_ns,
                'author': event.author, 'reason': event.reason})
        elif isinstance(event, Repeat):
            operators.append({
                'sequence': entry.sequence, 'time_ns': entry.time_ns,
                'action': 'repeat cancelled' if event.is_cancelled else 'repeat',
                'robot': event.robot, 'task': event.scenario.task,
                'environment': event.scenario.environment, 'factor': None, 'limit': 0,
                'priority': 0, 'until_ns': 0, 'author': event.author,
                'reason': f'{event.episode_id}: {event.reason}'})
        elif isinstance(event, ModeChanged):
            operators.append({
                'sequence': entry.sequence, 'time_ns': entry.time_ns, 'action': event.mode,
                'robot': '', 'task': '', 'environment': '', 'factor': None, 'limit': 0,
                'priority': 0, 'until_ns': event.deadline_ns, 'author': event.author,
                'reason': event.reason})
    return {'assignments': list(assignments.values()), 'episodes': list(episodes.values()),
            'operators': operators}


def _assignment(sequence: int, time_ns: int, event: Assignment) -> Row:
    return {
        'assignment_id': event.assignment_id, 'sequence': sequence, 'issued_ns': time_ns,
        'robot': event.request.robot, 'task': event.scenario.task,
        'environment': event.scenario.environment, 'scenario': scenario_key(event.scenario),
        'collector': event.collector, 'policy_task': event.policy_task,
        'priority': event.priority, 'reset_required': event.reset_required,
        'rule': event.rule, 'score': event.score, 'attempt': event.attempt,
        'ensemble_id': event.ensemble_id, 'ended_ns': None, 'end': '', 'reason': '',
        'episode_id': ''}


def _episode(sequence: int, time_ns: int, event: Finished) -> Row:
    result = event.result
    return {
        'episode_id': event.episode_id, 'sequence': sequence, 'counted_ns': time_ns,
        'revision': event.revision, 'assignment_id': event.assignment_id, 'robot': event.robot,
        'task': result.scenario.task, 'environment': result.scenario.environment,
        'scenario': scenario_key(result.scenario), 'source': result.source.value,
        'outcome': result.outcome.value, 'epoch': result.epoch, 'epistemic': result.epistemic,
        'novelty': result.novelty, 'duration_s': result.duration_s, 'remark': event.remark}


def export(reader: LedgerReader, directory: Path, *, form: str) -> list[Path]:
    """
    Write the tables as files of a new directory, and return these.

    :param form: 'csv' or 'parquet'
    :raises ConfigError: where the directory exists
    """
    if directory.exists():
        raise ConfigError(directory, found='a file or directory of this name',
                          expected='a new directory')
    content = tables(reader)
    with whole_directory(directory) as partial:
        for name, rows in content.items():
            write = _write_csv if form == 'csv' else _write_parquet
            write(partial / f'{name}.{form}', rows)
    return [directory / f'{name}.{form}' for name in content]


def _write_csv(path: Path, rows: Iterable[Row]) -> None:
    rows = list(rows)
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(path: Path, rows: Iterable[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(list(rows)), path)
