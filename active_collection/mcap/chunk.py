# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is in a chunk: decompressed within bounds, checked, and taken apart as far as it goes."""
from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set
from typing import NamedTuple

from active_collection.mcap import records as mcap
from active_collection.mcap.compression import decompress
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits
from active_collection.mcap.source import Source

#: Of each channel (log time in ns, offset in the chunk) of its messages.
Pairs = Mapping[int, Sequence[tuple[int, int]]]


class Plain(NamedTuple):
    """
    A chunk's records.

    :param doubt: why some of them may be wrong; empty where nothing says so
    :param is_checked: whether their checksum was there and is right
    """

    data: memoryview
    doubt: str
    is_checked: bool


class Inside(NamedTuple):
    """
    What a chunk's records are.

    :param messages: (offset of the content, of its end) of each message in the chunk
    :param definitions: (opcode, content) of each schema and channel
    :param damage: what is wrong with the records; empty: nothing
    """

    messages: list[tuple[int, int]]
    definitions: list[tuple[int, memoryview]]
    damage: str


def plain(source: Source, chunk: mcap.Chunk, limits: Limits,
          record: memoryview | None = None) -> Plain:
    """
    Return a chunk's records, by its head or, where that is damaged, by its index.

    What was compressed is either right or damaged; of what was not, most may be right still.

    :param record: its record, where that has been read
    :raises ValueError: where it is damaged, or larger than a limit
    """
    length = chunk.index_offset - chunk.offset
    if length > limits.chunk_bytes:
        raise ValueError(f'{length:,} bytes, more than the limit of {limits.chunk_bytes:,}')
    if record is None:
        record = source.view(chunk.offset, length)
    compression, size = chunk.compression, chunk.size
    begin = chunk.data_offset - chunk.offset
    end = begin + chunk.packed
    head = _head(record)
    if head is not None:
        compression, size = head.compression, head.size
        begin, end = head.data_offset, head.data_offset + head.data_length
    if not begin <= end <= len(record):
        raise ValueError(f'{end - begin:,} bytes of records in a chunk of {length:,}')
    packed = record[begin:end]
    crc = mcap.CHUNK_HEAD.unpack_from(record, mcap.PREFIX.size)[3]
    data = decompress(packed, compression, limits.chunk_bytes,
                      size=size if compression else len(packed))
    is_right = zlib.crc32(data) == crc if crc else True
    if compression and not is_right:
        raise ValueError('another checksum')
    doubt = '' if is_right else 'another checksum: what is in its messages may be wrong'
    return Plain(memoryview(data), doubt, bool(crc) and is_right)


def _head(record: memoryview) -> mcap.ChunkHead | None:
    """Return the head of a chunk's record; None where it is damaged."""
    opcode, length = mcap.PREFIX.unpack_from(record)
    content = record[mcap.PREFIX.size:]
    if opcode != mcap.CHUNK or length != len(content):
        return None
    try:
        head = mcap.chunk_head(content, mcap.PREFIX.size, length)
    except ValueError:
        return None
    return head if head.data_offset + head.data_length == len(record) else None


def pairs_of(data: Buffer) -> dict[int, list[tuple[int, int]]]:
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


def readable_pairs(source: Source, chunk: mcap.Chunk, limits: Limits) -> Pairs:
    """Return what a chunk's message indexes say; nothing where it has none that can be read."""
    if not 0 < chunk.index_length <= limits.chunk_bytes:
        return {}
    try:
        return pairs_of(source.read(chunk.index_offset, chunk.index_length))
    except ValueError:
        return {}


def places_of(chunk: mcap.Chunk, pairs: Pairs,
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


def message_size(data: Buffer, offset: int, number: int, time_ns: int) -> int:
    """
    Return how long the data of the message is whose record begins at an offset (bytes).

    :param number: of its channel, by the index
    :param time_ns: log time, by the index
    :raises ValueError: where there is another record than the index says
    """
    opcode, length, found, _, found_ns, _ = mcap.MESSAGE_RECORD.unpack_from(data, offset)
    if (opcode, found, found_ns) != (mcap.MESSAGE, number, time_ns):
        raise ValueError('another record than the index says')
    if length < mcap.MESSAGE_HEAD.size:
        raise ValueError(f'a message record of {length} bytes')
    return int(length) - mcap.MESSAGE_HEAD.size


def inside(data: memoryview, pairs: Pairs | None = None) -> Inside:
    """
    Take a chunk's records apart.

    :param pairs: of its message indexes: where a record is corrupt, they tell where the next
        message begins
    """
    starts = _starts(data, pairs or {})
    found = Inside([], [], '')
    damage, position, size = '', 0, len(data)
    while position < size:
        following = starts[bisect_right(starts, position)] if len(starts) > 1 else size
        if position + mcap.PREFIX.size > size:
            damage = damage or f'{size - position} bytes instead of a record at {position:,}'
            break
        opcode, length = mcap.PREFIX.unpack_from(data, position)
        content = position + mcap.PREFIX.size
        end = content + length
        if opcode == 0 or end > following:
            damage = damage or (f'a record of kind {opcode} with {length:,} bytes at '
                                f'{position:,}, where {following - content:,} are left')
            end = following
            if opcode != mcap.MESSAGE or end == size:
                position = end
                continue
        if opcode == mcap.MESSAGE and end - content >= mcap.MESSAGE_HEAD.size:
            found.messages.append((content, end))
        elif opcode in {mcap.SCHEMA, mcap.CHANNEL}:
            found.definitions.append((opcode, data[content:end]))
        position = end
    return found._replace(damage=damage)


def _starts(data: memoryview, pairs: Pairs) -> list[int]:
    """Return where messages begin that are what the index says, and where the chunk ends."""
    starts = {len(data)}
    for number, entries in pairs.items():
        for time_ns, offset in entries:
            if offset + mcap.MESSAGE_RECORD.size <= len(data):
                opcode, _, found, _, found_ns, _ = mcap.MESSAGE_RECORD.unpack_from(data, offset)
                if (opcode, found, found_ns) == (mcap.MESSAGE, number, time_ns):
                    starts.add(offset)
    return sorted(starts)
