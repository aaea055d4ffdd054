# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Find the chunks and channels of an MCAP file: in its summary, or else record by record."""
from __future__ import annotations

import re
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Set
from dataclasses import dataclass
from dataclasses import field

from rosbags.typesys.msg import normalize_msgtype

from active_collection.bags import mcap_records as mcap
from active_collection.bags.source import Source
from active_collection.bags.storage import Connection

#: Enough of a chunk to read its head.
_CHUNK_HEAD = 256
_PIECE = 1 << 20
#: A chunk of less than 2^40 bytes: opcode, length, times, size, checksum, compression.
_LIKE_CHUNK = re.compile(
    rb'(?s)(?=\x06.{5}\0{3}.{28}(?:\0{4}|\x03\0{3}lz4|\x04\0{3}zstd).{5}\0{3})')
_FORMS = {'ros2msg': 'msg', 'ros1msg': 'msg', 'ros2idl': 'idl', 'omgidl': 'idl'}


@dataclass
class Contents:
    """
    What an MCAP file holds.

    :param chunks: where they lie
    :param loose: (log time in ns, offset of the record, channel) of messages outside of chunks
    :param counts: messages of each channel
    :param span_ns: log times of the first and the last message (ns)
    """

    schemas: dict[int, mcap.Schema] = field(default_factory=dict)
    channels: dict[int, mcap.Channel] = field(default_factory=dict)
    chunks: list[mcap.Chunk] = field(default_factory=list)
    loose: list[tuple[int, int, int]] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    span_ns: tuple[int, int] = (0, -1)

    def connections(self) -> dict[int, Connection]:
        """Return what the channels are, by their number."""
        return {number: self._connection(channel) for number, channel in self.channels.items()}

    def take(self, opcode: int, content: bytes | memoryview) -> None:
        """
        Take in a schema or a channel; the first of a number holds.

        :raises ValueError: where it is corrupt
        """
        if opcode == mcap.SCHEMA:
            schema = mcap.schema(content)
            self.schemas.setdefault(schema.number, schema)
        elif opcode == mcap.CHANNEL:
            channel = mcap.channel(content)
            self.channels.setdefault(channel.number, channel)

    def stretch(self, first_ns: int, last_ns: int) -> None:
        """Widen the span."""
        first, last = self.span_ns
        self.span_ns = ((first_ns, last_ns) if last < first
                        else (min(first, first_ns), max(last, last_ns)))

    def distrust_index(self, end: int) -> None:
        """Forget the message indexes of the last chunk where they end at a corrupt record."""
        if self.chunks and self.chunks[-1].index_offset + self.chunks[-1].index_length == end:
            self.chunks[-1] = self.chunks[-1]._replace(index_length=0, channels=frozenset())

    def _connection(self, channel: mcap.Channel) -> Connection:
        schema = self.schemas.get(channel.schema, mcap.Schema(0, '', '', ''))
        name = schema.name if '/' not in schema.name else normalize_msgtype(schema.name)
        return Connection(channel.number, channel.topic, name, channel.encoding,
                          _FORMS.get(schema.encoding, ''), schema.text,
                          self.counts[channel.number])


def from_summary(source: Source) -> Contents | None:
    """
    Return what the summary at a file's end says; None where it has none that says enough.

    :raises ValueError: where the summary is corrupt or missing
    """
    size = mcap.PREFIX.size + 20 + len(mcap.MAGIC)
    end = source.size - size
    tail = source.read(end, size)
    if tail[-len(mcap.MAGIC):] != mcap.MAGIC or tail[:9] != mcap.PREFIX.pack(mcap.FOOTER, 20):
        raise ValueError('no footer (was the recording cut off?)')
    start, crc = int.from_bytes(tail[9:17], 'little'), int.from_bytes(tail[25:29], 'little')
    if start == 0:
        return None
    data = memoryview(source.read(start, end - start))
    if crc and zlib.crc32(tail[:25], zlib.crc32(data)) != crc:
        raise ValueError('a summary with another checksum')
    contents = Contents()
    statistics: mcap.Statistics | None = None
    for opcode, first, last in mcap.records(data):
        if opcode in {mcap.SCHEMA, mcap.CHANNEL}:
            contents.take(opcode, data[first:last])
        elif opcode == mcap.CHUNK_INDEX:
            contents.chunks.append(mcap.chunk_index(data[first:last]))
        elif opcode == mcap.STATISTICS:
            statistics = mcap.statistics(data[first:last])
    if statistics is None or (statistics.messages and not (contents.chunks and contents.channels
                                                           and contents.schemas)):
        return None
    contents.counts.update(statistics.counts)
    if statistics.messages:
        contents.stretch(statistics.first_ns, statistics.last_ns)
    return contents


