# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a round's labels taught: one point of the learning curve."""
from __future__ import annotations

import json
import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from active_collection.errors import SelectionError
from active_collection.files import read_json
from active_collection.files import write_whole
from active_collection.selection import head as heads
from active_collection.selection.pool import Pool
from active_collection.selection.strategies.ranking import entropy
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Indices

FILE = 'metrics.json'
#: Units whose predictions are compared from round to round (Bloodgood and Vijay-Shanker, 2009).
_STOP_SET = 2000
_PIECE = 4096


@dataclass(frozen=True)
class Metrics:
    """
    A point of the learning curve. NaN: not known.

    :param round: number of the round
    :param labelled: units with a label, of this round and all before
    :param classes: different labels
    :param disagreements: units that annotators label differently
    :param correct: labels that a head gets right, of `tested`
    :param held_out: whether those are of a held-out round, not left out in turn (cross-validation)
    :param entropy: mean entropy of the head's predictions over a sample of the pool (nats)
    :param kappa: agreement of those predictions with the round's before (Cohen, 1960), -1 to 1
    :param radius: largest distance of a sample of the pool to the nearest labelled unit
    :param uncertainty: mean known uncertainty of what is not labelled
    """

    round: int
    labelled: int
    classes: int
    disagreements: int
    correct: int
    tested: int
    entropy: float
    kappa: float
    radius: float
    uncertainty: float
    held_out: bool = False

    @property
    def accuracy(self) -> float:
        """Return the share of correct labels; NaN where none could be tested."""
        return self.correct / self.tested if self.tested else math.nan


def measure(number: int, pool: Pool, labels: Mapping[str, str], *, disagreements: int,
            before: Mapping[str, str], held_out: Mapping[str, str] | None = None) -> Metrics:
    """
    Return the point of the learning curve after a round.

    A head is tested on the held-out labels, which it never sees; without any by cross-validation,
    which flatters or blames it, for what was selected is no fair sample of the pool.

    :param labels: unit id to label, of this round and all before; units that the pool has lost
        are left out
    :param before: the same without this round
    :param held_out: unit id to label of what is kept apart for testing
    """
    numbers = {name: number_ for number_, name in enumerate(pool.texts('unit_id'))}
    embeddings = Embeddings(pool.embeddings, pool.numbers('embedding_row'))
    units = np.array(sorted(numbers[u] for u in labels if u in numbers), np.int64)
    sample = np.sort(np.random.default_rng(0).permutation(len(pool))[:_STOP_SET])
    predicted, sure = _predictions(labels, numbers, embeddings, sample)
    earlier, _ = _predictions(before, numbers, embeddings, sample)
    by_number = {n: labels[u] for u, n in numbers.items() if u in labels}
    apart = {numbers[u]: label for u, label in (held_out or {}).items() if u in numbers}
    names = [by_number[int(n)] for n in units]
    if apart and len(set(names)) > 1:
        correct, tested = _on_held_out(embeddings, units, names, apart), len(apart)
    else:
        correct, tested = heads.accuracy(embeddings.take(units), names, np.random.default_rng(0))
    uncertainty = np.delete(pool.numbers('epistemic').astype(np.float64), units)
    known = uncertainty[np.isfinite(uncertainty)]
    return Metrics(
        round=number, labelled=len(labels) + len(held_out or {}),
        classes=len(set(labels.values())), held_out=bool(apart),
        disagreements=disagreements, correct=correct, tested=tested, entropy=sure,
        kappa=kappa(earlier, predicted) if earlier is not None and predicted is not None
        else math.nan,
        radius=_radius(embeddings, units, sample),
        uncertainty=float(known.mean()) if len(known) else math.nan)


def write(directory: Path, metrics: Metrics) -> None:
    """Write the metrics of a round, NaN as null."""
    values = {k: None if isinstance(v, float) and math.isnan(v) else v
              for k, v in asdict(metrics).items()}
    write_whole(directory / FILE, json.dumps(values, indent=2) + '\n')


def read(directory: Path) -> Metrics:
    """
    Return the metrics of a round.

    :raises SelectionError: where they cannot be read
    """
    path = directory / FILE
    try:
        values: dict[str, Any] = read_json(path)
        known: dict[str, Any] = {k: math.nan if v is None else v for k, v in values.items()}
        return Metrics(**known)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SelectionError(path, found=error,
                             expected='metrics that `round ingest` wrote') from error


def kappa(first: list[str], second: list[str]) -> float:
    """Return Cohen's kappa of two lists of predictions; 1 where both always say the same one."""
    names = sorted({*first, *second})
    a = np.array([names.index(name) for name in first])
    b = np.array([names.index(name) for name in second])
    table = np.zeros((len(names), len(names)))
    np.add.at(table, (a, b), 1.0)
    table /= len(a)
    chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return 1.0 if chance >= 1.0 else float((np.trace(table) - chance) / (1.0 - chance))


def _predictions(labels: Mapping[str, str], numbers: Mapping[str, int], embeddings: Embeddings,
                 sample: Indices) -> tuple[list[str] | None, float]:
    """Return the head's prediction for each unit of the sample, and their mean entropy."""
    known = sorted((numbers[unit], label) for unit, label in labels.items() if unit in numbers)
    if len({label for _, label in known}) < 2:
        return None, math.nan
    vectors = embeddings.take(np.array([n for n, _ in known], np.int64))
    head = heads.train(vectors, [label for _, label in known], np.random.default_rng(0), members=1)
    p = head.predict(Embeddings.of(embeddings.take(sample)))[0]
    return [head.classes[i] for i in p.argmax(axis=1)], float(entropy(p).mean())


def _on_held_out(embeddings: Embeddings, units: Indices, names: Sequence[str],
                 apart: Mapping[int, str]) -> int:
    """Return how many of the labels that are kept apart a head gets right."""
    head = heads.train(embeddings.take(units), names, np.random.default_rng(0), members=1)
    tested = np.array(sorted(apart), np.int64)
    predicted = head.predict(Embeddings.of(embeddings.take(tested)))[0].argmax(axis=1)
    return sum(head.classes[code] == apart[int(unit)]
               for code, unit in zip(predicted, tested, strict=True))


def _radius(embeddings: Embeddings, centres: Indices, sample: Indices) -> float:
    if not len(centres):
        return math.nan
    vectors = embeddings.take(sample)
    squares = np.full(len(sample), np.inf)
    for start in range(0, len(centres), _PIECE):
        piece = embeddings.take(centres[start:start + _PIECE])
        lengths = np.einsum('ij,ij->i', piece, piece)
        new = (lengths - 2.0 * vectors @ piece.T).min(axis=1)
        squares = np.minimum(squares, new + np.einsum('ij,ij->i', vectors, vectors))
    return float(np.sqrt(max(squares.max(), 0.0)))
