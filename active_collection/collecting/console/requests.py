# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an operator's keys ask of a robot's agent, its recorder and the scheduler."""
from __future__ import annotations

from dataclasses import dataclass

from active_collection.episode import Outcome


@dataclass(frozen=True, slots=True)
class Tell:
    """Say a word to the agent about an attempt."""

    word: str
    assignment_id: str
    episode_id: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Have the robot ask for no more work, or go on."""

    is_paused: bool


@dataclass(frozen=True, slots=True)
class Amend:
    """
    Correct a closed episode's outcome.

    :param is_redone: whether because its scenario is collected once more
    """

    episode_id: str
    outcome: Outcome
    is_redone: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """
    Have the scheduler give an episode's scenario once more, or not after all.

    :param instead_of: lease that is taken back for it; empty for none
    """

    episode_id: str
    instead_of: str = ''
    is_cancelled: bool = False


Request = Tell | Pause | Amend | Repeat
#: Who is asked.
PEERS = {Tell: 'agent', Pause: 'agent', Amend: 'recorder', Repeat: 'scheduler'}
