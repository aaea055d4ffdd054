# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Follow the topics of an observation specification as their publishers come and go."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.node import Node

from active_collection.bags.observation import ObservationSpec
from active_collection.nodes.topics.followed_topic import FollowedTopic
from active_collection.nodes.topics.followed_topic import publisher_identity
from active_collection.nodes.topics.message_types import MessageTypes
from active_collection.nodes.topics.message_types import UnusableTypeError
from active_collection.nodes.topics.offered_qos import from_profile
from active_collection.nodes.unexpected import as_line
from active_collection.recording.qos import VOLATILE
from active_collection.recording.qos import requests

#: Messages of a topic that may wait; of a latched one the newest counts.
DEPTH, LATCHED_DEPTH = 100, 1
#: Time between two looks at the publishers of topics that are received (s).
LOOK_S = 0.25

#: Called with (topic as the specification writes it, message, receive time as the middleware gives
#: it (ns of the system clock; 0 where it gives none)).
OnMessage = Callable[[str, Any, int], None]


class ObservationSubscriptions:
    """
    The subscriptions that one specification needs.

    Types and QoS are those of the publishers, whoever they are by now: types need not be
    configured, a best-effort camera and a transient_local scenario are both received, and a driver
    that starts again with another QoS is, too.
    """

    def __init__(self, node: Node, spec: ObservationSpec, on_message: OnMessage) -> None:
        self._node = node
        self._spec = spec
        self._on_message = on_message
        self._types = MessageTypes()
        self._topics: dict[str, FollowedTopic] = {}
        self._type_of: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        self._looked_at = 0.0

    @property
    def problems(self) -> dict[str, str]:
        """Return topic to why it is not received although it is published."""
        return dict(self._problems)

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the topics without a subscription, because nobody has published them yet."""
        return tuple(t for t in self._spec.observation_topics if t not in self._topics)

    @property
    def lost(self) -> dict[str, int]:
        """Return how many messages were lost of each topic since its first subscription."""
        return {topic: followed.lost for topic, followed in self._topics.items()}

    def discover(self) -> None:
        """Subscribe to what has appeared, and adapt to publishers that have come or gone."""
        for topic in self.missing:
            self._follow(topic)
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        for topic in list(self._topics):
            self._follow(topic)
        for followed in self._topics.values():
            followed.prune()
            followed.hear()

    def close(self) -> None:
        """Take every subscription back."""
        for followed in self._topics.values():
            followed.close()
        self._topics.clear()

    def _follow(self, topic: str) -> None:
        name = self._node.resolve_topic_name(topic)
        # Those of the type that is received come first: of two types, one is kept to.
        endpoints = sorted(self._node.get_publishers_info_by_topic(name),
                           key=lambda endpoint: endpoint.topic_type != self._type_of.get(topic))
        for endpoint in endpoints:
            try:
                kind = self._types.of(endpoint.topic_type)
                followed = self._topics.get(topic)
                if followed is not None and followed.kind is not kind:
                    # The middleware lets a node have a topic of one type alone.
                    self._topics.pop(topic).close()
                    followed = None
                if followed is None:
                    followed = FollowedTopic(
                        self._node, name, kind, on_message=partial(self._receive, topic))
                self._adapt(topic, followed, [
                    e for e in endpoints if e.topic_type == endpoint.topic_type])
            except UnusableTypeError as error:
                self._complain(topic, f'not received: {error}')
                continue
            except Exception as error:  # its package or the middleware may raise anything
                self._complain(topic, f'not received: {as_line(error)}')
                continue
            self._topics[topic], self._type_of[topic] = followed, endpoint.topic_type
            self._problems.pop(topic, None)
            return

    def _adapt(self, topic: str, followed: FollowedTopic, endpoints: list[Any]) -> None:
        """Ask for all that its publishers offer; for what is kept only of what is latched."""
        is_latched = topic in self._spec.latched_topics
        offered = [from_profile(endpoint.qos_profile) for endpoint in endpoints]
        if not is_latched:
            offered = [replace(profile, durability=VOLATILE) for profile in offered]
        depth = LATCHED_DEPTH if is_latched else DEPTH
        wanted = requests([replace(profile, depth=depth) for profile in offered], depth=depth)
        followed.want(wanted, [publisher_identity(endpoint) for endpoint in endpoints])

    def _receive(self, topic: str, message: Any, information: dict[str, Any]) -> None:
        self._on_message(topic, message, int(information.get('received_timestamp') or 0))

    def _complain(self, topic: str, problem: str) -> None:
        """Say, once, why a topic is not received."""
        if self._problems.get(topic) != problem:
            self._problems[topic] = problem
            self._node.get_logger().warning(f'{topic}: {problem}')
