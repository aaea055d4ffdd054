# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Section: success and uncertainty on held-out configurations, a task by round."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from active_collection.report.data import Evaluation
from active_collection.report.data import ReportData
from active_collection.report.data import TaskEvaluation
from active_collection.report.markup import path
from active_collection.report.markup import tag
from active_collection.report.markup import tip
from active_collection.report.numbers import ceiling
from active_collection.report.numbers import figure
from active_collection.report.numbers import mean
from active_collection.report.numbers import percent
from active_collection.report.numbers import percent_interval
from active_collection.report.numbers import wilson

WIDTH, LEFT, RIGHT = 216, 36, 46
SUCCESS_TOP, SUCCESS_HEIGHT = 10, 84
EPISTEMIC_TOP, EPISTEMIC_HEIGHT = 118, 44
HEIGHT = 184


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One task after one round.

    :param result: None where the task was not evaluated in that round
    """

    result: TaskEvaluation | None
    rate: str = ''
    interval: str = ''
    epistemic: str = ''


@dataclass(frozen=True, slots=True)
class Panel:
    """One task's chart, and its cells of the table."""

    name: str
    whole: bool
    chart: Markup
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class LearningView:
    """What the section shows."""

    conclusion: str
    rounds: tuple[int, ...]
    panels: tuple[Panel, ...]
    has_epistemic: bool


def together(evaluation: Evaluation) -> TaskEvaluation:
    """Return the result over all tasks: trials added, uncertainty averaged over tasks."""
    results = evaluation.tasks.values()
    return TaskEvaluation(sum(r.successes for r in results), sum(r.episodes for r in results),
                          mean(r.epistemic for r in results))


def after_round(number: int) -> str:
    """Return when a policy was trained: round 0 is the bootstrap."""
    return f'after round {number}' if number else 'after the bootstrap'


def ordered(data: ReportData) -> list[Evaluation]:
    """Return the evaluations by round; of several in one round the last."""
    return list({e.round: e for e in sorted(data.evaluations, key=lambda e: e.round)}.values())


def build(data: ReportData) -> LearningView | None:
    """Return the section; None without evaluations."""
    evaluations = [e for e in ordered(data) if together(e).episodes]
    if not evaluations:
        return None
    rounds = tuple(e.round for e in evaluations)
    names = sorted({task for e in evaluations for task in e.tasks})
    everything = [together(e) for e in evaluations]
    largest = ceiling(max(
        (r.epistemic for e in evaluations for r in e.tasks.values() if math.isfinite(r.epistemic)),
        default=0.0))
    panels = []
    if len(names) > 1:
        panels.append(_panel('All tasks', rounds, everything, largest, whole=True))
    panels += [_panel(name, rounds, [e.tasks.get(name) for e in evaluations], largest, whole=False)
               for name in names]
    return LearningView(_conclusion(evaluations, names), rounds, tuple(panels), largest > 0)


def _conclusion(evaluations: Sequence[Evaluation], names: Sequence[str]) -> str:
    first, last = together(evaluations[0]), together(evaluations[-1])
    said = f'{percent(last.successes / last.episodes)} of {last.episodes} held-out trials succeed'
    if len(evaluations) == 1:
        return f'{said} {after_round(evaluations[0].round)}.'
    before, after = first.successes / first.episodes, last.successes / last.episodes
    word = 'up' if after > before else 'down' if after < before else 'as'
    apart = wilson(first.successes, first.episodes)[1] < wilson(last.successes, last.episodes)[0]
    sure = '' if apart or after <= before else '; the intervals overlap, so more trials would tell'
    changes = {
        name: e1.successes / e1.episodes - e0.successes / e0.episodes
        for name in names
        if (e0 := evaluations[0].tasks.get(name)) and (e1 := evaluations[-1].tasks.get(name))
        and e0.episodes and e1.episodes}
    best = max(changes, key=lambda name: changes[name], default='')
    gain = (f' {best} gained most (+{100 * changes[best]:.0f} points).'
            if best and changes[best] > 0 and len(changes) > 1 else '')
    return (f'{said} {after_round(evaluations[-1].round)}, {word} from {percent(before)} '
            f'{after_round(evaluations[0].round)}{sure}.{gain}')


