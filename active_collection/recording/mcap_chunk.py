# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The chunk of an MCAP file that messages fill before they are written together."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from active_collection.recording import mcap_records as records
from active_collection.recording.compression import compressor

#: The earliest time of nothing (ns).
NEVER = 2**64 - 1


@dataclass
class Channel:
    """
    A channel of a file.

    :param definitions: its schema record, if it has one, and its channel record
    :param defined: whether they stand in the file or in an open chunk
    :param messages: in whole chunks; likewise their serialized `bytes`
    """

    id: int
    definitions: bytes
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
    parts: list[bytes] = field(default_factory=list)
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
            data: bytes) -> None:
        """Add a message of one of its channels, and the channel in front of its first."""
        if not channel.defined:
            self.parts.append(channel.definitions)
            self.size += len(channel.definitions)
            channel.defined = True
        size = len(data)
        index = self.index.get(channel.id)
        if index is None:
            index = self.index[channel.id] = []
            self.sizes[channel.id] = 0
        index.append(log_ns)
        index.append(self.size)
        self.sizes[channel.id] += size
        self.parts.append(records.MESSAGE_HEAD.pack(
            records.MESSAGE, records.MESSAGE_FIELDS_SIZE + size, channel.id,
            sequence & 0xFFFFFFFF, log_ns, publish_ns))
        self.parts.append(data)
        self.size += records.MESSAGE_HEAD.size + size
        self.start_ns = min(self.start_ns, log_ns)
        self.end_ns = max(self.end_ns, log_ns)

    def clear(self) -> None:
        """Begin anew."""
        self.parts, self.index, self.sizes = [], {}, {}
        self.size, self.start_ns, self.end_ns = 0, NEVER, 0
