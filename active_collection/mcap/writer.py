# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Write one MCAP file so that what is in it outlives the writer.

The `mcap` and `rosbags` writers close a chunk when it is full and keep its messages in memory
until then. Here a chunk is also closed when it is old, written with one system call, and can be
forced to disk; a write that fails leaves a file that ends with the last whole chunk.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from active_collection.mcap import packing
from active_collection.mcap import records as mcap
from active_collection.mcap.limits import Buffer
from active_collection.mcap.open_chunk import NEVER
from active_collection.mcap.open_chunk import Channel
from active_collection.mcap.open_chunk import OpenChunk
from active_collection.mcap.summary import Summary

LIBRARY = 'active_collection'
#: As much is forced to disk at a time, where messages come faster than they age (bytes).
SYNC_BYTES = 16 * 1024 * 1024


class McapFile:
    """
    One MCAP file being written, chunked, with indexes and checksums.

    Not for two threads at once.

    :param path: the file; must not exist
    :param chunk_bytes: size at which a chunk is closed (bytes, uncompressed)
    :param profile: what the file is for: 'ros2', 'ros1' or empty
    :raises OSError: where it cannot be made
    """

    def __init__(self, path: Path, *, chunk_bytes: int, profile: str = 'ros2') -> None:
        self.path = path
        self.start_ns = NEVER
        self.end_ns = 0
        self._chunk_bytes = chunk_bytes
        self._schema_ids: dict[mcap.Schema, int] = {}
        self._channels: dict[int, Channel] = {}
        self._chunks: dict[str, OpenChunk] = {}
        self._summary = Summary()
        self._unsynced_from = 0
        self._summary_bytes = 0
        self._end = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._append(mcap.MAGIC, packing.header(profile, LIBRARY))

    @property
    def size(self) -> int:
        """Return the bytes in the file and in open chunks."""
        return self._end + sum(chunk.size for chunk in self._chunks.values())

    @property
    def messages(self) -> int:
        """Return the messages in whole chunks."""
        return sum(channel.messages for channel in self._channels.values())

    @property
    def summary_bytes(self) -> int:
        """Return how much `finish` appends at most, beside open chunks and metadata."""
        return self._summary_bytes

    @property
    def closed(self) -> bool:
        """Tell whether the file is closed."""
        return self._descriptor < 0

    def add_channel(self, topic: str, schema: mcap.Schema | None, *,
                    metadata: Mapping[str, str], compression: str = '',
                    encoding: str = 'cdr') -> Channel:
        """
        Add a channel. It is written with its first message, in the same chunk.

        :param schema: the type of its messages, of any number: the file gives it one of its own
        :param metadata: the channel's key/values
        :param compression: of the chunks that its messages go to: '', 'zstd' or 'lz4'
        """
        schema_id, schema_record = 0, b''
        if schema is not None:
            # Publishers of one type may have been built with different releases of its package.
            key = schema._replace(number=0)
            schema_id = self._schema_ids.setdefault(key, len(self._schema_ids) + 1)
            schema_record = packing.schema(
                schema_id, schema.name, schema.encoding, schema.text.encode())
        number = len(self._channels) + 1
        return self.adopt_channel(number, schema=schema_record, compression=compression, channel=(
            packing.channel(number, schema_id, topic, encoding, metadata)))

    def adopt_channel(self, number: int, *, schema: bytes, channel: bytes,
                      compression: str = '') -> Channel:
        """
        Add a channel of another file under its own number, for chunks copied from there.

        :param schema: its schema record; empty for none
        :param channel: its channel record
        :param compression: of the chunks that messages go to which are not copied with theirs
        """
        if compression not in self._chunks:
            self._chunks[compression] = OpenChunk.of(compression)
        adopted = self._channels[number] = Channel(
            number, schema, channel, self._chunks[compression])
        self._summary_bytes += len(schema) + len(channel)
        return adopted

    def define_outside_chunks(self, channels: Iterable[Channel]) -> None:
        """Write the definitions of channels that no chunk so far has."""
        for channel in channels:
            if not channel.defined:
                self._append(channel.schema, channel.record)
                channel.defined = True

    def add_metadata(self, record: bytes, name: str) -> None:
        """
        Add named key/values, which stand outside of chunks.

        :param record: of them
        :raises OSError: where the disk refuses
        """
        offset = self._end
        self._append(record)
        self._summary.metadata.append(packing.metadata_index(offset, len(record), name))

    def add_attachment(self, pieces: Iterable[bytes], head: mcap.Attachment) -> None:
        """
        Add a file, which stands outside of chunks.

        :param pieces: of its record
        :param head: what the record's head says
        :raises OSError: where the disk refuses; the file ends before the attachment
        """
        offset = self._end
        try:
            for piece in pieces:
                self._append(piece)
        except BaseException:
            self._cut(offset)
            raise
        self._summary.attachments.append(
            packing.attachment_index(offset, self._end - offset, head))

    def write(self, channel: Channel, *, log_ns: int, publish_ns: int, sequence: int,
              data: Buffer) -> None:
        """
        Add a message.

        Its data is to stay as it is until its chunk is closed.

        :param log_ns: time of receipt (ns, not negative)
        :param publish_ns: time of publication (ns, not negative)
        :param sequence: the publisher's count, modulo 2^32
        :raises OSError: where a chunk was full and the disk refused it
        """
        chunk = channel.chunk
        chunk.add(channel, log_ns=log_ns, publish_ns=publish_ns, sequence=sequence, data=data)
        if chunk.size >= self._chunk_bytes:
            self._close(chunk)

    def close_chunks(self) -> None:
        """
        Hand every message to the operating system: it outlives the death of this process.

        :raises OSError: where the disk refuses
        """
        for chunk in self._chunks.values():
            self._close(chunk)

    def sync(self, request: Callable[[int], None]) -> None:
        """
        Have every message forced to disk: it then outlives a power cut.

        :param request: has what a file descriptor names forced to disk, soon
        :raises OSError: where the disk refuses, or has refused since the last call
        """
        self.close_chunks()
        if self._unsynced_from < self._end:
            request(self._descriptor)
            self._unsynced_from = self._end

    def sync_often(self, request: Callable[[int], None]) -> None:
        """
        Have what is in whole chunks forced to disk where it has become much.

        A file system that orders its journal behind the data holds writers up while it flushes
        them; little at a time, they hardly wait.

        :raises OSError: where the disk has refused since the last call
        """
        if self._end - self._unsynced_from >= SYNC_BYTES:
            request(self._descriptor)
            self._unsynced_from = self._end

    def finish(self, metadata: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """
        Close open chunks, write the summary, sync and close the file.

        :param metadata: name to key/values, as metadata records
        :raises OSError: where the disk refuses; `abandon` is still to be called
        """
        self.close_chunks()
        self.finish_whole_chunks(metadata)

    def finish_whole_chunks(self, metadata: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Write the summary of the chunks that are in the file, sync and close it."""
        for name, values in (metadata or {}).items():
            self.add_metadata(packing.metadata(name, values), name)
        tail = packing.data_end()
        self._append(tail + self._packed_summary(self._end + len(tail)) + mcap.MAGIC)
        os.fsync(self._descriptor)
        self.abandon()

    def abandon(self) -> None:
        """Close the file as it is. Does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _packed_summary(self, start: int) -> bytes:
        written = [channel for channel in self._channels.values() if channel.messages]
        return self._summary.packed(
            start, schemas=list(dict.fromkeys(c.schema for c in written if c.schema)),
            channels=[channel.record for channel in written],
            messages={channel.id: channel.messages for channel in written},
            start_ns=self.start_ns if written else 0, end_ns=self.end_ns)

    def _close(self, chunk: OpenChunk) -> None:
        if not chunk.index:
            return
        parts, crc = chunk.packed()
        self.append_chunk(
            parts, compression=chunk.compression, size=chunk.size, crc=crc,
            start_ns=chunk.start_ns, end_ns=chunk.end_ns, index=chunk.index)
        for channel_id, index in chunk.index.items():
            channel = self._channels[channel_id]
            channel.messages += len(index) // 2
            channel.bytes += chunk.sizes[channel_id]
        chunk.clear()

    def append_chunk(self, packed: Sequence[Buffer], *, compression: str, size: int, crc: int,
                     start_ns: int, end_ns: int, index: Mapping[int, list[int]]) -> None:
        """
        Append a whole chunk and its indexes.

        :param packed: its records, compressed, in pieces
        :param size: bytes of its records, uncompressed
        :param crc: CRC-32 of its records, uncompressed
        :param index: channel id to log time (ns) and offset, in turn
        :raises OSError: where the disk refuses; the file ends before the chunk
        """
        packed_size = sum(map(len, packed))
        head = packing.chunk_head(start_ns, end_ns, size=size, crc=crc, compression=compression,
                                  compressed_size=packed_size)
        offset, length = self._end, len(head) + packed_size
        message_indexes, indexes_at = b'', {}
        for channel_id, entries in index.items():
            indexes_at[channel_id] = offset + length + len(message_indexes)
            message_indexes += packing.message_index(channel_id, entries)
        self._append(head, *packed, message_indexes)
        chunk_index = packing.chunk_index(
            start_ns=start_ns, end_ns=end_ns, offset=offset, length=length,
            message_indexes=indexes_at, message_index_length=len(message_indexes),
            compression=compression, compressed_size=packed_size, size=size)
        self._summary.chunks.append(chunk_index)
        self._summary_bytes += len(chunk_index)
        self.start_ns = min(self.start_ns, start_ns)
        self.end_ns = max(self.end_ns, end_ns)

    def _append(self, *parts: Buffer) -> None:
        """Write all of the parts, or leave the file as it was."""
        views: list[Any] = [memoryview(part) for part in parts if part]
        written = 0
        try:
            while views:
                count = os.writev(self._descriptor, views)
                written += count
                while views and count >= len(views[0]):
                    count -= len(views.pop(0))
                if views and count:
                    views[0] = views[0][count:]
        except OSError:
            self._cut(self._end)
            raise
        self._end += written

    def _cut(self, end: int) -> None:
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)
        self._end = end
