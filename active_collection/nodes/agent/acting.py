# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The agent's word on who acts: the latched topic `actor`."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.node import Node

from active_collection.episode import Actor
from active_collection.episode import Source
from active_collection.msg import Actor as ActorMsg
from active_collection.nodes import qos


class ActorTopic:
    """Tells who acts, from a moment on until it tells of the next."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(ActorMsg, 'actor', qos.LATCHED)

    @contextmanager
    def acting(self, collector: str, episode_id: str) -> Iterator[None]:
        """
        Tell who acts within a `with` block, and behind it that nobody does.

        :param collector: 'teleoperation', 'scripted' or 'policy'
        """
        self._tell(Source(collector).actor, episode_id)
        try:
            yield
        finally:
            self._tell(Actor.NOBODY, episode_id)

    def _tell(self, actor: Actor, episode_id: str) -> None:
        if not self._node.context.ok():
            return
        message = ActorMsg(actor=actor, episode_id=episode_id)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
