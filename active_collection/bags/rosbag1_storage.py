# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Read a rosbag1 file from record to record: what its index lists, and what it does not.

The index at the end of the file is not needed, so a bag that was cut off or that is corrupt in the
middle gives all that is whole.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from active_collection.bags import rosbag1_records as ros1
from active_collection.bags.storage import SALVAGE
from active_collection.bags.storage import Connection
from active_collection.bags.storage import Damaged
from active_collection.bags.storage import Query
from active_collection.errors import BagError
from active_collection.mcap.compression import decompress
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits
from active_collection.mcap.source import Source

#: Decompressed chunks that are kept: topics interleave across the borders of chunks.
_KEPT = 4
_SHARE = 0.25
_CHUNK_MARK = b'op=\x05'


class _Entry(NamedTuple):
    time_ns: int
    chunk: int
    offset: int
    connection: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    compression: str
    size: int
    offset: int
    length: int


class Rosbag1Storage:
    """
    One rosbag1 file, open for reading.

    :param damaged: told of what is stepped over
    :raises BagError: where it is no rosbag1 file of version 2.0, or holds nothing
    :raises OSError: where it cannot be opened
    """

    def __init__(self, path: Path, *, damaged: Damaged, limits: Limits) -> None:
        self._path, self._damaged, self._limits = path, damaged, limits
        self._chunks: dict[int, _Chunk] = {}
        self._entries: list[_Entry] = []
        self._connections: dict[int, Connection] = {}
        #: By the connections' numbers.
        self.publishers: dict[int, ros1.Publisher] = {}
        self._kept: dict[int, memoryview] = {}
        self._corrupt: dict[int, str] = {}
        self._source = Source(path)
        try:
            self._open()
        except BaseException:
            self._source.close()
            raise

    @property
    def connections(self) -> Collection[Connection]:
        """Return the topics."""
        return self._connections.values()

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return receive time of the first message and one more than the last's; 0, 0 of none."""
        if not self._entries:
            return 0, 0
        return self._entries[0].time_ns, self._entries[-1].time_ns + 1

    def messages(self, query: Query) -> Iterator[tuple[Connection, int, Buffer]]:
        """Yield messages in the order of their times."""
        wanted = {n: c for n, c in self._connections.items() if query.wants(c)}
        lost: Counter[tuple[int, str]] = Counter()
        for entry in self._entries:
            connection = wanted.get(entry.connection)
            if connection is None or not query.start_ns <= entry.time_ns < query.stop_ns:
                continue
            if not query.visit(connection, entry.time_ns):
                continue
            try:
                data = self._message(entry)
            except ValueError as error:
                lost[entry.chunk, str(error)] += 1
            else:
                yield connection, entry.time_ns, data
        for (chunk, why), count in lost.items():
            self._tell(f'chunk at {chunk:,}: {why}; {count} messages left out')
        self._kept.clear()

    def close(self) -> None:
        """Close the file. Closing it again does nothing."""
        self._source.close()

    def _open(self) -> None:
        magic = self._source.up_to(0, len(ros1.MAGIC))
        if magic != ros1.MAGIC:
            raise BagError(self._path, found=repr(magic),
                           expected=f'a rosbag1 file, which begins with {ros1.MAGIC!r}')
        indexed = self._walk()
        for position in sorted(self._chunks.keys() - indexed):
            self._scan(position)
        missing = {entry.connection for entry in self._entries} - self._connections.keys()
        for position in sorted({e.chunk for e in self._entries if e.connection in missing}):
            self._scan(position, listed=True)  # connections stand in the chunks too
        unknown = sum(entry.connection not in self._connections for entry in self._entries)
        if unknown:
            self._tell(f'{unknown} messages of an unknown topic')
        self._entries = sorted(e for e in self._entries if e.connection in self._connections)
        counts = Counter(entry.connection for entry in self._entries)
        self._connections = {n: replace(c, count=counts[n])
                             for n, c in self._connections.items()}

    def _walk(self) -> set[int]:
        """Take in every record of the file, and return the chunks whose messages are listed."""
        position, chunk = len(ros1.MAGIC), -1
        listed: dict[int, list[_Entry]] = {}
        bag_ends = False
        while position < self._source.size:
            try:
                place, end = self._record(position)
                if place.kind == ros1.CHUNK:
                    chunk = position
                    self._chunks[chunk] = _Chunk(
                        place.header.get(b'compression', b'').decode('utf-8', 'replace'),
                        ros1.number(place.header, b'size'), place.start, end - place.start)
                elif place.kind == ros1.INDEX and chunk >= 0:
                    data = self._source.read(place.start, end - place.start)
                    listed.setdefault(chunk, []).extend(
                        _Entry(time_ns, chunk, offset, ros1.number(place.header, b'conn'))
                        for time_ns, offset in ros1.index_entries(place.header, data))
                elif place.kind == ros1.CONNECTION:
                    self._take(place.header, self._source.read(place.start, end - place.start))
                elif place.kind == ros1.CHUNK_INFO:
                    bag_ends = True
            except ValueError as error:
                self._tell(f'{error} at {position:,}')
                listed.pop(chunk, None)  # its index may be only half of it
                end = self._next_chunk(position + 4)
            position = end
        if self._chunks and not bag_ends:
            self._tell('no list of chunks at the end (was the recording cut off?)')
        self._entries = [entry for entries in listed.values() for entry in entries]
        return set(listed)

    def _record(self, position: int) -> tuple[ros1.Place, int]:
        """Return a record of the file, whose data is not read, and its end."""
        size = int.from_bytes(self._source.read(position, 4), 'little')
        if size > ros1.LONGEST_HEADER:
            raise ValueError(f'a header of {size:,} bytes')
        fields = ros1.header(self._source.read(position + 4, size))
        start = position + 8 + size
        length = int.from_bytes(self._source.read(start - 4, 4), 'little')
        end = start + length
        if end > self._source.size:
            raise ValueError(f'a record of {length:,} bytes')
        return ros1.Place(fields, ros1.number(fields, b'op'), start, end), end

    def _next_chunk(self, position: int) -> int:
        """Return where the next chunk record begins; the file's size for none."""
        mark = self._source.find(_CHUNK_MARK, position)
        while mark >= 0:
            # The mark is one of three fields, in any order: the header begins shortly before it.
            for start in range(mark - 8, max(position, mark - 64) - 1, -1):
                try:
                    place, end = self._record(start)
                except ValueError:
                    continue
                if place.kind == ros1.CHUNK and b'compression' in place.header and end > start:
                    return start
            mark = self._source.find(_CHUNK_MARK, mark + 1)
        return self._source.size

    def _scan(self, position: int, *, listed: bool = False) -> None:
        """Take in what a chunk itself says: its connections, and messages that no index lists."""
        taken = 0
        try:
            for offset, place in ros1.records(self._whole(position)):
                if place.kind == ros1.CONNECTION:
                    self._take(place.header, bytes(self._whole(position)[place.start:place.end]))
                elif place.kind == ros1.MESSAGE and not listed:
                    self._entries.append(_Entry(
                        ros1.time_ns(place.header.get(b'time', b'')), position, offset,
                        ros1.number(place.header, b'conn')))
                    taken += 1
        except ValueError as error:
            self._tell(f'chunk at {position:,}: {error}; {taken} messages stand before it')

    def _take(self, fields: ros1.Header, data: bytes) -> None:
        connection = ros1.connection(fields, data)
        self._connections.setdefault(connection.number, connection)
        self.publishers.setdefault(connection.number, ros1.publisher(data))

    def _message(self, entry: _Entry) -> Buffer:
        data = self._whole(entry.chunk)
        position = entry.offset
        place = ros1.record(data, position)
        while place.kind == ros1.CONNECTION:
            place = ros1.record(data, place.end)
        time_ns = ros1.time_ns(place.header.get(b'time', b''))
        if (place.kind, time_ns) != (ros1.MESSAGE, entry.time_ns) or ros1.number(
                place.header, b'conn') != entry.connection:
            raise ValueError('another record than the index says')
        message = data[place.start:place.end]
        return message if len(message) >= _SHARE * len(data) else bytes(message)

    def _whole(self, position: int) -> memoryview:
        """Return a chunk's records, decompressed."""
        if position in self._corrupt:
            raise ValueError(self._corrupt[position])
        if position not in self._kept:
            chunk = self._chunks[position]
            try:
                packed = self._source.view(chunk.offset, chunk.length)
                data = decompress(packed, chunk.compression, self._limits.chunk_bytes,
                                  size=chunk.size)
            except ValueError as error:
                self._corrupt[position] = str(error)
                raise
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[position] = memoryview(data)
        return self._kept[position]

    def _tell(self, found: str) -> None:
        self._damaged(BagError(self._path, found=found,
                               expected=f'a whole rosbag1 file; {SALVAGE}'))
