# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How long each lease still has: renewed by heartbeats, ended by silence."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from active_collection.scheduling.assignment import Assignment

NS = 1_000_000_000
#: Time that may pass between two looks at the clock; more means that the process was stopped and
#: could hear nobody, and every deadline moves by what it missed (ns).
LARGEST_STEP_NS = 10 * NS
#: ROS time is taken for set where it differs by more than this from what it should be (ns).
SET_NS = NS // 100


class Released(str, Enum):
    """What became of a lease handed back; the names are those of ReleaseAssignment's codes."""

    RELEASED = 'released'
    UNKNOWN_ASSIGNMENT = 'unknown_assignment'
    NOT_HOLDER = 'not_holder'
    ENDED = 'ended'
    UNAVAILABLE = 'unavailable'


class Deadlines:
    """
    When the leases that are out end unless they are renewed, by a steady clock.

    ROS time may be set while they run: it only says of a deadline when that will be, for messages
    and for operators. They live in memory alone: a restart renews them all.

    :param lease_s: time that a grant or a heartbeat gives (s)
    :param longest_s: time after its grant at which a lease ends whatever it hears (s)
    :param steady_ns: a clock that nobody sets (ns)
    """

    def __init__(self, *, lease_s: float, longest_s: float, steady_ns: Callable[[], int]) -> None:
        self.change(lease_s=lease_s, longest_s=longest_s)
        self._steady_ns = steady_ns
        self._deadline: dict[str, int] = {}
        self._bound: dict[str, int] = {}
        self._drains: dict[str, int] = {}
        self._last_ns = steady_ns()
        self._ros_ahead_ns = 0

    def change(self, *, lease_s: float, longest_s: float) -> None:
        """Give other times from the next grant or heartbeat on."""
        self._lease_ns = int(lease_s * NS)
        self._longest_ns = int(longest_s * NS)

    def resume(self, leases: Iterable[Assignment], now_ns: int) -> None:
        """
        Have the leases that are out alone, the unknown as if just granted.

        :param now_ns: ROS time (ns)
        """
        held = {lease.assignment_id for lease in leases}
        for name in self._deadline.keys() - held:
            self.end(name)
        for name in held - self._deadline.keys():
            self.grant(name, now_ns)

    def grant(self, assignment_id: str, now_ns: int) -> int:
        """
        Begin a lease and return its deadline.

        :param now_ns: ROS time (ns)
        :returns: ROS time (ns)
        """
        now = self._now()
        self._ros_ahead_ns = now_ns - now
        self._bound[assignment_id] = now + self._longest_ns
        self._deadline[assignment_id] = min(now + self._lease_ns, self._bound[assignment_id])
        return self._deadline[assignment_id] + self._ros_ahead_ns

    def renew(self, assignment_id: str) -> None:
        """Take a heartbeat; nothing happens where there is no such lease."""
        if assignment_id in self._deadline:
            self._deadline[assignment_id] = min(
                self._now() + self._lease_ns, self._bound[assignment_id])

    def end(self, assignment_id: str) -> None:
        """Forget a lease."""
        self._deadline.pop(assignment_id, None)
        self._bound.pop(assignment_id, None)

    def current(self, lease: Assignment, now_ns: int) -> Assignment:
        """
        Return a lease with the deadline that it has by now.

        :param now_ns: ROS time (ns)
        """
        ahead_ns = now_ns - self._now()
        if abs(ahead_ns - self._ros_ahead_ns) > SET_NS:  # less is what passes between two clocks
            self._ros_ahead_ns = ahead_ns
        deadline = self._deadline.get(lease.assignment_id)
        return replace(
            lease, deadline_ns=0 if deadline is None else deadline + self._ros_ahead_ns)

    def overdue(self) -> list[str]:
        """Return the leases whose deadline has passed."""
        now = self._now()
        return [name for name, deadline in self._deadline.items() if deadline < now]

    def set_drains(self, drains: Mapping[str, int], now_ns: int) -> None:
        """
        Keep the deadlines of drains, in place of those that no longer stand.

        One that is known already is where it was, whatever has become of ROS time since.

        :param drains: robot to ROS time (ns)
        :param now_ns: ROS time (ns)
        """
        ahead_ns = now_ns - self._now()
        self._drains = {
            robot: self._drains.get(robot, ns - ahead_ns) for robot, ns in drains.items()}

    def drained(self) -> list[str]:
        """Return the drains whose deadline has passed."""
        now = self._now()
        return [robot for robot, deadline in self._drains.items() if deadline < now]

    def forget_drain(self, robot: str) -> None:
        """Forget the deadline of a drain."""
        self._drains.pop(robot, None)

    def _now(self) -> int:
        """Return the steady time, once what passed unseen is given to all that is due (ns)."""
        now = self._steady_ns()
        missed = now - self._last_ns
        self._last_ns = now
        if missed > LARGEST_STEP_NS:
            for dues in (self._deadline, self._bound, self._drains):
                dues.update({name: ns + missed for name, ns in dues.items()})
        return now
