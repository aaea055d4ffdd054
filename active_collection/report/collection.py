# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Section: which scenarios were collected, and why."""
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from active_collection.report import even_spread
from active_collection.report.data import Assignment
from active_collection.report.data import ReportData
from active_collection.report.even_spread import Spread
from active_collection.report.learning import ordered
from active_collection.report.markup import join
from active_collection.report.markup import tag
from active_collection.report.markup import tip
from active_collection.report.numbers import count
from active_collection.report.numbers import duration
from active_collection.report.numbers import figure
from active_collection.report.numbers import mean
from active_collection.report.numbers import percent
from active_collection.report.numbers import time_ticks

MOST_ROWS = 400
MOST_LANES = 24
MOST_MARKS = 3000
#: With more rounds than this, shares are tinted cells instead of bars.
MOST_BARS = 6
LANE = 26
#: Width of a round below which it has no label in the timeline (percent).
LABEL = 7.0
#: Outcome to the class that colours it; the rest is neutral.
OUTCOMES = {'success': 'good', 'failure': 'bad'}


@dataclass(frozen=True, slots=True)
class Share:
    """
    A task's part of a round.

    :param share: of the round's assignments, 0 to 1
    """

    number: int
    share: float
    successes: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """
    A task with its part of every round, and why it was chosen in the last one.

    :param terms: mean weighted value of each term of `CollectionView.terms` over its assignments
        by `CollectionView.rule`; NaN where it has none
    """

    task: str
    shares: tuple[Share, ...]
    terms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CollectionView:
    """
    What the section shows.

    :param spread: demonstrations of each task; None without any
    :param rule: the rule that made most of the last round's assignments: `decided` of them
    :param compact: whether there are too many rounds for bars
    :param marks: assignments in the timeline; `rows` and it hold the last of `total`
    """

    conclusion: str
    spread: Spread | None
    rounds: tuple[str, ...]
    compact: bool
    even: float
    largest: float
    tasks: tuple[TaskRow, ...]
    terms: tuple[str, ...]
    rule: str
    decided: int
    largest_term: float
    timeline: Markup
    marks: int
    rows: tuple[Assignment, ...]
    start_ns: int
    total: int
    hidden_robots: int


def build(data: ReportData) -> CollectionView | None:
    """Return the section; None without assignments."""
    if not data.assignments:
        return None
    assignments = sorted(data.assignments, key=lambda a: (a.issued_ns, a.assignment_id))
    rounds = sorted({a.round for a in assignments})
    names = sorted({a.scenario.task for a in assignments})
    rule, decided = _main_rule([a for a in assignments if a.round == rounds[-1]])
    terms = list(dict.fromkeys(t.name for a in decided for t in a.terms if t.weight))
    sizes = Counter(a.round for a in assignments)
    tasks = []
    for task in names:
        own = [a for a in assignments if a.scenario.task == task]
        shares = []
        for number in rounds:
            these = [a for a in own if a.round == number]
            shares.append(Share(len(these), len(these) / sizes[number],
                                sum(a.outcome == 'success' for a in these)))
        last = [a for a in decided if a.scenario.task == task]
        tasks.append(TaskRow(task, tuple(shares), tuple(_mean_term(last, term) for term in terms)))
    tasks.sort(key=lambda row: -row.shares[-1].share)
    robots = Counter(a.robot for a in assignments)
    lanes = sorted(name for name, _ in robots.most_common(MOST_LANES))
    shown = [a for a in assignments if a.robot in lanes][-MOST_MARKS:]
    return CollectionView(
        conclusion=_conclusion(tasks, rounds),
        spread=even_spread.build(assignments, {*names, *data.factors}, ordered(data)),
        rounds=tuple(round_name(number) for number in rounds),
        compact=len(rounds) > MOST_BARS,
        even=1 / len(names),
        largest=max(share.share for row in tasks for share in row.shares),
        tasks=tuple(tasks),
        terms=tuple(terms),
        rule=rule,
        decided=len(decided),
        largest_term=max((abs(value) for row in tasks for value in row.terms
                          if math.isfinite(value)), default=0.0),
        timeline=_timeline(shown, lanes),
        marks=len(shown),
        rows=tuple(assignments[-MOST_ROWS:]),
        start_ns=assignments[0].issued_ns,
        total=len(assignments),
        hidden_robots=len(robots) - len(lanes),
    )


def round_name(number: int) -> str:
    """Return what a collection round is called: the first has no ensemble to steer by."""
    return 'bootstrap' if number == 0 else f'round {number}'


