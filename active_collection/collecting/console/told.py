# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's agent, recorder and scheduler tell its operator."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from active_collection.collecting.collection_robot import Phase


@dataclass(frozen=True, slots=True)
class RobotTold:
    """
    A robot's status.

    :param words: what the operator can say to it now: 'ready', 'success', 'failure', 'discard'
    :param is_paused: whether it asks for no more work
    """

    phase: Phase
    message: str = ''
    assignment_id: str = ''
    episode_id: str = ''
    words: tuple[str, ...] = ()
    is_paused: bool = False

    @property
    def subject(self) -> tuple[str, str, Phase]:
        """Return what it is at."""
        return self.assignment_id, self.episode_id, self.phase


@dataclass(frozen=True, slots=True)
class AssignmentTold:
    """
    What the scheduler gave the robot last.

    :param configuration: name of each factor to its value with its unit
    :param time_limit_s: longest that the episode may take (s); 0: no limit
    :param why: in words
    """

    assignment_id: str
    task: str
    environment: str
    configuration: Mapping[str, str]
    collector: str
    reset_required: bool
    time_limit_s: float
    why: str


@dataclass(frozen=True, slots=True)
class RecorderTold:
    """
    A recorder's status; counts are of the open episode.

    :param state: 'idle', 'recording', 'closing' or 'blocked'
    :param disk_free: where episodes are written (bytes)
    :param size: written so far (bytes)
    """

    state: str
    message: str = ''
    elapsed_s: float = 0.0
    dropped: int = 0
    lost: int = 0
    disk_free: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class TaskCount:
    """Episodes of a task that count, and its quota; `maximum` is None where there is no limit."""

    episodes: int
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class SchedulerTold:
    """
    The scheduler's status.

    :param state: 'running', 'paused', 'draining' or 'finished'
    :param episodes: of all tasks that count
    """

    state: str
    message: str = ''
    episodes: int = 0
    tasks: Mapping[str, TaskCount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a peer answered to a request.

    :param number: of the request
    """

    number: int
    accepted: bool
    message: str = ''
