# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Read an MCAP file from its beginning, as far as it is whole.

A file whose writer died has no summary, which other readers need; its records up to the torn one
are all there.
"""
from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import BinaryIO

from active_collection.recording import mcap_records as records
from active_collection.recording.compression import decompress


@dataclass(frozen=True)
class Record:
    """
    A record.

    :param offset: of its opcode in the file or the chunk
    """

    opcode: int
    content: bytes
    offset: int

    @property
    def whole(self) -> bytes:
        """Return it with its opcode and length."""
        return records.record(self.opcode, self.content)


@dataclass(frozen=True)
class Chunk:
    """A chunk with its records still compressed, and decompressed."""

    start_ns: int
    end_ns: int
    crc: int
    compression: str
    compressed: bytes
    data: bytes


@dataclass(frozen=True)
class ChannelInfo:
    """What a channel record says."""

    id: int
    schema_id: int
    topic: str
    encoding: str
    metadata: dict[str, str]


@dataclass(frozen=True)
class SchemaInfo:
    """What a schema record says."""

    id: int
    name: str
    encoding: str
    text: str


@dataclass
class Scan:
    """
    The records of a file's data section, in order.

    :param damage: why reading ended before the file's proper end; empty where it did not
    :param kept_bytes: length of the part that was read whole
    """

    path: Path
    damage: str = ''
    kept_bytes: int = 0
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.path.stat().st_size

    def __iter__(self) -> Iterator[Record]:
        if not self.size:
            self.damage = 'an empty file'
            return
        with self.path.open('rb') as file:
            if file.read(len(records.MAGIC)) != records.MAGIC:
                self.damage = 'no MCAP file: its first 8 bytes are not the magic'
                return
            self.kept_bytes = len(records.MAGIC)
            yield from self._records(file)

    def _records(self, file: BinaryIO) -> Iterator[Record]:
        while True:
            offset = file.tell()
            prefix = file.read(records.PREFIX.size)
            if not prefix:
                self.damage = f'ends at byte {offset} without a summary'
                return
            if len(prefix) < records.PREFIX.size:
                self.damage = f'torn record head at byte {offset}'
                return
            opcode, length = records.PREFIX.unpack(prefix)
            if opcode == 0:
                self.damage = f'no record at byte {offset}'
                return
            if length > self.size - file.tell():
                self.damage = f'torn record at byte {offset}'
                return
            content = file.read(length)
            self.kept_bytes = file.tell()
            if opcode == records.DATA_END:
                self.damage = self._end(file)
                return
            yield Record(opcode, content, offset)

    def _end(self, file: BinaryIO) -> str:
        file.seek(-len(records.MAGIC), 2)
        if file.read() != records.MAGIC:
            return f'torn summary after byte {self.kept_bytes}'
        return ''


def parse_chunk(content: bytes) -> Chunk:
    """
    Return a chunk, decompressed and checked.

    :raises ValueError: where its size or its checksum is wrong
    """
    try:
        start_ns, end_ns, size, crc = records.CHUNK_HEAD.unpack_from(content)
        compression, at = _text(content, records.CHUNK_HEAD.size)
        (length,) = struct.unpack_from('<Q', content, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f'chunk head: {error}') from error
    compressed = content[at + 8:at + 8 + length]
    if len(compressed) != length:
        raise ValueError('chunk shorter than it states')
    data = decompress(compression, compressed, size)
    if len(data) != size:
        raise ValueError(f'chunk of {len(data)} bytes where {size} are stated')
    if crc and zlib.crc32(data) != crc:
        raise ValueError('chunk with a wrong checksum')
    return Chunk(start_ns, end_ns, crc, compression, compressed, data)


def records_in(data: bytes) -> Iterator[Record]:
    """
    Return the records of a decompressed chunk.

    :raises ValueError: where one is torn
    """
    at = 0
    while at < len(data):
        if at + records.PREFIX.size > len(data):
            raise ValueError('torn record in a chunk')
        opcode, length = records.PREFIX.unpack_from(data, at)
        begin = at + records.PREFIX.size
        if length > len(data) - begin:
            raise ValueError('torn record in a chunk')
        yield Record(opcode, data[begin:begin + length], at)
        at = begin + length


def message_channel(content: bytes) -> int:
    """
    Return the channel of a message record.

    :raises ValueError: where it is damaged
    """
    if len(content) < records.MESSAGE_FIELDS_SIZE:
        raise ValueError('torn message')
    return int.from_bytes(content[:2], 'little')


def parse_channel(content: bytes) -> ChannelInfo:
    """
    Return what a channel record says.

    :raises ValueError: where it is damaged
    """
    try:
        channel_id, schema_id = struct.unpack_from('<HH', content)
        topic, at = _text(content, 4)
        encoding, at = _text(content, at)
        (length,) = struct.unpack_from('<I', content, at)
        at, end = at + 4, at + 4 + length
        metadata = {}
        while at < end:
            key, at = _text(content, at)
            metadata[key], at = _text(content, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f'channel: {error}') from error
    return ChannelInfo(channel_id, schema_id, topic, encoding, metadata)


def parse_schema(content: bytes) -> SchemaInfo:
    """
    Return what a schema record says.

    :raises ValueError: where it is damaged
    """
    try:
        (schema_id,) = struct.unpack_from('<H', content)
        name, at = _text(content, 2)
        encoding, at = _text(content, at)
        text, _ = _text(content, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f'schema: {error}') from error
    return SchemaInfo(schema_id, name, encoding, text)


def _text(content: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from('<I', content, at)
    begin = at + 4
    if begin + length > len(content):
        raise struct.error('text longer than its record')
    return content[begin:begin + length].decode(), begin + length
