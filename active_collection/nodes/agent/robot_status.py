# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The agent's word on what its robot does and where it is: the topic `robot_status`."""
from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from rclpy.node import Node

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.collecting.collection_robot import Activity
from active_collection.collecting.collection_robot import Phase
from active_collection.msg import RobotStatus
from active_collection.nodes import qos
from active_collection.nodes.agent.operator_desk import OperatorDesk
from active_collection.nodes.news import News

#: Phases in which the robot does what it was asked: what stops it afterwards is news.
AT_WORK = frozenset({Phase.SETTING_UP, Phase.COLLECTING, Phase.REPORTING})


class StatusTopic:
    """
    What the robot does and where it is, told at every change and in every heartbeat.

    Heartbeats come from a thread of their own, so that no queue of callbacks can hold them up.

    :param settings: returns those in force
    :param name: the robot's name
    :param desk: returns what a person can say to the robot, once there is one
    :param on_failure: told why a heartbeat could not be sent
    :ivar environment: where the robot is; empty if not known
    """

    def __init__(self, node: Node, settings: Callable[[], AgentSettings], *, name: str,
                 desk: Callable[[], OperatorDesk],
                 on_failure: Callable[[Exception], object]) -> None:
        self.environment = settings().environment
        self._node = node
        self._settings = settings
        self._name = name
        self._desk = desk
        self._on_failure = on_failure
        self._activity = Activity(Phase.IDLE)
        self._changing = threading.Lock()
        self._news = News()
        self._publisher = node.create_publisher(RobotStatus, 'robot_status', qos.HEARTBEAT)
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, name='heartbeat', daemon=True)

    def start(self) -> None:
        """Tell it again and again from here on."""
        self._heart.start()

    def close(self) -> None:
        """Tell it no more by itself."""
        self._closed.set()
        self._heart.join(timeout=2.0)

    @property
    def activity(self) -> Activity:
        """Return what the robot is doing."""
        return self._activity

    def tell(self, activity: Activity) -> None:
        """Tell at once, and in every heartbeat, what the robot is doing, and log what is new."""
        self._log(activity)
        with self._changing:
            self._activity = activity
        self.publish()

    def note(self, message: str) -> None:
        """Take an action's words for a person into the heartbeat, unless they come too late."""
        with self._changing:
            if message and self._activity.phase in {Phase.SETTING_UP, Phase.COLLECTING}:
                self._activity = replace(self._activity, message=message)

    def _log(self, activity: Activity) -> None:
        """Log what keeps the robot from work, once until it is at work or something else does."""
        if activity.phase in AT_WORK:
            self._news.forget(self._name)
        elif activity.message and self._news.is_new(
                self._name, (activity.phase, activity.gist or activity.message)):
            log = self._node.get_logger()
            phase = f'{activity.phase.value}: '
            line = phase + activity.message.removeprefix(phase)
            if activity.phase is Phase.FAULT:
                log.error(line)
            elif activity.needs_person:
                log.warning(line)
            else:
                log.info(line)

    def _beat(self) -> None:
        while not self._closed.wait(self._settings().heartbeat_s):
            try:
                self.publish()
            except Exception as error:  # one beat that fails must not be the last
                self._on_failure(error)

    def publish(self) -> None:
        """Tell it at once."""
        if not self._node.context.ok():
            return
        activity, desk = self._activity, self._desk()
        message = RobotStatus(
            robot=self._name, state=getattr(RobotStatus, activity.phase.name),
            message=activity.message, assignment_id=activity.assignment_id,
            episode_id=activity.episode_id, environment=self.environment,
            words=list(desk.words), paused=desk.is_paused)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
