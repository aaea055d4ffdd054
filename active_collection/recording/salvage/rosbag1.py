# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make a whole rosbag1 file, with its index, of what a torn or open one still holds."""
from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

from rosbags.interfaces import Connection as WriterConnection
from rosbags.rosbag1 import Writer
from rosbags.rosbag1 import WriterError

from active_collection.bags.rosbag1_storage import Rosbag1Storage
from active_collection.bags.storage import Query
from active_collection.errors import ActiveCollectionError
from active_collection.errors import RecordingError
from active_collection.mcap.limits import Limits
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import FileSummary
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.salvage.outcome import Kept

_ALL = Query(topics=(), start_ns=0, stop_ns=2**63, visit=lambda *_: True)


def salvage_rosbag1(source: Path, target: Path) -> Kept:
    """
    Copy every message that can be read to a new file, in the order of the times.

    :param target: must not exist
    :raises RecordingError: where the source is no rosbag1 file, or has no whole message
    :raises OSError: where the source cannot be read or the target not be written
    """
    damages: list[str] = []
    counts: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    times = [0, 0]
    try:
        storage = Rosbag1Storage(source, damaged=lambda damage: damages.append(damage.found),
                                 limits=Limits())
        with closing(storage), Writer(target) as writer:
            connections = _connections(writer, storage)
            for connection, time_ns, data in storage.messages(_ALL):
                writer.write(connections[connection.number], time_ns, bytes(data))
                times[bool(counts)] = time_ns
                counts[connection.number] += 1
                sizes[connection.number] += len(data)
            topics = tuple(TopicSummary(
                Topic(c.topic, Definition(c.type, 'ros1msg', c.definition)), counts[c.number],
                sizes[c.number], 'ros1') for c in storage.connections)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, ActiveCollectionError):
            raise RecordingError(source, found=error.found, expected=error.expected) from error
        if isinstance(error, (WriterError, ValueError)):
            raise RecordingError(source, found=error, expected='names and types that ROS 1 '
                                 'takes') from error
        raise
    start_ns, end_ns = times[0], max(times)
    return Kept(FileSummary(target.name, start_ns, end_ns, counts.total()), topics, 0,
                tuple(damages), damaged_inside=False)


def _connections(writer: Writer, storage: Rosbag1Storage) -> dict[int, WriterConnection]:
    """Add each connection once, and return them by the numbers of the source."""
    added: dict[tuple[object, ...], WriterConnection] = {}
    made = {}
    for c in storage.connections:
        publisher = storage.publishers[c.number]
        key = (c.topic, c.type, c.definition, publisher)
        if key not in added:  # a node that came back is a connection more, and the same
            added[key] = writer.add_connection(
                c.topic, c.type, msgdef=c.definition, md5sum=publisher.digest,
                callerid=publisher.caller, latching=publisher.latching)
        made[c.number] = added[key]
    return made
