# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `agent`: runs the collection loop of one robot against its real peers."""
from __future__ import annotations

import threading
from collections.abc import Collection
from functools import partial

from rclpy.clock import Clock
from rclpy.clock import ClockType

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.collecting.collection_loop import CollectionLoop
from active_collection.names import check_robot_of
from active_collection.nodes.agent.agent_robot import AgentRobot
from active_collection.nodes.agent.operator_desk import OperatorDesk
from active_collection.nodes.agent.robot_status import StatusTopic
from active_collection.nodes.calls import LOOK_S
from active_collection.nodes.calls import Calls
from active_collection.nodes.parameters import ParameterNode
from active_collection.nodes.run import run
from active_collection.nodes.sole import OTHER_ROBOT
from active_collection.nodes.sole import Sole
from active_collection.nodes.unexpected import FatalError

#: How long the loop gets to put things in order when the process is to end (s).
STOP_S = 6.0
#: How soon the process ends whose loop has failed (s).
LOOK_PERIOD_S = 0.5


class AgentNode(ParameterNode[AgentSettings]):
    """
    A robot's status, its peers, and a thread for the collection loop.

    Three threads: the executor's, which only takes in messages and answers; the loop's, which
    waits for what the robot does; and the heartbeat's, which nothing holds up.
    """

    def __init__(self) -> None:
        super().__init__('agent', automatically_declare_parameters_from_overrides=True)
        settings = self.declare_settings(AgentSettings)
        name = check_robot_of(self.get_namespace())
        self._sole = Sole(self, 'agent', remedy=OTHER_ROBOT)
        self._sole.listen()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._status = StatusTopic(
            self, lambda: self.settings, name=name, desk=lambda: self._desk,
            on_failure=partial(self.unexpected.note, 'heartbeat'))
        self._desk = OperatorDesk(
            self, look_s=LOOK_S, activity=lambda: self._status.activity,
            on_change=self._status.publish)
        self._robot = AgentRobot(
            self, lambda: self.settings, name=name, calls=Calls(self._stop, self),
            status=self._status, desk=self._desk,
            refrain=self._refrain)
        self.create_timer(
            LOOK_PERIOD_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._status.start()
        self._loop = threading.Thread(
            target=self._work, args=[settings.retry_s], name='collection_loop', daemon=True)
        self._loop.start()

    def take_settings(self, settings: AgentSettings, names: Collection[str]) -> None:
        """Take the place that the robot was brought to; all else is read where it is used."""
        if 'environment' in names:  # if it was set before: set-ups may have moved it since
            self._status.environment = settings.environment

    def _refrain(self) -> str:
        """Return why the robot asks for no more work; empty where it does."""
        if not self._sole.yields:
            return ''
        return (f'rests: the other agent of this robot goes on, on {self._sole.others}; end one '
                'of the two')

    def close(self) -> None:
        """End the loop: the action is cancelled, the open episode closed as aborted."""
        self._stop.set()
        self._loop.join(timeout=STOP_S)
        self._status.close()

    def _work(self, retry_s: float) -> None:
        try:
            CollectionLoop(self._robot, retry_s=retry_s).run()
        except BaseException as error:
            self._failure = error

    def _look(self) -> None:
        """
        Say where two schedulers are heard, and end the process where the loop has failed.

        No heartbeat may stand for a dead robot.
        """
        if self._failure is not None:
            raise FatalError from self._failure
        self._robot.look()


def main() -> int:
    """Run the node and return the exit status."""
    return run(AgentNode)
