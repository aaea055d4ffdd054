# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parts of an index: what a worker wrote of a few bags, until all are merged into the pool."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from active_collection.errors import ActiveCollectionError
from active_collection.errors import SelectionError
from active_collection.files import make_directory
from active_collection.files import whole_file
from active_collection.selection.extractors import EXTRACTORS
from active_collection.selection.extractors import Extractor
from active_collection.selection.index_bag import Sampling
from active_collection.selection.index_bag import index_bag
from active_collection.selection.pool import SCHEMA

DIRECTORY = 'parts'
_VECTOR = 'embedding'


@dataclass(frozen=True)
class BagToIndex:
    """
    A bag that is to be indexed.

    :param stored: what the `bag` column holds
    :param key: its content key
    :param size: bytes on disk
    """

    path: Path
    stored: str
    key: str
    size: int


@dataclass(frozen=True)
class Job:
    """
    What one worker does at a time: index some bags into one part.

    :param parts: the directory that takes the part
    :param options: the extractor's
    """

    bags: tuple[BagToIndex, ...]
    parts: Path
    extractor: str
    options: tuple[tuple[str, str], ...]
    dtype: str
    sampling: Sampling
    threads: int


@dataclass(frozen=True)
class JobReport:
    """
    What came of a job.

    :param failed: (bag, one line) for each bag that could not be indexed
    :param corrupt: one line for each message or chunk that was left out, as far as they are kept
    :param reasons: what was expected of what was left out, and how often
    :param extractor_s: time spent in the extractor (s), of `total_s`
    """

    bags: int
    units: int
    failed: tuple[tuple[str, str], ...]
    corrupt: tuple[str, ...]
    reasons: Counter[str]
    extractor_s: float
    total_s: float


def run_job(job: Job) -> JobReport:
    """
    Index the bags of a job and write one part. Runs in a worker process, alone.

    :raises ConfigError: where the extractor does not exist
    :raises OSError: where the part cannot be written
    """
    start = perf_counter()
    cv2.setNumThreads(job.threads)
    extractor = _extractor(job.extractor, job.options, job.threads)
    rows: list[dict[str, Any]] = []
    embeddings: list[NDArray[np.float32]] = []
    failed: list[tuple[str, str]] = []
    corrupt: list[str] = []
    reasons: Counter[str] = Counter()
    spent = 0.0
    for bag in job.bags:
        try:
            units = index_bag(bag.path, stored=bag.stored, key=bag.key, sampling=job.sampling,
                              extractor=extractor)
        except ActiveCollectionError as error:
            failed.append((str(bag.path), str(error)))
            continue
        rows.extend(units.rows)
        embeddings.extend(units.embeddings)
        corrupt.extend(units.corrupt)
        reasons += units.reasons
        spent += units.extractor_s
    if rows:
        vectors = np.concatenate(embeddings).astype(job.dtype)
        write_part(job.parts / f'{job.bags[0].key}.parquet', rows, vectors)
    return JobReport(len(job.bags) - len(failed), len(rows), tuple(failed), tuple(corrupt),
                     reasons, spent, perf_counter() - start)


def write_part(path: Path, rows: Sequence[Mapping[str, Any]], vectors: NDArray[Any]) -> None:
    """
    Write a part, whole or not at all.

    :param rows: SCHEMA's columns but for embedding_row
    :param vectors: (len(rows), dimension)
    """
    schema = pa.schema([f for f in SCHEMA if f.name != 'embedding_row'])
    table = pa.Table.from_pylist(list(rows), schema=schema)
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    table = table.append_column(
        _VECTOR, pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]))
    make_directory(path.parent)
    with whole_file(path) as partial:
        pq.write_table(table, partial, write_page_checksum=True)


def read_rows(path: Path) -> pa.Table:
    """
    Return the rows that `write_part` wrote, without embedding_row.

    :raises SelectionError: where the file is corrupt
    """
    return _read(path, [f.name for f in SCHEMA if f.name != 'embedding_row'])


def read_vectors(path: Path) -> NDArray[Any]:
    """
    Return the vectors that `write_part` wrote, (rows, dimension).

    :raises SelectionError: where the file is corrupt
    """
    table = _read(path, [_VECTOR])
    column = table[_VECTOR].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    vectors = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(vectors.reshape(len(table), -1))


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        table = pq.read_table(path, columns=columns, page_checksum_verification=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SelectionError(path, found=error,
                             expected='a part of an index (delete it to index again)') from error
    if table.column_names != columns:
        raise SelectionError(path, found=f'columns {", ".join(table.column_names)}',
                             expected=f'{", ".join(columns)} (delete it to index again)')
    return table


@lru_cache(maxsize=1)
def _extractor(name: str, options: tuple[tuple[str, str], ...], threads: int) -> Extractor:
    """Load an extractor once a process."""
    if name != 'descriptor':
        import torch
        torch.set_num_threads(threads)
    return EXTRACTORS.get(name)(dict(options))
