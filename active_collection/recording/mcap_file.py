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
import struct
import zlib
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from active_collection.recording import mcap_records as records
from active_collection.recording.background_sync import BackgroundSync
from active_collection.recording.definitions import Definition
from active_collection.recording.mcap_chunk import NEVER
from active_collection.recording.mcap_chunk import Channel
from active_collection.recording.mcap_chunk import OpenChunk

LIBRARY = 'active_collection'
#: As much is forced to disk at a time, where messages come faster than they age (bytes).
SYNC_BYTES = 16 * 1024 * 1024


class McapFile:
    """
    One MCAP file being written, of the ros2 profile, chunked, with indexes and checksums.

    Not for two threads at once.

    :param path: the file; must not exist
    :param chunk_bytes: size at which a chunk is closed (bytes, uncompressed)
    :raises OSError: where it cannot be made
    """

    def __init__(self, path: Path, *, chunk_bytes: int) -> None:
        self.path = path
        self.start_ns = NEVER
        self.end_ns = 0
        self._chunk_bytes = chunk_bytes
        self._schemas: dict[Definition | bytes, bytes] = {}
        self._schema_ids: dict[Definition, int] = {}
        self._channels: dict[int, Channel] = {}
        self._chunks: dict[str, OpenChunk] = {}
        self._chunk_indexes: list[bytes] = []
        self._unsynced_from = 0
        self._end = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._append(records.MAGIC, records.header(LIBRARY))

    @property
    def size(self) -> int:
        """Return the bytes in the file and in open chunks."""
        return self._end + sum(chunk.size for chunk in self._chunks.values())

    @property
    def messages(self) -> int:
        """Return the messages in whole chunks."""
        return sum(channel.messages for channel in self._channels.values())

    @property
    def closed(self) -> bool:
        """Tell whether the file is closed."""
        return self._descriptor < 0

    def add_channel(self, topic: str, definition: Definition, *, qos: str = '',
                    compression: str = '', encoding: str = 'cdr') -> Channel:
        """
        Add a channel. It is written with its first message, in the same chunk.

        :param qos: what publishers offer, as YAML
        :param compression: of the chunks that its messages go to: '', 'zstd' or 'lz4'
        """
        schema_id = 0
        if definition.encoding:
            # Publishers of one type may have been built with different releases of its package.
            schema_id = self._schema_ids.setdefault(definition, len(self._schema_ids) + 1)
            self._schemas[definition] = records.schema(
                schema_id, definition.type, definition.encoding, definition.text.encode())
        number = len(self._channels) + 1
        metadata = {'offered_qos_profiles': qos, 'topic_type_hash': definition.type_hash}
        record = records.channel(number, schema_id, topic, encoding, metadata)
        if compression not in self._chunks:
            self._chunks[compression] = OpenChunk.of(compression)
        chunk = self._chunks[compression]
        channel = Channel(number, self._schemas.get(definition, b'') + record, chunk)
        self._channels[number] = channel
        return channel

    def adopt_channel(self, number: int, *, schema: bytes, channel: bytes) -> Channel:
        """
        Add a channel of another file under its own number, for chunks copied from there.

        :param schema: its schema record; empty for none
        :param channel: its channel record
        """
        if '' not in self._chunks:
            self._chunks[''] = OpenChunk.of('')
        if schema:
            self._schemas.setdefault(schema, schema)
        adopted = Channel(number, schema + channel, self._chunks[''])
        self._channels[number] = adopted
        return adopted

    def define_outside_chunks(self, channels: Iterable[Channel]) -> None:
        """Write the definitions of channels that no chunk so far has."""
        for channel in channels:
            if not channel.defined:
                self._append(channel.definitions)
                channel.defined = True

    def write(self, channel: Channel, *, log_ns: int, publish_ns: int, sequence: int,
              data: bytes) -> None:
        """
        Add a message.

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

    def sync(self, background: BackgroundSync) -> None:
        """
        Have every message forced to disk: it then outlives a power cut.

        :raises OSError: where the disk refuses, or has refused since the last call
        """
        self.close_chunks()
        if self._unsynced_from < self._end:
            background.request(self._descriptor)
            self._unsynced_from = self._end

    def sync_often(self, background: BackgroundSync) -> None:
        """
        Have what is in whole chunks forced to disk where it has become much.

        A file system that orders its journal behind the data holds writers up while it flushes
        them; little at a time, they hardly wait.

        :raises OSError: where the disk has refused since the last call
        """
        if self._end - self._unsynced_from >= SYNC_BYTES:
            background.request(self._descriptor)
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
        indexes = []
        tail = b''
        for name, values in (metadata or {}).items():
            record = records.metadata(name, values)
            indexes.append(records.metadata_index(self._end + len(tail), len(record), name))
            tail += record
        tail += records.data_end()
        tail += self._summary(self._end + len(tail), indexes)
        self._append(tail + records.MAGIC)
        os.fsync(self._descriptor)
        self.abandon()

    def abandon(self) -> None:
        """Close the file as it is. Does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _summary(self, start: int, metadata_indexes: list[bytes]) -> bytes:
        written = {c.id: c for c in self._channels.values() if c.messages}
        channels = [_last_record(channel.definitions) for channel in written.values()]
        used = {channel.definitions for channel in written.values()}
        schemas = [s for s in self._schemas.values() if any(d.startswith(s) for d in used)]
        statistics = records.statistics(
            schemas=len(schemas), channels=len(channels), metadata=len(metadata_indexes),
            chunks=len(self._chunk_indexes), start_ns=self.start_ns if written else 0,
            end_ns=self.end_ns, messages={c.id: c.messages for c in written.values()})
        groups = (
            (records.SCHEMA, b''.join(schemas)),
            (records.CHANNEL, b''.join(channels)),
            (records.STATISTICS, statistics),
            (records.CHUNK_INDEX, b''.join(self._chunk_indexes)),
            (records.METADATA_INDEX, b''.join(metadata_indexes)),
        )
        body, offsets = b'', b''
        for opcode, group in groups:
            if group:
                offsets += records.summary_offset(opcode, start + len(body), len(group))
                body += group
        summary = body + offsets + records.footer_head(start, start + len(body))
        return summary + struct.pack('<I', zlib.crc32(summary))

    def _close(self, chunk: OpenChunk) -> None:
        if not chunk.index:
            return
        data = b''.join(chunk.parts)
        compressed = chunk.compress(data)
        self.append_chunk(
            compressed, compression=chunk.compression, size=len(data), crc=zlib.crc32(data),
            start_ns=chunk.start_ns, end_ns=chunk.end_ns, index=chunk.index)
        for channel_id, index in chunk.index.items():
            channel = self._channels[channel_id]
            channel.messages += len(index) // 2
            channel.bytes += chunk.sizes[channel_id]
        chunk.clear()

    def append_chunk(self, compressed: bytes, *, compression: str, size: int, crc: int,
                     start_ns: int, end_ns: int, index: Mapping[int, list[int]]) -> None:
        """
        Append a whole chunk and its indexes.

        :param compressed: its records, compressed
        :param size: bytes of its records, uncompressed
        :param crc: CRC-32 of its records, uncompressed
        :param index: channel id to log time (ns) and offset, in turn
        :raises OSError: where the disk refuses; the file ends before the chunk
        """
        head = records.chunk_head(
            start_ns, end_ns, size=size, crc=crc, compression=compression,
            compressed_size=len(compressed))
        offset, length = self._end, len(head) + len(compressed)
        message_indexes, indexes_at = b'', {}
        for channel_id, entries in index.items():
            indexes_at[channel_id] = offset + length + len(message_indexes)
            message_indexes += records.message_index(channel_id, entries)
        self._append(head, compressed, message_indexes)
        self._chunk_indexes.append(records.chunk_index(
            start_ns=start_ns, end_ns=end_ns, offset=offset, length=length,
            message_indexes=indexes_at, message_index_length=len(message_indexes),
            compression=compression, compressed_size=len(compressed), size=size))
        self.start_ns = min(self.start_ns, start_ns)
        self.end_ns = max(self.end_ns, end_ns)

    def _append(self, *parts: bytes) -> None:
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
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            raise
        self._end += written


def _last_record(definitions: bytes) -> bytes:
    """Return the channel record, which is the last of a channel's definitions."""
    start = 0
    while True:
        _, length = records.PREFIX.unpack_from(definitions, start)
        end = start + records.PREFIX.size + length
        if end == len(definitions):
            return definitions[start:]
        start = end
