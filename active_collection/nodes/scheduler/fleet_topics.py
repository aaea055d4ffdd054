# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The robots of a fleet as the graph shows them, and their topics, taken by hand."""
from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile

from active_collection.errors import InvalidNameError
from active_collection.msg import Episode
from active_collection.msg import RobotStatus
from active_collection.names import check_robot_of
from active_collection.nodes import qos
from active_collection.nodes.topics.followed_topic import FollowedTopic
from active_collection.nodes.topics.offered_qos import from_profile

#: A robot of which nothing publishes any more is forgotten after this long (s).
FORGET_S = 60.0
#: Topics that are followed at once, at 4 ms each with what else their robots are given: a fleet
#: that appears as one must not keep those from work that are there.
MOST_NEW = 10


@dataclass(frozen=True)
class _Kind:
    """A topic that makes its namespace a robot."""

    name: str
    message: Any
    type: str
    qos: QoSProfile


EPISODES = _Kind('episodes', Episode, 'active_collection/msg/Episode', qos.EPISODES)
STATUSES = _Kind('robot_status', RobotStatus, 'active_collection/msg/RobotStatus', qos.HEARTBEAT)
KINDS = {kind.name: kind for kind in (EPISODES, STATUSES)}


@dataclass
class _Topic:
    """
    One topic of one robot.

    :param followed: what its messages are taken with
    :param publishers: at the last look; one that was killed counts until the middleware misses it
    :param seen_at: when there was one last (monotonic s)
    """

    followed: FollowedTopic
    seen_at: float
    publishers: int = 0


class FleetTopics:
    """
    Subscribes to the episodes and heartbeats of every robot in the graph, and takes them.

    A namespace is a robot while somebody publishes `episodes` or `robot_status` of this package's
    types in it; a topic of another type, one that is only listened to, and one in a namespace that
    is no robot's, are none of ours. Whose message it is, the topic says that it came on.

    :param on_episodes: called with all that arrived meanwhile, each with the robot's name
    :param on_status: called with the robot's name and its message
    :param on_recorder: called with a robot's name when a recorder of its appears
    :param on_gone: called with a robot's name when it is forgotten
    :param now: monotonic time (s)
    """

    def __init__(self, node: Node, *, on_episodes: Callable[[list[tuple[str, Episode]]], None],
                 on_status: Callable[[str, RobotStatus], None],
                 on_recorder: Callable[[str], None], on_gone: Callable[[str], None],
                 now: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._on_episodes = on_episodes
        self._on_status = on_status
        self._on_recorder = on_recorder
        self._on_gone = on_gone
        self._now = now
        self._followed: dict[str, dict[str, _Topic]] = {kind: {} for kind in KINDS}

    @property
    def agents(self) -> set[str]:
        """Return the robots that have an agent."""
        return set(self._followed[STATUSES.name])

    def discover(self) -> bool:
        """
        Follow robots that have appeared, forget those that are gone, find recorders.

        :returns: whether there are more than are taken at once: to be called again soon
        """
        found, has_more = self._published()
        now = self._now()
        before = self._robots()
        for kind, topics in self._followed.items():
            for robot, topic in found[kind].items():
                if robot not in topics:
                    topics[robot] = _Topic(self._follow(KINDS[kind], topic), now)
            for robot, of_robot in list(topics.items()):
                count = of_robot.followed.publishers
                if count > of_robot.publishers and kind == EPISODES.name:
                    self._on_recorder(robot)
                of_robot.publishers = count
                if count:
                    of_robot.seen_at = now
                elif now - of_robot.seen_at > FORGET_S:
                    topics.pop(robot).followed.close()
        for robot in sorted(before - self._robots()):
            self._on_gone(robot)
        return has_more

    def take(self) -> None:
        """Take everything that has arrived."""
        self.take_episodes(self._followed[EPISODES.name])
        for robot, topic in self._followed[STATUSES.name].items():
            for message in topic.followed.take():
                self._on_status(robot, message)

    def take_episodes(self, robots: Iterable[str]) -> None:
        """Take the episodes of robots, so that what they reported counts before they ask again."""
        topics = self._followed[EPISODES.name]
        arrived = [
            (robot, message) for robot in robots if robot in topics
            for message in topics[robot].followed.take()]
        if arrived:
            self._on_episodes(arrived)

    def _robots(self) -> set[str]:
        return {robot for topics in self._followed.values() for robot in topics}

    def _published(self) -> tuple[dict[str, dict[str, str]], bool]:
        """
        Return robot to topic, for each kind, of what is published and not followed yet.

        :returns: at most MOST_NEW topics, and whether there may be more
        """
        found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        left = MOST_NEW
        for topic, types in self._node.get_topic_names_and_types():
            namespace, _, name = topic.rpartition('/')
            if name not in KINDS or KINDS[name].type not in types:
                continue
            try:
                robot = check_robot_of(namespace)
            except InvalidNameError:
                continue
            if robot in self._followed[name]:
                continue
            if self._is_published(topic, KINDS[name]):
                if not left:
                    return found, True
                left -= 1
                found[name][robot] = topic
        return found, False

    def _is_published(self, topic: str, kind: _Kind) -> bool:
        return any(endpoint.topic_type == kind.type
                   for endpoint in self._node.get_publishers_info_by_topic(topic))

    def _follow(self, kind: _Kind, topic: str) -> FollowedTopic:
        followed = FollowedTopic(self._node, topic, kind.message)
        followed.want([from_profile(kind.qos)])
        return followed
