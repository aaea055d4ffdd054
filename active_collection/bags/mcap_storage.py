# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Read an MCAP file by its message indexes: only what is wanted, stepping over what is corrupt.

Chunks are read in the order of their times. Of a chunk that is not compressed, messages that are
large or few are read one by one: what is read last is in the processor's cache when it is looked
at. Any other chunk is read whole, its checksum compared, and kept for a moment.
"""
from __future__ import annotations

import heapq
from collections import Counter
from collections import OrderedDict
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Set
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rosbags.typesys.msg import normalize_msgtype

from active_collection.bags.storage import SALVAGE
from active_collection.bags.storage import Connection
from active_collection.bags.storage import Damaged
from active_collection.bags.storage import Query
from active_collection.errors import BagError
from active_collection.mcap import index as mcap_index
from active_collection.mcap import records as mcap
from active_collection.mcap.chunk import inside
from active_collection.mcap.chunk import message_size
from active_collection.mcap.chunk import pairs_of
from active_collection.mcap.chunk import places_of
from active_collection.mcap.chunk import plain
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits
from active_collection.mcap.source import Source

#: Chunks that are kept for messages to come (bytes); the newest always is.
_KEPT = 64 << 20
#: A message that is a smaller share of its chunk is copied, so as not to keep the chunk.
_SHARE = 0.25
#: Messages of this size on average are read one by one where that is possible (bytes).
_LARGE = 1 << 17
_HEAD = mcap.PREFIX.size + mcap.MESSAGE_HEAD.size
#: The chunk of messages outside of chunks.
_LOOSE = -1
#: Form of a definition by its schema's encoding.
_FORMS = {'ros2msg': 'msg', 'ros1msg': 'msg', 'ros2idl': 'idl', 'omgidl': 'idl'}


class _Entry(NamedTuple):
    """
    A message.

    :param chunk: offset of its chunk in the file
    :param offset: of its record, in the chunk's records or in the file where it is read by itself
    :param size: at least that of its record (bytes) where it is read by itself; 0: it is not
    """

    time_ns: int
    chunk: int
    offset: int
    channel: int
    size: int


class McapStorage:
    """
    One MCAP file, open for reading.

    :param damaged: told of what is stepped over
    :raises BagError: where it is no MCAP file
    :raises OSError: where it cannot be opened
    """

    def __init__(self, path: Path, *, damaged: Damaged, limits: Limits) -> None:
        self._path, self._damaged, self._limits = path, damaged, limits
        self._source = Source(path)
        try:
            self._contents = self._open()
        except BaseException:
            self._source.close()
            raise
        self._connections = _connections(self._contents)
        self._chunks = {chunk.offset: chunk for chunk in self._contents.chunks}
        self._kept: OrderedDict[int, memoryview] = OrderedDict()
        self._corrupt: dict[int, str] = {}
        self._doubted: set[int] = set()
        self._by_message = False

    @property
    def connections(self) -> Collection[Connection]:
        """Return the topics."""
        return self._connections.values()

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return receive time of the first message and one more than the last's; 0, 0 of none."""
        first, last = self._contents.span_ns
        return (first, last + 1) if first <= last else (0, 0)

    def messages(self, query: Query) -> Iterator[tuple[Connection, int, Buffer]]:
        """Yield messages in the order of their log times."""
        wanted = {n: c for n, c in self._connections.items() if query.wants(c)}
        waiting = [_Entry(time_ns, _LOOSE, offset, number, _HEAD)
                   for time_ns, offset, number in self._contents.loose if number in wanted]
        heapq.heapify(waiting)
        for chunk in sorted(self._contents.chunks, key=lambda c: (c.first_ns, c.offset)):
            if chunk.index_length and not chunk.channels & wanted.keys():
                continue
            if chunk.last_ns < query.start_ns or chunk.first_ns >= query.stop_ns:
                continue
            yield from self._read(_until(chunk.first_ns, waiting), wanted, query)
            for offset in [o for o in self._kept if self._chunks[o].last_ns < chunk.first_ns]:
                del self._kept[offset]  # at once: memory that is used again is in the cache still
            for entry in self._entries(chunk, wanted.keys(), query):
                heapq.heappush(waiting, entry)
        yield from self._read(_until(None, waiting), wanted, query)
        self._kept.clear()

    def close(self) -> None:
        """Close the file. Closing it again does nothing."""
        self._source.close()

    def _open(self) -> mcap_index.Contents:
        if self._source.up_to(0, len(mcap.MAGIC)) != mcap.MAGIC:
            raise BagError(self._path, found=repr(self._source.up_to(0, len(mcap.MAGIC))),
                           expected=f'an MCAP file, which begins with {mcap.MAGIC!r}')
        try:
            contents = mcap_index.from_summary(self._source)
        except ValueError as error:
            self._tell(f'summary: {error}', f'a whole MCAP file; {SALVAGE}')
            contents = None
        if contents is None:
            contents = mcap_index.from_records(
                self._source, lambda at, _, why: self._tell(f'{why} at {at:,}', 'a record'))
            mcap_index.complete(contents, self._source, self._limits, self._lost)
        return contents

    def _entries(self, chunk: mcap.Chunk, wanted: Set[int],
                 query: Query) -> list[_Entry]:
        """Return the wanted messages of a chunk, without reading them where it has an index."""
        if chunk.index_length:
            try:
                return self._indexed(chunk, wanted, query)
            except ValueError as error:
                self._tell(f'message index of chunk at {chunk.offset:,}: {error}', 'a whole one')
        try:
            data = self._plain(chunk)
        except ValueError as error:
            self._lost(chunk, str(error))
            return []
        return [entry for entry in self._scan(chunk, data) if entry.channel in wanted]

    def _indexed(self, chunk: mcap.Chunk, wanted: Set[int], query: Query) -> list[_Entry]:
        if not chunk.compression and chunk.data_offset + chunk.size > chunk.index_offset:
            raise ValueError(f'{chunk.size:,} bytes in a chunk that ends before')
        first = chunk.index_offset
        if (not query.sparse and not self._by_message
                and first - chunk.offset <= self._limits.chunk_bytes):
            first = chunk.offset  # all of it is wanted: one call reads chunk and index
        data = self._source.view(first, chunk.index_offset + chunk.index_length - first)
        pairs = pairs_of(data[chunk.index_offset - first:])
        if not chunk.channels <= pairs.keys():
            raise ValueError(f'{len(pairs)} channels instead of {len(chunk.channels)}')
        places = places_of(chunk, pairs, wanted)
        taken = sum([size for _, _, size, _ in places])
        self._by_message = not chunk.compression and (
            query.sparse or taken < _SHARE * chunk.size or taken >= _LARGE * len(places))
        if self._by_message:
            return [_Entry(time_ns, chunk.offset, chunk.data_offset + offset, number, size)
                    for time_ns, offset, size, number in places]
        if first == chunk.offset:
            with suppress(ValueError):  # raised again by whoever reads a message of it
                self._whole(chunk, data[:chunk.index_offset - first])
        return [_Entry(time_ns, chunk.offset, offset, number, 0)
                for time_ns, offset, _, number in places]

    def _scan(self, chunk: mcap.Chunk, data: memoryview) -> list[_Entry]:
        """Return the messages of a chunk, found record by record."""
        found = inside(data)
        if found.damage:
            self._lost(chunk, f'{found.damage}; {len(found.messages)} messages stand before it')
        entries = []
        for content, _ in found.messages:
            number, _, time_ns, _ = mcap.MESSAGE_HEAD.unpack_from(data, content)
            entries.append(_Entry(time_ns, chunk.offset, content - mcap.PREFIX.size, number, 0))
        return entries

    def _read(self, entries: Iterator[_Entry], wanted: dict[int, Connection],
              query: Query) -> Iterator[tuple[Connection, int, Buffer]]:
        """Yield messages, and tell of a corrupt chunk once."""
        lost: Counter[tuple[int, str]] = Counter()
        for entry in entries:
            connection = wanted[entry.channel]
            if (not query.start_ns <= entry.time_ns < query.stop_ns
                    or not query.visit(connection, entry.time_ns)):
                continue
            try:
                data = self._alone(entry) if entry.size else self._of_chunk(entry)
            except ValueError as error:
                lost[entry.chunk, str(error)] += 1
            else:
                yield connection, entry.time_ns, data
        for (chunk, why), count in lost.items():
            where = 'outside of chunks' if chunk == _LOOSE else f'chunk at {chunk:,}'
            self._tell(f'{where}: {why}; {count} messages left out', 'whole messages')

    def _alone(self, entry: _Entry) -> Buffer:
        most = _HEAD + self._limits.message_bytes
        record = self._source.view(entry.offset, max(min(entry.size, most), _HEAD))
        size = message_size(record, 0, entry.channel, entry.time_ns)
        end = _HEAD + size
        if end > most:
            raise ValueError(f'a message of {size:,} bytes, more than the limit of '
                             f'{self._limits.message_bytes:,}')
        if entry.chunk != _LOOSE and entry.offset + end > self._chunks[entry.chunk].index_offset:
            raise ValueError(f'a message of {size:,} bytes that goes on behind its chunk')
        if end > len(record):  # outside of chunks only the head tells how long it is
            record = self._source.view(entry.offset, end)
        return record[_HEAD:end]

    def _of_chunk(self, entry: _Entry) -> Buffer:
        data = self._whole(self._chunks[entry.chunk])
        if entry.offset + _HEAD > len(data):
            raise ValueError(f'a message at {entry.offset:,} of {len(data):,} bytes')
        size = message_size(data, entry.offset, entry.channel, entry.time_ns)
        start = entry.offset + _HEAD
        if start + size > len(data):
            raise ValueError(f'a message of {size:,} bytes at {start:,} of {len(data):,}')
        message = data[start:start + size]
        return message if size >= _SHARE * len(data) else bytes(message)

    def _whole(self, chunk: mcap.Chunk, record: memoryview | None = None) -> memoryview:
        """Return a chunk's records, kept while there is room: chunks may overlap in time."""
        if chunk.offset in self._corrupt:
            raise ValueError(self._corrupt[chunk.offset])
        if chunk.offset not in self._kept:
            try:
                self._kept[chunk.offset] = self._plain(chunk, record)
            except ValueError as error:
                self._corrupt[chunk.offset] = str(error)
                raise
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[chunk.offset]

    def _plain(self, chunk: mcap.Chunk, record: memoryview | None = None) -> memoryview:
        """Return a chunk's records, of its record in the file where that has been read."""
        data, doubt, _ = plain(self._source, chunk, self._limits, record)
        if doubt and chunk.offset not in self._doubted:
            self._doubted.add(chunk.offset)
            self._lost(chunk, doubt)
        return data

    def _lost(self, chunk: mcap.Chunk, why: str) -> None:
        self._tell(f'chunk at {chunk.offset:,}: {why}', 'a whole chunk')

    def _tell(self, found: str, expected: str) -> None:
        self._damaged(BagError(self._path, found=found, expected=expected))


def _connections(contents: mcap_index.Contents) -> dict[int, Connection]:
    """Return what the channels are, by their number."""
    connections = {}
    for number, channel in contents.channels.items():
        schema = contents.schemas.get(channel.schema, mcap.Schema(0, '', '', ''))
        name = schema.name if '/' not in schema.name else normalize_msgtype(schema.name)
        connections[number] = Connection(
            number, channel.topic, name, channel.encoding, _FORMS.get(schema.encoding, ''),
            schema.text, contents.counts[number])
    return connections


def _until(time_ns: int | None, waiting: list[_Entry]) -> Iterator[_Entry]:
    """Take entries from a heap in the order of time, then of place, up to a time (ns)."""
    while waiting and (time_ns is None or waiting[0].time_ns < time_ns):
        yield heapq.heappop(waiting)
