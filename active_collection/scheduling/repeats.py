# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An operator's order that a robot collects an episode's scenario once more."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from active_collection.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Repeat:
    """
    A robot is to collect an episode's scenario once more, before anything else.

    It stands until its lease gave an episode, could not be set up, or an operator took it back.

    :param assignment_id: of the episode; empty where it had none
    :param collector: who acted: 'teleoperation', 'scripted' or 'policy'
    :param policy_task: task whose policy acted; empty where no policy did
    :param is_cancelled: whether it is taken back
    """

    kind: ClassVar[str] = 'repeat'
    robot: str
    episode_id: str
    assignment_id: str
    scenario: Scenario
    collector: str
    policy_task: str
    author: str
    reason: str
    is_cancelled: bool = False

    @property
    def subject(self) -> str:
        """Return what the event is about: the robot."""
        return self.robot

    @property
    def signed(self) -> str:
        """Return who asked for it and why."""
        return f'{self.author}: {self.reason}'

    def __str__(self) -> str:
        return f'{self.robot} repeats {self.episode_id} ({self.signed})'
