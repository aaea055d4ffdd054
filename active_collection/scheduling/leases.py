# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How long each lease still has: renewed by heartbeats, ended by silence."""
from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping

from active_collection.scheduling.books import Lease

NS = 1_000_000_000


class Deadlines:
    """
    The deadlines of the leases that are out. They live in memory alone: a restart renews them all.

    :param lease_s: time that a grant or a heartbeat gives (s)
    :param longest_s: time after its grant at which a lease ends whatever it hears (s)
    :param largest_step_s: time that may pass between two looks at the clock; more means that the
        clock was set or the process slept, and every deadline moves by what it jumped (s)
    """

    def __init__(self, *, lease_s: float, longest_s: float, largest_step_s: float) -> None:
        self._lease_ns = int(lease_s * NS)
        self._longest_ns = int(longest_s * NS)
        self._largest_step_ns = int(largest_step_s * NS)
        self._deadline: dict[str, int] = {}
        self._bound: dict[str, int] = {}
        self._drains: dict[str, int] = {}
        self._last_ns: int | None = None

    def resume(self, leases: Iterable[Lease], now_ns: int) -> None:
        """Begin with the leases that a restart found, each as if just granted."""
        for lease in leases:
            self.grant(lease.assigned.assignment_id, now_ns)
        self._last_ns = now_ns

    def grant(self, assignment_id: str, now_ns: int) -> int:
        """Begin a lease and return its deadline (ns)."""
        self._bound[assignment_id] = now_ns + self._longest_ns
        self._deadline[assignment_id] = min(
            now_ns + self._lease_ns, self._bound[assignment_id])
        return self._deadline[assignment_id]

    def renew(self, assignment_id: str, now_ns: int) -> None:
        """Take a heartbeat; nothing happens where there is no such lease."""
        if assignment_id in self._deadline:
            self._deadline[assignment_id] = min(
                now_ns + self._lease_ns, self._bound[assignment_id])

    def end(self, assignment_id: str) -> None:
        """Forget a lease."""
        self._deadline.pop(assignment_id, None)
        self._bound.pop(assignment_id, None)

    def of(self, assignment_id: str) -> int:
        """Return a lease's deadline (ns); 0 where there is none."""
        return self._deadline.get(assignment_id, 0)

    def overdue(self, now_ns: int) -> list[str]:
        """Return the leases whose deadline has passed, after allowing for a jump of the clock."""
        if self._last_ns is not None:
            step = now_ns - self._last_ns
            if step < 0 or step > self._largest_step_ns:
                self._shift(step)
        self._last_ns = now_ns
        return [name for name, deadline in self._deadline.items() if deadline < now_ns]

    def set_drains(self, drains: Mapping[str, int]) -> None:
        """
        Keep the deadlines of drains by robot (ns), in place of those that no longer stand.

        One that is known already keeps what jumps of the clock have made of it.
        """
        self._drains = {robot: self._drains.get(robot, ns) for robot, ns in drains.items()}

    def drained(self, now_ns: int) -> list[str]:
        """Return the drains whose deadline has passed; to be asked after `overdue`."""
        return [robot for robot, deadline in self._drains.items() if deadline < now_ns]

    def forget_drain(self, robot: str) -> None:
        """Forget the deadline of a drain."""
        self._drains.pop(robot, None)

    def _shift(self, step_ns: int) -> None:
        self._deadline = {name: ns + step_ns for name, ns in self._deadline.items()}
        self._bound = {name: ns + step_ns for name, ns in self._bound.items()}
        self._drains = {robot: ns + step_ns for robot, ns in self._drains.items()}
