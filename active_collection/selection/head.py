# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A light classifier on the embeddings, trained on the labels so far."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from active_collection.errors import SelectionError
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Indices
from active_collection.selection.units import Scores

_ITERATIONS = 200


@dataclass(frozen=True)
class Head:
    """
    A committee of multinomial logistic regressions, each on a resample of the labels.

    :param classes: C names
    :param weights: float32 (M, D + 1, C); the last row is the bias
    :param mean: float32 (D,): of the training vectors
    :param scale: float: their mean distance from it
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: float

    def predict(self, embeddings: Embeddings) -> NDArray[np.float32]:
        """Return each member's class probabilities, (M, N, C)."""
        result = np.empty((len(self.weights), len(embeddings), len(self.classes)), np.float32)
        for start, chunk in embeddings.chunks():
            inputs = _with_bias((chunk - self.mean) / np.float32(self.scale))
            for member, weights in zip(result, self.weights, strict=True):
                member[start:start + len(chunk)] = _softmax(inputs @ weights)
        return result


def train(vectors: NDArray[np.float32], labels: Sequence[str], rng: np.random.Generator, *,
          members: int = 5, decay: float = 1e-2) -> Head:
    """
    Train a head.

    Member 0 sees all labels, the others resamples with replacement (bagging; Breiman, 1996) in
    which every class stays.

    :param vectors: float32 (n, D)
    :param labels: n class names
    :param members: M, at least 1
    :param decay: strength of the squared penalty on weights
    :raises SelectionError: where there are fewer than two classes
    """
    classes = sorted(set(labels))
    if len(classes) < 2:
        raise SelectionError('labels', found=f'{len(classes)} classes', expected='at least two')
    codes = np.array([classes.index(label) for label in labels])
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    scale = max(float(np.linalg.norm(centred, axis=1).mean()), 1e-12)
    inputs = _with_bias(centred / np.float32(scale)).astype(np.float64)
    weights = [_fit(inputs[rows], codes[rows], len(classes), decay)
               for rows in _resamples(codes, members, rng)]
    return Head(tuple(classes), np.asarray(weights, np.float32), mean, scale)


def accuracy(vectors: NDArray[np.float32], labels: Sequence[str], rng: np.random.Generator, *,
             folds: int = 5) -> tuple[int, int]:
    """
    Return how many labels a head gets right by cross-validation, and of how many.

    Classes with one label cannot be left out and learnt at once: they count as wrong.

    :return: (correct, total); (0, 0) where there are fewer than two classes or labels than folds
    """
    if len(set(labels)) < 2 or len(labels) < folds:
        return 0, 0
    names = np.array(labels)
    fold = rng.permutation(len(names)) % folds
    correct = 0
    for held in range(folds):
        train_on, test_on = fold != held, fold == held
        if len(set(names[train_on])) < 2:
            continue
        head = train(vectors[train_on], list(names[train_on]), rng, members=1)
        predicted = head.predict(Embeddings.of(vectors[test_on]))[0].argmax(axis=1)
        correct += int((np.array(head.classes)[predicted] == names[test_on]).sum())
    return correct, len(names)


def _resamples(codes: Indices, members: int, rng: np.random.Generator) -> list[Indices]:
    rows: list[Indices] = [np.arange(len(codes))]
    _, one_each = np.unique(codes, return_index=True)
    rows += [np.concatenate([one_each, rng.integers(0, len(codes), len(codes))])
             for _ in range(members - 1)]
    return rows


def _fit(inputs: Scores, codes: Indices, classes: int, decay: float) -> Scores:
    """Return the weights (D + 1, C) that minimise the mean cross entropy plus the penalty."""
    target = np.zeros((len(codes), classes))
    target[np.arange(len(codes)), codes] = 1.0

    def loss(flat: Scores) -> tuple[float, Scores]:
        weights = flat.reshape(-1, classes)
        p = _softmax(inputs @ weights)
        value = -float(np.log(np.maximum(p[np.arange(len(codes)), codes], 1e-300)).mean())
        gradient = inputs.T @ (p - target) / len(codes) + decay * weights
        return value + 0.5 * decay * float((weights ** 2).sum()), gradient.reshape(-1)

    start = np.zeros(inputs.shape[1] * classes)
    found = minimize(loss, start, jac=True, method='L-BFGS-B',
                     options={'maxiter': _ITERATIONS})
    return np.asarray(found.x.reshape(-1, classes))


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _with_bias(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([vectors, np.ones((len(vectors), 1), np.float32)], axis=1)
