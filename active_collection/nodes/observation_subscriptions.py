# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Subscribe to the topics of an observation specification as they appear in the graph."""
from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy

from active_collection.bags.observation import ObservationSpec

#: Called with (topic as the specification writes it, message, receive time as the middleware gives
#: it (ns of the system clock; 0 where it gives none)).
OnMessage = Callable[[str, Any, int], None]


class ObservationSubscriptions:
    """
    The subscriptions that one specification needs.

    Types and QoS are those of the publishers: types need not be configured, and a best-effort
    camera and a transient_local scenario are both received.
    """

    def __init__(self, node: Node, spec: ObservationSpec, on_message: OnMessage) -> None:
        self._node = node
        self._spec = spec
        self._on_message = on_message
        self._subscriptions: dict[str, Any] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the topics without a subscription, because nobody has published them yet."""
        return tuple(
            t for t in self._spec.observation_topics if t not in self._subscriptions)

    def discover(self) -> None:
        """Subscribe to those topics that have a publisher by now."""
        for topic in self.missing:
            publishers = self._node.get_publishers_info_by_topic(
                self._node.resolve_topic_name(topic))
            if publishers:
                self._subscriptions[topic] = self._subscribe(topic, publishers)

    def close(self) -> None:
        """Take every subscription back."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _subscribe(self, topic: str, publishers: list[Any]) -> Any:
        offered = [publisher.qos_profile for publisher in publishers]
        reliable = all(q.reliability == ReliabilityPolicy.RELIABLE for q in offered)
        durable = all(q.durability == DurabilityPolicy.TRANSIENT_LOCAL for q in offered)
        profile = QoSProfile(
            depth=1 if topic in self._spec.latched_topics else 100,
            reliability=(
                ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT),
            durability=(
                DurabilityPolicy.TRANSIENT_LOCAL
                if durable and topic in self._spec.latched_topics else DurabilityPolicy.VOLATILE))

        def receive(message: Any, information: dict[str, Any]) -> None:
            self._on_message(topic, message, int(information.get('received_timestamp') or 0))

        return self._node.create_subscription(
            _message_class(publishers[0].topic_type), topic, receive, profile)


def _message_class(name: str) -> Any:
    """Return the class of a message type, 'sensor_msgs/msg/JointState'."""
    package, _, kind = name.split('/')
    return getattr(importlib.import_module(f'{package}.msg'), kind)
