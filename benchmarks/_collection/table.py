# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The evaluated rounds as a table: raw results, and what later runs need not do again."""
from __future__ import annotations

import csv
import io

import numpy as np

COUNTS = ('demonstrations', 'failed', 'expert_steps', 'attempts', 'attempt_steps')
_FIRST = ('options', 'arm', 'start', 'seed', 'round', 'start_demonstrations', *COUNTS, 'success')
_OF_TASK, _SUCCESS = 'demonstrations_', 'success_'


def to_csv(rows, digest):
    """
    Return every evaluated round as CSV: what it had cost, and each task's success.

    :param rows: of each unit by (arm, start, seed)
    :param digest: of the options that all of them were run with
    """
    tasks = list(next(iter(rows.values()))[0]['of_task']) if rows else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow([*_FIRST, *(_OF_TASK + task for task in tasks),
                     *(_SUCCESS + task for task in tasks)])
    for (arm, start, seed), mine in sorted(rows.items()):
        for row in mine:
            success = [row['success'][task] for task in tasks]
            writer.writerow([
                digest, arm, start, seed, row['round'], row['start'],
                *(row[name] for name in COUNTS), f'{np.mean(success):.4f}',
                *(row['of_task'][task] for task in tasks),
                *(f'{value:.4f}' for value in success)])
    return text.getvalue()


def from_csv(path, digest):
    """
    Return the rows of a table that were run with these options, by (arm, start, seed).

    :param path: where there is no file, there are no rows
    """
    found = {}
    if not path.is_file():
        return found
    with path.open(newline='') as file:
        for read in csv.DictReader(file):
            if read.get('options') != digest:
                continue
            row = {name: int(read[name]) for name in (*COUNTS, 'round')}
            row['start'] = int(read['start_demonstrations'])
            row['of_task'] = {name.removeprefix(_OF_TASK): int(value)
                              for name, value in read.items() if name.startswith(_OF_TASK)}
            row['success'] = {name.removeprefix(_SUCCESS): float(value)
                              for name, value in read.items() if name.startswith(_SUCCESS)}
            found.setdefault((read['arm'], read['start'], int(read['seed'])), []).append(row)
    return found
