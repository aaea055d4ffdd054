# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The records of an MCAP file, from bytes that may be corrupt: https://mcap.dev/spec."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from active_collection.bags.storage import Buffer

MAGIC = b'\x89MCAP0\r\n'
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = range(1, 9)
STATISTICS, DATA_END = 0x0B, 0x0F
#: Opcode and length in front of each record.
PREFIX = struct.Struct('<BQ')
#: Channel, sequence, log time and publish time in front of each message's data.
MESSAGE_HEAD = struct.Struct('<HIQQ')
_MESSAGE_RECORD = struct.Struct('<BQHIQQ')
_CHUNK_HEAD = struct.Struct('<QQQI')
_CHUNK_INDEX_HEAD = struct.Struct('<QQQQ')
_MESSAGE_INDEX_HEAD = struct.Struct('<HI')
_PAIR = struct.Struct('<QQ')


class Schema(NamedTuple):
    """A message type: 'ros2msg', 'ros2idl' or 'ros1msg' with its text."""

    number: int
    name: str
    encoding: str
    text: str


class Channel(NamedTuple):
    """A topic."""

    number: int
    schema: int
    topic: str
    encoding: str


class Chunk(NamedTuple):
    """
    Where a chunk lies.

    :param first_ns: log time of its first message (ns), as `last_ns` of its last
    :param offset: of the chunk record in the file
    :param compression: of its records: zstd, lz4 or empty
    :param size: of its records, decompressed (bytes)
    :param index_offset: of the message indexes behind it
    :param index_length: of these (bytes); 0: it has none
    :param channels: numbers of the channels in it, where it has message indexes
    """

    first_ns: int
    last_ns: int
    offset: int
    compression: str
    size: int
    index_offset: int
    index_length: int
    channels: frozenset[int]

    @property
    def data_offset(self) -> int:
        """Return where its records begin in the file."""
        return (self.offset + PREFIX.size + _CHUNK_HEAD.size + 4
                + len(self.compression.encode()) + 8)


class ChunkHead(NamedTuple):
    """What a chunk record says before its records; they begin at `data_offset` in the file."""

    first_ns: int
    last_ns: int
    size: int
    crc: int
    compression: str
    data_offset: int
    data_length: int


class Statistics(NamedTuple):
    """How many messages there are, and when."""

    messages: int
    first_ns: int
    last_ns: int
    counts: dict[int, int]


def records(data: Buffer, start: int = 0) -> Iterator[tuple[int, int, int]]:
    """
    Yield (opcode, offset of the content, offset of its end) of each record.

    :raises ValueError: at a record that reaches beyond the data
    """
    position, end = start, len(data)
    while position < end:
        if position + PREFIX.size > end:
            raise ValueError(f'{end - position} bytes instead of a record')
        opcode, length = PREFIX.unpack_from(data, position)
        content = position + PREFIX.size
        if opcode == 0 or length > end - content:
            raise ValueError(f'a record of kind {opcode} with {length:,} bytes at {position:,}, '
                             f'where {end - content:,} are left')
        position = content + length
        yield opcode, content, position


def schema(data: Buffer) -> Schema:
    """:raises ValueError: where the bytes are no schema."""
    number, position = _number(data, 0, 2)
    name, position = _text(data, position)
    encoding, position = _text(data, position)
    text, _ = _text(data, position)
    return Schema(number, name, encoding, text)


def channel(data: Buffer) -> Channel:
    """:raises ValueError: where the bytes are no channel."""
    number, position = _number(data, 0, 2)
    schema_number, position = _number(data, position, 2)
    topic, position = _text(data, position)
    encoding, _ = _text(data, position)
    return Channel(number, schema_number, topic, encoding)


