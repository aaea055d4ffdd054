# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make a whole MCAP file of what a damaged one still holds. The damaged one is not touched."""
from __future__ import annotations

import zlib
from collections import Counter
from collections import defaultdict
from contextlib import closing
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from active_collection.errors import RecordingError
from active_collection.mcap import packing
from active_collection.mcap import records as mcap
from active_collection.mcap.chunk import Plain
from active_collection.mcap.chunk import inside
from active_collection.mcap.chunk import plain
from active_collection.mcap.chunk import readable_pairs
from active_collection.mcap.extras import attachment_head
from active_collection.mcap.extras import has_right_checksum
from active_collection.mcap.extras import pieces_of
from active_collection.mcap.extras import record_at
from active_collection.mcap.index import Contents
from active_collection.mcap.index import complete
from active_collection.mcap.index import survey
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits
from active_collection.mcap.open_chunk import Channel
from active_collection.mcap.scan import Place
from active_collection.mcap.scan import is_torn
from active_collection.mcap.scan import places
from active_collection.mcap.source import Source
from active_collection.mcap.writer import McapFile
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import FileSummary
from active_collection.recording.metadata import Labels
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.qos import from_yaml
from active_collection.recording.salvage.outcome import Kept


def salvage_file(source: Path, target: Path, limits: Limits = Limits(), *,  # noqa: B008 - frozen
                 labels: Labels = MappingProxyType({})) -> Kept:
    """
    Copy every message of an MCAP file that can be read to a new, complete one.

    Whole chunks are copied as they are; of damaged ones each message that can be found. What
    stands behind damage is found as a reader finds it. Attachments and metadata are copied.

    :param target: must not exist
    :param limits: what a chunk or a message may take
    :param labels: metadata records that the new one is to carry, unless the damaged one does
    :raises RecordingError: where the source is no MCAP file
    :raises OSError: where the source cannot be read or the target not be written
    """
    with closing(Source(source)) as opened:
        salvage = _Salvage(opened, limits)
        is_mcap = opened.up_to(0, len(mcap.MAGIC)) == mcap.MAGIC
        if opened.size and not is_mcap and not salvage.has_anything:
            raise RecordingError(
                source, found='no MCAP file: its first 8 bytes are not the magic',
                expected='an MCAP file')
        file = McapFile(target, chunk_bytes=1024 * 1024, profile=salvage.profile)
        try:
            salvage.copy(file)
            file.finish({name: values for name, values in labels.items()
                         if name not in salvage.metadata_names})
        except BaseException:
            file.abandon()
            target.unlink(missing_ok=True)
            raise
    return salvage.kept(file)


