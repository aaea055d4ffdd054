# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `agent`: runs the collection loop of one robot against its real peers."""
from __future__ import annotations

import threading

from rclpy.node import Node

from active_collection.msg import Episode
from active_collection.msg import HighUncertainty
from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.names import check_name
from active_collection.nodes import qos
from active_collection.nodes.agent_robot import AgentRobot
from active_collection.nodes.conversions import time_to_ns
from active_collection.nodes.heartbeat import Heartbeat
from active_collection.nodes.parameters import declare
from active_collection.nodes.run import run
from active_collection.scheduling.agent_settings import AgentSettings
from active_collection.scheduling.collection_loop import CollectionLoop
from active_collection.scheduling.collection_robot import Activity

#: How long the loop gets to put things in order when the process is to end (s).
STOP_S = 6.0
#: How soon the process ends whose loop has failed (s).
LOOK_PERIOD_S = 0.5


class AgentNode(Node):
    """
    The robot's heartbeats, what it hears of its peers, and a thread for the collection loop.

    Three threads: the executor's, which only takes in messages and answers; the loop's, which
    waits for what the robot does; and the heartbeat's, which nothing holds up.
    """

    def __init__(self) -> None:
        super().__init__('agent', automatically_declare_parameters_from_overrides=True)
        settings = declare(self, AgentSettings)
        self._name = check_name(self.get_namespace().strip('/'), 'namespace (the robot)')
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._status = self.create_publisher(RobotStatus, 'robot_status', qos.HEARTBEAT)
        self._robot = AgentRobot(
            self, settings, name=self._name, stop=self._stop, publish=self._publish)
        self.create_subscription(RecorderStatus, f'{settings.recorder}/status',
                                 self._robot.recorder.watch.on_status, qos.LATCHED)
        self.create_subscription(Episode, 'episodes', self._robot.recorder.watch.on_episode,
                                 qos.EPISODES)
        self.create_subscription(SchedulerState, f'{settings.scheduler}/state',
                                 self._on_scheduler, qos.LATCHED)
        if settings.on_high_uncertainty != 'ignore':
            self.create_subscription(HighUncertainty, 'uncertainty/high_uncertainty',
                                     self._on_high_uncertainty, qos.STATE)
        self.create_timer(LOOK_PERIOD_S, self._look)
        self._heartbeat = Heartbeat(
            lambda: self._publish(self._robot.activity, self._robot.environment),
            period_s=settings.heartbeat_s)
        self._loop = threading.Thread(
            target=self._work, args=[settings.retry_s], name='collection_loop', daemon=True)
        self._loop.start()

    def close(self) -> None:
        """End the loop: the action is cancelled, the open episode closed as aborted."""
        self._stop.set()
        self._loop.join(timeout=STOP_S)
        self._heartbeat.close()

    def _work(self, retry_s: float) -> None:
        try:
            CollectionLoop(self._robot, retry_s=retry_s).run()
        except BaseException as error:
            self._failure = error

    def _look(self) -> None:
        """End the process where the loop has failed: no heartbeat may stand for a dead robot."""
        if self._failure is not None:
            raise self._failure

    def _on_scheduler(self, state: SchedulerState) -> None:
        self._robot.lease.see(time_to_ns(state.header.stamp), {
            lease.assignment_id: time_to_ns(lease.deadline) for lease in state.assignments})

    def _on_high_uncertainty(self, event: HighUncertainty) -> None:
        if event.state == HighUncertainty.BEGIN:
            self._robot.is_unsure(
                event.episode_id, f'{event.measure} {event.value:.4g} above {event.threshold:.4g}')

    def _publish(self, activity: Activity, environment: str) -> None:
        if not self.context.ok():
            return
        message = RobotStatus(
            robot=self._name, state=getattr(RobotStatus, activity.phase.name),
            message=activity.message, assignment_id=activity.assignment_id,
            episode_id=activity.episode_id, environment=environment)
        message.header.stamp = self.get_clock().now().to_msg()
        self._status.publish(message)


def main() -> int:
    """Run the node and return the exit status."""
    return run(AgentNode)