def _main_rule(assignments: Sequence[Assignment]) -> tuple[str, list[Assignment]]:
    """Return the rule that made most of the assignments, and those: scores compare within one."""
    rules = Counter(a.rule for a in assignments if a.rule)
    if not rules:
        return '', []
    rule = min(rules, key=lambda name: (-rules[name], name))
    return rule, [a for a in assignments if a.rule == rule]


def _mean_term(assignments: Sequence[Assignment], name: str) -> float:
    return mean(term.value * term.weight for a in assignments for term in a.terms
                if term.name == name and term.weight)


def explain(a: Assignment) -> str:
    """Return how an assignment's score came about, then the terms that only inform."""
    counted = ' + '.join(f'{t.name} {figure(t.value)} × {figure(t.weight)}'
                         for t in a.terms if t.weight)
    informing = ', '.join(f'{t.name} {figure(t.value)}' for t in a.terms if not t.weight)
    return '; '.join(part for part in (counted, informing) if part)


def _conclusion(tasks: Sequence[TaskRow], rounds: Sequence[int]) -> str:
    even = 1 / len(tasks)
    name = round_name(rounds[-1]).capitalize()
    most, least = tasks[0], tasks[-1]
    if len(tasks) == 1:
        return f'Only {most.task} was collected, in {count(len(rounds), "round")}.'
    if most.shares[-1].share - least.shares[-1].share < 0.5 * even:
        return (f'{name} was spread nearly evenly over {count(len(tasks), "task")}: from '
                f'{percent(least.shares[-1].share)} to {percent(most.shares[-1].share)} each.')
    favour = (f'{name} gave {percent(most.shares[-1].share)} of its assignments to {most.task}, '
              f'{figure(most.shares[-1].share / even, 2)} times the even share of {percent(even)}')
    starved = [row for row in tasks if row.shares[-1].share < even / 2]
    if not starved:
        return f'{favour}.'
    return f'{favour}, and less than half of it to {count(len(starved), "task")}.'


def _timeline(shown: Sequence[Assignment], robots: Sequence[str]) -> Markup:
    """Return lanes of assignments over time; x is in percent, so that it fits any width."""
    lanes = {robot: index for index, robot in enumerate(robots)}
    start = min(a.issued_ns for a in shown)
    stop = max(max(a.issued_ns, a.ended_ns) for a in shown)
    span = max(1, stop - start)
    top = 24

    def at(time_ns: int) -> float:
        return 100 * (time_ns - start) / span

    height = top + LANE * len(robots)
    starts: dict[int, float] = {}
    for a in shown:
        starts[a.round] = min(at(a.issued_ns), starts.get(a.round, 100.0))
    parts = []
    ends = [*sorted(starts.values())[1:], 100.0]
    for (number, left), right in zip(sorted(starts.items()), ends, strict=True):
        parts.append(tag('line', x1=f'{left:.2f}%', x2=f'{left:.2f}%', y1=4, y2=height,
                         class_='rule'))
        if right - left > LABEL:
            parts.append(tag('text', round_name(number), x=f'{left:.2f}%', y=13, dx=5,
                             class_='label'))
    for a in shown:
        left, width = at(a.issued_ns), at(max(a.ended_ns, a.issued_ns)) - at(a.issued_ns)
        parts.append(tag(
            'rect', x=f'{left:.3f}%', y=top + LANE * lanes[a.robot] + 5,
            width=f'{max(width - 0.06, 0.12):.3f}%', height=LANE - 10, rx=2,
            class_=OUTCOMES.get(a.outcome, 'other'), data_tip=_tip(a, start)))
    for second, written in time_ticks(span / 1e9):
        x = f'{100 * second * 1e9 / span:.2f}%'
        parts.append(tag('line', x1=x, x2=x, y1=height, y2=height + 5, class_='rule'))
        parts.append(tag('text', written, x=x, y=height + 18, class_='tick',
                         text_anchor='start' if second == 0 else 'middle'))
    chart = tag('svg', *parts, class_='timeline', height=height + 22, role='img',
                aria_label='Assignments of each robot over time')
    labels = join(tag('li', robot) for robot in robots)
    return tag('div', tag('ul', labels, style=f'--top:{top}px;--lane:{LANE}px'), chart,
               class_='lanes')


def _tip(a: Assignment, start: int) -> str:
    spent = f', took {duration((a.ended_ns - a.issued_ns) / 1e9)}' if a.ended_ns else ''
    terms = explain(a)
    return tip(
        str(a.scenario), f'{a.outcome} by {a.robot}{f" ({a.collector})" if a.collector else ""}',
        f'{round_name(a.round)}, after {duration((a.issued_ns - start) / 1e9)}{spent}',
        f'{a.rule}: {terms}' if terms else a.rule)
