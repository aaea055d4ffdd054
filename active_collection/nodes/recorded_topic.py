# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A topic that is recorded, and the subscriptions through which it is."""
from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from active_collection.nodes.middleware_events import MiddlewareEvents
from active_collection.nodes.publisher_definitions import ToldDefinition
from active_collection.recording.qos import RELIABLE
from active_collection.recording.qos import Qos

#: A subscription that another one follows is kept for so long, until publishers know of that (s).
OVERLAP_S = 0.5
#: Messages of these types are taken to be so large (bytes) until larger ones are seen.
LARGE_BYTES = 1024 * 1024
LARGE_TYPES = frozenset({
    'sensor_msgs/msg/Image', 'sensor_msgs/msg/PointCloud2', 'sensor_msgs/msg/PointCloud',
    'nav_msgs/msg/OccupancyGrid', 'stereo_msgs/msg/DisparityImage'})


@dataclass(frozen=True)
class Subscribed:
    """A subscription, and what the middleware says of it."""

    subscription: Any
    events: MiddlewareEvents


@dataclass
class RecordedTopic:
    """
    A topic that is recorded.

    :param kind: message class
    :param counts_itself: whether its messages carry their publisher's count, which tells losses
        better than the middleware's events; true until one does not
    :param largest: serialized bytes of its largest message so far
    :param depth: messages that may wait until they are taken, of each subscription
    :param sent_ns: when its newest message was sent, by the publisher's clock (ns)
    :param taken_at: when that was taken, monotonic (s)
    """

    type: str
    kind: Any
    subscriptions: dict[Qos, Subscribed] = field(default_factory=dict)
    publishers: frozenset[bytes] = frozenset()
    offered: tuple[Qos, ...] = ()
    told: ToldDefinition | None = None
    counts_itself: bool = True
    largest: int = 0
    depth: int = 0
    sent_ns: int = 0
    taken_at: float = 0.0
    _superfluous: dict[Qos, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type in LARGE_TYPES:
            self.largest = LARGE_BYTES

    @property
    def is_reliable(self) -> bool:
        """Tell whether lost messages are sent again."""
        return any(request.reliability == RELIABLE for request in list(self.subscriptions))

    def want(self, requests: Collection[Qos]) -> None:
        """
        State which subscriptions are wanted; the others go when they have been followed.

        A publisher knows of a new subscription a moment later than the subscription of it. What
        arrives twice meanwhile is told by the publisher's count.
        """
        now = time.monotonic()
        self._superfluous = {
            request: self._superfluous.get(request, now)
            for request in self.subscriptions if request not in requests}

    def superfluous(self) -> set[Qos]:
        """Return what is neither wanted nor needed any longer."""
        now = time.monotonic()
        return {request for request, since in self._superfluous.items()
                if now - since >= OVERLAP_S}

    def remove(self, request: Qos) -> Subscribed:
        """Return, and forget, a subscription."""
        self._superfluous.pop(request, None)
        return self.subscriptions.pop(request)
