# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Section: where in each bag the picks lie."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from active_collection.episode import Actor
from active_collection.report.data import BagTimeline
from active_collection.report.data import Pick
from active_collection.report.data import ReportData
from active_collection.report.embedding_map import colour_classes
from active_collection.report.markup import path
from active_collection.report.markup import series
from active_collection.report.markup import tag
from active_collection.report.markup import tip
from active_collection.report.numbers import count
from active_collection.report.numbers import figure
from active_collection.report.numbers import time_ticks

MOST_BAGS = 40
MOST_SAMPLES = 160
HEIGHT = 30
BASE = 24


@dataclass(frozen=True, slots=True)
class Row:
    """One bag's line."""

    bag: str
    name: str
    task: str
    outcome: str
    picks: int
    units: int
    chart: Markup


@dataclass(frozen=True, slots=True)
class BagView:
    """
    What the section shows.

    :param axis: the time axis that all rows share
    :param hidden: bags with picks that have no row
    :param untouched: bags without a pick
    :param actors: who acted in any of the rows, by name
    """

    conclusion: str
    rows: tuple[Row, ...]
    axis: Markup
    hidden: int
    untouched: int
    has_epistemic: bool
    actors: tuple[str, ...]


def build(data: ReportData) -> BagView | None:
    """Return the section; None without bags or without picks."""
    if data.pool is None or not data.pool.bags or data.selection is None:
        return None
    by_bag: dict[str, list[Pick]] = {}
    for pick in data.selection.picks:
        by_bag.setdefault(pick.unit.bag, []).append(pick)
    touched = [bag for bag in data.pool.bags if bag.bag in by_bag]
    if not touched:
        return None
    touched.sort(key=lambda bag: (bag.task, bag.start_ns, bag.bag))
    longest = max(_seconds(bag) for bag in touched) or 1.0
    largest = max((float(np.nanmax(bag.epistemic)) for bag in touched
                   if np.isfinite(bag.epistemic).any()), default=0.0)
    colours = colour_classes(data)
    shown = touched if len(touched) <= MOST_BAGS else sorted(
        sorted(touched, key=lambda bag: -len(by_bag[bag.bag]))[:MOST_BAGS],
        key=lambda bag: (bag.task, bag.start_ns, bag.bag))
    rows = tuple(
        Row(bag.bag, bag.bag.rstrip('/').rsplit('/', 1)[-1], bag.task, bag.outcome,
            len(by_bag[bag.bag]), bag.units,
            _chart(bag, by_bag[bag.bag], longest, largest, colours.get(bag.task, series(99))))
        for bag in shown)
    return BagView(_conclusion(data, by_bag), rows, _axis(longest), len(touched) - len(shown),
                   len(data.pool.bags) - len(touched), largest > 0,
                   tuple(sorted({name(s.actor) for bag in shown for s in bag.stretches})))


def _conclusion(data: ReportData, by_bag: dict[str, list[Pick]]) -> str:
    assert data.pool is not None
    most = max(len(picks) for picks in by_bag.values())
    total = sum(len(picks) for picks in by_bag.values())
    said = (f'The picks come from {len(by_bag)} of {count(len(data.pool.bags), "bag")}, at most '
            f'{most} from one')
    near: list[int] = []
    for picks in by_bag.values():
        stamps = sorted(pick.unit.stamp_ns for pick in picks)
        near += np.diff(np.array(stamps, np.int64)).tolist()
    if near and total > 1:
        said += f'; the closest two are {figure(min(near) / 1e9)} s apart'
    return f'{said}.'


def name(actor: Actor) -> str:
    """Return what an actor is called, which is also the class that colours it."""
    return actor.name.lower()


def _seconds(bag: BagTimeline) -> float:
    return max(0, bag.stop_ns - bag.start_ns) / 1e9


def _chart(bag: BagTimeline, picks: list[Pick], longest: float, largest: float,
           colour: str) -> Markup:
    """Return a bag's line; x is in percent of the longest bag, so that it fits any width."""
    end = 100 * _seconds(bag) / longest
    parts = []
    if largest > 0 and len(bag.stamps_ns) > 1:
        parts.append(_profile(bag, longest, largest))
    parts.append(tag('line', x1='0%', x2=f'{end:.2f}%', y1=BASE, y2=BASE, class_='base'))
    for stretch in bag.stretches:
        began, ended = ((time_ns - bag.start_ns) / 1e9
                        for time_ns in (stretch.start_ns, stretch.stop_ns))
        parts.append(tag(
            'line', x1=f'{100 * began / longest:.2f}%', x2=f'{100 * ended / longest:.2f}%',
            y1=BASE, y2=BASE, class_=name(stretch.actor),
            data_tip=tip(f'{name(stretch.actor)} acted', f'{began:.2f} to {ended:.2f} s')))
    for pick in sorted(picks, key=lambda pick: pick.order):
        seconds = (pick.unit.stamp_ns - bag.start_ns) / 1e9
        x = f'{min(100.0, max(0.0, 100 * seconds / longest)):.2f}%'
        dot = tag('circle', cx=x, cy=BASE, r=5, class_=f'{colour} picked', data_pick=pick.order,
                  data_tip=tip(f'#{pick.order} {pick.unit.task}', f'{seconds:.2f} s into it',
                               pick.reason, pick.unit.topic))
        parts.append(tag('a', dot, href=f'#pick-{pick.order}'))
    return tag('svg', *parts, class_='bagline', height=HEIGHT, role='img',
               aria_label=f'{count(len(picks), "pick")} in {bag.bag}')


def _profile(bag: BagTimeline, longest: float, largest: float) -> Markup:
    step = max(1, -(-len(bag.stamps_ns) // MOST_SAMPLES))
    # the peak of each stretch is what a pick is compared with
    stretches = [slice(i, i + step) for i in range(0, len(bag.stamps_ns), step)]
    points = []
    for stretch in stretches:
        values = bag.epistemic[stretch]
        if np.isfinite(values).any():
            x = 100 * (float(bag.stamps_ns[stretch].mean()) - bag.start_ns) / 1e9 / longest
            points.append((min(100.0, max(0.0, x)),
                           BASE * (1 - 0.9 * float(np.nanmax(values)) / largest)))
    if len(points) < 2:
        return tag('g')
    outline = [(points[0][0], BASE), *points, (points[-1][0], BASE)]
    return tag('svg', tag('path', d=path(outline), class_='profile'), viewBox=f'0 0 100 {BASE}',
               preserveAspectRatio='none', x=0, y=0, width='100%', height=BASE)


def _axis(longest: float) -> Markup:
    parts = []
    for second, written in time_ticks(longest):
        x = 100 * second / longest
        anchor = 'start' if second == 0 else 'end' if x > 96 else 'middle'
        parts.append(tag('text', written, x=f'{x:.2f}%', y=13, class_='tick',
                         text_anchor=anchor))
    return tag('svg', *parts, class_='bagline', height=18, aria_hidden='true')
