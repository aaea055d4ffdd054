# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Section: which object configurations of a task were collected, and where the gaps are."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from active_collection.report.collection import round_name
from active_collection.report.data import Assignment
from active_collection.report.data import FactorRange
from active_collection.report.data import ReportData
from active_collection.report.markup import tag
from active_collection.report.markup import tip
from active_collection.report.numbers import percent
from active_collection.report.numbers import plain
from active_collection.report.numbers import ticks

#: Cells along each axis of the grid that coverage is counted on.
CELLS = 5
MOST_PANELS = 4
MOST_POINTS = 1500
MOST_VALUES = 12
WIDTH, HEIGHT = 330, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 10, 42
#: An episode with one of these ends shows how its configuration went.
COLLECTED = {'success', 'failure'}

Ranges = Mapping[str, FactorRange]
Place = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Plane:
    """
    Two continuous factors against each other, or one over rounds.

    :param filled: cells that hold an episode, of `cells`
    """

    title: str
    chart: Markup
    filled: int
    cells: int


@dataclass(frozen=True, slots=True)
class Bars:
    """How often each value of a discrete factor was collected: (value, number, share of most)."""

    title: str
    values: tuple[tuple[str, int, float], ...]


@dataclass(frozen=True, slots=True)
class TaskCoverage:
    """One task's configurations."""

    task: str
    episodes: int
    planes: tuple[Plane, ...]
    bars: tuple[Bars, ...]
    conclusion: str


@dataclass(frozen=True, slots=True)
class CoverageView:
    """
    What the section shows.

    :param tasks: the one to show first, then the others by name
    """

    conclusion: str
    tasks: tuple[TaskCoverage, ...]


def build(data: ReportData) -> CoverageView | None:
    """Return the section; None where no scenario has an object configuration."""
    by_task: dict[str, list[Assignment]] = {}
    for a in data.assignments:
        if a.scenario.configuration and a.outcome in COLLECTED:
            by_task.setdefault(a.scenario.task, []).append(a)
    tasks = [_task(task, own, data.factors.get(task, {})) for task, own in sorted(by_task.items())]
    tasks = [task for task in tasks if task.planes or task.bars]
    if not tasks:
        return None
    chosen = max(tasks, key=lambda task: (task.episodes, len(task.planes)))
    tasks.remove(chosen)
    planes = [plane for task in (chosen, *tasks) for plane in task.planes]
    average = sum(plane.filled / plane.cells for plane in planes) / max(1, len(planes))
    conclusion = (
        f'Over all tasks, {percent(average)} of the cells of a {CELLS} × {CELLS} grid over each '
        'pair of factors hold an episode; the shaded ones are still empty.'
        if planes else 'How often each value of each factor was collected.')
    return CoverageView(conclusion, (chosen, *tasks))


def _task(task: str, assignments: Sequence[Assignment], ranges: Ranges) -> TaskCoverage:
    rows = [a.scenario.values for a in assignments]
    names = list(dict.fromkeys(name for row in rows for name in row))
    continuous: list[str] = []
    discrete: list[str] = []
    for name in names:
        values = [row[name] for row in rows if name in row]
        (discrete if any(isinstance(v, str) for v in values) else continuous).append(name)
    spans = {name: _span(name, rows, ranges) for name in continuous}
    moving = [name for name in continuous if spans[name].high > spans[name].low]
    planes = tuple(_plane(x, y, assignments, spans) for x, y in pair(moving)[:MOST_PANELS])
    bars = tuple(_bars(name, rows) for name in discrete)
    said = [f'{plane.title}: {plane.filled} of {plane.cells} cells' for plane in planes]
    return TaskCoverage(task, len(assignments), planes, bars, '; '.join(said))


