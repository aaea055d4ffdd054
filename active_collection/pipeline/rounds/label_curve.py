# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The learning curve of a data directory: one point a round whose labels are trained on."""
from __future__ import annotations

from pathlib import Path

from active_collection.pipeline.data_layout import ROUNDS
from active_collection.pipeline.rounds.content import held_out_of
from active_collection.pipeline.rounds.content import labels_of
from active_collection.selection import labels
from active_collection.selection import metrics
from active_collection.selection.metrics import Metrics
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import Round
from active_collection.selection.rounds import all_rounds
from active_collection.selection.rounds import number_of


def measure_from(data: Path, changed: Round) -> None:
    """
    Measure again each point of the learning curve that a round's labels have a part in.

    Those are the round's own and later ones; of a held-out round, which is no point itself, all.

    :raises SelectionError: where a round cannot be read
    """
    first = 0 if changed.is_held_out else number_of(changed.directory)
    for directory in _trained_on(data):
        if number_of(directory) >= first and labels.versions(directory):
            _measure(data, directory)


def curve(data: Path) -> list[Metrics]:
    """
    Return the learning curve of a data directory: one point a round with labels.

    A held-out round is no point: it teaches nothing, and would look like a plateau.

    :raises SelectionError: where one cannot be read
    """
    return [metrics.read(directory) for directory in _trained_on(data)
            if (directory / metrics.FILE).exists()]


def _trained_on(data: Path) -> list[Path]:
    return [directory for directory in all_rounds(data / ROUNDS)
            if not Round.open(directory).is_held_out]


def _measure(data: Path, directory: Path) -> None:
    """Train the light head on all labels up to a round, and keep what it taught."""
    number, rounds = number_of(directory), all_rounds(data / ROUNDS)
    upto = [r for r in rounds if number_of(r) <= number]
    metrics.write(directory, metrics.measure(
        number, Pool.open(Round.open(directory).pool), labels_of(upto),
        disagreements=len(labels.disagreement(labels.newest(directory))),
        before=labels_of(upto[:-1]), held_out=held_out_of(rounds)))
