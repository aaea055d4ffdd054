# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the report shows of selection: from the pool, a round and the bags' own pictures."""
from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from active_collection.bags.actors import Stretch
from active_collection.bags.actors import read_actors
from active_collection.bags.reader import Message
from active_collection.bags.reader import open_bag
from active_collection.errors import ActiveCollectionError
from active_collection.pipeline.data_layout import ROUNDS
from active_collection.report import data as report
from active_collection.report.data import BagTimeline
from active_collection.report.data import Pick
from active_collection.report.data import Pool as Sampled
from active_collection.report.data import Selection
from active_collection.report.data import Unit
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import SELECTION
from active_collection.selection.rounds import Round

#: Units that the map takes from the pool, besides the picks.
SAMPLE = 4000

Warn = Callable[[str], None]


def newest_round(data: Path) -> Path | None:
    """Return the highest-numbered round below a data directory that has a selection."""
    found = [path.parent for path in data.glob(f'{ROUNDS}/*/{SELECTION}')
             if path.parent.name.isdecimal()]
    return max(found, key=lambda path: int(path.name), default=None)


def read_selection(opened: Round, pool: Pool | None) -> report.Selection:
    """
    Return a round's selection; the picks have no picture yet.

    :param pool: what knows where their bags are by now, and their novelty
    """
    rows = sorted(opened.picks.to_pylist(), key=lambda row: int(row['order']))
    known = _units(pool, (row['unit_id'] for row in rows)) if pool is not None else {}
    picks = tuple(
        Pick(known.get(row['unit_id']) or _unit(row), number, _number(row['score']),
             row['reason'] or '')
        for number, row in enumerate(rows, 1))
    manifest, name = opened.manifest, opened.directory.resolve().name
    seed = manifest.get('seed')
    return Selection(
        int(name) if name.isdecimal() else 0, str(manifest.get('strategy', '')), picks,
        seed if isinstance(seed, int) else None, _made_ns(manifest), _counts(manifest))


def read_pool(pool: Pool, picked: Iterable[str], warn: Warn) -> report.Pool:
    """
    Return a sample of a pool with all picks in it, and its bags.

    :param picked: the picks' unit ids
    :param warn: told of each bag with picks that does not say who acted because it cannot be read
    """
    wanted = set(picked)
    names = pool.texts('unit_id')
    chosen = {index for index, name in enumerate(names) if name in wanted}
    chosen |= {int(index) for index in np.linspace(0, len(names) - 1, min(len(names), SAMPLE))}
    rows = sorted(chosen)
    units = _at(pool, rows)
    embeddings = pool.embeddings[pool.numbers('embedding_row')[rows]] if rows else np.empty((0, 0))
    touched = {unit.bag for unit in units if unit.unit_id in wanted}
    return Sampled(len(names), tuple(units), np.asarray(embeddings, np.float32),
                   pool.description.extractor, tuple(_bags(pool, touched, warn)))


def with_pictures(selection: report.Selection, pool: Pool, warn: Warn,
                  update: Callable[[int, int, str], None]) -> report.Selection:
    """
    Return a selection with the pictures that its bags still have.

    :param warn: told of each bag and each picture that cannot be read
    :param update: told (done, of how many, note)
    """
    # A report without pictures does not need what reads them.
    from active_collection.bags.images import to_rgb
    from active_collection.report.pictures import budget
    from active_collection.report.pictures import thumbnail

    rows = {name: row for row, name in enumerate(pool.texts('unit_id'))}
    known = [pick for pick in selection.picks if pick.unit.unit_id in rows]
    by_bag: dict[str, list[report.Pick]] = {}
    for pick in known:
        by_bag.setdefault(pick.unit.bag, []).append(pick)
    received, sequence = pool.numbers('receive_ns'), pool.numbers('sequence')
    limit = budget(len(selection.picks))
    pictures: dict[str, bytes] = {}
    for done, (bag, picks) in enumerate(by_bag.items()):
        update(done, len(by_bag), f'{len(pictures)} pictures')
        wanted = {}
        for pick in picks:
            row = rows[pick.unit.unit_id]
            wanted[pick.unit.topic, int(received[row]), int(sequence[row])] = pick.unit.unit_id
        try:
            for unit_id, where, message in _messages(pool.bag_path(bag), wanted):
                try:
                    frame = to_rgb(message.decode(), where=where)
                    pictures[unit_id] = thumbnail(np.asarray(frame, np.uint8), limit=limit)
                except (ActiveCollectionError, ValueError) as error:
                    warn(str(error))
        except ActiveCollectionError as error:
            warn(str(error))
    update(len(by_bag), len(by_bag), f'{len(pictures)} pictures')
    return replace(selection, picks=tuple(
        replace(pick, picture=pictures.get(pick.unit.unit_id, b'')) for pick in selection.picks))


