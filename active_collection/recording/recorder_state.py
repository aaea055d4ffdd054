# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recorder gets from outside, and what it says of itself."""
from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import Enum

from active_collection.episode import EpisodeRecord
from active_collection.episode import TopicStatistics
from active_collection.recording.disk import Disk
from active_collection.recording.disk import LocalDisk


class State(Enum):
    """What a recorder is doing."""

    IDLE = 'idle'
    RECORDING = 'recording'
    CLOSING = 'closing'
    BLOCKED = 'blocked'
    INACTIVE = 'inactive'


@dataclass(frozen=True)
class EpisodeEvent:
    """
    An episode that has been started, closed or amended.

    :param path: its directory below the data directory
    :param size: bytes on disk; 0 while recording
    """

    record: EpisodeRecord
    closed: bool
    path: str
    size: int = 0


@dataclass(frozen=True)
class Snapshot:
    """
    A recorder at one instant.

    :param message: one line for a person; empty where all is well
    :param is_amiss: whether the message is a warning
    :param elapsed_s: since the open episode was started (s)
    :param queue_fill: share of the queue in use, 0 to 1
    :param disk_free: bytes; 0 where the disk does not tell
    :param delays_s: topic to the shortest time from sending to receipt (s), each by its own clock
    :param silences_s: topic to the time since its last message (s)
    """

    state: State
    message: str
    record: EpisodeRecord | None = None
    elapsed_s: float = 0.0
    queue_fill: float = 0.0
    disk_free: int = 0
    topics: tuple[TopicStatistics, ...] = ()
    delays_s: Mapping[str, float] = field(default_factory=dict)
    silences_s: Mapping[str, float] = field(default_factory=dict)
    is_amiss: bool = False


@dataclass(frozen=True)
class Environment:
    """
    What a recorder gets from outside.

    :param ros_ns: ROS time (ns)
    :param monotonic: monotonic time (s)
    :param simulated_time: whether ROS time comes from a simulator, which may run fast or pause
    :param token: a short text that no two calls share
    :param versions: software name to version, for the records
    :param expected_rates: fully qualified topic name to the rate that it should keep (Hz)
    :param event_topics: fully qualified names of topics that are kept whatever else is not
    """

    ros_ns: Callable[[], int] = time.time_ns
    monotonic: Callable[[], float] = time.monotonic
    simulated_time: bool = False
    token: Callable[[], str] = lambda: secrets.token_hex(3)
    disk: Disk = field(default_factory=LocalDisk)
    ros_distro: str = 'unknown'
    versions: Mapping[str, str] = field(default_factory=dict)
    expected_rates: Mapping[str, float] = field(default_factory=dict)
    event_topics: frozenset[str] = frozenset()
