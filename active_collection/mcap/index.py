# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an MCAP file holds and where: by its summary, record by record, or by both."""
from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field

from active_collection.mcap import records as mcap
from active_collection.mcap.chunk import Inside
from active_collection.mcap.chunk import inside
from active_collection.mcap.chunk import plain
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits
from active_collection.mcap.scan import Damaged
from active_collection.mcap.scan import Place
from active_collection.mcap.scan import places
from active_collection.mcap.source import Source

#: No summary, definition or metadata is as long (bytes); a length that is damaged can be.
_LARGEST = 1 << 28


@dataclass
class Contents:
    """
    What an MCAP file holds.

    :param summary_damage: why the summary cannot be read; empty: it can, or there is none
    :param profile: what the file is for: 'ros2', 'ros1' or empty; None where nothing says so
    :param raw: records of schemas and channels as they are, by opcode and number
    :param chunks: where they lie
    :param loose: (log time in ns, offset of the record, channel) of messages outside of chunks
    :param extras: attachments and metadata, where they lie
    :param repeated: definitions of a summary that may be damaged
    :param counts: messages of each channel
    :param span_ns: log times of the first and the last message (ns)
    """

    summary_damage: str = ''
    profile: str | None = None
    schemas: dict[int, mcap.Schema] = field(default_factory=dict)
    channels: dict[int, mcap.Channel] = field(default_factory=dict)
    raw: dict[tuple[int, int], bytes] = field(default_factory=dict)
    chunks: list[mcap.Chunk] = field(default_factory=list)
    loose: list[tuple[int, int, int]] = field(default_factory=list)
    extras: list[Place] = field(default_factory=list)
    repeated: Inside = field(default_factory=lambda: Inside([], [], ''))
    counts: Counter[int] = field(default_factory=Counter)
    span_ns: tuple[int, int] = (0, -1)

    def take(self, opcode: int, content: Buffer) -> None:
        """
        Take in a schema or a channel; the first of a number holds.

        :raises ValueError: where it is corrupt
        """
        if opcode == mcap.SCHEMA:
            schema = mcap.schema(content)
            self.schemas.setdefault(schema.number, schema)
            self.raw.setdefault((opcode, schema.number), bytes(content))
        elif opcode == mcap.CHANNEL:
            channel = mcap.channel(content)
            self.channels.setdefault(channel.number, channel)
            self.raw.setdefault((opcode, channel.number), bytes(content))

    def take_inside(self, found: Inside) -> None:
        """Take in the definitions of a chunk, as far as they can be read."""
        for opcode, content in found.definitions:
            with suppress(ValueError):
                self.take(opcode, content)

    def stretch(self, first_ns: int, last_ns: int) -> None:
        """Widen the span."""
        first, last = self.span_ns
        self.span_ns = ((first_ns, last_ns) if last < first
                        else (min(first, first_ns), max(last, last_ns)))

    def distrust_index(self, end: int) -> None:
        """Forget the message indexes of the last chunk where they end at a corrupt record."""
        if self.chunks and self.chunks[-1].index_offset + self.chunks[-1].index_length == end:
            self.chunks[-1] = self.chunks[-1]._replace(index_length=0, channels=frozenset())


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
    if end - start > _LARGEST:
        raise ValueError(f'a summary of {end - start:,} bytes')
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


def from_records(source: Source, damaged: Damaged, summary: Contents | None = None) -> Contents:
    """
    Return what a file holds, by stepping from record to record and over what is corrupt.

    :param damaged: told of what is corrupt
    :param summary: what a whole summary says, which helps where the data is corrupt
    """
    contents = Contents()

    def tell(position: int, following: int, why: str) -> None:
        contents.distrust_index(position)
        damaged(position, following, why)

    known = [] if summary is None else sorted(chunk.offset for chunk in summary.chunks)
    end = None
    for place in places(source, tell, known=known):
        if place.opcode in {mcap.DATA_END, mcap.FOOTER}:
            end = place.end
            break
        try:
            _take(contents, source, place)
        except ValueError as error:
            tell(place.offset, place.end, str(error))
    if end is not None:
        # A summary repeats definitions: one that is damaged elsewhere may still have them.
        for place in places(source, lambda *_: None, start=end):
            if place.opcode in {mcap.SCHEMA, mcap.CHANNEL}:
                with suppress(ValueError):
                    contents.repeated.definitions.append(
                        (place.opcode, memoryview(_content(source, place))))
    return contents


