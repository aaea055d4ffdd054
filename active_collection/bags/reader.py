# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read any bag: rosbag1, rosbag2 sqlite3 and MCAP; split, compressed, files and directories."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import NoReturn

from active_collection import names
from active_collection.bags.directory_storage import DirectoryStorage
from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import read_record
from active_collection.bags.find import SUFFIXES
from active_collection.bags.mcap_storage import McapStorage
from active_collection.bags.message_types import Decoder
from active_collection.bags.message_types import decoder
from active_collection.bags.message_types import defined
from active_collection.bags.rosbag1_storage import Rosbag1Storage
from active_collection.bags.sqlite_storage import SqliteStorage
from active_collection.bags.storage import SALVAGE
from active_collection.bags.storage import Connection
from active_collection.bags.storage import Damaged
from active_collection.bags.storage import Query
from active_collection.bags.storage import Storage
from active_collection.episode import EpisodeRecord
from active_collection.errors import BagError
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits

_STORAGES: dict[str, type[McapStorage | SqliteStorage | Rosbag1Storage]] = {
    '.mcap': McapStorage, '.db3': SqliteStorage, '.bag': Rosbag1Storage}
_LAST_NS = 2 ** 64
#: Asked of a message's topic and receive time (ns) before its bytes are read.
Wanted = Callable[[str, int], bool]


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """
    What a bag says of a topic.

    :param type: message type as ROS 2 writes it: 'sensor_msgs/msg/Image', also for rosbag1
    :param count: number of messages
    """

    type: str
    count: int


@dataclass(slots=True, eq=False)  # frozen, making one takes three times as long
class Message:
    """
    One recorded message, not to be changed. (topic, receive_ns, sequence) identifies it in a bag.

    :param receive_ns: time at which it was recorded (ns since the epoch)
    :param sequence: number among the topic's messages of the same receive_ns, from 0
    :param raw: serialized bytes; a view may keep the chunk that it lies in
    """

    topic: str
    type: str
    receive_ns: int
    sequence: int
    raw: Buffer
    _connection: Connection
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

    def definition(self) -> Connection:
        """
        Return how the message is serialized and defined; the definition is never empty.

        :raises BagError: where nothing defines its type
        """
        return defined(self._connection, where=f'{self.topic} at {self.receive_ns} ns')


