# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What operators ask of a scheduler; each order is an event that the ledger keeps."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from typing import Literal


@dataclass(frozen=True, slots=True)
class Steered:
    """
    An operator pinned, banned, boosted, capped or put something before all else, or cleared that.

    :param task: task name; empty: every task
    :param environment: environment name; empty: every environment
    :param factor: what a boost multiplies the score by
    :param until_ns: ROS time at which it ends by itself (ns); 0: until cleared
    :param limit: episodes that a cap allows from here on, with what is out
    :param priority: what a preemption gives to its leases; it takes robots from lower ones
    """

    kind: ClassVar[str] = 'steered'
    command: Literal['pin', 'ban', 'boost', 'clear', 'cap', 'preempt']
    task: str
    environment: str
    factor: float
    until_ns: int
    author: str
    reason: str
    limit: int = 0
    priority: int = 0

    @property
    def subject(self) -> str:
        """Return what the event is about: the task."""
        return self.task


@dataclass(frozen=True, slots=True)
class RobotSteered:
    """
    An operator paused, resumed or drained one robot.

    :param deadline_ns: ROS time at which a drain revokes its lease (ns); 0: never
    """

    kind: ClassVar[str] = 'robot'
    command: Literal['pause', 'resume', 'drain']
    robot: str
    deadline_ns: int
    author: str
    reason: str

    @property
    def subject(self) -> str:
        """Return what the event is about: the robot."""
        return self.robot
