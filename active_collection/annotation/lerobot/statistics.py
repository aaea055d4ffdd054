# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The statistics that a LeRobot dataset keeps of each episode, and of all."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from active_collection.bags.images import RGB

Statistics = dict[str, NDArray[np.floating] | NDArray[np.integer]]

QUANTILES = {'q01': 0.01, 'q10': 0.10, 'q50': 0.50, 'q90': 0.90, 'q99': 0.99}
#: Pictures of an episode that are measured, and pixels along their longer side.
MOST_PICTURES, _LARGEST_SIDE = 100, 150


def of_numbers(values: NDArray[np.generic]) -> Statistics:
    """
    Return min, max, mean, std, count and quantiles over the first axis.

    :param values: (n,) or (n, D); the results have shape (1,) or (D,)
    """
    columns = np.asarray(values, np.float64).reshape(len(values), -1)
    return _measured(columns, len(columns))


def of_pictures(frames: Sequence[RGB]) -> Statistics:
    """
    Return the same of pictures, a channel, as values from 0 to 1: shape (3, 1, 1).

    :param frames: uint8 (height, width, 3) each, at least one
    """
    pixels = []
    for frame in frames:
        step = max(1, max(frame.shape[:2]) // _LARGEST_SIDE)
        pixels.append(frame[::step, ::step].reshape(-1, 3))
    found = _measured(np.concatenate(pixels).astype(np.float32) / np.float32(255.0), len(frames))
    return {name: value if name == 'count' else value.reshape(3, 1, 1)
            for name, value in found.items()}


def sampled(count: int) -> set[int]:
    """Return which of an episode's pictures are measured."""
    return {int(i) for i in np.linspace(0, count - 1, min(count, MOST_PICTURES)).round()}


def together(episodes: Sequence[Mapping[str, Statistics]]) -> dict[str, Statistics]:
    """
    Return the statistics of all episodes: exact but for the quantiles, which are weighted means.

    :param episodes: feature to statistics, of each episode; at least one
    """
    result: dict[str, Statistics] = {}
    for feature in episodes[0]:
        parts = [episode[feature] for episode in episodes]
        counts = np.array([float(part['count'][0]) for part in parts])
        weights = counts / counts.sum()
        means = np.stack([part['mean'] for part in parts])
        mean = np.tensordot(weights, means, 1)
        squares = np.stack([part['std'] for part in parts]) ** 2 + (means - mean) ** 2
        result[feature] = {
            'min': np.min([part['min'] for part in parts], axis=0),
            'max': np.max([part['max'] for part in parts], axis=0),
            'mean': mean, 'std': np.sqrt(np.tensordot(weights, squares, 1)),
            'count': np.array([int(counts.sum())]),
            **{name: np.tensordot(weights, np.stack([part[name] for part in parts]), 1)
               for name in QUANTILES}}
    return result


def _measured(columns: NDArray[np.floating], count: int) -> Statistics:
    quantiles = np.quantile(columns, list(QUANTILES.values()), axis=0)
    return {'min': columns.min(axis=0), 'max': columns.max(axis=0), 'mean': columns.mean(axis=0),
            'std': columns.std(axis=0), 'count': np.array([count]),
            **dict(zip(QUANTILES, quantiles, strict=True))}