def _panel(name: str, rounds: Sequence[int], results: Sequence[TaskEvaluation | None],
           largest: float, *, whole: bool) -> Panel:
    known = [(index, r) for index, r in enumerate(results) if r is not None and r.episodes]
    step = (WIDTH - LEFT - RIGHT) / max(1, len(rounds) - 1)
    places = [LEFT + 8 + index * (step - 16 / max(1, len(rounds) - 1))
              if len(rounds) > 1 else (WIDTH + LEFT - RIGHT) / 2 for index in range(len(rounds))]
    parts = [*_axes(rounds, places, largest)]
    parts += _success(known, places, name, rounds)
    if largest > 0:
        parts += _epistemic(known, places, largest, name, rounds)
    chart = tag('svg', *parts, viewBox=f'0 0 {WIDTH} {HEIGHT if largest > 0 else 112}', role='img',
                aria_label=f'{name}: success rate and uncertainty by round', class_='panel')
    return Panel(name, whole, chart, tuple(_cell(result) for result in results))


def _cell(result: TaskEvaluation | None) -> Cell:
    if result is None or not result.episodes:
        return Cell(None)
    return Cell(result, percent(result.successes / result.episodes),
                percent_interval(*wilson(result.successes, result.episodes)),
                figure(result.epistemic, 2))


def _axes(rounds: Sequence[int], places: Sequence[float], largest: float) -> list[Markup]:
    right = WIDTH - RIGHT + 4
    parts = []
    for share in (0, 0.5, 1):
        y = SUCCESS_TOP + SUCCESS_HEIGHT * (1 - share)
        parts.append(tag('line', x1=LEFT, x2=right, y1=y, y2=y, class_='grid'))
        parts.append(tag('text', percent(share), x=LEFT - 6, y=y + 3.5, class_='tick',
                         text_anchor='end'))
    bottom = SUCCESS_TOP + SUCCESS_HEIGHT
    if largest > 0:
        bottom = EPISTEMIC_TOP + EPISTEMIC_HEIGHT
        for value in (0, largest):
            y = EPISTEMIC_TOP + EPISTEMIC_HEIGHT * (1 - value / largest)
            parts.append(tag('line', x1=LEFT, x2=right, y1=y, y2=y, class_='grid'))
            parts.append(tag('text', f'{value:g}', x=LEFT - 6, y=y + 3.5, class_='tick',
                             text_anchor='end'))
    every = max(1, math.ceil(len(rounds) / 8))
    parts += [tag('text', number, x=x, y=bottom + 15, class_='tick', text_anchor='middle')
              for number, x in list(zip(rounds, places, strict=True))[::every]]
    return parts


def _success(known: Sequence[tuple[int, TaskEvaluation]], places: Sequence[float], name: str,
             rounds: Sequence[int]) -> list[Markup]:
    def height(rate: float) -> float:
        return SUCCESS_TOP + SUCCESS_HEIGHT * (1 - rate)

    line = [(places[i], height(r.successes / r.episodes)) for i, r in known]
    parts = [tag('path', d=path(line), class_='line success')] if len(line) > 1 else []
    for (index, result), (x, y) in zip(known, line, strict=True):
        low, high = wilson(result.successes, result.episodes)
        parts.append(tag('line', x1=x, x2=x, y1=height(low), y2=height(high), class_='interval'))
        parts.append(tag('circle', cx=x, cy=y, r=3.6, class_='dot success', data_tip=tip(
            f'{name} {after_round(rounds[index])}',
            f'{result.successes} of {result.episodes} trials succeed: '
            f'{percent(result.successes / result.episodes)}',
            f'95 % interval {percent_interval(low, high)}')))
    if line:
        last = known[-1][1]
        parts.append(tag('text', percent(last.successes / last.episodes), x=line[-1][0] + 9,
                         y=line[-1][1] + 4, class_='value'))
    return parts


def _epistemic(known: Sequence[tuple[int, TaskEvaluation]], places: Sequence[float],
               largest: float, name: str, rounds: Sequence[int]) -> list[Markup]:
    points = [(places[i], EPISTEMIC_TOP + EPISTEMIC_HEIGHT * (1 - r.epistemic / largest), i, r)
              for i, r in known if math.isfinite(r.epistemic)]
    line = [(x, y) for x, y, _, _ in points]
    parts = [tag('path', d=path(line), class_='line epistemic')] if len(line) > 1 else []
    parts += [tag('circle', cx=x, cy=y, r=3.2, class_='dot epistemic', data_tip=tip(
        f'{name} {after_round(rounds[i])}', f'epistemic uncertainty {figure(r.epistemic, 2)}'))
        for x, y, i, r in points]
    if points:
        x, y, _, result = points[-1]
        parts.append(tag('text', figure(result.epistemic, 2), x=x + 9, y=y + 4,
                         class_='value small'))
    return parts
