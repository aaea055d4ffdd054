# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The graph as discovery tells it: nodes, topics with their publishers, action servers."""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from typing import Any

from rclpy.action import get_action_server_names_and_types_by_node
from rclpy.node import Node

from active_collection.nodes.topics.offered_qos import from_profile
from active_collection.pipeline.doctor.sighting import Endpoint
from active_collection.pipeline.doctor.sighting import TopicSeen

#: Discovery is over when nothing has changed for so long (s).
QUIET_S = 1.0
#: A participant whose first announcements were lost on a busy machine makes the next one after
#: 3 s: whoever is not there after this is missing (s).
LONGEST_S = 6.0
LOOK_S = 0.1
#: Of every node; nothing of a robot is in them.
UNIVERSAL = ('/rosout', '/parameter_events')
UNKNOWN = '_NODE_NAME_UNKNOWN_'


class Graph:
    """
    What a node knows of the others.

    :param node: leaves itself out of what it tells
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    def await_settled(self, expected: Collection[str]) -> None:
        """
        Return when no node has appeared for a while, or one that is expected never will.

        :param expected: full names
        """
        began = changed_at = time.monotonic()
        known: list[str] = []
        while time.monotonic() - began < LONGEST_S:
            seen = sorted(_full(*each) for each in self._others())
            if seen != known:
                known, changed_at = seen, time.monotonic()
            if time.monotonic() - changed_at > QUIET_S and set(expected) <= set(seen):
                return
            time.sleep(LOOK_S)

    def count(self, name: str) -> int:
        """Return how many nodes have a full name."""
        return Counter(_full(*each) for each in self._others())[name]

    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces that have nodes."""
        return tuple(sorted({namespace for _, namespace in self._others()}))

    def topics(self) -> tuple[TopicSeen, ...]:
        """Return every topic that is not hidden, with its publishers and subscriptions."""
        names = [name for name, _ in self._node.get_topic_names_and_types()
                 if '/_' not in name and name not in UNIVERSAL]
        return tuple(TopicSeen(
            name=name,
            publishers=self._endpoints(self._node.get_publishers_info_by_topic(name)),
            subscriptions=self._endpoints(self._node.get_subscriptions_info_by_topic(name)))
            for name in sorted(names))

    def actions(self) -> dict[str, str]:
        """Return full name to type of every action that has a server."""
        found = {}
        for name, namespace in self._others():
            if name != UNKNOWN:
                found.update({action: types[0] for action, types in
                              get_action_server_names_and_types_by_node(
                                  self._node, name, namespace) if types})
        return found

    def _others(self) -> list[tuple[str, str]]:
        own = (self._node.get_name(), self._node.get_namespace())
        return [each for each in self._node.get_node_names_and_namespaces()
                if tuple(each) != own]

    def _endpoints(self, infos: list[Any]) -> tuple[Endpoint, ...]:
        return tuple(Endpoint(
            node='' if info.node_name == UNKNOWN else _full(info.node_name, info.node_namespace),
            type=info.topic_type, qos=from_profile(info.qos_profile))
            for info in infos if info.node_name != self._node.get_name())


def _full(name: str, namespace: str) -> str:
    return f'{namespace.rstrip("/")}/{name}'
