# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The chunk of an MCAP file that messages fill before they are written together."""
from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from active_collection.mcap import records as mcap
from active_collection.mcap.compression import compressor
from active_collection.mcap.limits import Buffer

#: The earliest time of nothing (ns).
NEVER = 2**64 - 1
#: Up to so many pieces are written as they are: copying large ones into one takes longer. One
#: system call takes at most 1,024.
_MOST_PARTS = 256


@dataclass
class Channel:
    """
    A channel of a file.

    :param schema: record of its schema; empty for none
    :param record: its own
    :param defined: whether they stand in the file or in an open chunk
    :param messages: in whole chunks; likewise their serialized `bytes`
    """

    id: int
    schema: bytes
    record: bytes
    chunk: OpenChunk
    defined: bool = False
    messages: int = 0
    bytes: int = 0


@dataclass
class OpenChunk:
    """
    A chunk being filled.

    :param size: bytes of its records, uncompressed
    :param index: channel id to log time (ns) and offset, in turn
    :param sizes: channel id to serialized bytes
    """

    compression: str
    compress: Callable[[bytes], bytes]
    parts: list[Buffer] = field(default_factory=list)
    size: int = 0
    start_ns: int = NEVER
    end_ns: int = 0
    index: dict[int, list[int]] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, compression: str) -> OpenChunk:
        """
        Return an empty one.

        :param compression: '', 'zstd' or 'lz4'
        """
        return cls(compression, compressor(compression))

    def add(self, channel: Channel, *, log_ns: int, publish_ns: int, sequence: int,
            data: Buffer) -> None:
        """Add a message of one of its channels, and the channel in front of its first."""
        if not channel.defined:
            definitions = channel.schema + channel.record
            self.parts.append(definitions)
            self.size += len(definitions)
            channel.defined = True
        size = len(data)
        index = self.index.get(channel.id)
        if index is None:
            index = self.index[channel.id] = []
            self.sizes[channel.id] = 0
        index.append(log_ns)
        index.append(self.size)
        self.sizes[channel.id] += size
        self.parts.append(mcap.MESSAGE_RECORD.pack(
            mcap.MESSAGE, mcap.MESSAGE_HEAD.size + size, channel.id,
            sequence & 0xFFFFFFFF, log_ns, publish_ns))
        self.parts.append(data)
        self.size += mcap.MESSAGE_RECORD.size + size
        self.start_ns = min(self.start_ns, log_ns)
        self.end_ns = max(self.end_ns, log_ns)

    def packed(self) -> tuple[list[Buffer], int]:
        """Return the records as they are to stand in the file, in pieces, and their checksum."""
        if self.compression or len(self.parts) > _MOST_PARTS:
            data = b''.join(self.parts)
            return [self.compress(data)], zlib.crc32(data)
        crc = 0
        for part in self.parts:
            crc = zlib.crc32(part, crc)
        return self.parts, crc

    def clear(self) -> None:
        """Begin anew."""
        self.parts, self.index, self.sizes = [], {}, {}
        self.size, self.start_ns, self.end_ns = 0, NEVER, 0
