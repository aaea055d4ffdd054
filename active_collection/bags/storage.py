# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What every storage of messages offers: one file of a bag, or a directory of them."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from active_collection.errors import BagError
from active_collection.mcap.limits import Buffer

#: Told of every damage that is stepped over; raises it where the reader is strict.
Damaged = Callable[[BagError], None]
#: How the names of a rosbag2 directory's files of messages end.
FILES = ('.mcap', '.db3')
#: What their names end with besides where the files are compressed.
COMPRESSED = '.zstd'
#: What helps with a file or a directory that is not whole.
SALVAGE = '`active-collection salvage` makes a whole bag of what is there'


@dataclass(frozen=True, slots=True)
class Connection:
    """
    A topic as one file of a bag has it.

    :param number: the file's own number for it
    :param type: message type as ROS 2 writes it: 'sensor_msgs/msg/Image'
    :param encoding: how messages are serialized: 'cdr', 'ros1' or what the file says
    :param form: of the definition: 'msg', 'idl', or '' where the file has none
    :param definition: message definition with all that it depends on
    :param count: number of messages
    """

    number: int
    topic: str
    type: str
    encoding: str = 'cdr'
    form: str = ''
    definition: str = ''
    count: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """
    Which messages are read.

    :param topics: all where empty
    :param start_ns: only those received at or after this time (ns)
    :param stop_ns: only those received before this time (ns)
    :param visit: asked of each of these messages, in order, once, before its bytes are read;
        False skips it
    :param sparse: whether `visit` skips most of them
    """

    topics: Collection[str]
    start_ns: int
    stop_ns: int
    visit: Callable[[Connection, int], bool]
    sparse: bool = False

    def wants(self, connection: Connection) -> bool:
        """Tell whether messages of a connection are read at all."""
        return not self.topics or connection.topic in self.topics


class Storage(Protocol):
    """
    Messages on disk. Made open; what cannot be read at all raises BagError when it is made.

    Damage within is stepped over and told.
    """

    @property
    def connections(self) -> Collection[Connection]:
        """Return the topics."""
        ...

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return receive time of the first message and one more than the last's; 0, 0 of none."""
        ...

    def messages(self, query: Query) -> Iterator[tuple[Connection, int, Buffer]]:
        """Yield (connection, receive time in ns, bytes) in the order of the receive times."""
        ...

    def close(self) -> None:
        """Close the file. Closing it again does nothing."""
        ...
