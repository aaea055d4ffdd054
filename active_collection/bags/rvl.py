# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Decode RVL, the lossless depth compression of compressed_depth_image_transport.

Wilson, "Fast Lossless Depth Image Compression", ISS 2017: runs of zeros and of differences, as
numbers of three bits a nibble whose fourth bit says that another nibble follows.
"""
from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_SIZE = struct.Struct('<II')
#: Nibbles of the longest number that fits a difference of 16-bit depths or a run.
_LONGEST = 10


def size(data: NDArray[np.uint8]) -> tuple[int, int]:
    """
    Return height and width, which stand in front of the compressed depths.

    :raises ValueError: where there are fewer bytes
    """
    if data.size < _SIZE.size:
        raise ValueError(f'{data.size} bytes of RVL')
    width, height = _SIZE.unpack(data[:_SIZE.size].tobytes())
    return height, width


def decode(data: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """
    Return a depth image.

    :param data: width and height, 4 bytes each, and the compressed depths
    :return: shape (height, width); 0 is not measured
    :raises ValueError: where there is less or more than an image
    """
    height, width = size(data)
    numbers = _numbers(data[_SIZE.size:])
    depths = np.zeros(height * width, np.uint16)
    runs, places = _runs(numbers, depths.size)
    differences = numbers[np.concatenate(runs)] if runs else numbers[:0]
    # The last bit is the sign; a depth is the sum of the differences so far, across gaps.
    signed = (differences >> 1) ^ -(differences & 1)
    if runs:
        depths[np.concatenate(places)] = np.cumsum(signed).astype(np.uint16)
    return depths.reshape(height, width)


def _runs(numbers: NDArray[np.int64], pixels: int) -> tuple[
        list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return, for each run of depths, the places of its differences and those of its pixels."""
    runs, places = [], []
    position = pixel = 0
    while pixel < pixels:
        if position + 2 > numbers.size:
            raise ValueError(f'RVL that ends after {pixel:,} of {pixels:,} pixels')
        zeros, depths = int(numbers[position]), int(numbers[position + 1])
        position += 2
        pixel += zeros
        if not zeros + depths or pixel + depths > pixels or position + depths > numbers.size:
            raise ValueError(f'RVL with a run of {zeros:,} zeros and {depths:,} depths at pixel '
                             f'{pixel:,} of {pixels:,}')
        if depths:
            runs.append(np.arange(position, position + depths))
            places.append(np.arange(pixel, pixel + depths))
        position += depths
        pixel += depths
    return runs, places


def _numbers(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the numbers; each word of 4 bytes begins with its highest nibble."""
    words = data[:data.size // 4 * 4].reshape(-1, 4)[:, ::-1].reshape(-1)
    nibbles = np.stack([words >> 4, words & 15], axis=1).reshape(-1)
    ends = np.flatnonzero(nibbles < 8) + 1
    if not ends.size:
        return np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    if int((ends - starts).max()) > _LONGEST:
        raise ValueError('RVL with a number that is too long')
    within = np.arange(ends[-1]) - np.repeat(starts, ends - starts)
    parts = (nibbles[:ends[-1]] & 7).astype(np.int64) << (3 * within)
    return np.asarray(np.add.reduceat(parts, starts), dtype=np.int64)
