# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Pools in memory for tests of strategies."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from active_collection.scenario import Scenario
from active_collection.selection.batch import Batch
from active_collection.selection.batch import Limits
from active_collection.selection.pool import SCHEMA
from active_collection.selection.pool import Description
from active_collection.selection.pool import Pool
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Units

SECOND = 10**9
#: Units a bag of `make_pool`.
PER = 20


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


def make_pool(tmp_path: Path, uncertainty: object, *, mugs: tuple[str, ...] = ('red', 'blue'),
              tags: list[dict[str, str]] | None = None) -> Pool:
    """Return a pool of bags of PER units, 0.5 s apart; one row of `uncertainty` a bag."""
    uncertainty = np.asarray(uncertainty, np.float64)
    bags, count = len(uncertainty), uncertainty.size
    rows = np.arange(count)
    bag = rows // PER
    scenarios = [json.dumps(Scenario.of('pick', 'lab', {'mug': mugs[b % len(mugs)]}).to_dict())
                 for b in range(bags)]
    values = {
        'unit_id': [f'u{i}' for i in rows], 'bag': [f'b{b}' for b in bag],
        'receive_ns': rows * 500_000_000, 'stamp_ns': rows * 500_000_000,
        'topic': ['/camera'] * count, 'scenario': [scenarios[b] for b in bag],
        'task': ['pick'] * count, 'exposure': [0.5] * count,
        'hash': np.random.default_rng(0).integers(0, 2**63, count, dtype=np.uint64),
        'epistemic': uncertainty.ravel(), 'novelty': uncertainty.ravel()[::-1],
        'embedding_row': rows}
    columns = [pa.array(values[f.name], f.type) if f.name in values else
               pa.array([''] * count if pa.types.is_string(f.type) else [0] * count, f.type)
               for f in SCHEMA]
    table = pa.Table.from_arrays(columns, schema=SCHEMA)
    if tags is not None:
        if 'tags' in table.column_names:
            table = table.drop_columns(['tags'])
        table = table.append_column('tags', pa.array([json.dumps(tags[b]) for b in bag]))
    vectors = np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32)
    vectors += 10 * np.eye(8, dtype=np.float32)[bag % 8]
    return Pool(tmp_path / 'pool', Description(extractor='descriptor', dimension=8), table,
                vectors)