def _messages(path: Path, wanted: Mapping[tuple[str, int, int], str]
              ) -> Iterator[tuple[str, str, Message]]:
    """
    Give (unit id, place for error messages, message) of wanted messages of a bag.

    :param wanted: (topic, receive_ns, sequence) to unit id
    """
    with open_bag(path) as bag:
        for (topic, receive_ns, sequence), unit_id in sorted(wanted.items()):
            for message in bag.messages([topic], start_ns=receive_ns, stop_ns=receive_ns + 1):
                if message.sequence == sequence:
                    yield unit_id, f'{path}: {topic} at {receive_ns} ns', message
                    break


def _units(pool: Pool, unit_ids: Iterable[str]) -> dict[str, report.Unit]:
    wanted = set(unit_ids)
    rows = [row for row, name in enumerate(pool.texts('unit_id')) if name in wanted]
    return {unit.unit_id: unit for unit in _at(pool, rows)}


def _at(pool: Pool, rows: list[int]) -> list[report.Unit]:
    """Return the units of some rows of the index."""
    return [_unit(row) for row in pool.units.take(pa.array(rows, pa.int64())).to_pylist()]


def _unit(row: Mapping[str, Any]) -> report.Unit:
    """Return a row of an index or of a round as a unit."""
    return Unit(
        row['unit_id'], row['bag'], row['topic'], row['stamp_ns'], row['task'] or '',
        row['environment'] or '', row['outcome'] or '', row['episode_id'] or '',
        _number(row['epistemic']), _number(row.get('novelty')))


def _bags(pool: Pool, touched: set[str], warn: Warn) -> Iterable[report.BagTimeline]:
    """Give each bag with its span; what there is over time only of those with picks."""
    codes, stamps = pool.codes('bag'), pool.numbers('stamp_ns')
    epistemic = pool.numbers('epistemic').astype(np.float64)
    order = np.lexsort((stamps, codes))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    first = pool.units.select(['bag', 'task', 'outcome']).take(order[starts]).to_pylist()
    for row, members in zip(first, np.split(order, starts[1:]), strict=True):
        first_ns, last_ns = int(stamps[members[0]]), int(stamps[members[-1]])
        is_touched = row['bag'] in touched
        own = members if is_touched else members[:0]
        stretches = (_stretches(pool.bag_path(row['bag']), first_ns, last_ns, warn)
                     if is_touched else ())
        yield BagTimeline(row['bag'], first_ns, last_ns,
                          len(members), row['task'] or '', row['outcome'] or '',
                          stamps[own].astype(np.int64), epistemic[own], stretches)


def _stretches(path: Path, start_ns: int, stop_ns: int, warn: Warn) -> tuple[Stretch, ...]:
    """Return who acted in a bag when."""
    try:
        with open_bag(path) as bag:
            actors = read_actors(bag)
    except ActiveCollectionError as error:
        warn(str(error))
        return ()
    return () if actors is None else tuple(actors.stretches(start_ns, stop_ns))


def _counts(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return what became of the pool, by the report's names."""
    named = {'units': 'units', 'labelled': 'labelled_before', 'excluded': 'excluded',
             'duplicates_avoided': 'near_duplicates', 'selected': 'selected'}
    return {name: manifest[key] for key, name in named.items()
            if isinstance(manifest.get(key), int) and (manifest[key] or key == 'selected')}


def _made_ns(manifest: Mapping[str, Any]) -> int:
    try:
        return int(datetime.fromisoformat(str(manifest.get('time'))).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return 0


def _number(value: Any) -> float:
    """Return a number; NaN where there is none."""
    return float(value) if isinstance(value, (int, float)) else math.nan
