# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The head of the page: five lines in figures."""
from __future__ import annotations

import math
from dataclasses import dataclass

from active_collection.report.collection import round_name
from active_collection.report.data import ReportData
from active_collection.report.learning import ordered
from active_collection.report.learning import together
from active_collection.report.numbers import NONE
from active_collection.report.numbers import count
from active_collection.report.numbers import duration
from active_collection.report.numbers import figure
from active_collection.report.numbers import percent
from active_collection.report.numbers import percent_interval
from active_collection.report.numbers import wilson

ARROW = '\N{RIGHTWARDS ARROW}'


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of the summary.

    :param label: what the figure is
    :param figure: the figure; a dash where there is none
    :param detail: what it is made of
    :param section: key of the section that shows it
    """

    label: str
    figure: str
    detail: str
    section: str


def build(data: ReportData) -> tuple[Line, ...]:
    """Return the five lines: collected, steered, success, uncertainty, chosen."""
    return (_collected(data), _steered(data), _success(data), _uncertainty(data), _chosen(data))


def _collected(data: ReportData) -> Line:
    ended = [a for a in data.assignments if a.outcome in {'success', 'failure'}]
    if not data.assignments:
        return Line('episodes collected', NONE, 'no ledger and no episodes', 'collection')
    successes = sum(a.outcome == 'success' for a in ended)
    robots = len({a.robot for a in data.assignments})
    start = min(a.issued_ns for a in data.assignments)
    stop = max(max(a.issued_ns, a.ended_ns) for a in data.assignments)
    rate = f', {percent(successes / len(ended))} successful' if ended else ''
    return Line('episodes collected', f'{len(ended):,}',
                f'by {count(robots, "robot")} in {duration((stop - start) / 1e9)}{rate}',
                'collection')


def _steered(data: ReportData) -> Line:
    steered = [a for a in data.assignments if a.round > 0]
    if not steered:
        return Line('rounds steered', NONE if not data.assignments else '0',
                    'no assignment was made with an ensemble', 'collection')
    last = max(a.round for a in steered)
    own = [a.scenario.task for a in steered if a.round == last]
    tasks = len({a.scenario.task for a in data.assignments})
    most = max(sorted(set(own)), key=own.count)
    rules = sorted({a.rule for a in steered if a.rule})
    rule = f' (rule {rules[0]})' if len(rules) == 1 else ''
    return Line('rounds steered', f'{len({a.round for a in steered})}',
                f'{round_name(last)}{rule}: {percent(own.count(most) / len(own))} to {most}, '
                f'even share {percent(1 / tasks)}', 'collection')


def _success(data: ReportData) -> Line:
    results = [r for e in ordered(data) if (r := together(e)).episodes]
    if not results:
        return Line('held-out success', NONE, 'no evaluation', 'learning')
    first, last = results[0], results[-1]
    interval = percent_interval(*wilson(last.successes, last.episodes))
    said = percent(last.successes / last.episodes)
    if len(results) > 1:
        said = f'{100 * first.successes / first.episodes:.0f} {ARROW} {said}'
    return Line('held-out success', said,
                f'95 % interval now {interval}, {count(last.episodes, "trial")}', 'learning')


def _uncertainty(data: ReportData) -> Line:
    means = [m for e in ordered(data) if math.isfinite(m := together(e).epistemic)]
    if not means:
        return Line('epistemic uncertainty', NONE, 'not measured', 'learning')
    said = figure(means[-1], 2)
    if len(means) == 1:
        return Line('epistemic uncertainty', said, 'mean over tasks, 0 to 1', 'learning')
    change = means[-1] / means[0] - 1 if means[0] > 0 else 0.0
    word = 'lower' if change < 0 else 'higher'
    return Line('epistemic uncertainty', f'{figure(means[0], 2)} {ARROW} {said}',
                f'{percent(abs(change))} {word}; mean over tasks, 0 to 1', 'learning')


def _chosen(data: ReportData) -> Line:
    selection = data.selection
    if selection is None or not selection.picks:
        return Line('frames chosen', NONE, 'nothing has been selected', 'contact')
    size = f' of {data.pool.size:,}' if data.pool else ''
    duplicates = selection.counts.get('near_duplicates', 0)
    avoided = f'; {count(duplicates, "near-duplicate")} avoided' if duplicates else ''
    return Line('frames chosen', f'{len(selection.picks):,}{size}',
                f'by {selection.strategy}{avoided}', 'contact')
