# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read the records of an MCAP file from bytes that may be corrupt: https://mcap.dev/spec."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from active_collection.mcap.limits import Buffer

MAGIC = b'\x89MCAP0\r\n'
(HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX, ATTACHMENT,
 ATTACHMENT_INDEX, STATISTICS, METADATA, METADATA_INDEX, SUMMARY_OFFSET,
 DATA_END) = range(1, 16)
#: Opcode and length in front of each record.
PREFIX = struct.Struct('<BQ')
#: Channel, sequence, log time and publish time in front of each message's data.
MESSAGE_HEAD = struct.Struct('<HIQQ')
#: The same with the prefix in front.
MESSAGE_RECORD = struct.Struct('<BQHIQQ')
#: Times of its first and last message (ns), size and checksum of its records.
CHUNK_HEAD = struct.Struct('<QQQI')
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
    """
    A topic.

    :param packed: its key/values, for `text_map`
    """

    number: int
    schema: int
    topic: str
    encoding: str
    packed: bytes = b''


class Chunk(NamedTuple):
    """
    Where a chunk lies.

    :param first_ns: log time of its first message (ns), as `last_ns` of its last
    :param offset: of the chunk record in the file
    :param compression: of its records: zstd, lz4 or empty
    :param packed: of its records in the file (bytes)
    :param size: of its records, decompressed (bytes)
    :param index_offset: of the message indexes behind it
    :param index_length: of these (bytes); 0: it has none
    :param channels: numbers of the channels in it, where it has message indexes
    """

    first_ns: int
    last_ns: int
    offset: int
    compression: str
    packed: int
    size: int
    index_offset: int
    index_length: int
    channels: frozenset[int]

    @property
    def data_offset(self) -> int:
        """Return where its records begin in the file."""
        return (self.offset + PREFIX.size + CHUNK_HEAD.size + 4
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


class Attachment(NamedTuple):
    """
    A file within the file.

    :param log_ns: when it was recorded (ns), as `create_ns` when it was made
    :param offset: of its data in the record's content
    :param size: of its data (bytes)
    """

    log_ns: int
    create_ns: int
    name: str
    media_type: str
    offset: int
    size: int


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


def profile(data: Buffer) -> str:
    """
    Return what a header says of the file's use: 'ros1', 'ros2' or empty.

    :raises ValueError: where the bytes are no header
    """
    return _text(data, 0)[0]


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
    encoding, position = _text(data, position)
    return Channel(number, schema_number, topic, encoding, bytes(data[position:]))


def text_map(data: Buffer) -> dict[str, str]:
    """
    Return key/values: a channel's, or those of a metadata record behind its name.

    :raises ValueError: where the bytes are none
    """
    size, position = _number(data, 0, 4)
    if position + size > len(data):
        raise ValueError(f'key/values of {size:,} bytes in {len(data):,}')
    values, end = {}, position + size
    while position < end:
        key, position = _text(data, position)
        values[key], position = _text(data, position)
    return values


def metadata(data: Buffer) -> tuple[str, dict[str, str]]:
    """
    Return a name and its key/values.

    :raises ValueError: where the bytes are no metadata
    """
    name, position = _text(data, 0)
    return name, text_map(data[position:])


def attachment(data: Buffer, available: int) -> Attachment:
    """
    Return the head of an attachment.

    :param data: from the record's content on
    :param available: bytes of the content
    :raises ValueError: where the bytes are none
    """
    log_ns, position = _number(data, 0, 8)
    create_ns, position = _number(data, position, 8)
    name, position = _text(data, position)
    media_type, position = _text(data, position)
    size, position = _number(data, position, 8)
    if position + size + 4 > available:
        raise ValueError(f'an attachment of {size:,} bytes in {available:,}')
    return Attachment(log_ns, create_ns, name, media_type, position, size)


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
    packed, position = _number(data, position, 8)
    plain_size, _ = _number(data, position, 8)
    return Chunk(first, last, offset, compression, packed, plain_size, offset + length,
                 index_length if channels else 0, channels)


def chunk_head(data: Buffer, offset: int, available: int) -> ChunkHead:
    """
    Return the head of a chunk.

    :param data: from the chunk record's content on
    :param offset: of the content in the file
    :param available: bytes of the content
    :raises ValueError: where the bytes are no chunk
    """
    if len(data) < CHUNK_HEAD.size + 4:
        raise ValueError(f'a chunk of {len(data)} bytes')
    first, last, size, crc = CHUNK_HEAD.unpack_from(data)
    compression, position = _text(data, CHUNK_HEAD.size)
    length, position = _number(data, position, 8)
    if position + length > available:
        raise ValueError(f'a chunk with {length:,} bytes of records in {available:,}')
    return ChunkHead(first, last, size, crc, compression, offset + position, length)


def message_index(data: Buffer) -> tuple[int, list[tuple[int, int]]]:
    """
    Return the number of a channel, and (log time in ns, offset in the chunk) of its messages.

    :raises ValueError: where the bytes are no message index
    """
    number, count = message_index_head(data, len(data))
    end = _MESSAGE_INDEX_HEAD.size + count * _PAIR.size
    return number, list(_PAIR.iter_unpack(data[_MESSAGE_INDEX_HEAD.size:end]))


def message_index_head(data: Buffer, available: int) -> tuple[int, int]:
    """
    Return the number of a channel, and how many messages the index tells of.

    :param data: from the record's content on
    :param available: bytes of the content
    :raises ValueError: where the bytes are no message index
    """
    if len(data) < _MESSAGE_INDEX_HEAD.size:
        raise ValueError(f'a message index of {len(data)} bytes')
    number, size = _MESSAGE_INDEX_HEAD.unpack_from(data)
    if size % _PAIR.size or _MESSAGE_INDEX_HEAD.size + size > available:
        raise ValueError(f'a message index with {size} bytes of {available}')
    return number, size // _PAIR.size


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
