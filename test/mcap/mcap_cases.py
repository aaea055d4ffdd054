# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The conformance cases of the MCAP format: each content with each combination of features.

A case is named as in the format's own set: 'OneAttachment-ax-pad-st' is one attachment in a file
with an attachment index, statistics and bytes behind each record that no reader knows.
"""
from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from active_collection.mcap import packing
from active_collection.mcap import records as mcap

#: ch: chunks; mx: message index; chx: chunk index; rsh, rch: the summary repeats schemas,
#: channels; st: statistics; ax, mdx: attachment and metadata index; sum: summary offsets;
#: pad: records have more in them than readers know.
FEATURES = ('ax', 'ch', 'chx', 'mdx', 'mx', 'pad', 'rch', 'rsh', 'st', 'sum')
_PADDING = b'\x01\xff\xff'
SCHEMA = packing.schema(1, 'Example', 'c', b'\4\5\6')


@dataclass(frozen=True)
class Content:
    """
    What a file holds.

    :param schema: whether its channel has one
    :param messages: (log time in ns, sequence, data)
    :param attachments: (log time in ns, create time in ns, name, media type, data)
    :param metadata: (name, key/values)
    """

    name: str
    schema: bool = True
    messages: tuple[tuple[int, int, bytes], ...] = ()
    attachments: tuple[tuple[int, int, str, str, bytes], ...] = ()
    metadata: tuple[tuple[str, dict[str, str]], ...] = ()


CONTENTS = (
    Content('NoData'),
    Content('OneAttachment',
            attachments=((2, 1, 'myFile', 'application/octet-stream', b'\1\2\3'),)),
    Content('OneMetadata', metadata=(('myMetadata', {'foo': 'bar', 'empty': ''}),)),
    Content('OneMessage', messages=((2, 10, b'\1\2\3'),)),
    Content('OneSchemalessMessage', schema=False, messages=((2, 10, b'\1\2\3'),)),
    Content('TenMessages', messages=tuple((n, 10 + n, bytes([n])) for n in range(10))),
)


def cases() -> Iterator[tuple[str, Content, frozenset[str]]]:
    """Yield (name, content, features) of each case."""
    for content in CONTENTS:
        for size in range(len(FEATURES) + 1):
            for features in map(frozenset, combinations(FEATURES, size)):
                if _fits(content, features):
                    yield '-'.join([content.name, *sorted(features)]), content, features


def _fits(content: Content, features: frozenset[str]) -> bool:
    needs = {'ax': bool(content.attachments), 'mdx': bool(content.metadata),
             'ch': bool(content.messages), 'rch': bool(content.messages),
             'rsh': bool(content.messages) and content.schema,
             'mx': 'ch' in features, 'chx': 'ch' in features,
             'sum': bool(features & {'ax', 'mdx', 'rch', 'rsh', 'chx', 'st'})}
    return all(needs.get(feature, True) for feature in features)


class _File:
    """A file being put together."""

    def __init__(self, features: frozenset[str]) -> None:
        self.features = features
        self.data = mcap.MAGIC

    def add(self, record: bytes) -> tuple[int, int]:
        """Add a record, and return its offset and length."""
        offset, record = len(self.data), self.padded(record)
        self.data += record
        return offset, len(record)

    def padded(self, record: bytes) -> bytes:
        opcode = record[0]
        if 'pad' not in self.features or opcode in {mcap.MESSAGE, mcap.FOOTER}:
            return record  # a message's data is all that is left; a footer is found by its size
        return packing.record(opcode, record[mcap.PREFIX.size:], _PADDING)


def build(content: Content, features: frozenset[str], *, pad_chunks: bool = True) -> bytes:
    """
    Return a file of a content with some features.

    :param pad_chunks: whether records in chunks are padded too, where records are
    """
    file = _File(features)
    file.add(packing.header('', ''))
    schemas = [SCHEMA] if content.messages and content.schema else []
    channels = ([packing.channel(1, 1 if schemas else 0, 'example', 'a', {'foo': 'bar'})]
                if content.messages else [])
    messages = [packing.record(mcap.MESSAGE, mcap.MESSAGE_HEAD.pack(1, sequence, log_ns, log_ns),
                               data) for log_ns, sequence, data in content.messages]
    chunk_indexes = []
    if 'ch' in features:
        chunk_indexes = [
            _chunk(file, content, [*schemas, *channels, *messages], pad_chunks=pad_chunks)]
    else:
        for record in (*schemas, *channels, *messages):
            file.add(record)
    attachment_indexes = []
    for log_ns, create_ns, name, media_type, data in content.attachments:
        place = file.add(packing.attachment(log_ns, create_ns, name, media_type, data))
        head = mcap.Attachment(log_ns, create_ns, name, media_type, 0, len(data))
        attachment_indexes.append(packing.attachment_index(*place, head))
    metadata_indexes = [
        packing.metadata_index(*file.add(packing.metadata(name, values)), name)
        for name, values in content.metadata]
    file.add(packing.data_end())
    times = [log_ns for log_ns, _, _ in content.messages] or [0]
    statistics = packing.statistics(
        schemas=len(schemas), channels=len(channels), attachments=len(attachment_indexes),
        metadata=len(metadata_indexes), chunks=len(chunk_indexes), start_ns=min(times),
        end_ns=max(times), messages=Counter({1: len(messages)} if messages else {}))
    _end(file, {
        'rsh': (mcap.SCHEMA, schemas), 'rch': (mcap.CHANNEL, channels),
        'st': (mcap.STATISTICS, [statistics]), 'chx': (mcap.CHUNK_INDEX, chunk_indexes),
        'ax': (mcap.ATTACHMENT_INDEX, attachment_indexes),
        'mdx': (mcap.METADATA_INDEX, metadata_indexes)})
    return file.data


def _chunk(file: _File, content: Content, records: list[bytes], *, pad_chunks: bool) -> bytes:
    """Add a chunk and its message index, and return its chunk index."""
    times = [log_ns for log_ns, _, _ in content.messages]
    data, entries = b'', []
    for record in records:
        if record[0] == mcap.MESSAGE:
            entries += [int.from_bytes(record[15:23], 'little'), len(data)]
        data += file.padded(record) if pad_chunks else record
    head = packing.chunk_head(min(times), max(times), size=len(data), crc=0, compression='',
                              compressed_size=len(data))
    offset, length = file.add(head + data)
    indexes = {}
    index_length = 0
    if 'mx' in file.features:
        indexes[1], index_length = file.add(packing.message_index(1, entries))
    return packing.chunk_index(
        start_ns=min(times), end_ns=max(times), offset=offset, length=length,
        message_indexes=indexes, message_index_length=index_length, compression='',
        compressed_size=len(data), size=len(data))


def _end(file: _File, groups: dict[str, tuple[int, list[bytes]]]) -> None:
    """Add the summary and the footer."""
    start = len(file.data)
    offsets = []
    for feature, (opcode, records) in groups.items():
        begin = len(file.data)
        if feature in file.features:
            for record in records:
                file.add(record)
            offsets.append(packing.summary_offset(opcode, begin, len(file.data) - begin))
    has_summary, offsets_start = len(file.data) > start, 0
    if 'sum' in file.features:
        offsets_start = len(file.data)
        for record in offsets:
            file.add(record)
    file.data += packing.footer_head(start if has_summary else 0, offsets_start)
    file.data += struct.pack('<I', 0) + mcap.MAGIC
