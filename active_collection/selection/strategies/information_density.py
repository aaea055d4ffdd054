# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Uncertain units that stand for many others."""
from __future__ import annotations

import numpy as np

from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import entropy
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Scores
from active_collection.selection.units import Units


class InformationDensity:
    """
    Takes the units with the largest uncertainty times density (Settles and Craven, 2008).

    The density is the mean cosine similarity, 0 to 1, to the `neighbours` nearest of a random
    sample of `references` units, to the power `beta`: N times references instead of N^2. The
    uncertainty is the entropy where there are class probabilities, else the ensemble's.

    :param beta: 0: uncertainty alone
    """

    def __init__(self, *, beta: float = 1.0, neighbours: int = 20,
                 references: int = 2000) -> None:
        if not (np.isfinite(beta) and beta >= 0):
            raise ConfigError('information_density beta', found=beta, expected='at least 0')
        if not 1 <= neighbours <= references:
            raise ConfigError('information_density neighbours', found=neighbours,
                              expected=f'1 to {references} (references)')
        self._beta = beta
        self._neighbours = neighbours
        self._references = references

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has neither class probabilities nor uncertainty
        """
        known = units.uncertainty
        if units.probabilities is not None:
            known = entropy(units.probabilities)
        if not np.isfinite(known).any():
            raise SelectionError('uncertainty', found='neither class probabilities nor an '
                                 'ensemble', expected='one of them, or strategy typiclust')
        sample = np.sort(rng.permutation(len(units))[:self._references]).astype(np.int64)
        density = densities(units.embeddings, sample, self._neighbours)
        take_highest(known * density ** self._beta, batch, rng, 'uncertainty x density {score}')


def densities(embeddings: Embeddings, sample: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
              neighbours: int) -> Scores:
    """Return the mean similarity of each unit to its nearest of a sample, (N,), 0 to 1."""
    references = _unit(embeddings.take(sample))
    count = min(neighbours, len(references))
    result = np.empty(len(embeddings))
    for start, chunk in embeddings.chunks(1 << 12):
        similar = _unit(chunk) @ references.T
        nearest = np.partition(similar, len(references) - count, axis=1)[:, -count:]
        result[start:start + len(chunk)] = (1.0 + nearest.mean(axis=1)) / 2.0
    return result


def _unit(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> np.ndarray[
        tuple[int, ...], np.dtype[np.float32]]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