def survey(source: Source, damaged: Damaged) -> Contents:
    """
    Return all that a file holds: what its summary says, and what is found record by record.

    :param damaged: told of what is corrupt
    """
    summary, damage = None, ''
    try:
        summary = from_summary(source)
    except ValueError as error:
        damage = f'summary: {error}'
    contents = from_records(source, damaged, summary)
    contents.summary_damage = damage
    if summary is not None:
        indexed = {chunk.offset for chunk in summary.chunks}
        contents.chunks = sorted(
            [*summary.chunks, *(c for c in contents.chunks if c.offset not in indexed)],
            key=lambda chunk: chunk.offset)
        contents.schemas = summary.schemas | {
            n: s for n, s in contents.schemas.items() if n not in summary.schemas}
        contents.channels = summary.channels | {
            n: c for n, c in contents.channels.items() if n not in summary.channels}
        contents.raw = {**contents.raw, **summary.raw}
    return contents


def complete(contents: Contents, source: Source, limits: Limits,
             lost: Callable[[mcap.Chunk, str], None]) -> None:
    """
    Look into the chunks whose indexes do not tell all channels and counts.

    Definitions whose checksum is right hold first, then those that the summary repeats.

    :param lost: told of a chunk that cannot be read, which is left out, and why
    """
    doubtful: list[Inside] = []
    seen: set[int] = set()
    gone: set[int] = set()

    def look_into(chunk: mcap.Chunk) -> None:
        seen.add(chunk.offset)
        try:
            held = plain(source, chunk, limits)
        except ValueError as error:
            gone.add(chunk.offset)
            lost(chunk, str(error))
            return
        found = inside(held.data)
        if held.doubt:
            doubtful.append(found._replace(definitions=[
                (opcode, memoryview(bytes(content))) for opcode, content in found.definitions]))
        else:
            contents.take_inside(found)
        if not chunk.index_length:
            contents.counts.update(
                int.from_bytes(held.data[at:at + 2], 'little') for at, _ in found.messages)

    for chunk in contents.chunks:
        if not (chunk.index_length and chunk.channels <= contents.channels.keys()):
            look_into(chunk)
    if any(not chunk.channels <= contents.channels.keys() for chunk in contents.chunks):
        for chunk in contents.chunks:
            if chunk.offset not in seen:
                look_into(chunk)
    for found in (contents.repeated, *doubtful):
        contents.take_inside(found)
    contents.chunks = [chunk for chunk in contents.chunks if chunk.offset not in gone]


def _take(contents: Contents, source: Source, place: Place) -> None:
    """
    Take in what a record says.

    :raises ValueError: where it is corrupt
    """
    opcode, position, content, end, head = place
    if opcode == mcap.HEADER:
        contents.profile = mcap.profile(_content(source, place))
    elif opcode in {mcap.SCHEMA, mcap.CHANNEL}:
        contents.take(opcode, _content(source, place))
    elif head is not None:
        contents.chunks.append(mcap.Chunk(
            head.first_ns, head.last_ns, position, head.compression, head.data_length, head.size,
            end, 0, frozenset()))
        contents.stretch(head.first_ns, head.last_ns)
    elif opcode == mcap.MESSAGE_INDEX and contents.chunks:
        number, size = mcap.message_index_head(source.read(content, 6), end - content)
        chunk = contents.chunks[-1]
        if chunk.index_offset + chunk.index_length == position:
            contents.chunks[-1] = chunk._replace(
                index_length=end - chunk.index_offset, channels=chunk.channels | {number})
            contents.counts[number] += size
    elif opcode == mcap.MESSAGE:
        number, _, time_ns, _ = mcap.MESSAGE_HEAD.unpack(
            source.read(content, mcap.MESSAGE_HEAD.size))
        contents.loose.append((time_ns, position, number))
        contents.counts[number] += 1
        contents.stretch(time_ns, time_ns)
    elif opcode in {mcap.ATTACHMENT, mcap.METADATA}:
        contents.extras.append(place)


def _content(source: Source, place: Place) -> bytes:
    """:raises ValueError: where it is longer than any definition."""
    size = place.end - place.content
    if size > _LARGEST:
        raise ValueError(f'a record of kind {place.opcode} with {size:,} bytes')
    return source.read(place.content, size)
