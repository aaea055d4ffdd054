# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's nodes and the scheduler tell of themselves."""
from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.nodes import qos
from active_collection.pipeline.doctor.sighting import Diagnostic
from active_collection.pipeline.doctor.sighting import Level
from active_collection.pipeline.doctor.sighting import SchedulerSeen
from active_collection.pipeline.doctor.sighting import Told


class ToldTopics:
    """
    Keeps the newest message of each status topic.

    :param node: in the robot's namespace, spinning
    :param scheduler: the scheduler's full name
    """

    def __init__(self, node: Node, *, scheduler: str) -> None:
        self._diagnostics: dict[str, DiagnosticStatus] = {}
        self._newest: dict[str, Any] = {}
        for kind, topic, profile in (
                (RecorderStatus, 'recorder/status', qos.LATCHED),
                (RobotStatus, 'robot_status', qos.HEARTBEAT),
                (SchedulerState, f'{scheduler}/state', qos.LATCHED)):
            node.create_subscription(kind, topic, self._keeper(kind.__name__), profile)
        node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)

    def told(self) -> Told:
        """Return what each of them told last."""
        recorder, agent, scheduler = (
            self._newest.get(kind.__name__) for kind in (
                RecorderStatus, RobotStatus, SchedulerState))
        return Told(
            recorder=recorder and (_word(RecorderStatus, recorder), recorder.message),
            agent=agent and (_word(RobotStatus, agent), agent.message),
            scheduler=scheduler and SchedulerSeen(
                state=_word(SchedulerState, scheduler), message=scheduler.message,
                ensemble_id=scheduler.ensemble_id))

    def diagnostics(self, robot: str) -> tuple[Diagnostic, ...]:
        """Return the newest status of every name that is a robot's."""
        return tuple(
            Diagnostic(name=name, level=Level(_number(status.level)), message=status.message)
            for name, status in sorted(self._diagnostics.copy().items())
            if name.startswith(f'{robot}/'))

    def _keeper(self, name: str) -> Any:
        def keep(message: Any) -> None:
            self._newest[name] = message

        return keep

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        self._diagnostics.update({status.name: status for status in array.status})


def _word(kind: Any, message: Any) -> str:
    """Return the name of the constant that a message's state has: 'IDLE'."""
    constants = {name: getattr(kind, name) for name in dir(kind) if name.isupper()}
    return next((name for name, value in constants.items()
                 if value == message.state and not name.startswith('_')), str(message.state))


def _number(level: Any) -> int:
    """Return a level, which is a byte."""
    return level[0] if isinstance(level, bytes) else int(level)
