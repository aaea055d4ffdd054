# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The pool on disk: a Parquet row a unit, and memory-mapped embeddings."""
from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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

#: One row a unit: a frame, or the most typical frame of a segment. `bag` is relative to the pool's
#: parent where the bag lies below it, so that a data directory can be moved whole. Times are ns
#: since the epoch. NaN: not known.
SCHEMA = pa.schema([
    ('unit_id', pa.string()),        # unique in the pool, safe as a file name, stable
    ('bag', pa.string()),
    ('bag_key', pa.string()),        # hash of the bag's content
    ('record_key', pa.string()),     # hash of its episode record
    ('topic', pa.string()),
    ('receive_ns', pa.int64()),      # when it was recorded: the bag's own time
    ('sequence', pa.int32()),        # number among the topic's messages of that receive_ns
    ('start_ns', pa.int64()),        # receive time of the unit's first frame
    ('stop_ns', pa.int64()),         # one more than that of its last one
    ('frames', pa.int32()),          # how many of its frames were looked at
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


#: Columns that pools of frames may lack: they follow from others.
_EXTENT: dict[str, Callable[[pa.Table], Any]] = {
    'start_ns': lambda table: table['receive_ns'],
    'stop_ns': lambda table: pc.add(table['receive_ns'], 1),
    'frames': lambda table: pa.array(np.ones(len(table), np.int32))}
#: Key in the index's metadata: number of rows of the embeddings and their CRC-32.
_CHECKSUM = b'active_collection.embeddings_crc32'
_ROWS = 1 << 14
#: Embeddings that are verified whenever they are opened (bytes): that takes some 20 ms.
_CHECKED = 64 << 20


class Description(Model):
    """How a pool was indexed; the same for all of its rows."""

    format: int = Field(default=1, ge=1, le=1)
    extractor: str
    options: dict[str, str] = {}
    dimension: int = Field(ge=1)
    dtype: str = Field(default='float32', pattern='^float(16|32)$')
    rate_hz: float = Field(default=2.0, ge=0)
    topics: tuple[str, ...] = ()
    unit: str = 'frame'
    seconds: float = Field(default=5.0, gt=0)
    penalty: float = Field(default=1.0, gt=0)


@dataclass(frozen=True)
class Pool:
    """
    An indexed pool, read-only. Use `Pool.open`.

    :param directory: the pool's directory
    :param units: one row a unit, with SCHEMA's columns
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
        units = read_table(directory / INDEX, SCHEMA, expected=expected, defaults=_EXTENT)
        path = directory / EMBEDDINGS
        try:
            embeddings = np.load(path, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            # Of an empty file numpy says something else in each version.
            empty = path.is_file() and not path.stat().st_size
            raise SelectionError(path, found='an empty file' if empty else error,
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
        pool = cls(directory, description, units, embeddings)
        if embeddings.nbytes <= _CHECKED:
            pool.verify()
        return pool

    def verify(self) -> None:
        """
        Compare the embeddings with the checksum that the index has of them.

        The index itself carries checksums of its pages, which are compared whenever it is read.
        A pool of at most 64 MiB is verified when it is opened, any other by `index --verify`.

        :raises SelectionError: where they differ
        """
        stored = checksum_of(self.units)
        if stored is None:
            return
        rows, expected = stored
        found = checksum(self.embeddings[:rows]) if rows <= len(self.embeddings) else -1
        if found != expected:
            raise SelectionError(
                self.directory / EMBEDDINGS, found=f'{len(self.embeddings)} rows that differ from '
                f'the checksum in {INDEX}', expected='a copy that is whole (or index again)')

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


def checksum(vectors: NDArray[Any], before: int = 0) -> int:
    """
    Return the CRC-32 of rows.

    :param before: that of the rows in front of them
    """
    for start in range(0, len(vectors), _ROWS):
        before = zlib.crc32(np.ascontiguousarray(vectors[start:start + _ROWS]).data, before)
    return before


def checksum_of(units: pa.Table) -> tuple[int, int] | None:
    """Return how many rows of embeddings have a checksum in the index, and which; None: none."""
    text = (units.schema.metadata or {}).get(_CHECKSUM, b'').decode('ascii', 'replace')
    rows, _, value = text.partition(' ')
    return (int(rows), int(value)) if rows.isdecimal() and value.isdecimal() else None


def with_checksum(units: pa.Table, rows: int, value: int) -> pa.Table:
    """Return an index that has the checksum of the first rows of the embeddings."""
    return units.replace_schema_metadata({
        **(units.schema.metadata or {}), _CHECKSUM: f'{rows} {value}'.encode()})


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
        raise SelectionError(path, found=error,
                             expected='a pool (`active-collection index` makes one)') from error
