# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A file that is read at any place, without a position and without trust in offsets."""
from __future__ import annotations

import os
from pathlib import Path

from active_collection.mcap.buffers import LARGE
from active_collection.mcap.buffers import SMALL
from active_collection.mcap.buffers import Buffers


class Source:
    """
    An open file.

    :param path: the file
    :raises OSError: where it cannot be opened
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._buffers = Buffers()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, size: int) -> bytes:
        """
        Return exactly some bytes.

        :raises ValueError: where the file does not have them
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise ValueError(f'{size:,} bytes at {offset:,} of a file of {self.size:,}')
        data = os.pread(self._descriptor, size, offset)
        if len(data) < size:  # the kernel gives at most 2 GiB at once
            pieces = [data]
            while (missing := size - sum(map(len, pieces))) and pieces[-1]:
                pieces.append(os.pread(self._descriptor, missing, offset + size - missing))
            data = b''.join(pieces)
        if len(data) < size:
            raise ValueError(f'{len(data):,} of {size:,} bytes at {offset:,}')
        return data

    def view(self, offset: int, size: int) -> memoryview:
        """
        Return exactly some bytes, in memory that is used again when nobody looks at it any more.

        :raises ValueError: where the file does not have them
        """
        if not SMALL <= size <= LARGE or offset < 0 or offset + size > self.size:
            return memoryview(self.read(offset, size))
        buffer = self._buffers.take(size)
        filled = os.preadv(self._descriptor, [buffer], offset)
        while filled < size:  # the file has become shorter, or a signal came in between
            count = os.preadv(self._descriptor, [buffer[filled:]], offset + filled)
            if not count:
                raise ValueError(f'{filled:,} of {size:,} bytes at {offset:,}')
            filled += count
        return buffer.toreadonly()

    def up_to(self, offset: int, size: int) -> bytes:
        """Return at most some bytes: fewer where the file ends."""
        return self.read(offset, max(0, min(size, self.size - offset)))

    def find(self, pattern: bytes, offset: int) -> int:
        """Return where a pattern occurs next at or after an offset; -1 where it does not."""
        step = 1 << 20
        while offset < self.size:
            place = self.up_to(offset, step + len(pattern) - 1).find(pattern)
            if place >= 0:
                return offset + place
            offset += step
        return -1

    def close(self) -> None:
        """Close the file. Closing it again does nothing."""
        self._buffers = Buffers()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
