# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units whose label would change the model most."""
from __future__ import annotations

import numpy as np

from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Scores
from active_collection.selection.units import Units


class ExpectedModelChange:
    """
    Takes the units with the largest expected gradient of the last layer.

    With class probabilities p, the expected gradient length (Settles and Craven, 2008) of a linear
    layer under cross entropy: |h| times the sum over classes of p_c |p - e_c|. Without, its
    ensemble form for regression (Cai, Zhang and Zhou, 2013): |h| times the standard deviation of
    the members, which is the root of the pool's uncertainty. h is the embedding. The score is that
    length; where the uncertainty is not known there is none.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has neither class probabilities nor uncertainty
        """
        if units.probabilities is None and not np.isfinite(units.uncertainty).any():
            raise SelectionError('uncertainty', found='neither class probabilities nor an '
                                 'ensemble', expected='one of them, or strategy typiclust')
        lengths = _lengths(units.embeddings)
        if units.probabilities is None:
            scores = lengths * np.sqrt(units.uncertainty)
        else:
            scores = lengths * _expected_error(np.asarray(units.probabilities, np.float64))
        take_highest(scores, batch, rng, 'expected gradient length {score}')


def _expected_error(p: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Scores:
    """Return the sum over classes of p_c |p - e_c|, (N,)."""
    squares = (p ** 2).sum(axis=1, keepdims=True)
    return np.asarray((p * np.sqrt(np.maximum(squares - 2.0 * p + 1.0, 0.0))).sum(axis=1))


def _lengths(embeddings: Embeddings) -> Scores:
    lengths = np.empty(len(embeddings))
    for start, chunk in embeddings.chunks():
        lengths[start:start + len(chunk)] = np.linalg.norm(chunk, axis=1)
    return lengths