def chunk_index(data: Buffer) -> Chunk:
    """:raises ValueError: where the bytes are no chunk index."""
    if len(data) < _CHUNK_INDEX_HEAD.size + 12:
        raise ValueError(f'a chunk index of {len(data)} bytes')
    first, last, offset, length = _CHUNK_INDEX_HEAD.unpack_from(data)
    size, position = _number(data, _CHUNK_INDEX_HEAD.size, 4)
    if size % 10 or position + size + 8 > len(data):
        raise ValueError(f'a chunk index with {size} bytes of channels')
    channels = frozenset(int.from_bytes(data[at:at + 2], 'little')
                         for at in range(position, position + size, 10))
    index_length, position = _number(data, position + size, 8)
    compression, position = _text(data, position)
    plain_size, _ = _number(data, position + 8, 8)
    return Chunk(first, last, offset, compression, plain_size, offset + length,
                 index_length if channels else 0, channels)


def chunk_head(data: Buffer, offset: int, available: int) -> ChunkHead:
    """
    Return the head of a chunk.

    :param data: from the chunk record's content on
    :param offset: of the content in the file
    :param available: bytes of the content
    :raises ValueError: where the bytes are no chunk
    """
    if len(data) < _CHUNK_HEAD.size + 4:
        raise ValueError(f'a chunk of {len(data)} bytes')
    first, last, size, crc = _CHUNK_HEAD.unpack_from(data)
    compression, position = _text(data, _CHUNK_HEAD.size)
    length, position = _number(data, position, 8)
    if position + length > available:
        raise ValueError(f'a chunk with {length:,} bytes of records in {available:,}')
    return ChunkHead(first, last, size, crc, compression, offset + position, length)


def message_index(data: Buffer) -> tuple[int, list[tuple[int, int]]]:
    """
    Return the number of a channel, and (log time in ns, offset in the chunk) of its messages.

    :raises ValueError: where the bytes are no message index
    """
    if len(data) < _MESSAGE_INDEX_HEAD.size:
        raise ValueError(f'a message index of {len(data)} bytes')
    number, size = _MESSAGE_INDEX_HEAD.unpack_from(data)
    end = _MESSAGE_INDEX_HEAD.size + size
    if size % _PAIR.size or end > len(data):
        raise ValueError(f'a message index with {size} bytes of {len(data)}')
    return number, list(_PAIR.iter_unpack(data[_MESSAGE_INDEX_HEAD.size:end]))


def statistics(data: Buffer) -> Statistics:
    """:raises ValueError: where the bytes are no statistics."""
    if len(data) < 46:
        raise ValueError(f'statistics of {len(data)} bytes')
    messages, _, _, _, _, _, first, last = struct.unpack_from('<QHIIIIQQ', data)
    size, position = _number(data, 42, 4)
    if size % 10 or position + size > len(data):
        raise ValueError(f'statistics with {size} bytes of counts')
    counts = dict(struct.iter_unpack('<HQ', data[position:position + size]))
    return Statistics(messages, first, last, counts)


def _number(data: Buffer, position: int, size: int) -> tuple[int, int]:
    end = position + size
    if end > len(data):
        raise ValueError(f'a record that ends after {len(data)} bytes')
    return int.from_bytes(data[position:end], 'little'), end


def _text(data: Buffer, position: int) -> tuple[str, int]:
    size, position = _number(data, position, 4)
    end = position + size
    if end > len(data):
        raise ValueError(f'a text of {size:,} bytes in a record of {len(data)}')
    return str(data[position:end], 'utf-8', 'replace'), end


def message_size(data: Buffer, offset: int, number: int, time_ns: int) -> int:
    """
    Return how long the data of the message is whose record begins at an offset (bytes).

    :param number: of its channel, by the index
    :param time_ns: log time, by the index
    :raises ValueError: where there is another record than the index says
    """
    opcode, length, found, _, found_ns, _ = _MESSAGE_RECORD.unpack_from(data, offset)
    if (opcode, found, found_ns) != (MESSAGE, number, time_ns):
        raise ValueError('another record than the index says')
    if length < MESSAGE_HEAD.size:
        raise ValueError(f'a message record of {length} bytes')
    return int(length) - MESSAGE_HEAD.size
