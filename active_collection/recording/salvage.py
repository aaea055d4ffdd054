# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make a whole MCAP file of what a torn one still holds. The torn one is not touched."""
from __future__ import annotations

import struct
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

from active_collection.errors import RecordingError
from active_collection.recording import mcap_records as records
from active_collection.recording.definitions import Definition
from active_collection.recording.mcap_chunk import Channel
from active_collection.recording.mcap_file import McapFile
from active_collection.recording.mcap_scan import ChannelInfo
from active_collection.recording.mcap_scan import Record
from active_collection.recording.mcap_scan import Scan
from active_collection.recording.mcap_scan import SchemaInfo
from active_collection.recording.mcap_scan import parse_channel
from active_collection.recording.mcap_scan import parse_chunk
from active_collection.recording.mcap_scan import parse_schema
from active_collection.recording.mcap_scan import records_in
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import FileSummary
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.qos import from_yaml

#: What can stand at the top level of a data section and is not needed in a salvaged file.
_SKIPPED = frozenset({records.HEADER, records.MESSAGE_INDEX, records.METADATA})
_MESSAGE_FIELDS = struct.Struct('<HIQQ')


@dataclass
class Kept:
    """
    What a salvage kept of a file, and what it could not.

    :param lost_bytes: behind the last whole record
    :param damages: why, each one line
    :param damaged_inside: whether more than the end is missing
    """

    file: FileSummary
    topics: tuple[TopicSummary, ...]
    lost_bytes: int
    damages: tuple[str, ...]
    damaged_inside: bool


@dataclass
class _Copy:
    """A copy in progress."""

    target: McapFile
    damages: list[str] = field(default_factory=list)
    schemas: dict[int, SchemaInfo] = field(default_factory=dict)
    schema_records: dict[int, bytes] = field(default_factory=dict)
    infos: dict[int, ChannelInfo] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)


def salvage_file(source: Path, target: Path) -> Kept:
    """
    Copy every whole chunk and message of an MCAP file to a new, complete one.

    :param target: must not exist
    :raises RecordingError: where the source is no MCAP file
    :raises OSError: where the source cannot be read or the target not be written
    """
    scan = Scan(source)
    file = McapFile(target, chunk_bytes=1024 * 1024)
    try:
        copy = _Copy(file)
        for record in scan:
            try:
                _copy_record(copy, record)
            except (ValueError, struct.error) as error:
                copy.damages.append(f'{source.name}: byte {record.offset}: {error}')
        if not scan.kept_bytes and scan.size:
            raise RecordingError(source, found=scan.damage, expected='an MCAP file')
        file.finish()
    except BaseException:
        file.abandon()
        target.unlink(missing_ok=True)
        raise
    inside = bool(copy.damages)
    if scan.damage:
        copy.damages.append(f'{source.name}: {scan.damage}')
    topics = tuple(_summary(copy, number) for number in copy.infos)
    return Kept(
        file=FileSummary(target.name, file.start_ns if file.messages else 0,
                         file.end_ns, file.messages),
        topics=topics, lost_bytes=scan.size - scan.kept_bytes if scan.damage else 0,
        damages=tuple(copy.damages), damaged_inside=inside)


def _copy_record(copy: _Copy, record: Record) -> None:
    if record.opcode == records.CHUNK:
        _copy_chunk(copy, record)
    elif record.opcode == records.MESSAGE:
        _copy_message(copy, record)
    elif record.opcode in {records.SCHEMA, records.CHANNEL}:
        _define(copy, record, in_chunk=False)
    elif record.opcode not in _SKIPPED:
        copy.damages.append(f'record of kind {record.opcode} at byte {record.offset} left out')


def _copy_chunk(copy: _Copy, record: Record) -> None:
    chunk = parse_chunk(record.content)
    index: dict[int, list[int]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)
    for inner in records_in(chunk.data):
        if inner.opcode == records.MESSAGE:
            channel_id, _, log_ns, _ = _MESSAGE_FIELDS.unpack_from(inner.content)
            index[channel_id] += (log_ns, inner.offset)
            sizes[channel_id] += len(inner.content) - _MESSAGE_FIELDS.size
        elif inner.opcode in {records.SCHEMA, records.CHANNEL}:
            _define(copy, inner, in_chunk=True)
    unknown = sorted(set(index) - set(copy.channels))
    if unknown:
        raise ValueError(f'chunk with messages of channels {unknown}, which are nowhere defined')
    copy.target.define_outside_chunks(copy.channels[channel_id] for channel_id in index)
    copy.target.append_chunk(
        chunk.compressed, compression=chunk.compression, size=len(chunk.data), crc=chunk.crc,
        start_ns=chunk.start_ns, end_ns=chunk.end_ns, index=index)
    for channel_id, entries in index.items():
        copy.channels[channel_id].messages += len(entries) // 2
        copy.channels[channel_id].bytes += sizes[channel_id]


def _copy_message(copy: _Copy, record: Record) -> None:
    channel_id, sequence, log_ns, publish_ns = _MESSAGE_FIELDS.unpack_from(record.content)
    if channel_id not in copy.channels:
        raise ValueError(f'message of channel {channel_id}, which is nowhere defined')
    copy.target.write(
        copy.channels[channel_id], log_ns=log_ns, publish_ns=publish_ns, sequence=sequence,
        data=record.content[_MESSAGE_FIELDS.size:])


def _define(copy: _Copy, record: Record, *, in_chunk: bool) -> None:
    if record.opcode == records.SCHEMA:
        schema = parse_schema(record.content)
        copy.schemas[schema.id] = schema
        copy.schema_records[schema.id] = record.whole
        return
    info = parse_channel(record.content)
    if info.id not in copy.channels:
        copy.infos[info.id] = info
        copy.channels[info.id] = copy.target.adopt_channel(
            info.id, schema=copy.schema_records.get(info.schema_id, b''), channel=record.whole)
    if in_chunk:
        copy.channels[info.id].defined = True


def _summary(copy: _Copy, number: int) -> TopicSummary:
    info, channel = copy.infos[number], copy.channels[number]
    schema = copy.schemas.get(info.schema_id)
    definition = Definition(
        schema.name if schema else '', schema.encoding if schema else '',
        schema.text if schema else '', info.metadata.get('topic_type_hash', ''))
    qos: tuple[Any, ...] = ()
    with suppress(yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        qos = from_yaml(info.metadata.get('offered_qos_profiles', ''))
    return TopicSummary(Topic(info.topic, definition, qos), channel.messages, channel.bytes)
