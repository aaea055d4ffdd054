# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A topic that is recorded, and what is known of its messages."""
from __future__ import annotations

from dataclasses import dataclass

from active_collection.nodes.topics.followed_topic import FollowedTopic
from active_collection.nodes.topics.publisher_definitions import ToldDefinition
from active_collection.recording.qos import Qos

#: Messages of these types are taken to be so large (bytes) until larger ones are seen.
LARGE_BYTES = 1024 * 1024
LARGE_TYPES = frozenset({
    'sensor_msgs/msg/Image', 'sensor_msgs/msg/PointCloud2', 'sensor_msgs/msg/PointCloud',
    'nav_msgs/msg/OccupancyGrid', 'stereo_msgs/msg/DisparityImage'})


@dataclass
class RecordedTopic:
    """
    A topic that is recorded.

    :param topic: the subscriptions through which it is
    :param counts_itself: whether its messages carry their publisher's count, which tells losses
        better than the middleware's events; true until one does not
    :param largest: serialized bytes of its largest message so far
    :param depth: messages that may wait until they are taken, of each subscription
    :param sent_ns: when its newest message was sent, by the publisher's clock (ns)
    :param taken_at: when that was taken, monotonic (s)
    """

    type: str
    topic: FollowedTopic
    publishers: frozenset[bytes] = frozenset()
    offered: tuple[Qos, ...] = ()
    told: ToldDefinition | None = None
    counts_itself: bool = True
    largest: int = 0
    depth: int = 0
    sent_ns: int = 0
    taken_at: float = 0.0

    def __post_init__(self) -> None:
        if self.type in LARGE_TYPES:
            self.largest = LARGE_BYTES