def pair(names: Sequence[str]) -> list[tuple[str, str]]:
    """
    Return factors two by two: what differs in its last letter (x, y, z) belongs together.

    A factor that is left over is set against itself: its chart is its distribution by round.
    """
    groups: dict[str, list[str]] = {}
    left = []
    for name in names:
        stem = re.fullmatch(r'(.*?)[_.]?[xyz]', name)
        if stem:
            groups.setdefault(stem.group(1), []).append(name)
        else:
            left.append(name)
    pairs = []
    for group in groups.values():
        own = sorted(group)
        pairs += [(own[i], own[i + 1]) for i in range(0, len(own) - 1, 2)]
        left += own[len(own) // 2 * 2:]
    pairs += [(left[i], left[i + 1]) for i in range(0, len(left) - 1, 2)]
    return pairs + [(name, name) for name in left[len(left) // 2 * 2:]]


def _span(name: str, rows: Sequence[Mapping[str, str | float]], ranges: Ranges) -> FactorRange:
    values = [float(row[name]) for row in rows if name in row]
    known = ranges.get(name)
    low, high = min(values), max(values)
    if known is None:
        return FactorRange(low, high)
    return FactorRange(min(low, known.low), max(high, known.high), known.unit)


def _plane(x: str, y: str, assignments: Sequence[Assignment],
           spans: Mapping[str, FactorRange]) -> Plane:
    rounds = sorted({a.round for a in assignments})
    alone = x == y
    across = spans[x]
    up = FactorRange(rounds[0] - 0.5, rounds[-1] + 0.5) if alone else spans[y]
    points = []
    for a in assignments:
        values = a.scenario.values
        if x in values and y in values:
            points.append((float(values[x]), float(a.round if alone else values[y]), a))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def to_x(value: float) -> float:
        return LEFT + wide * (value - across.low) / (across.high - across.low)

    def to_y(value: float) -> float:
        return TOP + tall * (1 - (value - up.low) / (up.high - up.low))

    rows = 1 if alone else CELLS
    filled = {(_cell(px, across, CELLS), 0 if alone else _cell(py, up, rows))
              for px, py, _ in points}
    parts = [
        tag('rect', x=LEFT + wide * i / CELLS, y=TOP + tall * (rows - 1 - j) / rows,
            width=wide / CELLS, height=tall / rows,
            class_='cell' if (i, j) in filled else 'cell empty')
        for i in range(CELLS) for j in range(rows)]
    parts += _ticks(across, up, to_x, to_y, alone=alone)
    label = f'{x} ({across.unit})' if across.unit else x
    parts.append(tag('text', label, x=LEFT + wide / 2, y=HEIGHT - 6, class_='axis',
                     text_anchor='middle'))
    name = 'round' if alone else f'{y} ({up.unit})' if up.unit else y
    parts.append(tag('text', name, class_='axis', text_anchor='middle',
                     transform=f'translate(12 {TOP + tall / 2:.0f}) rotate(-90)'))
    size = 4.2 if len(points) < 150 else 3.2 if len(points) < 400 else 2.4
    for px, py, a in points[-MOST_POINTS:]:
        parts.append(_mark(to_x(px), to_y(py), a, rounds, size))
    chart = tag('svg', *parts, viewBox=f'0 0 {WIDTH} {HEIGHT}', class_='plane', role='img',
                aria_label=f'Collected configurations: {x} against {name}')
    title = x if alone else f'{x} × {y}'
    return Plane(title, chart, len(filled), CELLS * rows)


def _cell(value: float, span: FactorRange, cells: int) -> int:
    return max(0, min(cells - 1, int(cells * (value - span.low) / (span.high - span.low))))


def _ticks(across: FactorRange, up: FactorRange, to_x: Place, to_y: Place, *,
           alone: bool) -> list[Markup]:
    parts = []
    for value, written in ticks(across.low, across.high, 4):
        parts.append(tag('text', written, x=to_x(value), y=HEIGHT - BOTTOM + 15,
                         class_='tick', text_anchor='middle'))
    for value, written in ticks(up.low, up.high, 4):
        if not alone or value == int(value):
            parts.append(tag('text', f'{value:.0f}' if alone else written, x=LEFT - 6,
                             y=to_y(value) + 3.5, class_='tick', text_anchor='end'))
    return parts


def _mark(x: float, y: float, a: Assignment, rounds: Sequence[int], size: float) -> Markup:
    recent = 0.45 + 0.55 * (rounds.index(a.round) + 1) / len(rounds)
    text = tip(f'{a.outcome}, {round_name(a.round)}',
               *(f'{name} = {plain(value) if isinstance(value, float) else value}'
                 for name, value in a.scenario.configuration))
    if a.outcome == 'success':
        return tag('circle', cx=x, cy=y, r=size, class_='mark good', opacity=recent, data_tip=text)
    arm = 0.86 * size
    cross = (f'M{x - arm:.1f},{y - arm:.1f}l{2 * arm:.1f},{2 * arm:.1f}'
             f'm0,{-2 * arm:.1f}l{-2 * arm:.1f},{2 * arm:.1f}')
    return tag('path', d=cross, class_='mark bad', opacity=recent, data_tip=text)


def _bars(name: str, rows: Sequence[Mapping[str, str | float]]) -> Bars:
    counts = Counter(str(row[name]) for row in rows if name in row)
    most = max(counts.values())
    shown = counts.most_common(MOST_VALUES)
    return Bars(name, tuple((value, number, number / most) for value, number in shown))