class _Salvage:
    """A file being salvaged: what it holds is looked for when this is made."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._name = source.path.name
        self._damages: list[str] = []
        self._ends: list[str] = []
        self._lost_bytes = 0
        self.metadata_names: set[str] = set()
        self._channels: dict[int, Channel] = {}
        self._schemas: set[int] = {0}
        self._nowhere: Counter[int] = Counter()
        self._contents = self._survey()

    @property
    def has_anything(self) -> bool:
        """Tell whether there is something to copy."""
        return bool(self._contents.chunks or self._contents.loose or self._contents.extras)

    @property
    def profile(self) -> str:
        """Return the source's; where that is damaged, what its messages are of."""
        if self._contents.profile is not None:
            return self._contents.profile
        encodings = {schema.encoding for schema in self._contents.schemas.values()}
        return 'ros1' if 'ros1msg' in encodings else 'ros2'

    def copy(self, file: McapFile) -> None:
        """
        Copy everything, in the order in which it stands.

        :raises OSError: where the file cannot be written
        """
        for number in self._contents.channels:
            self._channels[number] = self._adopt(file, number)
        found: list[tuple[int, Any]] = [
            *((chunk.offset, chunk) for chunk in self._contents.chunks),
            *((offset, None) for _, offset, _ in self._contents.loose),
            *((place.offset, place) for place in self._contents.extras)]
        for offset, what in sorted(found, key=lambda item: item[0]):
            try:
                if what is None:
                    self._copy_message(file, offset)
                elif isinstance(what, mcap.Chunk):
                    self._copy_chunk(file, what)
                elif what.opcode == mcap.METADATA:
                    self._copy_metadata(file, what)
                else:
                    self._copy_attachment(file, what)
            except ValueError as error:
                self._tell(f'byte {offset:,}: {error}')
                self._lost_bytes += self._size(what)

    def kept(self, file: McapFile) -> Kept:
        """Return what was kept and what was not."""
        damages = [*self._damages, *self._ends]
        damages += [f'{self._name}: {count} messages of channel {number}, which is nowhere defined'
                    for number, count in sorted(self._nowhere.items())]
        return Kept(
            file=FileSummary(file.path.name, file.start_ns if file.messages else 0,
                             file.end_ns, file.messages),
            topics=tuple(self._summary(number) for number in self._channels),
            lost_bytes=self._lost_bytes, damages=tuple(damages),
            damaged_inside=bool(self._damages or self._nowhere))

    def _survey(self) -> Contents:
        if not self._source.size:
            self._ends.append(f'{self._name}: an empty file')
            return Contents()

        def damaged(position: int, following: int, why: str) -> None:
            self._lost_bytes += max(0, following - position)
            where = self._ends if is_torn(self._source, position) else self._damages
            where.append(f'{self._name}: byte {position:,}: {why}')

        contents = survey(self._source, damaged)
        if contents.summary_damage:
            self._ends.append(f'{self._name}: {contents.summary_damage}')
        # Chunks that cannot be read are told of when they are copied.
        chunks = list(contents.chunks)
        complete(contents, self._source, self._limits, lambda *_: None)
        contents.chunks = chunks
        return contents

    def _adopt(self, file: McapFile, number: int) -> Channel:
        channel = self._contents.channels[number]
        schema = self._contents.raw.get((mcap.SCHEMA, channel.schema), b'')
        return file.adopt_channel(
            number, schema=packing.record(mcap.SCHEMA, schema) if schema else b'',
            channel=packing.record(mcap.CHANNEL, self._contents.raw[mcap.CHANNEL, number]))

    def _copy_chunk(self, file: McapFile, chunk: mcap.Chunk) -> None:
        """:raises ValueError: where nothing of it can be read."""
        length = chunk.index_offset - chunk.offset
        if length > self._limits.chunk_bytes and not chunk.compression:
            self._copy_large_chunk(file, chunk)
            return
        held = plain(self._source, chunk, self._limits)
        pairs = {} if held.is_checked else readable_pairs(self._source, chunk, self._limits)
        found = inside(held.data, pairs)
        index: dict[int, list[int]] = defaultdict(list)
        sizes: Counter[int] = Counter()
        for content, end in found.messages:
            number, _, log_ns, _ = mcap.MESSAGE_HEAD.unpack_from(held.data, content)
            index[number] += (log_ns, content - mcap.PREFIX.size)
            sizes[number] += end - content - mcap.MESSAGE_HEAD.size
        if found.damage or held.doubt or not index.keys() <= self._channels.keys():
            for why in filter(None, (held.doubt, found.damage)):
                self._tell(f'byte {chunk.offset:,}: chunk: {why}')
            for content, end in found.messages:
                self._write(file, held.data[content:end])
        elif index:
            self._copy_whole_chunk(file, chunk, held, index, found.definitions)
            for number, entries in index.items():
                self._channels[number].messages += len(entries) // 2
                self._channels[number].bytes += sizes[number]

    def _copy_whole_chunk(self, file: McapFile, chunk: mcap.Chunk, held: Plain,
                          index: dict[int, list[int]],
                          definitions: list[tuple[int, memoryview]]) -> None:
        file.close_chunks()
        for opcode, content in definitions:
            number = int.from_bytes(content[:2], 'little')
            if opcode == mcap.SCHEMA:
                self._schemas.add(number)
            elif (number in self._channels
                  and self._contents.channels[number].schema in self._schemas):
                self._channels[number].defined = True
        file.define_outside_chunks(self._channels[number] for number in index)
        times = [log_ns for entries in index.values() for log_ns in entries[::2]]
        packed: Buffer = held.data
        if chunk.compression:
            packed = self._source.view(chunk.data_offset, chunk.packed)
        file.append_chunk(
            [packed], compression=chunk.compression, size=len(held.data),
            crc=zlib.crc32(held.data), start_ns=min(times), end_ns=max(times), index=index)

    def _copy_large_chunk(self, file: McapFile, chunk: mcap.Chunk) -> None:
        """Copy a chunk that is not compressed a message at a time."""

        def damaged(position: int, _: int, why: str) -> None:
            self._tell(f'byte {position:,}: {why}')

        for place in places(self._source, damaged, start=chunk.data_offset,
                            stop=chunk.data_offset + chunk.packed):
            if place.opcode == mcap.MESSAGE:
                try:
                    self._copy_message(file, place.offset)
                except ValueError as error:
                    self._tell(f'byte {place.offset:,}: {error}')

    def _copy_message(self, file: McapFile, offset: int) -> None:
        """:raises ValueError: where it is damaged, or larger than the limit."""
        _, length = mcap.PREFIX.unpack(self._source.read(offset, mcap.PREFIX.size))
        if length - mcap.MESSAGE_HEAD.size > self._limits.message_bytes:
            raise ValueError(f'a message of {length:,} bytes, more than the limit of '
                             f'{self._limits.message_bytes:,}')
        self._write(file, self._source.view(offset + mcap.PREFIX.size, length))

    def _write(self, file: McapFile, content: memoryview) -> None:
        """
        Write a message of its record's content.

        :raises ValueError: where it is damaged
        """
        if len(content) < mcap.MESSAGE_HEAD.size:
            raise ValueError(f'a message record of {len(content)} bytes')
        number, sequence, log_ns, publish_ns = mcap.MESSAGE_HEAD.unpack_from(content)
        if number not in self._channels:
            self._nowhere[number] += 1
            return
        file.write(self._channels[number], log_ns=log_ns, publish_ns=publish_ns,
                   sequence=sequence, data=content[mcap.MESSAGE_HEAD.size:])

    def _copy_metadata(self, file: McapFile, place: Place) -> None:
        content = record_at(self._source, place, self._limits)
        name, _ = mcap.metadata(content)
        self.metadata_names.add(name)
        file.add_metadata(packing.record(mcap.METADATA, content), name)

    def _copy_attachment(self, file: McapFile, place: Place) -> None:
        head = attachment_head(self._source, place)
        prefix = mcap.PREFIX.pack(place.opcode, place.end - place.content)
        file.add_attachment(chain([prefix], pieces_of(self._source, place)), head)
        if not has_right_checksum(head, pieces_of(self._source, place)):
            self._tell(f'byte {place.offset:,}: attachment {head.name!r}: another checksum')

    def _size(self, what: Any) -> int:
        if isinstance(what, mcap.Chunk):
            return what.index_offset - what.offset
        return what.end - what.offset if isinstance(what, Place) else 0

    def _tell(self, damage: str) -> None:
        self._damages.append(f'{self._name}: {damage}')

    def _summary(self, number: int) -> TopicSummary:
        about, kept = self._contents.channels[number], self._channels[number]
        values: dict[str, str] = {}
        with suppress(ValueError):
            values = mcap.text_map(about.packed)
        schema = self._contents.schemas.get(about.schema)
        definition = Definition(
            schema.name if schema else '', schema.encoding if schema else '',
            schema.text if schema else '', values.get('topic_type_hash', ''))
        qos: tuple[Any, ...] = ()
        with suppress(yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
            qos = from_yaml(values.get('offered_qos_profiles', ''))
        return TopicSummary(Topic(about.topic, definition, qos), kept.messages, kept.bytes,
                            about.encoding)