def from_records(source: Source, damaged: Callable[[int, str], None]) -> Contents:
    """
    Return what a file holds, by stepping from record to record.

    Where a record is corrupt, the next chunk is looked for.

    :param damaged: told of the offset of a corrupt record and what is wrong with it
    """
    contents = Contents()
    position = len(mcap.MAGIC)
    while position < source.size:
        try:
            position = _step(source, position, contents)
        except ValueError as error:
            damaged(position, str(error))
            contents.distrust_index(position)
            position = _next_chunk(source, position + 1)
    return contents


def pairs_of(data: memoryview) -> dict[int, list[tuple[int, int]]]:
    """
    Return (time in ns, offset in the chunk) of each channel's messages, of a chunk's indexes.

    :raises ValueError: where the message indexes are corrupt
    """
    pairs: dict[int, list[tuple[int, int]]] = {}
    for opcode, first, last in mcap.records(data):
        if opcode == mcap.MESSAGE_INDEX:
            number, entries = mcap.message_index(data[first:last])
            pairs.setdefault(number, []).extend(entries)
    return pairs


def places_of(chunk: mcap.Chunk, pairs: Mapping[int, list[tuple[int, int]]],
              wanted: Set[int]) -> list[tuple[int, int, int, int]]:
    """
    Return where some channels' messages lie: (time in ns, offset, size, channel).

    The offset is in the chunk's records; the size reaches to the next message or the chunk's end.

    :raises ValueError: where one begins behind the chunk's end
    """
    starts = sorted([offset for of in pairs.values() for _, offset in of])
    starts.append(chunk.size)
    if len(starts) > 1 and starts[-2] >= chunk.size:
        raise ValueError(f'a message at {starts[-2]:,} of {chunk.size:,} bytes')
    return [(time_ns, offset, starts[bisect_right(starts, offset)] - offset, number)
            for number in pairs.keys() & wanted for time_ns, offset in pairs[number]]


def _step(source: Source, position: int, contents: Contents) -> int:
    """Take in the record at a position, and return where the next one begins."""
    opcode, length = mcap.PREFIX.unpack(source.read(position, mcap.PREFIX.size))
    content = position + mcap.PREFIX.size
    end = int(content + length)
    if not 0 < opcode < 0x80 or end > source.size:
        raise ValueError(f'a record of kind {opcode} with {length:,} bytes')
    if opcode in {mcap.DATA_END, mcap.FOOTER}:
        return source.size
    if opcode in {mcap.SCHEMA, mcap.CHANNEL}:
        contents.take(opcode, source.read(content, length))
    elif opcode == mcap.CHUNK:
        head = mcap.chunk_head(source.up_to(content, min(length, _CHUNK_HEAD)), content, length)
        contents.chunks.append(
            mcap.Chunk(head.first_ns, head.last_ns, position, head.compression, head.size, end, 0,
                       frozenset()))
        contents.stretch(head.first_ns, head.last_ns)
    elif opcode == mcap.MESSAGE_INDEX and contents.chunks:
        number, pairs = mcap.message_index(source.read(content, length))
        chunk = contents.chunks[-1]
        if chunk.index_offset + chunk.index_length == position:
            contents.chunks[-1] = chunk._replace(
                index_length=end - chunk.index_offset, channels=chunk.channels | {number})
            contents.counts[number] += len(pairs)
    elif opcode == mcap.MESSAGE:
        number, _, time_ns, _ = mcap.MESSAGE_HEAD.unpack(
            source.read(content, mcap.MESSAGE_HEAD.size))
        contents.loose.append((time_ns, position, number))
        contents.counts[number] += 1
        contents.stretch(time_ns, time_ns)
    return end


def _next_chunk(source: Source, position: int) -> int:
    """Return where a record begins that is a chunk beyond doubt; the file's size for none."""
    while position < source.size:
        piece = source.up_to(position, _PIECE + _CHUNK_HEAD)
        for match in _LIKE_CHUNK.finditer(piece):
            if match.start() < _PIECE and _is_chunk(source, position + match.start()):
                return position + match.start()
        position += _PIECE
    return source.size


def _is_chunk(source: Source, position: int) -> bool:
    try:
        _, length = mcap.PREFIX.unpack(source.read(position, mcap.PREFIX.size))
        content = position + mcap.PREFIX.size
        head = mcap.chunk_head(source.up_to(content, min(length, _CHUNK_HEAD)), content, length)
    except ValueError:
        return False
    end = int(content + length)
    return end <= source.size and head.data_offset + head.data_length == end
