# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep what a threshold has learnt across restarts of a node."""
from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from active_collection.files import make_directory
from active_collection.files import read_json
from active_collection.files import write_whole
from active_collection.uncertainty.threshold import Recent
from active_collection.uncertainty.threshold import Step

#: Of the file. The first, which does not say so, has values alone.
FORMAT = 2


def write_recent(path: Path, ensemble_id: str, measure: str, recent: Recent) -> None:
    """
    Write what was learnt under an ensemble.

    :param path: the file; its directory is made where it is missing
    :param measure: what the values are: 'epistemic' or 'novelty'
    :raises OSError: where it cannot be written; what stood there stands
    """
    make_directory(path.parent)
    write_whole(path, json.dumps({
        'format': FORMAT, 'ensemble_id': ensemble_id, 'measure': measure,
        'values': recent.values, 'odds': recent.odds, 'waiting': recent.waiting}) + '\n')


def read_recent(path: Path, ensemble_id: str, measure: str) -> Recent | None:
    """
    Return what was written under this ensemble; None under another or without a file.

    Values of two ensembles or measures cannot be compared. A file that is damaged, or of a later
    release, counts as none: the threshold then starts from the ensemble's own reference.
    """
    try:
        data = read_json(path)
        if (data['ensemble_id'], data['measure']) != (ensemble_id, measure):
            return None
        return _recent(data)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _recent(data: dict[str, Any]) -> Recent:
    """Return it, checked; of the first format values alone."""
    values = tuple(_number(value) for value in data['values'])
    version = data.get('format', 1)
    if version == 1:
        return Recent(values)
    if version != FORMAT:
        raise ValueError(version)
    return Recent(
        values, None if data['odds'] is None else _number(data['odds']),
        tuple(Step(_number(value), *(bool(mark) for mark in marks))
              for value, *marks in data['waiting']))


def _number(value: object) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)
