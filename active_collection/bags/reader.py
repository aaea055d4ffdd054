# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read any bag: rosbag1, rosbag2 sqlite3 and MCAP; split, compressed, files and directories."""
from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader as Reader1
from rosbags.rosbag2 import Reader as Reader2

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import read_metadata
from active_collection.bags.episodes import read_record
from active_collection.bags.find import SUFFIXES
from active_collection.bags.message_types import Decoder
from active_collection.bags.message_types import decoder
from active_collection.episode import EpisodeRecord
from active_collection.errors import BagError


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """
    What a bag says of a topic.

    :param type: message type as ROS 2 writes it: 'sensor_msgs/msg/Image', also for rosbag1
    :param count: number of messages
    """

    type: str
    count: int


@dataclass(frozen=True, slots=True)
class Message:
    """
    One recorded message. (topic, receive_ns, sequence) identifies it within its bag.

    :param receive_ns: time at which it was recorded (ns since the epoch)
    :param sequence: number among the topic's messages of the same receive_ns, from 0
    :param raw: serialized bytes
    """

    topic: str
    type: str
    receive_ns: int
    sequence: int
    raw: bytes
    _decoder: Decoder

    def decode(self) -> Any:
        """
        Return an object with the message's fields as attributes; arrays of numbers as numpy.

        :raises BagError: where the bytes do not fit the type
        """
        try:
            return self._decoder(self.raw)
        except Exception as error:  # corrupt bytes raise whatever they hit
            raise BagError(f'{self.topic} at {self.receive_ns} ns',
                           found=f'{type(error).__name__}: {error}',
                           expected=f'a serialized {self.type}') from error


class Bag:
    """
    One bag, open for reading. A context manager; use `open_bag`.

    :param path: a .bag, .mcap or .db3 file, or a rosbag2 directory
    :raises BagError: where it is missing, truncated, empty or of an unknown kind
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._ros1 = self.path.suffix == '.bag' and self.path.is_file()
        self._check_path()
        try:
            self._reader: Any = Reader1(self.path) if self._ros1 else Reader2(self.path)
            self._reader.open()
        except Exception as error:  # the readers raise whatever corrupt bytes make them raise
            raise self._error(error) from error
        self._decoders: dict[int, Decoder] = {}

    @property
    def topics(self) -> dict[str, TopicInfo]:
        """Return topic name to type and count, sorted by name."""
        counts: dict[str, TopicInfo] = {}
        for connection in sorted(self._reader.connections, key=lambda c: str(c.topic)):
            before = counts.get(connection.topic)
            counts[connection.topic] = TopicInfo(
                connection.msgtype, connection.msgcount + (before.count if before else 0))
        return counts

    @cached_property
    def episode(self) -> EpisodeRecord | None:
        """Return the episode record; None where the bag was not recorded as an episode."""
        return None if self._ros1 else read_record(self.path)

    @property
    def start_ns(self) -> int:
        """Return the receive time of the first message (ns); 0 in a bag without messages."""
        return int(self._reader.start_time) if self._reader.message_count else 0

    @property
    def stop_ns(self) -> int:
        """Return one more than the receive time of the last message (ns); 0 without messages."""
        return int(self._reader.end_time) if self._reader.message_count else 0

    def messages(self, topics: Collection[str] = (), *, start_ns: int | None = None,
                 stop_ns: int | None = None) -> Iterator[Message]:
        """
        Yield messages in the order of their receive times.

        :param topics: the topics to read; all where empty. One that the bag lacks yields nothing
        :param start_ns: only messages received at or after this time (ns)
        :param stop_ns: only messages received before this time (ns)
        :raises BagError: where the bag turns out to be corrupt; what came before stands
        """
        wanted = [c for c in self._reader.connections if not topics or c.topic in topics]
        if not wanted:
            return
        stream = self._reader.messages(connections=wanted, start=start_ns, stop=stop_ns)
        last: dict[str, tuple[int, int]] = {}
        while True:
            try:
                connection, receive_ns, raw = next(stream)
            except StopIteration:
                return
            except Exception as error:
                raise self._error(error) from error
            before_ns, before = last.get(connection.topic, (-1, -1))
            sequence = before + 1 if before_ns == receive_ns else 0
            last[connection.topic] = (receive_ns, sequence)
            yield Message(connection.topic, connection.msgtype, receive_ns, sequence, bytes(raw),
                          self._decoder_of(connection))

    def close(self) -> None:
        """Close the bag. Closing it again does nothing."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _decoder_of(self, connection: Connection) -> Decoder:
        key = id(connection)
        if key not in self._decoders:
            where = f'{self.path}: {connection.topic}'
            try:
                self._decoders[key] = decoder(connection, ros1=self._ros1, where=where)
            except BagError as error:
                self._decoders[key] = _refusal(error)
        return self._decoders[key]

    def _check_path(self) -> None:
        expected = f'a {", ".join(sorted(SUFFIXES))} file or a rosbag2 directory'
        if not self.path.exists():
            raise BagError(self.path, found='nothing', expected=expected)
        if self.path.is_dir():
            if not (self.path / METADATA).is_file():
                raise BagError(self.path, found=f'a directory without {METADATA}',
                               expected=expected)
            read_metadata(self.path / METADATA)  # the reader takes any content for good
        elif self.path.suffix not in SUFFIXES:
            raise BagError(self.path, found=f'suffix {self.path.suffix!r}', expected=expected)
        elif self.path.stat().st_size == 0:
            raise BagError(self.path, found='an empty file', expected=expected)

    def _error(self, error: Exception) -> BagError:
        if isinstance(error, BagError):
            return error
        return BagError(self.path, found=f'{type(error).__name__}: {error}',
                        expected='a whole bag (truncated or corrupt?)')


def open_bag(path: Path | str) -> Bag:
    """
    Open a bag for reading, as a context manager.

    :raises BagError: where it is missing, truncated, empty or of an unknown kind
    """
    return Bag(path)


def _refusal(error: BagError) -> Decoder:
    """Return a decoder that refuses: a type is only needed by who decodes its messages."""
    def refuse(_: bytes) -> Any:
        raise error
    return refuse