class Bag:
    """
    One bag, open for reading. A context manager; use `open_bag`.

    :param path: a .bag, .mcap or .db3 file, or a rosbag2 directory
    :param on_damage: told of each chunk, row or file that is corrupt, with how many messages were
        lost where that is known; reading goes on behind it. None: damage is raised
    :param limits: what compressed data may take
    :raises BagError: where it is missing, empty, of an unknown kind or without anything to read
    """

    def __init__(self, path: Path | str, *, on_damage: Damaged | None = None,
                 limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self.path = Path(path)
        self._decoders: dict[Connection, Decoder] = {}
        kind = self._kind()
        try:
            self._storage: Storage = kind(self.path, damaged=on_damage or _refuse, limits=limits)
        except OSError as error:
            raise BagError(self.path, found=error, expected='a readable file') from error

    @property
    def topics(self) -> dict[str, TopicInfo]:
        """Return topic name to type and count, sorted by name."""
        counts: dict[str, TopicInfo] = {}
        for connection in sorted(self._storage.connections, key=lambda c: c.topic):
            before = counts.get(connection.topic)
            counts[connection.topic] = TopicInfo(
                connection.type, connection.count + (before.count if before else 0))
        return counts

    @cached_property
    def episode(self) -> EpisodeRecord | None:
        """Return the episode record; None where the bag was not recorded as an episode."""
        return None if self.path.suffix == '.bag' else read_record(self.path)

    @cached_property
    def namespace(self) -> str:
        """Return the namespace of the robot whose episode it is; empty: any, '/arm_1'."""
        namespace = names.namespace_of(self.episode.robot if self.episode is not None else '')
        below = any(topic.startswith(f'{namespace}/') for topic in self.topics)
        return namespace if below else ''

    @property
    def start_ns(self) -> int:
        """Return the receive time of the first message (ns); 0 in a bag without messages."""
        return self._storage.span_ns[0]

    @property
    def stop_ns(self) -> int:
        """Return one more than the receive time of the last message (ns); 0 without messages."""
        return self._storage.span_ns[1]

    def messages(self, topics: Collection[str] = (), *, start_ns: int | None = None,
                 stop_ns: int | None = None, wanted: Wanted | None = None) -> Iterator[Message]:
        """
        Yield messages in the order of their receive times; file by file where a bag was split.

        :param topics: the topics to read; all where empty. One that the bag lacks yields nothing
        :param start_ns: only messages received at or after this time (ns)
        :param stop_ns: only messages received before this time (ns)
        :param wanted: asked of each message when all before it were yielded; where it says no,
            the message is skipped and, as far as the storage can, not even read
        :raises BagError: where the bag is corrupt and nobody is told; what came before stands
        """
        last: dict[str, tuple[int, int]] = {}

        def visit(connection: Connection, receive_ns: int) -> bool:
            before_ns, before = last.get(connection.topic, (-1, -1))
            last[connection.topic] = (receive_ns, before + 1 if before_ns == receive_ns else 0)
            return wanted is None or wanted(connection.topic, receive_ns)

        query = Query(topics, 0 if start_ns is None else start_ns,
                      _LAST_NS if stop_ns is None else stop_ns, visit, sparse=wanted is not None)
        before: Connection | None = None
        for connection, receive_ns, raw in self._storage.messages(query):
            if connection is not before:
                before, decode = connection, self._decoder_of(connection)
            yield Message(connection.topic, connection.type, receive_ns,
                          last[connection.topic][1], raw, connection, decode)

    def close(self) -> None:
        """Close the bag. Closing it again does nothing."""
        self._storage.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _decoder_of(self, connection: Connection) -> Decoder:
        known = self._decoders.get(connection)
        if known is None:
            where = f'{self.path}: {connection.topic}'
            try:
                known = decoder(connection, where=where)
            except BagError as error:
                known = partial(_refuse_to_decode, error)
            self._decoders[connection] = known
        return known

    def _kind(self) -> type[DirectoryStorage | McapStorage | SqliteStorage | Rosbag1Storage]:
        expected = f'a {", ".join(sorted(SUFFIXES))} file or a rosbag2 directory'
        if not self.path.exists():
            raise BagError(self.path, found='nothing', expected=expected)
        if self.path.is_dir():
            if not (self.path / METADATA).is_file():
                raise BagError(self.path, found=f'a directory without {METADATA}',
                               expected=f'{expected}; {SALVAGE}')
            return DirectoryStorage
        if self.path.suffix not in _STORAGES:
            raise BagError(self.path, found=f'suffix {self.path.suffix!r}', expected=expected)
        if not self.path.is_file() or self.path.stat().st_size == 0:
            raise BagError(self.path, found='an empty file', expected=expected)
        return _STORAGES[self.path.suffix]


def open_bag(path: Path | str, *, on_damage: Damaged | None = None,
             limits: Limits = Limits()) -> Bag:  # noqa: B008 - frozen
    """
    Open a bag for reading, as a context manager.

    :param on_damage: told of what is corrupt and stepped over; None: damage is raised
    :param limits: what compressed data may take
    :raises BagError: where it is missing, empty, of an unknown kind or without anything to read
    """
    return Bag(path, on_damage=on_damage, limits=limits)


def _refuse(damage: BagError) -> NoReturn:
    """Raise a damage: whoever is not told of it must not take what is left for all."""
    raise damage


def _refuse_to_decode(error: BagError, _: Buffer) -> NoReturn:
    """Raise why a type is unknown: only who decodes its messages needs to hear of it."""
    raise error
