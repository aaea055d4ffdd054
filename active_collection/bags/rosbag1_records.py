# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The records of a rosbag1 file, from bytes that may be corrupt: wiki.ros.org/Bags/Format/2.0."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from rosbags.typesys.msg import normalize_msgtype

from active_collection.bags.storage import Connection
from active_collection.mcap.limits import Buffer

MAGIC = b'#ROSBAG V2.0\n'
MESSAGE, BAG_HEADER, INDEX, CHUNK, CHUNK_INFO, CONNECTION = range(2, 8)
#: Longest header of a record; real ones have under 5,000 bytes.
LONGEST_HEADER = 1 << 20
_INDEX_ENTRY = struct.Struct('<III')

Header = dict[bytes, bytes]


class Place(NamedTuple):
    """A record in some bytes: its header, and where its data lies."""

    header: Header
    kind: int
    start: int
    end: int


def header(data: Buffer) -> Header:
    """
    Return the fields of a header.

    :raises ValueError: where it is corrupt
    """
    fields: Header = {}
    content = bytes(data)
    position = 0
    while position < len(content):
        size = int.from_bytes(content[position:position + 4], 'little')
        position += 4
        name, separator, value = content[position:position + size].partition(b'=')
        if not separator or position + size > len(content):
            raise ValueError('a header without a field')
        fields[name] = value
        position += size
    return fields


def number(fields: Header, name: bytes) -> int:
    """:raises ValueError: where a header has no such number."""
    value = fields.get(name, b'')
    if not 1 <= len(value) <= 8:
        raise ValueError(f'a header without {name.decode()}')
    return int.from_bytes(value, 'little')


def time_ns(data: bytes) -> int:
    """Return a time: seconds and nanoseconds of 4 bytes each, as nanoseconds."""
    return int.from_bytes(data[:4], 'little') * 10**9 + int.from_bytes(data[4:8], 'little')


def records(data: memoryview, start: int = 0) -> Iterator[tuple[int, Place]]:
    """
    Yield (offset, record) from decompressed records.

    :raises ValueError: at a corrupt one
    """
    position = start
    while position < len(data):
        at = position
        place = record(data, position)
        position = place.end
        yield at, place


def record(data: memoryview, position: int) -> Place:
    """
    Return the record at an offset.

    :raises ValueError: where it is corrupt
    """
    size = int.from_bytes(data[position:position + 4], 'little')
    first = position + 4 + size
    if first + 4 > len(data):
        raise ValueError(f'a header of {size:,} bytes at {position:,} of {len(data):,}')
    fields = header(data[position + 4:first])
    length = int.from_bytes(data[first:first + 4], 'little')
    if first + 4 + length > len(data):
        raise ValueError(f'{length:,} bytes at {first:,} of {len(data):,}')
    return Place(fields, number(fields, b'op'), first + 4, first + 4 + length)


def index_entries(fields: Header, data: bytes) -> list[tuple[int, int]]:
    """
    Return (time in ns, offset in the chunk) of the messages that an index record lists.

    :raises ValueError: where it is corrupt or of another version
    """
    if number(fields, b'ver') != 1 or len(data) != 12 * number(fields, b'count'):
        raise ValueError(f'an index of {len(data)} bytes')
    return [(seconds * 10**9 + nanoseconds, offset)
            for seconds, nanoseconds, offset in _INDEX_ENTRY.iter_unpack(data)]


def connection(fields: Header, data: bytes) -> Connection:
    """
    Return what a connection record says.

    :raises ValueError: where it is corrupt
    """
    about = header(data)
    texts = [value.decode('utf-8', 'replace') for value in (
        fields.get(b'topic', b''), about.get(b'type', b''), about.get(b'message_definition', b''))]
    topic = '/'.join(part for part in texts[0].split('/') if part)
    topic = f'/{topic}' if texts[0].startswith('/') else topic
    return Connection(number(fields, b'conn'), topic, normalize_msgtype(texts[1]), 'ros1', 'msg',
                      texts[2])


class Publisher(NamedTuple):
    """
    What a connection record says beside topic and type, as ROS 1 wants it back.

    :param digest: MD5 sum of the definition; '*', which is taken for any, where none is stated
    :param caller: node that published; None: not stated
    :param latching: 1 where its messages were latched
    """

    digest: str
    caller: str | None
    latching: int | None


def publisher(data: bytes) -> Publisher:
    """
    Return what a connection record says of the publisher.

    :raises ValueError: where it is corrupt
    """
    about = header(data)
    caller = about.get(b'callerid')
    return Publisher(about.get(b'md5sum', b'').decode('utf-8', 'replace') or '*',
                     None if caller is None else caller.decode('utf-8', 'replace'),
                     1 if about.get(b'latching') == b'1' else None)
