# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the report shows of annotation: a point a round, and whether to go on."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from active_collection.config import validate
from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.files import read_json
from active_collection.files import write_whole
from active_collection.pipeline.data_layout import ROUNDS
from active_collection.pipeline.rounds.label_curve import curve
from active_collection.report import data as report
from active_collection.report.data import LabelRound
from active_collection.report.data import Verdict
from active_collection.selection.metrics import Metrics
from active_collection.selection.rounds import Round
from active_collection.selection.stopping import StoppingSettings
from active_collection.selection.stopping import judge

#: What `round stop` was asked for last, so that the report asks for the same.
CRITERIA = 'stopping.json'


def read_labels(data: Path) -> tuple[tuple[report.LabelRound, ...], tuple[report.Verdict, ...]]:
    """
    Return the rounds whose labels are in, and what each stopping criterion says of them.

    :raises SelectionError: where a round cannot be read
    """
    points = curve(data)
    if not points:
        return (), ()
    return label_rounds(data, points), verdicts(points, settings_of(data))


def label_rounds(data: Path, points: Sequence[Metrics]) -> tuple[report.LabelRound, ...]:
    """Return the points of a learning curve as the report shows them."""
    found = []
    for point in points:
        opened = Round.open(data / ROUNDS / str(point.round))
        found.append(LabelRound(
            point.round, str(opened.manifest['strategy']), len(opened.picks), point.labelled,
            point.disagreements, point.correct, point.tested, point.held_out, point.entropy,
            point.kappa, point.radius, point.uncertainty))
    return tuple(found)


def verdicts(points: Sequence[Metrics], settings: StoppingSettings) -> tuple[report.Verdict, ...]:
    """Return what each stopping criterion says; its numbers are in what it says."""
    return tuple(
        Verdict(f'labels: {said.criterion}', said.fired, said.text)
        for said in judge(points, settings))


def settings_of(data: Path) -> StoppingSettings:
    """
    Return the criteria that `round stop` was asked for last, or the default ones.

    :raises SelectionError: where they cannot be read
    """
    path = data / ROUNDS / CRITERIA
    if not path.exists():
        return StoppingSettings()
    try:
        return validate(read_json(path), StoppingSettings, where=str(path))
    except (OSError, ValueError, ConfigError) as error:
        raise SelectionError(path, found=error, expected='what `round stop` wrote') from error


def keep_settings(data: Path, settings: StoppingSettings) -> None:
    """Keep the criteria for the report."""
    write_whole(data / ROUNDS / CRITERIA, json.dumps(settings.model_dump(), indent=2) + '\n')
