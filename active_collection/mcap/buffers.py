# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Memory that is used again: the kernel takes longer to give fresh memory than to read a file."""
from __future__ import annotations

#: Less than this the allocator keeps at hand by itself (bytes).
SMALL = 1 << 17
#: More than this is not worth keeping (bytes).
LARGE = 32 << 20
#: Buffers that are kept: one that is read into, one that is looked at, one in between.
_MOST = 3


class Buffers:
    """
    A few buffers, each of which is lent again once nobody looks at it.

    A view of a buffer, a slice of that or a numpy array made of it keeps the buffer from being
    lent. Whoever keeps views of many buffers keeps these, and others are made.
    """

    def __init__(self) -> None:
        self._buffers: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        """Return a writable view of `size` bytes, of any content."""
        for place, buffer in enumerate(self._buffers):
            if len(buffer) >= size and _is_free(buffer):
                # What was lent longest ago is the likeliest to be free: asking is not for nothing.
                self._buffers.append(self._buffers.pop(place))
                return memoryview(buffer)[:size]
        # A quarter more, so that the next one, which is a little larger, fits too.
        made = bytearray(size + size // 4)
        self._buffers.append(made)
        if len(self._buffers) > _MOST:
            # The smallest that is free; where none is, the oldest is its viewers' from now on.
            free = [buffer for buffer in self._buffers[:-1] if _is_free(buffer)]
            gone = min(free, key=len) if free else self._buffers[0]
            self._buffers = [buffer for buffer in self._buffers if buffer is not gone]
        return memoryview(made)[:size]


def _is_free(buffer: bytearray) -> bool:
    """Tell whether nobody looks at a buffer: Python refuses to resize one that somebody does."""
    try:
        buffer.append(buffer.pop())
    except BufferError:
        return False
    return True
