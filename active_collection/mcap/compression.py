# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Compress, and decompress without trust: never more than was asked for, whatever the data claims.

What does either is imported where data is compressed: a recorder that compresses nothing does
without.
"""
from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from active_collection.errors import BagError
from active_collection.mcap.limits import Buffer

#: How data that zstd compressed begins.
ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
_PIECE = 1 << 20
#: More than this is decompressed in pieces: decompressors hold twice what they give (bytes).
_AT_ONCE = 16 << 20
#: Space that stays free on the disk of the temporary directory (bytes).
_RESERVE = 1 << 30
#: What decompressors raise of corrupt data, beside zstd's own error.
_CORRUPT = (RuntimeError, OSError, EOFError, MemoryError)


def compressor(name: str) -> Callable[[bytes], bytes]:
    """
    Return what compresses chunks, for one thread.

    :param name: '' (not at all), 'zstd' or 'lz4'
    """
    if name == 'zstd':
        level_1 = _zstd().ZstdCompressor(level=1)
        return lambda data: bytes(level_1.compress(data, level_1.FLUSH_FRAME))
    if name == 'lz4':
        import lz4.frame  # type: ignore[import-untyped]
        return lambda data: bytes(lz4.frame.compress(data))
    return lambda data: data


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
    elif compression in {'zstd', 'lz4', 'bz2'}:
        decompressor, corrupt = _decompressor(compression)
        try:
            plain = (_in_pieces(decompressor, data, size) if size is not None and size > _AT_ONCE
                     else decompressor.decompress(data, max_length=most + 1))
        except corrupt as error:
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
    Write what a zstd file holds to another one; of a damaged one, what stands before the damage.

    :param limit: most bytes that may be written
    :raises BagError: where the file is corrupt, or holds more than the limit or the free space
    """
    zstd = _zstd()
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


def _in_pieces(decompressor: Any, data: Buffer, size: int) -> Buffer:
    """Return what comes out of a decompressor, up to one byte more than `size`."""
    plain, filled = bytearray(size + 1), 0
    while filled <= size and not decompressor.eof:
        piece = decompressor.decompress(data, max_length=min(4 * _PIECE, size + 1 - filled))
        if not piece and not data:
            break
        plain[filled:filled + len(piece)] = piece
        filled, data = filled + len(piece), b''
    return memoryview(plain)[:filled]


def _decompressor(compression: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """Return a decompressor, and what it raises of corrupt data."""
    if compression == 'zstd':
        zstd = _zstd()
        return zstd.ZstdDecompressor(), (*_CORRUPT, zstd.ZstdError)
    if compression == 'lz4':
        import lz4.frame
        return lz4.frame.LZ4FrameDecompressor(), _CORRUPT
    import bz2
    return bz2.BZ2Decompressor(), _CORRUPT


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _piece(source: Any) -> bytes:
    # Not `read`, which gives nothing of its last piece where the file breaks off in it.
    return bytes(source.read1(_PIECE))
