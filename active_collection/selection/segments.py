# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Put the frames of a recording together to segments or whole trajectories."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_collection.selection.change_points import change_points

#: Columns of which a segment has the mean of its frames' values that are known.
_MEANS = ('blur', 'exposure', 'epistemic', 'aleatoric', 'novelty')

#: Longer than any recording (s), and its ns fit 64 bits.
_LONGEST_S = 1e9

Row = dict[str, Any]


@dataclass(frozen=True)
class Grouping:
    """
    What a unit is.

    :param unit: 'frame'; 'segment': of `seconds`; 'change-point': from one change of the pictures
        to the next, at least `seconds` long; 'trajectory': all that one camera recorded in a bag
    :param seconds: length (s)
    :param penalty: of one more segment, for change points
    """

    unit: str = 'frame'
    seconds: float = 5.0
    penalty: float = 1.0


def grouped(rows: Sequence[Row], vectors: NDArray[np.float32],
            grouping: Grouping) -> tuple[list[Row], NDArray[np.float32]]:
    """
    Return units made of frames.

    A unit has the mean of its frames' embeddings, and the time, place and picture of the frame
    that is nearest to it.

    :param rows: one a frame, of one bag
    :param vectors: (len(rows), D)
    :return: one row a unit, by topic and time, and their vectors
    """
    if grouping.unit == 'frame' or not rows:
        return list(rows), vectors
    units: list[Row] = []
    means: list[NDArray[np.float32]] = []
    for topic in sorted({row['topic'] for row in rows}):
        places = np.array(sorted(
            (place for place, row in enumerate(rows) if row['topic'] == topic),
            key=lambda place: (rows[place]['receive_ns'], rows[place]['sequence'])))
        starts = _starts([rows[place] for place in places], vectors[places], grouping)
        for first, end in zip(starts, [*starts[1:], len(places)], strict=True):
            inside = places[first:end]
            mean = vectors[inside].mean(axis=0)
            distances = np.linalg.norm(vectors[inside] - mean, axis=1)
            typical = rows[inside[int(distances.argmin())]]
            units.append(_unit(typical, [rows[place] for place in inside], grouping.unit))
            means.append(mean)
    return units, np.stack(means).astype(np.float32)


def _starts(rows: Sequence[Row], vectors: NDArray[np.float32], grouping: Grouping) -> list[int]:
    times = np.array([row['receive_ns'] for row in rows], np.int64)
    length = max(1, round(min(grouping.seconds, _LONGEST_S) * 1e9))
    if grouping.unit == 'trajectory':
        return [0]
    if grouping.unit == 'segment':
        numbers = (times - times[0]) // length
        return [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist()]
    # The mean: frames that were received in bursts share a time, and their median step is 0.
    step = (int(times[-1]) - int(times[0])) / max(1, len(times) - 1)
    shortest = max(1, round(length / max(step, 1.0)))
    return change_points(vectors, penalty=grouping.penalty, shortest=shortest)


def _unit(typical: Row, rows: Sequence[Row], unit: str) -> Row:
    # A frame's name is made of what it is, so another kind of unit needs another one.
    digest = hashlib.sha256(f'{unit} {typical["unit_id"]} {len(rows)}'.encode()).hexdigest()[:12]
    _, _, rest = typical['unit_id'].partition('_')
    return {**typical, 'unit_id': f'{digest}_{rest}', 'frames': len(rows),
            'start_ns': rows[0]['start_ns'], 'stop_ns': rows[-1]['stop_ns'],
            **{name: _mean(rows, name) for name in _MEANS}}


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    values = np.array([row[name] for row in rows], np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float('nan')
