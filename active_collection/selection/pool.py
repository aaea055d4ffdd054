# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The pool on disk: a Parquet row a frame, and memory-mapped embeddings."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from active_collection.config import Model
from active_collection.config import validate
from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.files import read_json
from active_collection.selection.tables import read_table

INDEX = 'index.parquet'
EMBEDDINGS = 'embeddings.npy'
DESCRIPTION = 'description.json'

#: One row a frame. `bag` is relative to the pool's parent where the bag lies below it, so that a
#: data directory can be moved whole. Times are ns since the epoch. NaN: not known.
SCHEMA = pa.schema([
    ('unit_id', pa.string()),        # unique in the pool, safe as a file name, stable
    ('bag', pa.string()),
    ('bag_key', pa.string()),        # hash of the bag's content
    ('record_key', pa.string()),     # hash of its episode record
    ('topic', pa.string()),
    ('receive_ns', pa.int64()),      # when it was recorded: the bag's own time
    ('sequence', pa.int32()),        # number among the topic's messages of that receive_ns
    ('stamp_ns', pa.int64()),        # when it was taken: header.stamp, else receive_ns
    ('width', pa.int32()),
    ('height', pa.int32()),
    ('episode_id', pa.string()),     # empty where the bag is no episode, as all up to `source`
    ('robot', pa.string()),
    ('scenario', pa.string()),       # canonical JSON
    ('task', pa.string()),
    ('environment', pa.string()),
    ('outcome', pa.string()),
    ('source', pa.string()),
    ('blur', pa.float32()),          # variance of the Laplacian; low is blurred
    ('exposure', pa.float32()),      # mean brightness, 0 to 1
    ('hash', pa.uint64()),           # difference hash: near-duplicates differ in few bits
    ('epistemic', pa.float32()),     # of the bag's own UncertaintyEstimate nearest in time
    ('aleatoric', pa.float32()),
    ('novelty', pa.float32()),
    ('embedding_row', pa.int64()),   # row in embeddings.npy
])


class Description(Model):
    """How a pool was indexed; the same for all of its rows."""

    format: int = Field(default=1, ge=1, le=1)
    extractor: str
    options: dict[str, str] = {}
    dimension: int = Field(ge=1)
    dtype: str = Field(default='float32', pattern='^float(16|32)$')
    rate_hz: float = Field(default=2.0, ge=0)
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pool:
    """
    An indexed pool, read-only. Use `Pool.open`.

    :param directory: the pool's directory
    :param units: one row a frame, with SCHEMA's columns
    :param embeddings: memory-mapped (rows, dimension) float16 or float32; `embedding_row` indexes
        it, and not every row is in use
    """

    directory: Path
    description: Description
    units: pa.Table
    embeddings: NDArray[Any]

    @classmethod
    def open(cls, directory: Path | str) -> Pool:
        """
        Open what `active-collection index` made.

        :raises SelectionError: where a file is missing, corrupt or does not fit the others
        """
        directory = Path(directory)
        description = read_description(directory)
        expected = 'a pool (`active-collection index` makes one)'
        units = read_table(directory / INDEX, SCHEMA, expected=expected)
        path = directory / EMBEDDINGS
        try:
            embeddings = np.load(path, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise SelectionError(path, found=f'{type(error).__name__}: {error}',
                                 expected=expected) from error
        rows = units['embedding_row'].to_numpy()
        first, last = (int(rows.min()), int(rows.max())) if len(rows) else (0, -1)
        if (embeddings.shape != (len(embeddings), description.dimension)
                or last >= len(embeddings) or embeddings.dtype != description.dtype):
            raise SelectionError(
                path, found=f'{embeddings.dtype} of shape {embeddings.shape}',
                expected=f'{description.dtype}, at least {last + 1} rows of '
                f'{description.dimension}')
        if first < 0:
            raise SelectionError(f'{directory / INDEX}: column embedding_row', found=first,
                                 expected='at least 0')
        return cls(directory, description, units, embeddings)

    def __len__(self) -> int:
        return int(self.units.num_rows)

    def numbers(self, name: str) -> NDArray[Any]:
        """Return a numeric column as an array of shape (N,)."""
        return np.asarray(self.units[name].to_numpy())

    def texts(self, name: str) -> list[str]:
        """Return a text column."""
        return [str(value) for value in self.units[name].to_pylist()]

    def codes(self, *names: str) -> NDArray[np.int64]:
        """Return int64 of shape (N,): equal where all of the named text columns are equal."""
        combined = np.zeros(len(self), np.int64)
        for name in names:
            encoded = self.units[name].combine_chunks().dictionary_encode()
            indices = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)
            combined = combined * (len(encoded.dictionary) + 1) + indices
            combined = np.unique(combined, return_inverse=True)[1].astype(np.int64)
        return combined

    def bag_path(self, stored: str) -> Path:
        """Return where a bag lies, given the index's `bag` column."""
        return Path(os.path.normpath(self.directory.resolve().parent / stored))


def stored_path(bag: Path, directory: Path) -> str:
    """Return what the `bag` column holds for a bag in the pool of a directory."""
    bag, root = bag.resolve(), directory.resolve().parent
    return str(bag.relative_to(root)) if bag.is_relative_to(root) else str(bag)


def read_description(directory: Path) -> Description:
    """
    Return how a pool was indexed.

    :raises SelectionError: where there is no pool, or its description cannot be understood
    """
    path = directory / DESCRIPTION
    try:
        return validate(read_json(path), Description,
                        where=str(path))
    except ConfigError as error:
        raise SelectionError(error.where, found=error.found, expected=error.expected) from error
    except (OSError, ValueError, TypeError) as error:
        raise SelectionError(path, found=str(error),
                             expected='a pool (`active-collection index` makes one)') from error
