# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Step from record to record of an MCAP file, and find the way again behind damage.

Most records tell twice how long they are: in front, and by the lengths of what is in them. Where
the two disagree, that one holds behind which another record begins. Where neither does, the next
chunk is looked for, or a place that the summary knows; behind the last chunk, any record.
"""
from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from active_collection.mcap import records as mcap
from active_collection.mcap.source import Source

#: Told of where damage begins, where it ends (bytes), and what it is. They are the same where
#: nothing was stepped over.
Damaged = Callable[[int, int, str], None]

_PIECE = 1 << 20
#: Enough of a chunk to read its head.
_CHUNK_HEAD = 128
#: No record is as long: three of the eight bytes of its length are 0.
_TOO_LONG = 1 << 40
_COMPRESSIONS = ('', 'lz4', 'zstd')
#: A chunk: opcode, length, times, size, checksum, compression, length.
_LIKE_CHUNK = re.compile(
    rb'(?s)(?=\x06.{5}\0{3}.{28}(?:\0{4}|\x03\0{3}lz4|\x04\0{3}zstd).{5}\0{3})')
#: Any record that a data section has, but for a chunk.
_LIKE_RECORD = re.compile(rb'(?s)(?=[\x03-\x05\x07\x09\x0c\x0f].{5}\0{3})')
#: What records consist of: numbers of 1 to 8 bytes; t: a text, a list or a map with 4 bytes of
#: length in front; d: data with 8.
_LAYOUTS = {
    mcap.HEADER: 'tt', mcap.FOOTER: '884', mcap.SCHEMA: '2ttt', mcap.CHANNEL: '22ttt',
    mcap.MESSAGE_INDEX: '2t', mcap.ATTACHMENT: '88ttd4', mcap.METADATA: 'tt',
    mcap.DATA_END: '4'}


class Place(NamedTuple):
    """
    Where a record lies in a file.

    :param offset: of the record, as `content` behind its length and `end`
    :param head: of a chunk
    """

    opcode: int
    offset: int
    content: int
    end: int
    head: mcap.ChunkHead | None = None


def places(source: Source, damaged: Damaged, *, start: int = len(mcap.MAGIC),
           stop: int | None = None, known: Sequence[int] = ()) -> Iterator[Place]:
    """
    Yield the records of a part of a file, up to one that ends the data section or the file.

    :param start: where the part begins in the file
    :param stop: where it ends; None: with the file
    :param known: offsets of records, in order, as a summary has them
    """
    stop = source.size if stop is None else stop
    position, has_chunks = start, True
    while position < stop:
        try:
            place, oddity = _place(source, position, stop)
        except ValueError as error:
            following = _next_chunk(source, position + 1, stop) if has_chunks else stop
            has_chunks = following < stop
            if not has_chunks:
                following = _next_record(source, position + 1, stop)
            at = bisect_right(known, position)
            following = min([following, *known[at:at + 1]])
            damaged(position, following, str(error))
            position = following
            continue
        if oddity:
            damaged(position, position, oddity)
        yield place
        if place.opcode in {mcap.DATA_END, mcap.FOOTER}:
            return
        position = place.end


def is_torn(source: Source, position: int) -> bool:
    """Tell whether a file ends, or goes on with zeros, before the record at an offset does."""
    head = source.up_to(position, mcap.PREFIX.size)
    if len(head) < mcap.PREFIX.size or not any(head):
        return True
    opcode, length = mcap.PREFIX.unpack(head)
    beyond = source.size - position - mcap.PREFIX.size
    return bool(0 < opcode <= mcap.DATA_END and beyond < length < _TOO_LONG)


def _place(source: Source, position: int, stop: int) -> tuple[Place, str]:
    """
    Return the record at an offset, and what is odd about it.

    :raises ValueError: where there is none, or only a part of it
    """
    if stop - position < mcap.PREFIX.size:
        raise ValueError('the torn head of a record')
    opcode, length = mcap.PREFIX.unpack(source.read(position, mcap.PREFIX.size))
    content = position + mcap.PREFIX.size
    stated, inner = content + length, _inner_end(source, opcode, content, stop)
    if inner == stated <= stop:
        return Place(opcode, position, content, stated), ''
    chunk = _chunk(source, position, stop)
    if chunk is not None:
        return chunk
    if opcode not in {0, mcap.CHUNK}:
        if stated <= stop and _goes_on(source, stated, stop):
            return Place(opcode, position, content, stated), ''
        if inner is not None and _goes_on(source, inner, stop):
            return (Place(opcode, position, content, inner),
                    f'a record of kind {opcode} with {length:,} bytes, of which it has '
                    f'{inner - content:,}')
    if is_torn(source, position):
        raise ValueError(f'a torn record, with {stop - content:,} of {length:,} bytes')
    raise ValueError(f'a record of kind {opcode} with {length:,} bytes')


def _inner_end(source: Source, opcode: int, content: int, stop: int) -> int | None:
    """Return where a record ends by what is in it; None where that does not tell."""
    if opcode not in _LAYOUTS:
        return None
    position = content
    for part in _LAYOUTS[opcode]:
        size = {'t': 4, 'd': 8}.get(part, 0)
        if position + size > stop:
            return None
        position += (size + int.from_bytes(source.read(position, size), 'little') if size
                     else int(part))
    return position if position <= stop else None


def _goes_on(source: Source, position: int, stop: int) -> bool:
    """Tell whether a record can begin at an offset, or the file's end."""
    if stop - position < mcap.PREFIX.size:
        return True
    opcode, length = mcap.PREFIX.unpack(source.read(position, mcap.PREFIX.size))
    return bool((0 < opcode <= mcap.DATA_END or opcode >= 0x80) and length < _TOO_LONG)


