# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Section: what each round of labels taught, from accuracy to what is left unknown."""
from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from active_collection.report.data import LabelRound
from active_collection.report.data import ReportData
from active_collection.report.markup import path
from active_collection.report.markup import tag
from active_collection.report.markup import tip
from active_collection.report.numbers import ceiling
from active_collection.report.numbers import count
from active_collection.report.numbers import figure
from active_collection.report.numbers import percent
from active_collection.report.numbers import percent_interval
from active_collection.report.numbers import wilson

WIDTH, HEIGHT = 260, 150
LEFT, RIGHT, TOP, BOTTOM = 40, 52, 12, 30


@dataclass(frozen=True, slots=True)
class Measure:
    """
    A curve of the section.

    :param value: of a round; NaN where not known
    :param low: value at the foot of the axis
    :param share: whether it is a share, 0 to 1
    """

    title: str
    value: Callable[[LabelRound], float]
    low: float = 0.0
    share: bool = False


MEASURES = (
    Measure('accuracy', lambda r: r.accuracy, share=True),
    Measure('agreement with the round before (kappa)', lambda r: r.kappa),
    Measure('cover radius', lambda r: r.radius),
    Measure('mean uncertainty of the unlabelled', lambda r: r.uncertainty))


@dataclass(frozen=True, slots=True)
class Row:
    """A round's line of the table."""

    round: LabelRound
    accuracy: str
    interval: str


@dataclass(frozen=True, slots=True)
class LabelsView:
    """What the section shows."""

    conclusion: str
    charts: tuple[tuple[str, Markup], ...]
    rows: tuple[Row, ...]
    held_out: bool


def build(data: ReportData) -> LabelsView | None:
    """Return the section; None where no round has labels."""
    rounds = sorted(data.labels, key=lambda r: r.round)
    if not rounds:
        return None
    charts = []
    for measure in MEASURES:
        known = [r for r in rounds if math.isfinite(measure.value(r))]
        if known:
            charts.append((measure.title, _chart(known, measure)))
    return LabelsView(_conclusion(rounds), tuple(charts), tuple(map(_row, rounds)),
                      rounds[-1].held_out)


def _conclusion(rounds: Sequence[LabelRound]) -> str:
    last = rounds[-1]
    said = f'{last.labelled:,} labelled units in {count(len(rounds), "round")}'
    if not last.tested:
        return f'{said}; too few to test a model on.'
    what = 'held-out labels' if last.held_out else 'labels, each left out in turn'
    low, high = wilson(last.correct, last.tested)
    said += (f': a light head gets {percent(last.accuracy)} of {last.tested} {what} right '
             f'({percent_interval(low, high)})')
    tested = [r for r in rounds if r.tested]
    if len(tested) > 1:
        change = last.accuracy - tested[-2].accuracy
        points = f'{100 * change:+.1f}'.replace('-', '−')
        said += f', {points} points since the round before'
    return f'{said}.'


def _row(entry: LabelRound) -> Row:
    if not entry.tested:
        return Row(entry, '–', '')
    return Row(entry, percent(entry.accuracy),
               percent_interval(*wilson(entry.correct, entry.tested)))


def _chart(rounds: Sequence[LabelRound], measure: Measure) -> Markup:
    """Return a curve over the number of labels, from 0."""
    values = [measure.value(r) for r in rounds]
    high = 1.0 if measure.share or max(values) <= 1.0 < 1.2 * max(values) else ceiling(
        max(*values, 1e-9))
    low = min(measure.low, *values)
    most = max(r.labelled for r in rounds)
    right, foot = WIDTH - RIGHT, HEIGHT - BOTTOM

    def across(entry: LabelRound) -> float:
        return LEFT + (right - LEFT) * entry.labelled / max(most, 1)

    def up(value: float) -> float:
        return foot - (foot - TOP) * (value - low) / ((high - low) or 1.0)

    shown = percent if measure.share else figure
    parts = []
    for value in (low, (low + high) / 2, high):
        parts.append(tag('line', x1=LEFT, x2=right, y1=up(value), y2=up(value), class_='grid'))
        parts.append(tag('text', shown(value), x=LEFT - 6, y=up(value) + 3.5, class_='tick',
                         text_anchor='end'))
    parts += [tag('text', f'{number:,}', x=x, y=foot + 16, class_='tick', text_anchor=anchor)
              for number, x, anchor in ((0, LEFT, 'start'), (most, right, 'end'))]
    line = [(across(r), up(v)) for r, v in zip(rounds, values, strict=True)]
    if len(line) > 1:
        parts.append(tag('path', d=path(line), class_='line success'))
    for entry, value, (x, y) in zip(rounds, values, line, strict=True):
        said = [f'after round {entry.round}: {shown(value)}', f'{entry.labelled:,} labelled']
        if measure.share:
            bounds = wilson(entry.correct, entry.tested)
            parts.append(tag('line', x1=x, x2=x, y1=up(bounds[0]), y2=up(bounds[1]),
                             class_='interval'))
            said.append(f'{entry.correct} of {entry.tested}, 95 % interval '
                        f'{percent_interval(*bounds)}')
        parts.append(tag('circle', cx=x, cy=y, r=3.6, class_='dot success', data_tip=tip(*said)))
    x, y = line[-1]
    parts.append(tag('text', shown(values[-1]), x=x + 8, y=y + 4, class_='value'))
    return tag('svg', *parts, viewBox=f'0 0 {WIDTH} {HEIGHT}', role='img', class_='panel',
               aria_label=f'{measure.title} by number of labelled units')
