# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Pools in memory for tests of strategies."""
from __future__ import annotations

import numpy as np

from active_collection.selection.batch import Batch
from active_collection.selection.batch import Limits
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Units

SECOND = 10**9


def make_units(n: int = 300, d: int = 12, *, seed: int = 0, known: float = 1.0,
               classes: int = 4, labelled: int = 0, recordings: int = 5) -> Units:
    """`n` units in blobs; `recordings` of equal length at 2 Hz; a share with an uncertainty."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, d)) * 4
    vectors = centres[rng.integers(0, 6, n)] + rng.normal(size=(n, d))
    uncertainty = np.where(rng.random(n) < known, rng.random(n), np.nan)
    logits = rng.normal(size=(n, classes)) * 2 + rng.normal(size=(6, n, classes))
    members = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    members = members.astype(np.float32)
    mask = np.zeros(n, bool)
    mask[rng.permutation(n)[:labelled]] = True
    codes = np.arange(n) * recordings // n
    stamps = np.arange(n) * SECOND // 2
    return Units(Embeddings.of(vectors.astype(np.float32)), stamps, codes, uncertainty, mask,
                 {'bag': codes, 'task': codes % 2}, members.mean(axis=0), members)


def make_batch(units: Units, count: int, *, limits: Limits | None = None,
               candidates: np.ndarray | None = None) -> Batch:
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**63, len(units), dtype=np.uint64)
    allowed = np.ones(len(units), bool) if candidates is None else candidates
    return Batch(units, count, candidates=allowed & ~units.labelled, limits=limits, hashes=hashes)