def _chunk(source: Source, position: int, stop: int) -> tuple[Place, str] | None:
    """Return the chunk at an offset, and what of its head is damaged; None where there is none."""
    data = source.up_to(position, min(_CHUNK_HEAD, stop - position))
    head = mcap.PREFIX.size + mcap.CHUNK_HEAD.size
    if len(data) < head + 12:
        return None
    opcode, length = mcap.PREFIX.unpack_from(data)
    stated = position + mcap.PREFIX.size + length
    for name in _COMPRESSIONS:
        # Two numbers of eight bytes agree: whatever else is damaged, this is a chunk.
        at = head + 4 + len(name)
        packed = int.from_bytes(data[at:at + 8], 'little')
        if position + at + 8 + packed == stated <= stop:
            is_sound = opcode == mcap.CHUNK and data[head:at] == _text(name)
            return (_chunk_place(data, position, name, packed, stated),
                    '' if is_sound else 'a chunk with a damaged head')
    names = [n for n in _COMPRESSIONS if data[head:].startswith(_text(n))]
    if not names:
        return None
    at = head + 4 + len(names[0])
    packed = int.from_bytes(data[at:at + 8], 'little')
    inner = position + at + 8 + packed
    if opcode == mcap.CHUNK and inner <= stated <= stop and _goes_on(source, stated, stop):
        return _chunk_place(data, position, names[0], packed, stated), ''
    oddity = 'a chunk with a damaged length'
    if packed and inner <= stop and _goes_on(source, inner, stop):
        return _chunk_place(data, position, names[0], packed, inner), oddity
    if opcode == mcap.CHUNK and stated <= stop and _goes_on(source, stated, stop):
        packed = stated - position - at - 8
        return _chunk_place(data, position, names[0], packed, stated), oddity
    return None


def _chunk_place(data: bytes, position: int, name: str, packed: int, end: int) -> Place:
    first, last, size, crc = mcap.CHUNK_HEAD.unpack_from(data, mcap.PREFIX.size)
    begin = position + mcap.PREFIX.size + mcap.CHUNK_HEAD.size + 4 + len(name) + 8
    head = mcap.ChunkHead(first, last, size if name else packed, crc, name, begin, packed)
    return Place(mcap.CHUNK, position, position + mcap.PREFIX.size, end, head)


def _text(name: str) -> bytes:
    return len(name).to_bytes(4, 'little') + name.encode()


def _next_chunk(source: Source, position: int, stop: int) -> int:
    """Return where a record begins that is a chunk beyond doubt; `stop` for none."""
    for found in _matches(source, _LIKE_CHUNK, position, stop):
        chunk = _chunk(source, found, stop)
        if chunk is not None and not chunk[1]:
            return found
    return stop


def _next_record(source: Source, position: int, stop: int) -> int:
    """Return where a record begins that others follow; `stop` for none."""
    for found in _matches(source, _LIKE_RECORD, position, stop):
        opcode, length = mcap.PREFIX.unpack(source.read(found, mcap.PREFIX.size))
        content, end = found + mcap.PREFIX.size, found + mcap.PREFIX.size + length
        if end > stop or not _goes_on(source, end, stop):
            continue
        if opcode == mcap.MESSAGE:
            if length >= mcap.MESSAGE_HEAD.size:
                return found
        elif _inner_end(source, opcode, content, stop) == end:
            return found
    return stop


def _matches(source: Source, pattern: re.Pattern[bytes], position: int,
             stop: int) -> Iterator[int]:
    """Yield where a pattern of less than _CHUNK_HEAD bytes begins."""
    while position < stop:
        piece = source.up_to(position, min(_PIECE + _CHUNK_HEAD, stop - position))
        for match in pattern.finditer(piece):
            if match.start() >= _PIECE:
                break
            yield position + match.start()
        position += _PIECE
