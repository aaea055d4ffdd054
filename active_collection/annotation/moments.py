# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The chosen moments as one MCAP file: all messages around each, and what was chosen and why."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from active_collection.annotation import foxglove
from active_collection.annotation.annotations import Annotation
from active_collection.annotation.items import Item
from active_collection.bags.reader import Bag
from active_collection.bags.reader import Message
from active_collection.bags.reader import open_bag
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError
from active_collection.errors import BagError
from active_collection.files import make_directory
from active_collection.files import whole_file

if TYPE_CHECKING:
    from mcap.writer import Writer

_NS = 1_000_000_000
#: Longer than any recording (s), and its ns fit 64 bits.
_LONGEST_S = 1e9
#: Topics with so few messages a bag hold for all of it (tf_static, descriptions).
_STANDING = 3


@dataclass(frozen=True)
class Written:
    """
    What was written.

    :param messages: copied from bags
    :param missing: one line for each bag that could not be read, and each topic of unknown type
    """

    moments: int
    messages: int
    missing: tuple[str, ...]


def write_moments(items: Sequence[Item], path: Path, *, window_s: float = 1.0,
                  annotations: Sequence[Annotation] = (),
                  progress: Callable[[int, int], None] = lambda *_: None) -> Written:
    """
    Write the moments of items, whole or not at all, for Foxglove and any MCAP reader.

    Messages are copied as they are, with their own schemas; those of ROS 1 stay in ROS 1's
    encoding, which Foxglove shows and rosbags does not open in MCAP. `/selection/events`
    (foxglove_msgs/Log), `/selection/annotations` (foxglove_msgs/ImageAnnotations) and
    `/selection/picks` say what was chosen and why, at the time of each moment. What stands for a
    whole bag (tf_static) is there from the first moment on.

    :param window_s: before and after each moment (s)
    :param progress: told (bags done, of how many)
    :raises AnnotationError: where no bag can be read
    :raises OSError: where it cannot be written
    """
    from mcap.writer import Writer

    missing: list[str] = []
    window_ns = round(min(window_s, _LONGEST_S) * _NS)
    groups = [(bag, list(own)) for bag, own in groupby(
        sorted(items, key=lambda i: (i.bag, i.receive_ns)), key=lambda i: i.bag)]
    moments = copied = 0
    make_directory(path.parent)
    with whole_file(path) as partial:
        with partial.open('wb') as file:
            copier = _Copier(Writer(file))
            for number, (bag, own) in enumerate(groups, 1):
                try:
                    copied += copier.copy(bag, own, annotations, window_ns)
                    moments += len(own)
                except ActiveCollectionError as error:
                    missing.append(str(error))
                progress(number, len(groups))
            copier.finish(moments)
        if not moments:
            raise AnnotationError(path, found=missing[0] if missing else 'no items',
                                  expected='at least one moment')
    return Written(moments, copied, (*missing, *copier.undefined.values()))


class _Copier:
    """Copies messages into one MCAP file; a schema is written once, a channel once a schema."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._schemas: dict[tuple[str, str, str], int] = {}
        self._channels: dict[tuple[str, int, str], int] = {}
        #: (bag, topic) to one line, of what nothing defines.
        self.undefined: dict[tuple[str, str], str] = {}
        writer.start(profile='ros2', library='active_collection')

    def copy(self, path: str, items: Sequence[Item], annotations: Sequence[Annotation],
             window: int) -> int:
        """Copy the messages around the items of one bag, and return how many."""
        copied = 0
        with open_bag(path) as bag:
            for start, stop in _spans(items, window):
                for message, log_ns in _around(bag, start, stop):
                    try:
                        channel = self._channel_of(message)
                    except BagError as error:  # no definition: the rest can be shown without it
                        self.undefined.setdefault((path, message.topic), str(error))
                        continue
                    self._writer.add_message(channel, log_ns, bytes(message.raw),
                                             message.receive_ns)
                    copied += 1
            for item in items:
                own = [a for a in annotations if a.unit_id == item.unit_id]
                for topic, data in foxglove.messages(item, own).items():
                    self._writer.add_message(self._added(topic), item.receive_ns, data,
                                             item.receive_ns)
        return copied

    def finish(self, moments: int) -> None:
        """Write the end of the file."""
        self._writer.add_metadata('active_collection.selection', {'moments': str(moments)})
        self._writer.finish()

    def _channel_of(self, message: Message) -> int:
        definition = message.definition()
        name = message.type if definition.encoding == 'cdr' else message.type.replace('/msg/', '/')
        form = {'msg': 'ros2msg', 'idl': 'ros2idl'}[definition.form]
        return self._channel(message.topic, definition.encoding, name,
                             form if definition.encoding == 'cdr' else 'ros1msg',
                             definition.definition.encode())

    def _added(self, topic: str) -> int:
        name = foxglove.TOPICS[topic]
        return self._channel(topic, 'cdr', name, 'ros2msg', foxglove.definition(name).encode())

    def _channel(self, topic: str, encoding: str, name: str, form: str, data: bytes) -> int:
        schema = (name, form, data.decode())
        if schema not in self._schemas:
            self._schemas[schema] = self._writer.register_schema(name, form, data)
        key = (topic, self._schemas[schema], encoding)
        if key not in self._channels:
            self._channels[key] = self._writer.register_channel(topic, encoding,
                                                                self._schemas[schema])
        return self._channels[key]


def _spans(items: Sequence[Item], window: int) -> list[tuple[int, int]]:
    """Return the times around items (ns), those that overlap as one; items sorted by time."""
    spans: list[tuple[int, int]] = []
    for item in items:
        start, stop = item.receive_ns - window, item.receive_ns + window + 1
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], stop)
        else:
            spans.append((start, stop))
    return spans


def _around(bag: Bag, start: int, stop: int) -> Iterator[tuple[Message, int]]:
    """Yield the messages of a span with the time to log them at; first what stands before it."""
    standing = [topic for topic, info in bag.topics.items() if info.count <= _STANDING]
    if standing:
        newest = {message.topic: message for message in bag.messages(standing, stop_ns=start)}
        for message in newest.values():
            yield message, max(start, 0)
    for message in bag.messages(start_ns=max(start, 0), stop_ns=stop):
        yield message, message.receive_ns
