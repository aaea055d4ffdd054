# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scheduler answers: leases and refusals, what became of a report, its own state."""
from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from active_collection.scheduling.events import Assigned
from active_collection.scheduling.state import TaskState


class Refused(str, Enum):
    """Why a robot got no assignment; the names are those of RequestAssignment's codes."""

    NOTHING_ELIGIBLE = 'nothing_eligible'
    PAUSED = 'paused'
    FINISHED = 'finished'
    UNKNOWN_ROBOT = 'unknown_robot'
    INVALID = 'invalid'
    UNAVAILABLE = 'unavailable'


class Released(str, Enum):
    """What became of a lease handed back; the names are those of ReleaseAssignment's codes."""

    RELEASED = 'released'
    UNKNOWN_ASSIGNMENT = 'unknown_assignment'
    NOT_HOLDER = 'not_holder'
    ENDED = 'ended'
    UNAVAILABLE = 'unavailable'


class Counted(str, Enum):
    """What became of a reported episode."""

    COUNTED = 'counted'
    AMENDED = 'amended'
    DUPLICATE = 'duplicate'
    RECORDING = 'recording'


@dataclass(frozen=True, slots=True)
class Grant:
    """
    A lease.

    :param issued_ns: ROS time when it was granted (ns)
    :param deadline_ns: ROS time after which it is revoked unless it is renewed (ns)
    """

    assigned: Assigned
    issued_ns: int
    deadline_ns: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    No lease, and why.

    :param message: one line for a person
    :param retry_after_s: when to ask again (s)
    """

    code: Refused
    message: str
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class State:
    """What the scheduler tells of itself."""

    mode: str
    message: str
    rule: str
    ensemble_id: str
    episodes: int
    revoked: int
    leases: tuple[Grant, ...]
    tasks: tuple[TaskState, ...]
