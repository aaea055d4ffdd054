# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Decompress without trust: never more than was asked for, whatever the data claims."""
from __future__ import annotations

import bz2
import shutil
import sys
from pathlib import Path
from typing import Any
from typing import BinaryIO

import lz4.frame  # type: ignore[import-untyped]

from active_collection.bags.storage import Buffer
from active_collection.errors import BagError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_PIECE = 1 << 20
#: Space that stays free on the disk of the temporary directory (bytes).
_RESERVE = 1 << 30
_DECOMPRESSORS: dict[str, Any] = {
    'zstd': zstd.ZstdDecompressor, 'lz4': lz4.frame.LZ4FrameDecompressor,
    'bz2': bz2.BZ2Decompressor}


def decompress(data: Buffer, compression: str, limit: int, *, size: int | None = None) -> Buffer:
    """
    Return decompressed data.

    :param compression: zstd, lz4, bz2; 'none' or empty: data is returned as it is
    :param limit: most bytes that may come out
    :param size: bytes that must come out; None: whatever comes
    :raises ValueError: where the data is corrupt, or more or less comes out
    """
    if size is not None and size > limit:
        raise ValueError(f'{size:,} bytes, more than the limit of {limit:,}')
    most = limit if size is None else size
    if compression in {'', 'none'}:
        plain: Buffer = data
    elif compression in _DECOMPRESSORS:
        decompressor = _DECOMPRESSORS[compression]()
        try:
            plain = decompressor.decompress(data, max_length=most + 1)
        except (RuntimeError, OSError, EOFError, zstd.ZstdError, MemoryError) as error:
            raise ValueError(f'corrupt {compression} data ({error})') from error
        if len(plain) <= most and not decompressor.eof:
            raise ValueError(f'{compression} data that breaks off')
    else:
        raise ValueError(f'compression {compression!r}, not none, bz2, lz4 or zstd')
    if len(plain) > most:
        raise ValueError(f'more than {most:,} bytes of {len(data):,} compressed ones')
    if size is not None and len(plain) != size:
        raise ValueError(f'{len(plain):,} bytes instead of {size:,}')
    return plain


def decompress_file(path: Path, target: Path, limit: int) -> None:
    """
    Write what a zstd file holds to another one.

    :param limit: most bytes that may be written
    :raises BagError: where the file is corrupt, or holds more than the limit or the free space
    """
    most = min(limit, max(shutil.disk_usage(target.parent).free - _RESERVE, 0))
    written = 0
    try:
        with path.open('rb') as file, zstd.open(file, 'rb') as source, target.open('wb') as sink:
            while piece := _piece(source):
                written += len(piece)
                if written > most:
                    raise BagError(path, found=f'more than {most:,} bytes when decompressed',
                                   expected='at most the limit, and the free space of '
                                   f'{target.parent} less {_RESERVE:,} bytes')
                sink.write(piece)
    except (OSError, EOFError, zstd.ZstdError) as error:
        raise BagError(path, found=f'{type(error).__name__}: {error}',
                       expected='a whole zstd file') from error


def _piece(source: BinaryIO | Any) -> bytes:
    return bytes(source.read(_PIECE))
