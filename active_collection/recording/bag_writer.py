# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write the messages of an episode into the MCAP files of a rosbag2 directory."""
from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from active_collection.files import sync_directory
from active_collection.mcap.open_chunk import Channel
from active_collection.mcap.writer import McapFile
from active_collection.recording.background_sync import BackgroundSync
from active_collection.recording.held_messages import HeldMessages
from active_collection.recording.latched import LatchedMessages
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import BagSummary
from active_collection.recording.metadata import FileSummary
from active_collection.recording.metadata import Labels
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.metadata import has_numbered_policies
from active_collection.recording.metadata import information
from active_collection.recording.metadata import to_yaml
from active_collection.recording.qos import to_yaml as qos_to_yaml
from active_collection.recording.settings import RecorderSettings


@dataclass
class _Counts:
    """
    What of a topic stands in the whole chunks of files that are closed.

    :param repeated: messages that open later files once more
    """

    messages: int = 0
    bytes: int = 0
    repeated: int = 0
    repeated_bytes: int = 0


#: Holds room on the disk for what closing a bag takes: indexes, summary, metadata.yaml.
ROOM = '.room'
#: At first, and beyond the summary of the file that is written (bytes).
LEAST_ROOM = 512 * 1024


class BagWriter:
    """
    The files of one bag, split by size and duration; each begins with the latched messages.

    Not for two threads at once. After an OSError only `finish` and `written` are to be used. Room
    on the disk is held for these, so that a disk that is full leaves a whole bag.

    :param directory: exists; the files are made in it as <name>_0.mcap and so on
    :param ros_distro: for the metadata
    :param labels: metadata records that each file is to carry
    :raises OSError: where the first file cannot be made, or there is no room to close it
    """

    def __init__(self, directory: Path, name: str, *, settings: RecorderSettings,
                 ros_distro: str, labels: Labels = MappingProxyType({})) -> None:
        self._directory = directory
        self._name = name
        self._settings = settings
        self._ros_distro = ros_distro
        self._labels = labels
        self._topics: dict[str, Topic] = {}
        self._counts: dict[str, _Counts] = {}
        self._closed: list[FileSummary] = []
        self._latched = LatchedMessages(
            depth=settings.latched_depth, max_bytes=settings.latched_bytes)
        self._latching: set[str] = set()
        self._named: set[str] = set()
        self._held = HeldMessages()
        self._channels: dict[str, Channel] = {}
        self._first_unsafe: float | None = None
        self._room = 0
        self._head = 0
        self._hold_room(LEAST_ROOM)
        self._file = self._open(0)
        self._sync = BackgroundSync()

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of its files."""
        return (*(file.name for file in self._closed), self._file.path.name)

    @property
    def warning(self) -> str:
        """Return what is amiss with its settings, on one line; empty where nothing is."""
        if not self._settings.split_bytes or self._head < self._settings.split_bytes:
            return ''
        return (f'latched messages fill {self._head} bytes of each file, split_bytes is '
                f'{self._settings.split_bytes}: set it to several times as much')

    def written(self) -> dict[str, tuple[int, int]]:
        """Return topic to (messages, serialized bytes) in whole chunks, repetitions left out."""
        written = {}
        for name, counts in list(self._counts.items()):
            messages, size = self._stored(name, counts)
            # A repetition that is still in memory must not make the count fall below zero.
            written[name] = (max(0, messages - counts.repeated),
                             max(0, size - counts.repeated_bytes))
        return written

    def add_topic(self, topic: Topic) -> None:
        """
        Add a topic, or state anew what its publishers offer.

        What a channel says of them stands: rosbags reads only topics of which metadata.yaml and
        every file say the same. Messages of one whose definition is awaited wait for it.

        :raises OSError: where messages have waited and the disk refuses them
        """
        if topic.is_latched:
            self._latching.add(topic.name)
        if topic.name not in self._named:
            self._topics[topic.name] = topic
        self._counts.setdefault(topic.name, _Counts())
        if topic.is_awaited and topic.name not in self._named:
            self._held.expect(topic.name)
        else:
            self._write_all(self._held.release(topic.name))

    def write(self, message: Message, now: float) -> None:
        """
        Add a message of a topic that was added.

        :param now: monotonic time (s), for `keep_durable`
        :raises OSError: where the disk refuses
        """
        if not self._held.hold(message, now):
            self._write_all([message])
        if self._first_unsafe is None:
            self._first_unsafe = now

    def keep_durable(self, now: float) -> float:
        """
        Make safe what has become too old, and return the time until the next is due (s).

        Messages are made safe at half the age that is promised; the other half is for the disk.

        :raises OSError: where the disk refuses
        """
        age = self._settings.durable_age_s / 2
        if self._held.is_over(now):
            self._write_all(self._held.release_all())
        if self._settings.sync == 'age':
            self._file.sync_often(self._sync.request)
        if self._first_unsafe is None:
            return age
        due = self._first_unsafe + age - now
        if due > 0:
            return due
        self._first_unsafe = None
        if self._settings.sync == 'age':
            self._file.sync(self._sync.request)
        else:
            self._file.close_chunks()
        if self._room < LEAST_ROOM + self._file.summary_bytes:
            self._hold_room(2 * self._room)
        return age

    def write_held(self) -> None:
        """
        Hand every message that is still held to the operating system.

        :raises OSError: where the disk refuses
        """
        self._write_all(self._held.release_all())
        self._file.close_chunks()

    def finish(self, labels: Callable[[BagSummary], Labels] = lambda _: {}) -> BagSummary:
        """
        Close the file and say what the bag holds; what is still held is given up.

        :param labels: metadata records that the last file is to carry too
        :raises OSError: where the disk refuses; the file is closed, without its summary
        """
        try:
            (self._directory / ROOM).unlink(missing_ok=True)
            summary = self._summary()
            if self._file.closed:
                return summary
            information = to_yaml(self.information(summary))
            self._file.finish_whole_chunks({
                'rosbag2': {'serialized_metadata': information}, **self._labels,
                **labels(summary)})
            return summary
        finally:
            self._file.abandon()
            self._sync.close()

    def information(self, summary: BagSummary) -> dict[str, object]:
        """Return rosbag2's description of the bag."""
        return information(summary, ros_distro=self._ros_distro)

    def _hold_room(self, size: int) -> None:
        """:raises OSError: where there is no such room; what was held still is."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._directory / ROOM, flags, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
        self._room = size

    def _open(self, number: int) -> McapFile:
        name = f'{self._name}_{number}.mcap'
        file = McapFile(self._directory / name, chunk_bytes=self._settings.chunk_bytes)
        # What is forced to disk of a file outlives a power cut only where its name does.
        sync_directory(self._directory)
        return file

    def _is_to_be_split(self, message: Message) -> bool:
        size, duration = self._settings.split_bytes, self._settings.split_duration_s
        if size and self._file.size - self._head >= size:
            return True
        # The files end where their time does; a clock that jumps back does not keep one open.
        return bool(duration and self._file.messages
                    and message.receive_ns - self._file.start_ns >= duration * 1e9)

    def _split(self, at_ns: int) -> None:
        self._file.finish(self._labels)
        following = self._open(len(self._closed) + 1)
        self._closed.append(_file_summary(self._file))
        for name, channel in self._channels.items():
            self._counts[name].messages += channel.messages
            self._counts[name].bytes += channel.bytes
        self._channels = {}
        self._file = following
        for message in self._latched.messages():
            self._write(message, at_ns)
            self._counts[message.topic].repeated += 1
            self._counts[message.topic].repeated_bytes += len(message.data)
        # Else latched messages as large as a file would begin another with each message.
        self._file.close_chunks()
        self._head = self._file.size

    def _write_all(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if self._is_to_be_split(message):
                self._split(message.receive_ns)
            if message.topic in self._latching:
                self._latched.remember(message)
            self._write(message, message.receive_ns)

    def _write(self, message: Message, log_ns: int) -> None:
        channel = self._channels.get(message.topic)
        if channel is None:
            topic = self._topics[message.topic]
            self._named.add(topic.name)
            channel = self._channels[message.topic] = self._file.add_channel(
                topic.name, topic.definition.schema(),
                metadata={'offered_qos_profiles': qos_to_yaml(
                              topic.qos, numbered=has_numbered_policies(self._ros_distro)),
                          'topic_type_hash': topic.definition.type_hash},
                compression=self._settings.compression_of(topic.name))
        self._file.write(
            channel, log_ns=max(0, log_ns), publish_ns=max(0, message.publish_ns),
            sequence=message.sequence, data=message.data)

    def _stored(self, name: str, closed: _Counts) -> tuple[int, int]:
        channel = self._channels.get(name)
        if channel is None:
            return closed.messages, closed.bytes
        return closed.messages + channel.messages, closed.bytes + channel.bytes

    def _summary(self) -> BagSummary:
        return BagSummary(
            files=(*self._closed, _file_summary(self._file)),
            topics=tuple(
                TopicSummary(topic, *self._stored(name, self._counts[name]))
                for name, topic in self._topics.items()))


def _file_summary(file: McapFile) -> FileSummary:
    if not file.messages:
        return FileSummary(file.path.name, 0, 0, 0)
    return FileSummary(file.path.name, file.start_ns, file.end_ns, file.messages)
