# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write the records of an MCAP file (https://mcap.dev/spec)."""
from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from collections.abc import Sequence

from active_collection.mcap import records as mcap

FOOTER_SIZE = 20


def record(opcode: int, *parts: bytes) -> bytes:
    """Return a record of these parts."""
    return mcap.PREFIX.pack(opcode, sum(map(len, parts))) + b''.join(parts)


def text(value: str | bytes) -> bytes:
    """Return a string with its length in front."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack('<I', len(data)) + data


def text_map(values: Mapping[str, str]) -> bytes:
    """Return a string-to-string map with its length in front."""
    return text(b''.join(text(key) + text(value) for key, value in values.items()))


def header(profile: str, library: str) -> bytes:
    """
    Return the header of a file.

    :param profile: what the file is for: 'ros2', 'ros1' or empty
    :param library: what writes it
    """
    return record(mcap.HEADER, text(profile), text(library))


def schema(schema_id: int, name: str, encoding: str, data: bytes) -> bytes:
    """Return a schema; id from 1."""
    return record(
        mcap.SCHEMA, struct.pack('<H', schema_id), text(name), text(encoding), text(data))


def channel(channel_id: int, schema_id: int, topic: str, encoding: str,
            metadata: Mapping[str, str]) -> bytes:
    """Return a channel; schema_id 0 is none."""
    return record(mcap.CHANNEL, struct.pack('<HH', channel_id, schema_id), text(topic),
                  text(encoding), text_map(metadata))


def chunk_head(start_ns: int, end_ns: int, *, size: int, crc: int, compression: str,
               compressed_size: int) -> bytes:
    """Return a chunk record up to its compressed records."""
    fields = (mcap.CHUNK_HEAD.pack(start_ns, end_ns, size, crc) + text(compression)
              + struct.pack('<Q', compressed_size))
    return mcap.PREFIX.pack(mcap.CHUNK, len(fields) + compressed_size) + fields


def message_index(channel_id: int, entries: Sequence[int]) -> bytes:
    """
    Return the index of one channel's messages in a chunk.

    :param entries: log time (ns) and offset in the uncompressed chunk, in turn
    """
    return record(mcap.MESSAGE_INDEX, struct.pack('<HI', channel_id, 8 * len(entries)),
                  struct.pack(f'<{len(entries)}Q', *entries))


def chunk_index(*, start_ns: int, end_ns: int, offset: int, length: int,
                message_indexes: Mapping[int, int], message_index_length: int,
                compression: str, compressed_size: int, size: int) -> bytes:
    """
    Return the index of a chunk.

    :param message_indexes: channel to offset of its message index in the file
    """
    offsets = b''.join(struct.pack('<HQ', *item) for item in message_indexes.items())
    return record(
        mcap.CHUNK_INDEX, struct.pack('<QQQQ', start_ns, end_ns, offset, length), text(offsets),
        struct.pack('<Q', message_index_length), text(compression),
        struct.pack('<QQ', compressed_size, size))


def statistics(*, schemas: int, channels: int, attachments: int, metadata: int, chunks: int,
               start_ns: int, end_ns: int, messages: Mapping[int, int]) -> bytes:
    """
    Return the statistics of a file.

    :param messages: channel to its number of messages
    """
    counts = b''.join(struct.pack('<HQ', *item) for item in sorted(messages.items()))
    return record(
        mcap.STATISTICS,
        struct.pack('<QHIIIIQQ', sum(messages.values()), schemas, channels, attachments,
                    metadata, chunks, start_ns, end_ns),
        text(counts))


def metadata(name: str, values: Mapping[str, str]) -> bytes:
    """Return named key/values."""
    return record(mcap.METADATA, text(name), text_map(values))


def metadata_index(offset: int, length: int, name: str) -> bytes:
    """Return where named key/values stand."""
    return record(mcap.METADATA_INDEX, struct.pack('<QQ', offset, length), text(name))


def attachment(log_ns: int, create_ns: int, name: str, media_type: str, data: bytes) -> bytes:
    """Return a file within the file, with its checksum."""
    fields = (struct.pack('<QQ', log_ns, create_ns) + text(name) + text(media_type)
              + struct.pack('<Q', len(data)))
    crc = zlib.crc32(data, zlib.crc32(fields))
    return record(mcap.ATTACHMENT, fields, data, struct.pack('<I', crc))


def attachment_index(offset: int, length: int, head: mcap.Attachment) -> bytes:
    """
    Return where an attachment stands.

    :param offset: of its record in the file
    :param length: of its record (bytes)
    """
    return record(
        mcap.ATTACHMENT_INDEX,
        struct.pack('<5Q', offset, length, head.log_ns, head.create_ns, head.size),
        text(head.name), text(head.media_type))


def summary_offset(opcode: int, start: int, length: int) -> bytes:
    """Return where a group of the summary stands."""
    return record(mcap.SUMMARY_OFFSET, struct.pack('<BQQ', opcode, start, length))


def data_end() -> bytes:
    """Return the end of the data section, without a checksum over it: each chunk has its own."""
    return record(mcap.DATA_END, struct.pack('<I', 0))


def footer_head(summary_start: int, offsets_start: int) -> bytes:
    """Return the footer up to its checksum, which covers these bytes too."""
    head = mcap.PREFIX.pack(mcap.FOOTER, FOOTER_SIZE)
    return head + struct.pack('<QQ', summary_start, offsets_start)
