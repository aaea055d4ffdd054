# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scheduler tells of itself: what is out, what is believed, and what comes next."""
from __future__ import annotations

from active_collection.scheduling.answers import Grant
from active_collection.scheduling.answers import State
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.books import Books
from active_collection.scheduling.books import Lease
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.leases import Deadlines
from active_collection.scheduling.operators import describe_robot
from active_collection.scheduling.state import task_states

PROBABILITY_DRAWS = 64


class Overview:
    """
    The scheduler's state, of which what takes long is kept until something changes.

    :param books: the scheduler's memory; for reading
    :param rule: name of the acquisition rule
    """

    def __init__(self, books: Books, deadlines: Deadlines, maker: DecisionMaker, *,
                 rule: str) -> None:
        self._books = books
        self._deadlines = deadlines
        self._maker = maker
        self._rule = rule
        self._probabilities: tuple[tuple[object, ...], Floats] | None = None

    def grant(self, lease: Lease) -> Grant:
        """Return a lease as it stands."""
        return Grant(lease.assigned, lease.issued_ns,
                     self._deadlines.of(lease.assigned.assignment_id))

    def state(self, now_ns: int) -> State:
        """Return the state at a ROS time (ns)."""
        books = self._books
        key = (books.sequence, books.steering.standing(now_ns))
        if self._probabilities is None or self._probabilities[0] != key:
            self._probabilities = (key, self._maker.probabilities(
                books, now_ns=now_ns, draws=PROBABILITY_DRAWS))
        return State(
            mode=books.mode,
            message='; '.join(filter(None, [
                books.mode_reason, *map(describe_robot, books.steering.robots.values()),
                *self._stopped()])),
            rule=self._rule,
            ensemble_id=(books.beliefs.ensembles or ('',))[-1],
            episodes=int(books.beliefs.arrays().episodes.sum()),
            revoked=books.revoked,
            leases=tuple(self.grant(lease) for lease in books.leases.values()),
            tasks=task_states(books, self._probabilities[1], now_ns=now_ns),
        )

    def _stopped(self) -> list[str]:
        """Return which tasks have stopped, and why, where that is not the reason of the mode."""
        if self._books.mode == 'finished':
            return []
        stopped = self._maker.stopping.stopped_tasks(self._books.beliefs)
        return [f'{task} has stopped: {why}' for task, why in stopped.items()]
