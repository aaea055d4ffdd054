# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Compression of chunks."""
from __future__ import annotations

from collections.abc import Callable


def compressor(name: str) -> Callable[[bytes], bytes]:
    """
    Return what compresses chunks, for one thread.

    :param name: '' (not at all), 'zstd' or 'lz4'
    """
    if name == 'zstd':
        import zstandard
        level_1 = zstandard.ZstdCompressor(level=1)
        return lambda data: bytes(level_1.compress(data))
    if name == 'lz4':
        import lz4.frame  # type: ignore[import-untyped]
        return lambda data: bytes(lz4.frame.compress(data))
    return lambda data: data


def decompress(name: str, data: bytes, size: int) -> bytes:
    """
    Return a chunk's records.

    :param size: their size that the chunk states (bytes)
    :raises ValueError: where the compression is unknown or the data are damaged
    """
    if name == '':
        return data
    try:
        if name == 'zstd':
            import zstandard
            return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=size))
        if name == 'lz4':
            import lz4.frame
            return bytes(lz4.frame.decompress(data))
    except Exception as error:  # each library has its own
        raise ValueError(f'{name}: {error}') from error
    raise ValueError(f'compression {name!r}')
