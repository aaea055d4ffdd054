# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The records of an MCAP file as bytes (https://mcap.dev/spec)."""
from __future__ import annotations

import struct
from collections.abc import Mapping
from collections.abc import Sequence

MAGIC = b'\x89MCAP0\r\n'

HEADER = 0x01
FOOTER = 0x02
SCHEMA = 0x03
CHANNEL = 0x04
MESSAGE = 0x05
CHUNK = 0x06
MESSAGE_INDEX = 0x07
CHUNK_INDEX = 0x08
STATISTICS = 0x0B
METADATA = 0x0C
METADATA_INDEX = 0x0D
SUMMARY_OFFSET = 0x0E
DATA_END = 0x0F

#: Opcode and length in front of every record.
PREFIX = struct.Struct('<BQ')
#: A message record up to its data: prefix, channel, sequence, log time, publish time.
MESSAGE_HEAD = struct.Struct('<BQHIQQ')
#: The part of MESSAGE_HEAD that counts into the record's length.
MESSAGE_FIELDS_SIZE = MESSAGE_HEAD.size - PREFIX.size
CHUNK_HEAD = struct.Struct('<QQQI')
FOOTER_SIZE = 20


def record(opcode: int, *parts: bytes) -> bytes:
    """Return a record of these parts."""
    return PREFIX.pack(opcode, sum(map(len, parts))) + b''.join(parts)


def text(value: str | bytes) -> bytes:
    """Return a string with its length in front."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack('<I', len(data)) + data


def text_map(values: Mapping[str, str]) -> bytes:
    """Return a string-to-string map with its length in front."""
    return text(b''.join(text(key) + text(value) for key, value in values.items()))


def header(library: str) -> bytes:
    """Return the header of a ROS 2 file."""
    return record(HEADER, text('ros2'), text(library))


def schema(schema_id: int, name: str, encoding: str, data: bytes) -> bytes:
    """Return a schema; id from 1."""
    return record(
        SCHEMA, struct.pack('<H', schema_id), text(name), text(encoding), text(data))


def channel(channel_id: int, schema_id: int, topic: str, encoding: str,
            metadata: Mapping[str, str]) -> bytes:
    """Return a channel; schema_id 0 is none."""
    return record(CHANNEL, struct.pack('<HH', channel_id, schema_id), text(topic),
                  text(encoding), text_map(metadata))


def chunk_head(start_ns: int, end_ns: int, *, size: int, crc: int, compression: str,
               compressed_size: int) -> bytes:
    """Return a chunk record up to its compressed records."""
    fields = (CHUNK_HEAD.pack(start_ns, end_ns, size, crc) + text(compression)
              + struct.pack('<Q', compressed_size))
    return PREFIX.pack(CHUNK, len(fields) + compressed_size) + fields


def message_index(channel_id: int, entries: Sequence[int]) -> bytes:
    """
    Return the index of one channel's messages in a chunk.

    :param entries: log time (ns) and offset in the uncompressed chunk, in turn
    """
    return record(MESSAGE_INDEX, struct.pack('<HI', channel_id, 8 * len(entries)),
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
        CHUNK_INDEX, struct.pack('<QQQQ', start_ns, end_ns, offset, length), text(offsets),
        struct.pack('<Q', message_index_length), text(compression),
        struct.pack('<QQ', compressed_size, size))


def statistics(*, schemas: int, channels: int, metadata: int, chunks: int, start_ns: int,
               end_ns: int, messages: Mapping[int, int]) -> bytes:
    """
    Return the statistics of a file.

    :param messages: channel to its number of messages
    """
    counts = b''.join(struct.pack('<HQ', *item) for item in sorted(messages.items()))
    return record(
        STATISTICS,
        struct.pack('<QHIIIIQQ', sum(messages.values()), schemas, channels, 0, metadata, chunks,
                    start_ns, end_ns),
        text(counts))


def metadata(name: str, values: Mapping[str, str]) -> bytes:
    """Return named key/values."""
    return record(METADATA, text(name), text_map(values))


def metadata_index(offset: int, length: int, name: str) -> bytes:
    """Return where named key/values stand."""
    return record(METADATA_INDEX, struct.pack('<QQ', offset, length), text(name))


def summary_offset(opcode: int, start: int, length: int) -> bytes:
    """Return where a group of the summary stands."""
    return record(SUMMARY_OFFSET, struct.pack('<BQQ', opcode, start, length))


def data_end() -> bytes:
    """Return the end of the data section, without a checksum over it: each chunk has its own."""
    return record(DATA_END, struct.pack('<I', 0))


def footer_head(summary_start: int, offsets_start: int) -> bytes:
    """Return the footer up to its checksum, which covers these bytes too."""
    return PREFIX.pack(FOOTER, FOOTER_SIZE) + struct.pack('<QQ', summary_start, offsets_start)
