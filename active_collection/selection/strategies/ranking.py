# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the strategies that rank units one by one share."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.units import Scores
from active_collection.selection.units import Units

_HEAD = 'a round with labels of two classes, from which a head learns them (--labelled)'


def take_highest(scores: Scores, batch: Batch, rng: np.random.Generator, reason: str) -> None:
    """
    Take the units with the highest scores; equal ones, and those without a score, at random.

    :param scores: (N,); NaN comes last, with score 0
    :param reason: its '{score}' becomes the score
    """
    known = np.isfinite(scores)
    order = np.lexsort((rng.permutation(len(scores)), -np.where(known, scores, -np.inf)))
    most = int(known.sum())
    batch.take_in_order(order[:most], scores[order[:most]], reason)
    batch.take_in_order(order[most:], np.zeros(len(scores) - most), 'uncertainty not known')


def probabilities_of(units: Units) -> NDArray[np.float64]:
    """
    Return the class probabilities, (N, C).

    :raises SelectionError: where the pool has none
    """
    if units.probabilities is None:
        raise SelectionError('class probabilities', found='none', expected=f'{_HEAD}; for the '
                             "variance of a policy's ensemble, strategy uncertainty")
    return np.asarray(units.probabilities, np.float64)


def members_of(units: Units) -> NDArray[np.float64]:
    """
    Return the class probabilities of each member of the committee, (M, N, C).

    :raises SelectionError: where the pool has none
    """
    if units.members is None:
        raise SelectionError('committee', found='none', expected=f'{_HEAD}; for the variance of '
                             "a policy's ensemble, strategy uncertainty")
    return np.asarray(units.members, np.float64)


def entropy(probabilities: NDArray[np.floating]) -> Scores:
    """
    Return the Shannon entropy (1948) over the last axis, in nats: 0 sure, log C not at all.

    :param probabilities: (..., C), summing to 1 over the last axis
    """
    p = np.asarray(probabilities, np.float64)
    return np.asarray(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1))
