# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a robot gets nothing, or not some of the tasks, and what a person can do about it."""
from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

#: Names that a message lists before it counts the rest.
MOST_NAMES = 3


class Refused(str, Enum):
    """Why a robot got no assignment; the names are those of RequestAssignment's codes."""

    NOTHING_ELIGIBLE = 'nothing_eligible'
    PAUSED = 'paused'
    FINISHED = 'finished'
    UNKNOWN_ROBOT = 'unknown_robot'
    INVALID = 'invalid'
    UNAVAILABLE = 'unavailable'


class Cause(str, Enum):
    """What keeps a robot from a task; the names are those of RefusalReason's causes."""

    EXCLUDED = 'excluded'
    UNREACHABLE = 'unreachable'
    CAPABILITIES = 'capabilities'
    COLLECTORS = 'collectors'
    PRECONDITIONS = 'preconditions'
    STOPPED = 'stopped'
    MAXIMUM = 'maximum'
    FULL = 'full'
    BANNED = 'banned'
    CAPPED = 'capped'
    CONFIGURATIONS = 'configurations'
    TAKEN = 'taken'


#: What passes without anybody's doing: other robots move on.
PASSING = frozenset({Cause.FULL, Cause.TAKEN})


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """
    One cause, and the tasks that it keeps from a robot.

    :param tasks: in the order of the scenario space; empty: all that the robot could do
    :param found: one line: what is the case
    :param remedy: one line: what to change; empty: it passes, or is as it was wanted
    """

    cause: Cause
    tasks: tuple[str, ...]
    found: str
    remedy: str = ''

    def __str__(self) -> str:
        number = f'{len(self.tasks)} task{"s" * (len(self.tasks) > 1)}'
        which = f'{number} ({listed(self.tasks)}): ' if self.tasks else ''
        return which + '; '.join(filter(None, (self.found, self.remedy)))


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    No lease, and why.

    :param message: one line for a person: why, and what to change
    :param retry_after_s: when to ask again (s)
    :param reasons: the same for programs, where nothing is eligible
    """

    code: Refused
    message: str
    retry_after_s: float
    reasons: tuple[RefusalReason, ...] = ()

    @property
    def needs_person(self) -> bool:
        """Tell whether the robot is refused until a person changes something."""
        return (self.code in {Refused.UNKNOWN_ROBOT, Refused.INVALID, Refused.UNAVAILABLE}
                or _need_person(self.reasons))

    @classmethod
    def nothing(cls, reasons: tuple[RefusalReason, ...], *, retry_after_s: float) -> Refusal:
        """Return that a robot may be given nothing, for reasons."""
        return cls(Refused.NOTHING_ELIGIBLE, '. '.join(map(str, reasons)), retry_after_s, reasons)

    @property
    def gist(self) -> str:
        """Return what makes it another refusal than the last: not how many tasks are full."""
        if self.needs_person or not self.reasons:
            return self.message
        return f'{self.code.value}: {", ".join(reason.cause.value for reason in self.reasons)}'


def _need_person(reasons: Collection[RefusalReason]) -> bool:
    """Tell whether a robot gets nothing until a person changes something."""
    return (any(reason.remedy for reason in reasons)
            and not any(reason.cause in PASSING for reason in reasons))


def listed(names: Sequence[str]) -> str:
    """Return names in one line: the first few, and how many more there are."""
    more = len(names) - MOST_NAMES
    first = ', '.join(names[:MOST_NAMES])
    return f'{first} and {more} more' if more > 0 else first
