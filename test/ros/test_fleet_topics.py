# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which namespaces a scheduler takes for robots, and for how long."""
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.msg import RobotStatus
from fleet_peers import until
from std_msgs.msg import String

from active_collection.nodes import qos
from active_collection.nodes.scheduler.fleet_topics import FORGET_S
from active_collection.nodes.scheduler.fleet_topics import FleetTopics


class Fleet:
    """A node that follows robots, at times of the test's own, and one that publishes."""

    def __init__(self, ros):
        self.node = ros.create_node('follower')
        self.peer = ros.create_node('peer')
        self.now = 0.0
        self.recorders, self.gone, self.episodes, self.beats = [], [], [], []
        self.topics = FleetTopics(
            self.node, on_episodes=self.episodes.extend,
            on_status=lambda robot, _: self.beats.append(robot),
            on_recorder=self.recorders.append, on_gone=self.gone.append, now=lambda: self.now)

    def followed(self):
        """Look once, and return the topics that are subscribed to."""
        self.topics.discover()
        return sorted(s.topic_name for s in self.node.subscriptions
                      if s.topic_name.endswith(('/episodes', '/robot_status')))

    def appear(self, robot):
        """Let an agent and a recorder come."""
        return (self.peer.create_publisher(Episode, f'/{robot}/episodes', qos.EPISODES),
                self.peer.create_publisher(RobotStatus, f'/{robot}/robot_status', qos.HEARTBEAT))

    def leave(self, publishers):
        for publisher in publishers:
            self.peer.destroy_publisher(publisher)

    def is_gone(self, robot):
        """Tell whether the graph shows nothing of a robot."""
        return not any(self.node.count_publishers(f'/{robot}/{name}')
                       for name in ('episodes', 'robot_status'))

    def forget(self, robot):
        """Let a robot that has left be gone for long."""
        until(lambda: self.is_gone(robot))
        self.followed()
        self.now += FORGET_S + 1.0


@pytest.fixture
def fleet(ros):
    fleet = Fleet(ros)
    yield fleet
    fleet.node.destroy_node()
    fleet.peer.destroy_node()


def test_a_robot_that_is_gone_for_good_is_forgotten(fleet):
    for number in range(20):
        robot = fleet.appear(f'arm_{number}')
        until(lambda: len(fleet.followed()) == 2)
        fleet.leave(robot)
        fleet.forget(f'arm_{number}')

        assert fleet.followed() == []
        assert fleet.gone[-1] == f'arm_{number}'

    assert len(fleet.gone) == 20


def test_a_robot_that_comes_back_in_time_is_not_forgotten(fleet):
    fleet.leave(fleet.appear('arm_1'))
    again = fleet.appear('arm_1')
    until(lambda: len(fleet.followed()) == 2)
    fleet.now += FORGET_S + 1.0

    assert len(fleet.followed()) == 2
    assert fleet.gone == []
    fleet.leave(again)


def test_one_that_was_forgotten_and_comes_back_is_followed_anew(fleet):
    fleet.leave(fleet.appear('arm_1'))
    robot = fleet.appear('arm_1')
    until(lambda: len(fleet.followed()) == 2)
    fleet.leave(robot)
    fleet.forget('arm_1')
    assert fleet.followed() == []

    episodes, _ = fleet.appear('arm_1')

    until(lambda: len(fleet.followed()) == 2)
    assert fleet.recorders == ['arm_1', 'arm_1']
    episodes.publish(Episode(episode_id='e1'))
    until(lambda: fleet.topics.take() or fleet.episodes)
    assert fleet.episodes[0][0] == 'arm_1'


@pytest.mark.parametrize(('topic', 'kind'), [
    ('/arm_2/episodes', String),  # another type
    ('/episodes', Episode),  # no robot's namespace
    ('/' + 'a' * 65 + '/robot_status', RobotStatus),  # nor this one
])
def test_anyone_s_topic_makes_no_robot(fleet, topic, kind):
    fleet.peer.create_publisher(kind, topic, 10)
    real = fleet.appear('arm_1')

    until(lambda: len(fleet.followed()) == 2)
    until(lambda: fleet.node.count_publishers(topic))

    assert fleet.followed() == ['/arm_1/episodes', '/arm_1/robot_status']
    fleet.leave(real)


def test_a_topic_that_is_only_listened_to_makes_no_robot(fleet):
    fleet.peer.create_subscription(Episode, '/arm_3/episodes', lambda _: None, qos.EPISODES)
    real = fleet.appear('arm_1')

    until(lambda: len(fleet.followed()) == 2)
    until(lambda: fleet.node.count_subscribers('/arm_3/episodes'))

    assert fleet.followed() == ['/arm_1/episodes', '/arm_1/robot_status']
    fleet.leave(real)


def test_a_topic_of_two_types_is_a_robot_s_where_one_is_ours(fleet, ros):
    with ros.init(context=(elsewhere := ros.Context())):
        stranger = ros.create_node('stranger', context=elsewhere)  # a process has one type a topic
        stranger.create_publisher(String, '/arm_4/robot_status', 10)
        until(lambda: fleet.node.count_publishers('/arm_4/robot_status'))
        assert fleet.followed() == []

        ours = fleet.peer.create_publisher(RobotStatus, '/arm_4/robot_status', qos.HEARTBEAT)

        until(lambda: fleet.followed() == ['/arm_4/robot_status'])
        until(lambda: fleet.topics.take() or fleet.beats or ours.publish(RobotStatus()))
        stranger.destroy_node()
