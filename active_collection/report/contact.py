# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Section: the contact sheet, and what became of the rest of the pool."""
from __future__ import annotations

import base64
import math
from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from active_collection.report.data import Pick
from active_collection.report.data import ReportData
from active_collection.report.data import Selection
from active_collection.report.embedding_map import colour_classes
from active_collection.report.markup import series
from active_collection.report.numbers import count
from active_collection.report.numbers import figure

MOST_CARDS = 2000
#: Bytes that all pictures of the page may take before base64; a later picture is left out.
MOST_BYTES = 10_500_000


@dataclass(frozen=True, slots=True)
class Card:
    """
    One selected unit.

    :param picture: data URI; empty where there is none
    :param seconds: time into its bag (s), written out; empty where the bag's start is not known
    """

    pick: Pick
    picture: Markup
    colour: str
    score: str
    seconds: str
    bag: str


@dataclass(frozen=True, slots=True)
class Step:
    """A count on the way from the pool to the selection, with its share of the largest."""

    name: str
    number: int
    share: float


@dataclass(frozen=True, slots=True)
class ContactView:
    """What the section shows."""

    conclusion: str
    cards: tuple[Card, ...]
    tasks: tuple[str, ...]
    steps: tuple[Step, ...]
    near_duplicates: int | None
    hidden: int
    without_picture: int
    selection: Selection


def build(data: ReportData) -> ContactView | None:
    """Return the section; None without a selection."""
    selection = data.selection
    if selection is None or not selection.picks:
        return None
    colours = colour_classes(data)
    starts = {bag.bag: bag.start_ns for bag in data.pool.bags} if data.pool else {}
    picks = sorted(selection.picks, key=lambda pick: pick.order)
    cards = []
    used = 0
    for pick in picks[:MOST_CARDS]:
        used += len(pick.picture)
        start = starts.get(pick.unit.bag)
        cards.append(Card(
            pick,
            _data_uri(pick.picture) if used <= MOST_BYTES else Markup(''),
            colours.get(pick.unit.task, series(99)),
            figure(pick.score) if math.isfinite(pick.score) else '',
            f'{(pick.unit.stamp_ns - start) / 1e9:.2f} s' if start is not None else '',
            pick.unit.bag.rstrip('/').rsplit('/', 1)[-1]))
    counts = {name: number for name, number in selection.counts.items() if number >= 0}
    most = max(counts.values(), default=0)
    return ContactView(
        _conclusion(selection), tuple(cards), tuple(sorted({c.pick.unit.task for c in cards})),
        tuple(Step(name.replace('_', ' '), number, number / most if most else 0.0)
              for name, number in counts.items()),
        counts.get('near_duplicates'), len(picks) - len(cards),
        sum(not card.picture for card in cards), selection)


def _data_uri(jpeg: bytes) -> Markup:
    if not jpeg:
        return Markup('')
    encoded = base64.b64encode(jpeg).decode('ascii')
    return Markup('data:image/jpeg;base64,{}').format(encoded)


def _conclusion(selection: Selection) -> str:
    tasks = Counter(pick.unit.task for pick in selection.picks if pick.unit.task)
    bags = {pick.unit.bag for pick in selection.picks}
    said = f'{count(len(selection.picks), "frame")} from {count(len(bags), "bag")}'
    if len(tasks) > 1:
        (most, number), *_ = tasks.most_common(1)
        said += (f' and {count(len(tasks), "task")}; {most} has the most ({number}), '
                 f'{min(tasks, key=lambda task: (tasks[task], task))} the fewest '
                 f'({min(tasks.values())})')
    return f'{said}.'
