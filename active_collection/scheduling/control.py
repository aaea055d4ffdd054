# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What ends work before its episode: operators' orders, silence, deadlines, stopping criteria."""
from __future__ import annotations

from collections.abc import Sequence

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.beliefs.stopping import Stopping
from active_collection.scheduling.choosing.decision import DecisionMaker
from active_collection.scheduling.choosing.preemption import to_preempt
from active_collection.scheduling.events import EndCause
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Mode
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import TaskGoesOn
from active_collection.scheduling.events import TaskStopped
from active_collection.scheduling.fleet.leases import Deadlines
from active_collection.scheduling.ledger.journal import Journal
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.repeats import Repeat

#: The name under which the deadline of the fleet's own drain is kept; no robot has it.
FLEET = ''


class Control:
    """
    Ends leases early, and turns the giving of new ones off and on.

    Every method raises SchedulingError where the ledger cannot be written: nothing has happened.

    :param deadlines: of the leases that are out
    """

    def __init__(self, space: ScenarioSpace, journal: Journal, deadlines: Deadlines,
                 maker: DecisionMaker, stopping: Stopping) -> None:
        self._space = space
        self._journal = journal
        self._deadlines = deadlines
        self._maker = maker
        self._stopping = stopping

    def resume_all(self, now_ns: int) -> None:
        """Take up what a restart found: leases, drains, and preemptions that were cut short."""
        self._deadlines.resume(self._journal.fleet.leases.values(), now_ns)
        self._set_drains(now_ns)
        self._preempt(now_ns)

    def steer(self, order: ScenarioOrder, now_ns: int) -> str:
        """
        Take an operator's order on scenarios and return what holds from here on.

        :raises ConfigError: where the order is not valid
        """
        order.check(self._space)
        lifted = self._lifted(order)
        self._journal.record([order, *lifted], now_ns)
        taken = self._preempt(now_ns) if order.command == 'preempt' else 0
        held = str(self._journal.fleet.orders.standing(now_ns))
        preempted = f' ({taken} leases taken back)' if order.command == 'preempt' else ''
        goes_on = ''.join(f'; {each.task} goes on' for each in lifted)
        return (f'in force: {held}{preempted}' if held else 'nothing in force') + goes_on

    def _lifted(self, order: ScenarioOrder) -> list[TaskGoesOn]:
        """Return what had stopped and goes on because an operator clears it."""
        if order.command != 'clear' or order.environment:
            return []
        return [TaskGoesOn(task, f'{order.author}: {order.reason}', is_lifted=True)
                for task in self._journal.fleet.stopped if order.task in {'', task}]

    def steer_robot(self, order: RobotOrder, now_ns: int) -> str:
        """
        Pause, resume or drain one robot or, where the order names none, the fleet.

        :returns: what holds from here on
        :raises ConfigError: where the order is not valid
        """
        order.check(self._space)
        if order.robot:
            self._journal.record([order], now_ns)
            self._deadlines.forget_drain(order.robot)
            self._set_drains(now_ns)
            standing = self._journal.fleet.orders.robots.get(order.robot)
            return str(standing) if standing else f'{order.robot} gets leases'
        if order.command == 'pause':
            self.change(ModeChanged('paused', order.reason, order.author), now_ns)
        elif order.command == 'resume':
            self.resume(now_ns, order.reason, author=order.author)
        else:
            self.drain(now_ns, order.reason, author=order.author, deadline_ns=order.deadline_ns)
        return f'{self._journal.fleet.mode}: {self._journal.fleet.mode_reason}'

    def repeat(self, order: Repeat, *, instead_of: str, now_ns: int) -> str:
        """
        Have a robot repeat an episode before anything else, or take that back.

        :param instead_of: lease of the robot that ends for it; empty for none
        :returns: what holds from here on
        """
        self._journal.record([order], now_ns)
        if order.is_cancelled:
            return f'{order.robot} does not repeat {order.episode_id}'
        lease = self._journal.fleet.leases.get(instead_of)
        if lease is not None and lease.robot == order.robot and not lease.repeats:
            self.end([lease], 'preempted', f'to repeat {order.episode_id} ({order.signed})',
                     retry=True, now_ns=now_ns)
        return str(order)

    def resume(self, now_ns: int, reason: str, *, author: str) -> None:
        """Let leases be given again, unless a stopping criterion still says no."""
        self.change(ModeChanged('running', reason, author), now_ns)
        self.settle(now_ns)

    def drain(self, now_ns: int, reason: str, *, author: str, deadline_ns: int) -> None:
        """
        Let no new leases be given, and pause when the last one has ended.

        :param deadline_ns: ROS time at which those that are still out are revoked (ns); 0: never
        """
        mode: Mode = 'draining' if self._journal.fleet.leases else 'paused'
        self.change(ModeChanged(mode, reason, author, deadline_ns), now_ns)

    def change(self, change: ModeChanged, now_ns: int) -> None:
        """Change the mode of the whole."""
        self._journal.record([change], now_ns)
        self._deadlines.forget_drain(FLEET)
        self._set_drains(now_ns)

    def end(self, leases: Sequence[Assignment], cause: EndCause, reason: str, *, retry: bool,
            now_ns: int, set_up_failed: bool = False) -> None:
        """
        End leases without an episode.

        :param retry: whether their scenarios may be assigned again
        :param set_up_failed: whether they could not be set up
        """
        self._journal.record([
            Ended(assignment_id=lease.assignment_id, robot=lease.robot, cause=cause,
                  reason=reason, retry=retry, set_up_failed=set_up_failed)
            for lease in leases], now_ns)
        for lease in leases:
            self._deadlines.end(lease.assignment_id)
        self.settle(now_ns)

    def end_overdue(self, now_ns: int) -> None:
        """End the leases that were silent for too long, or outlived the deadline of a drain."""
        fleet = self._journal.fleet
        overdue = [fleet.leases[name] for name in self._deadlines.overdue()]
        if overdue:
            self.end(overdue, 'revoked', 'no heartbeat before its deadline', retry=True,
                     now_ns=now_ns)
        for robot in self._deadlines.drained():
            late = [lease for lease in fleet.leases.values() if robot in {FLEET, lease.robot}]
            if late:
                self.end(late, 'drained', 'still out at the deadline of the drain', retry=True,
                         now_ns=now_ns)
            self._deadlines.forget_drain(robot)

    def settle(self, now_ns: int) -> None:
        """Let a drained scheduler pause, and finish where a stopping criterion fires."""
        fleet = self._journal.fleet
        if fleet.mode == 'draining' and not fleet.leases:
            self.change(ModeChanged('paused', f'drained ({fleet.mode_reason})'), now_ns)
        stops, goes = self._stopping.due(
            fleet.beliefs, stopped={name: trials for name, (_, trials) in fleet.stopped.items()},
            lifted=fleet.lifted)
        if stops or goes:
            self._journal.record([*(TaskStopped(*each) for each in stops.items()),
                                  *(TaskGoesOn(*each) for each in goes.items())], now_ns)
        if fleet.mode == 'running':
            verdict = self._stopping.verdict(
                fleet.beliefs, {name: why for name, (why, _) in fleet.stopped.items()})
            if verdict:
                self.change(ModeChanged('finished', verdict), now_ns)

    def _preempt(self, now_ns: int) -> int:
        """Take back what stands in the way of the preemptions; return how many leases."""
        fleet = self._journal.fleet
        count = 0
        for order in fleet.orders.standing(now_ns).preemptions():
            taken = to_preempt(fleet, self._maker, order, now_ns=now_ns)
            if taken:
                self.end(taken, 'preempted', f'{order.author}: {order.reason}', retry=True,
                         now_ns=now_ns)
            count += len(taken)
        return count

    def _set_drains(self, now_ns: int) -> None:
        """Keep the deadlines of the drains that stand."""
        fleet = self._journal.fleet
        drains = fleet.orders.drains()
        if fleet.mode == 'draining' and fleet.drain_deadline_ns:
            drains[FLEET] = fleet.drain_deadline_ns
        self._deadlines.set_drains(drains, now_ns)
