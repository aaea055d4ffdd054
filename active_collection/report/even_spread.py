# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations of each task beside what an even spread of as many would have given it."""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass

from active_collection.report.data import Assignment
from active_collection.report.data import Evaluation
from active_collection.report.learning import after_round
from active_collection.report.numbers import count
from active_collection.report.numbers import percent
from active_collection.report.numbers import plain


@dataclass(frozen=True, slots=True)
class Spread:
    """
    How demonstrations are spread over tasks.

    :param even: number that each task would have got of an even spread of as many
    :param tasks: task and its number, most first
    :param sentence: what can be said of it
    """

    even: float
    tasks: tuple[tuple[str, int], ...]
    sentence: str


def build(assignments: Sequence[Assignment], tasks: Collection[str],
          evaluations: Sequence[Evaluation]) -> Spread | None:
    """
    Return the spread; None without demonstrations, or of one task.

    :param tasks: all that could have been collected
    :param evaluations: by round, one of each
    """
    numbers = Counter(a.scenario.task for a in assignments if a.is_demonstration)
    if not numbers or len(tasks) < 2:
        return None
    rows = sorted(((task, numbers[task]) for task in tasks), key=lambda row: (-row[1], row[0]))
    even = sum(numbers.values()) / len(tasks)
    return Spread(even, tuple(rows), _sentence(rows, even, evaluations))


def _sentence(rows: Sequence[tuple[str, int]], even: float,
              evaluations: Sequence[Evaluation]) -> str:
    """Return who got more, and how both parts fare; nobody knows how an even spread would have."""
    most, least = rows[0][1], rows[-1][1]
    if most - least <= 1:
        number = f'{most}' if most == least else f'{least} or {most}'
        return f'They were spread evenly: {number} of each task.'
    more = [task for task, number in rows if number > even]
    less = [task for task, number in rows if number <= even]
    got = sum(number for _, number in rows[:len(more)])
    said = (f'{count(len(more), "task")} of {len(rows)} got more than the {plain(even)} of an '
            f'even spread, {got} of {sum(number for _, number in rows)} in all.')
    tried = [(e, _rate(e, more), _rate(e, less)) for e in evaluations]
    tried = [(e, of_more, of_less) for e, of_more, of_less in tried if of_more and of_less]
    if not tried:
        return said
    (first, *before), (last, *after) = tried[0], tried[-1]
    said += (f' {after_round(last.round).capitalize()} the policy succeeds in {after[0]} held-out '
             f'trials of these tasks and in {after[1]} of the others')
    if first is not last:
        said += f', {after_round(first.round)} in {before[0]} and {before[1]}'
    return (f'{said}. No policy was trained on an even spread here: what it would have reached '
            'is not known.')


def _rate(evaluation: Evaluation, tasks: Collection[str]) -> str:
    """Return the share of trials of some tasks that succeed; empty where none was tried."""
    results = [evaluation.tasks[task] for task in tasks if task in evaluation.tasks]
    trials = sum(result.episodes for result in results)
    if not trials:
        return ''
    return f'{percent(sum(result.successes for result in results) / trials)} of {trials}'
