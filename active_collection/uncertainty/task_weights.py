# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How often each episode is drawn in training, and as which task: a CSV, read and checked."""
from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.errors import UncertaintyError

COLUMNS = ('episode_id', 'task', 'outcome', 'impersonated', 'weight')


@dataclass(frozen=True, slots=True)
class TaskWeight:
    """
    One episode as a demonstration of one task.

    :param line: of the file that says so, from 1
    :param is_impersonated: whether it was collected for another task
    :param weight: how often it is drawn, above 0; only ratios count
    """

    line: int
    episode_id: str
    task: str
    is_impersonated: bool
    weight: float


@dataclass(frozen=True)
class TaskWeights:
    """
    The episodes to train on, each with its weight for each task that it shows.

    :param path: file that they are from
    :param entries: those of weight 0 left out
    """

    path: Path
    entries: tuple[TaskWeight, ...]

    @property
    def episodes(self) -> frozenset[str]:
        """Return the ids of all episodes that are trained on."""
        return frozenset(entry.episode_id for entry in self.entries)

    def error(self, entry: TaskWeight, column: str, *, found: object,
              expected: str) -> UncertaintyError:
        """Return the error of one entry's column."""
        return UncertaintyError(f'{self.path}:{entry.line}: {column}', found=found,
                                expected=expected)

    def check(self, records: Mapping[str, EpisodeRecord], *, data: Path) -> None:
        """
        Hold the file against the episodes that there are.

        :param records: of the episodes, by id
        :param data: the data directory that they are in
        :raises UncertaintyError: where an episode is not among them, was given up, or was
            collected for another task than the file says
        """
        for entry in self.entries:
            record = records.get(entry.episode_id)
            if record is None:
                raise self.error(entry, 'episode_id', found=entry.episode_id,
                                 expected=f'an episode of {data}')
            if record.outcome in {Outcome.ABORTED, Outcome.DISCARDED}:
                raise self.error(entry, 'episode_id', expected='an episode that counts',
                                 found=f'{entry.episode_id}, which was {record.outcome.value}')
            if entry.is_impersonated == (entry.task == record.scenario.task):
                other = 'another task than ' if entry.is_impersonated else ''
                raise self.error(entry, 'task', found=entry.task, expected=other + (
                    f'{record.scenario.task}, which {entry.episode_id} was collected for'))


def read_weights(path: Path) -> TaskWeights:
    """
    Read the weights that `active-collection ledger weights` writes.

    :param path: CSV with the columns episode_id, task, outcome, impersonated, weight, and others
    :raises UncertaintyError: where it is not that, or asks to imitate a failure
    """
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UncertaintyError(path, found=error, expected='a readable CSV') from error
    header = rows[0] if rows else []
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise UncertaintyError(f'{path}:1', found=f'no column {missing[0]}',
                               expected=','.join(COLUMNS))
    entries: list[TaskWeight] = []
    met: set[tuple[str, str]] = set()
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise UncertaintyError(f'{path}:{line}', found=f'{len(row)} values',
                                   expected=f'{len(header)}, as in the first line')
        entry = _entry(f'{path}:{line}', line, dict(zip(header, row, strict=True)))
        if (entry.episode_id, entry.task) in met:
            raise UncertaintyError(f'{path}:{line}', expected='each once',
                                   found=f'{entry.episode_id} as {entry.task} a second time')
        met.add((entry.episode_id, entry.task))
        if entry.weight > 0:
            entries.append(entry)
    if not entries:
        raise UncertaintyError(path, found='no weight above 0', expected='at least one')
    return TaskWeights(path, tuple(entries))


def _entry(where: str, line: int, row: Mapping[str, str]) -> TaskWeight:
    try:
        weight = float(row['weight'])
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise UncertaintyError(f'{where}: weight', found=row['weight'],
                               expected='a number, 0 or more')
    if row['impersonated'] not in {'0', '1'}:
        raise UncertaintyError(f'{where}: impersonated', found=row['impersonated'],
                               expected='0 or 1')
    if weight > 0 and row['outcome'] != Outcome.SUCCESS.value:
        raise UncertaintyError(
            f'{where}: outcome', found=row['outcome'],
            expected='success: failures are not imitated, write the weights with '
            '--success-share 1')
    return TaskWeight(line, row['episode_id'], row['task'], row['impersonated'] == '1', weight)
