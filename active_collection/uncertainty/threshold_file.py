# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep the values behind a threshold across restarts of a node."""
from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from active_collection.files import read_json
from active_collection.files import write_whole


def write_recent(path: Path, ensemble_id: str, measure: str, values: Sequence[float]) -> None:
    """
    Write the recent values under an ensemble.

    :param path: the file; its directory is made where it is missing
    :param measure: what the values are: 'epistemic' or 'novelty'
    :param values: those of recent steps, oldest first
    :raises OSError: where it cannot be written; what stood there stands
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(
        {'ensemble_id': ensemble_id, 'measure': measure, 'values': list(values)}) + '\n')


def read_recent(path: Path, ensemble_id: str, measure: str) -> tuple[float, ...]:
    """
    Return the values that were written under this ensemble; none under another or without a file.

    Values of two ensembles or measures cannot be compared. A damaged file counts as none: the
    threshold then starts from the ensemble's own reference.
    """
    try:
        data = read_json(path)
        if (data['ensemble_id'], data['measure']) != (ensemble_id, measure):
            return ()
        values = tuple(float(value) for value in data['values'])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return values if all(math.isfinite(value) for value in values) else ()
