# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Section: a map of the pool's embedding with the selected units marked."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from active_collection.report.data import Pick
from active_collection.report.data import ReportData
from active_collection.report.data import Unit
from active_collection.report.markup import SERIES
from active_collection.report.markup import series
from active_collection.report.markup import tag
from active_collection.report.markup import tip
from active_collection.report.numbers import count
from active_collection.report.numbers import figure
from active_collection.report.numbers import percent
from active_collection.report.projection import project

MOST_POINTS = 4000
#: Cells along each axis of the grid that says how much of the map the picks reach.
CELLS = 8
MARGIN = 3.0
NO_TASK = '(no task)'
#: Width over height of the map, as in page.css.
ASPECT = 1.4


@dataclass(frozen=True, slots=True)
class Series:
    """A task in the legend: its colour class, units shown and how many of them were selected."""

    task: str
    colour: str
    units: int
    selected: int


@dataclass(frozen=True, slots=True)
class MapView:
    """What the section shows."""

    conclusion: str
    chart: Markup
    legend: tuple[Series, ...]
    shown: int
    size: int
    extractor: str
    explained: str


def build(data: ReportData) -> MapView | None:
    """Return the section; None without a pool that has embeddings of two units or more."""
    pool = data.pool
    if pool is None or len(pool.units) < 2 or len(pool.embeddings) != len(pool.units):
        return None
    picks = {p.unit.unit_id: p for p in data.selection.picks} if data.selection else {}
    kept = _sample(pool.units, picks)
    projection = project(np.asarray(pool.embeddings)[kept])
    places = _place(projection.points)
    units = [pool.units[index] for index in kept]
    drawn = [(unit, x, y) for unit, (x, y) in zip(units, places, strict=True) if np.isfinite(x)]
    colours = colour_classes(data)
    size = 4.4 if len(drawn) < 300 else 3.4 if len(drawn) < 1500 else 2.6
    background = [_point(unit, x, y, colours, size) for unit, x, y in drawn
                  if unit.unit_id not in picks]
    front = [_pick(picks[unit.unit_id], x, y, colours) for unit, x, y in drawn
             if unit.unit_id in picks]
    chart = tag('svg', *background, *front, class_='map nearest', role='img',
                aria_label='Map of the embedding: near means alike; selected units are ringed')
    legend = tuple(
        Series(task or NO_TASK, colours.get(task, series(SERIES)),
               sum(unit.task == task for unit, _, _ in drawn),
               sum(unit.task == task and unit.unit_id in picks for unit, _, _ in drawn))
        for task in sorted({unit.task for unit, _, _ in drawn}))
    first, second = projection.explained
    return MapView(_conclusion(drawn, picks), chart, legend, len(drawn), pool.size, pool.extractor,
                   f'{percent(first)} and {percent(second)}')


def colour_classes(data: ReportData) -> dict[str, str]:
    """Return each task's colour class, the same in every section."""
    return {task: series(index) for index, task in enumerate(data.tasks)}


def _sample(units: tuple[Unit, ...], picks: Mapping[str, Pick]) -> list[int]:
    """Return the indices of at most MOST_POINTS units, evenly through the pool, and all picks."""
    chosen = {index for index, unit in enumerate(units) if unit.unit_id in picks}
    room = max(0, MOST_POINTS - len(chosen))
    rest = [index for index in range(len(units)) if index not in chosen]
    if len(rest) > room:
        rest = [rest[int(i)] for i in np.linspace(0, len(rest) - 1, room)] if room else []
    return sorted({*chosen, *rest})


def _place(points: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return points as percent of the map's width and height, one scale for both axes."""
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        return [(float('nan'), float('nan'))] * len(points)
    low, high = finite.min(axis=0), finite.max(axis=0)
    middle = (low + high) / 2
    span = max((high[0] - low[0]) / ASPECT, high[1] - low[1]) or 1.0
    size = 100 - 2 * MARGIN
    scaled = (points - middle) / span
    return [(50 + size * float(x) / ASPECT, 50 - size * float(y)) for x, y in scaled]


def _point(unit: Unit, x: float, y: float, colours: Mapping[str, str], size: float) -> Markup:
    return tag('circle', cx=f'{x:.2f}%', cy=f'{y:.2f}%', r=size,
               data_task=unit.task or NO_TASK, class_=colours.get(unit.task, series(SERIES)),
               data_tip=tip(unit.task or unit.topic, *describe(unit)))


def _pick(pick: Pick, x: float, y: float, colours: Mapping[str, str]) -> Markup:
    score = f'score {figure(pick.score)}' if np.isfinite(pick.score) else ''
    colour = colours.get(pick.unit.task, series(SERIES))
    dot = tag('circle', cx=f'{x:.2f}%', cy=f'{y:.2f}%', r=5, class_=f'{colour} picked',
              data_pick=pick.order,
              data_task=pick.unit.task or NO_TASK,
              data_tip=tip(f'#{pick.order} {pick.unit.task}', score, pick.reason,
                           *describe(pick.unit)))
    return tag('a', dot, href=f'#pick-{pick.order}')


def describe(unit: Unit) -> list[str]:
    """Return the lines of a tip that say which unit this is and what is known of it."""
    known = [unit.outcome]
    if np.isfinite(unit.epistemic):
        known.append(f'epistemic {figure(unit.epistemic, 2)}')
    if np.isfinite(unit.novelty):
        known.append(f'novelty {figure(unit.novelty, 2)}')
    return [', '.join(value for value in known if value), unit.bag, unit.topic]


def _conclusion(drawn: list[tuple[Unit, float, float]], picks: Mapping[str, Pick]) -> str:
    def cell(x: float, y: float) -> tuple[int, int]:
        return int(x * CELLS / 100), int(y * CELLS / 100)

    if not picks:
        return f'{count(len(drawn), "unit")}; nothing has been selected yet.'
    occupied = {cell(x, y) for _, x, y in drawn}
    reached = {cell(x, y) for unit, x, y in drawn if unit.unit_id in picks}
    return (f'The {count(len(picks), "selected unit")} reach {len(reached)} of the '
            f'{len(occupied)} occupied cells of the map (a grid of {CELLS} × {CELLS}).')
