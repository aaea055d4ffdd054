# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What ends work before its episode: operators' orders, silence, deadlines, stopping criteria."""
from __future__ import annotations

from collections.abc import Sequence

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.books import Lease
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.events import Cause
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Mode
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.journal import Journal
from active_collection.scheduling.leases import Deadlines
from active_collection.scheduling.operators import check_order
from active_collection.scheduling.operators import check_robot
from active_collection.scheduling.operators import check_signed
from active_collection.scheduling.operators import describe
from active_collection.scheduling.operators import describe_robot
from active_collection.scheduling.orders import RobotSteered
from active_collection.scheduling.orders import Steered
from active_collection.scheduling.preemption import to_preempt

#: The name under which the deadline of the fleet's own drain is kept; no robot has it.
FLEET = ''


class Control:
    """
    Ends leases early, and turns the giving of new ones off and on.

    Every method raises SchedulingError where the ledger cannot be written: nothing has happened.

    :param deadlines: of the leases that are out
    """

    def __init__(self, space: ScenarioSpace, journal: Journal, deadlines: Deadlines,
                 maker: DecisionMaker) -> None:
        self._space = space
        self._journal = journal
        self._deadlines = deadlines
        self._maker = maker

    def resume_all(self, now_ns: int) -> None:
        """Take up what a restart found: leases, drains, and preemptions that were cut short."""
        self._deadlines.resume(self._journal.books.leases.values(), now_ns)
        self._set_drains()
        self._preempt(now_ns)

    def steer(self, order: Steered, now_ns: int) -> str:
        """
        Take an operator's order on scenarios and return what holds from here on.

        :raises ConfigError: where the order is not valid
        """
        check_order(self._space, order)
        self._journal.record([order], now_ns)
        taken = self._preempt(now_ns) if order.command == 'preempt' else 0
        held = '; '.join(map(describe, self._journal.books.steering.standing(now_ns)))
        preempted = f' ({taken} leases taken back)' if order.command == 'preempt' else ''
        return f'in force: {held}{preempted}' if held else 'nothing in force'

    def steer_robot(self, order: RobotSteered, now_ns: int) -> str:
        """
        Pause, resume or drain one robot or, where the order names none, the fleet.

        :returns: what holds from here on
        :raises ConfigError: where the order is not valid
        """
        check_signed(order.author, order.reason)
        if order.robot:
            check_robot(self._space, order.robot)
            self._journal.record([order], now_ns)
            self._deadlines.forget_drain(order.robot)
            self._set_drains()
            standing = self._journal.books.steering.robots.get(order.robot)
            return describe_robot(standing) if standing else f'{order.robot} gets leases'
        if order.command == 'pause':
            self.change(ModeChanged('paused', order.reason, order.author), now_ns)
        elif order.command == 'resume':
            self.resume(now_ns, order.reason, author=order.author)
        else:
            self.drain(now_ns, order.reason, author=order.author, deadline_ns=order.deadline_ns)
        return f'{self._journal.books.mode}: {self._journal.books.mode_reason}'

    def resume(self, now_ns: int, reason: str, *, author: str) -> None:
        """Let leases be given again, unless a stopping criterion still says no."""
        self.change(ModeChanged('running', reason, author), now_ns)
        self.settle(now_ns)

    def drain(self, now_ns: int, reason: str, *, author: str, deadline_ns: int) -> None:
        """
        Let no new leases be given, and pause when the last one has ended.

        :param deadline_ns: ROS time at which those that are still out are revoked (ns); 0: never
        """
        mode: Mode = 'draining' if self._journal.books.leases else 'paused'
        self.change(ModeChanged(mode, reason, author, deadline_ns), now_ns)

    def change(self, change: ModeChanged, now_ns: int) -> None:
        """Change the mode of the whole."""
        self._journal.record([change], now_ns)
        self._deadlines.forget_drain(FLEET)
        self._set_drains()

    def end(self, leases: Sequence[Lease], cause: Cause, reason: str, *, retry: bool,
            now_ns: int) -> None:
        """
        End leases without an episode.

        :param retry: whether their scenarios may be assigned again
        """
        self._journal.record([
            Ended(assignment_id=lease.assigned.assignment_id, robot=lease.robot, cause=cause,
                  reason=reason, retry=retry) for lease in leases], now_ns)
        for lease in leases:
            self._deadlines.end(lease.assigned.assignment_id)
        self.settle(now_ns)

    def end_overdue(self, now_ns: int) -> None:
        """End the leases that were silent for too long, or outlived the deadline of a drain."""
        books = self._journal.books
        overdue = [books.leases[name] for name in self._deadlines.overdue(now_ns)]
        if overdue:
            self.end(overdue, 'revoked', 'no heartbeat before its deadline', retry=True,
                     now_ns=now_ns)
        for robot in self._deadlines.drained(now_ns):
            late = [lease for lease in books.leases.values() if robot in {FLEET, lease.robot}]
            if late:
                self.end(late, 'drained', 'still out at the deadline of the drain', retry=True,
                         now_ns=now_ns)
            self._deadlines.forget_drain(robot)

    def settle(self, now_ns: int) -> None:
        """Let a drained scheduler pause, and finish where a stopping criterion fires."""
        books = self._journal.books
        if books.mode == 'draining' and not books.leases:
            self.change(ModeChanged('paused', f'drained ({books.mode_reason})'), now_ns)
        if books.mode == 'running':
            verdict = self._maker.stopping.verdict(books.beliefs)
            if verdict:
                self.change(ModeChanged('finished', verdict), now_ns)

    def _preempt(self, now_ns: int) -> int:
        """Take back what stands in the way of the preemptions; return how many leases."""
        books = self._journal.books
        orders = [o for o in books.steering.standing(now_ns) if o.command == 'preempt']
        count = 0
        for order in sorted(orders, key=lambda o: -o.priority):
            taken = to_preempt(books, self._maker, order, now_ns=now_ns)
            if taken:
                self.end(taken, 'preempted', f'{order.author}: {order.reason}', retry=True,
                         now_ns=now_ns)
            count += len(taken)
        return count

    def _set_drains(self) -> None:
        """Keep the deadlines of the drains that stand."""
        books = self._journal.books
        drains = {order.robot: order.deadline_ns
                  for order in books.steering.robots.values() if order.command == 'drain'}
        if books.mode == 'draining':
            drains[FLEET] = books.drain_deadline_ns
        self._deadlines.set_drains({robot: ns for robot, ns in drains.items() if ns})
