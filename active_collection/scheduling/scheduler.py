# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler: leases scenarios to robots and learns from every episode. Time is passed in."""
from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from datetime import timezone

from active_collection.episode import EpisodeRecord
from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.beliefs.stopping import Stopping
from active_collection.scheduling.choosing.admission import Admission
from active_collection.scheduling.choosing.allocation import Allocator
from active_collection.scheduling.choosing.decision import DecisionMaker
from active_collection.scheduling.control import Control
from active_collection.scheduling.counting import Counting
from active_collection.scheduling.events import Batch
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.fleet.leases import NS
from active_collection.scheduling.fleet.leases import Deadlines
from active_collection.scheduling.fleet.leases import Released
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.fleet.results import Results
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.ledger.journal import Journal
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.status import SchedulerStatus
from active_collection.scheduling.status import StatusReporter

#: The ledger that could not be used is tried again after so long (ns), and after so many times
#: what the last try took.
RETRY_NS = NS
RETRY_PAUSE = 4


class Scheduler:
    """
    Answers robots, counts their episodes and takes operators' orders, for one fleet.

    The caller calls `tick` every second.

    :param ledger: open for writing; the scheduler does not close it
    :param now_ns: ROS time (ns), here and in every method: of what is written and told. Leases end
        by the steady clock
    :param steady_ns: a clock that nobody sets (ns)
    :param snapshot_events: events between two snapshots in the ledger: more make it smaller, and
        a start slower
    :raises ConfigError: where there is no such acquisition rule
    :raises SchedulingError: where the ledger is damaged or cannot be written
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings, ledger: Ledger, *,
                 now_ns: int, steady_ns: Callable[[], int] = time.monotonic_ns,
                 snapshot_events: int = 1000) -> None:
        self._space = space
        self._ledger = ledger
        maker = DecisionMaker(space, settings)
        self._steady_ns = steady_ns
        self._next_try_ns = 0
        self._journal = Journal(space, settings, ledger, now_ns=now_ns,
                                snapshot_events=snapshot_events)
        self._deadlines = Deadlines(
            lease_s=settings.lease_s, longest_s=settings.longest_lease_s,
            steady_ns=steady_ns)
        self._results = Results(space, ledger)
        self._counting = Counting(self._journal, self._results, self._deadlines)
        self._go_by(settings, maker)
        self._control.resume_all(now_ns)

    def _go_by(self, settings: SchedulerSettings, maker: DecisionMaker) -> None:
        """Make what decides by the settings; the journal has them already."""
        self._fleet = self._journal.fleet
        self._admission = Admission(self._space, settings)
        self._allocator = Allocator(self._space, settings, maker)
        self._control = Control(
            self._space, self._journal, self._deadlines, maker, Stopping(self._space, settings))
        self._reporter = StatusReporter(self._fleet, self._deadlines, maker, rule=settings.rule)

    @property
    def fleet(self) -> FleetState:
        """Return the fleet's state; for reading."""
        return self._fleet

    @property
    def trouble(self) -> str:
        """Return why the ledger cannot be used; empty where it can."""
        return self._ledger.trouble

    def change(self, settings: SchedulerSettings, now_ns: int) -> None:
        """
        Go by other settings from the next decision on, of the same space and ledger.

        To the ledger it is a restart, so that every decision can be made again from what was in
        force; leases that are out go on.

        :raises ConfigError: where there is no such acquisition rule
        :raises SchedulingError: where the ledger cannot be written: nothing has happened
        """
        maker = DecisionMaker(self._space, settings)
        self._journal.change(settings, now_ns)
        self._deadlines.change(
            lease_s=settings.lease_s, longest_s=settings.longest_lease_s)
        self._go_by(settings, maker)
        with suppress(SchedulingError):  # they are in force all the same; the next episode settles
            self._control.settle(now_ns)

    def request(self, request: Request, now_ns: int) -> Assignment | Refusal:
        """Return the lease that a robot holds, else a new one, else why there is none."""
        return self.request_many([request], now_ns)[0]

    def request_many(self, requests: Sequence[Request], now_ns: int,
                     ) -> list[Assignment | Refusal]:
        """
        Answer robots that ask at once, together; a robot that asks twice gets one lease.

        While the ledger cannot be used nobody gets anything, not even the lease that it holds: its
        episode may be among what could not be counted.

        :returns: an answer for each request, in their order
        """
        answers: dict[str, Assignment | Refusal] = {}
        asking: dict[str, Request] = {}
        for request in requests:
            answer = self._undecided(request, now_ns)
            if answer is not None:
                answers[request.robot] = answer
            else:
                asking[request.robot] = request
        if asking:
            answers.update(zip(asking, self._assign(list(asking.values()), now_ns), strict=True))
        return [answers[request.robot] for request in requests]

    def _undecided(self, request: Request, now_ns: int) -> Assignment | Refusal | None:
        """Return the answer to a robot for which nothing has to be decided."""
        refusal = self._admission.invalid(request)
        if refusal is not None:
            return refusal
        if self._ledger.trouble:
            return self._unavailable(self._ledger.trouble)
        held = self._fleet.held_by.get(request.robot)
        if held is not None:
            self._deadlines.renew(held)
            return self._deadlines.current(self._fleet.leases[held], now_ns)
        return self._admission.paused(self._fleet, request)

    def _assign(self, requests: Sequence[Request], now_ns: int) -> list[Assignment | Refusal]:
        """Decide for robots that hold no lease, and write it down as one."""
        number = self._fleet.sequence + 1
        try:
            answers = self._allocator.allocate(
                self._fleet, requests, now_ns=now_ns, number=number)
        except SchedulingError as error:  # it reads what was counted
            return [self._unavailable(str(error))] * len(requests)
        is_batch = len(requests) > 1
        events: list[Event] = [Batch(tuple(requests))] if is_batch else []
        for k, answer in enumerate(answers):
            if isinstance(answer, Assignment):
                name = _assignment_id(now_ns, number + len(events))
                lease = answer.leased(
                    name, now_ns=now_ns, deadline_ns=self._deadlines.grant(name, now_ns),
                    batch=number * is_batch)
                answers[k] = lease
                events.append(lease)
        leases = [answer for answer in answers if isinstance(answer, Assignment)]
        if not leases:
            return answers
        try:
            self._journal.record(events, now_ns)
        except SchedulingError as error:
            for lease in leases:
                self._deadlines.end(lease.assignment_id)
            refusal = self._unavailable(str(error))
            return [refusal if isinstance(answer, Assignment) else answer for answer in answers]
        return answers

    def _unavailable(self, why: str) -> Refusal:
        return self._admission.refusal(Refused.UNAVAILABLE, why)

    def release(self, assignment_id: str, *, robot: str, reason: str, retry: bool,
                set_up_failed: bool = False, now_ns: int) -> Released:
        """
        Take a lease back from its robot without an episode. Idempotent.

        :param retry: whether the scenario may be assigned again
        :param set_up_failed: whether it could not be set up, which counts against its object
            configuration; what ends a robot or its agent does not
        """
        lease = self._fleet.leases.get(assignment_id)
        if lease is not None and lease.robot != robot:
            return Released.NOT_HOLDER
        try:
            if lease is None:
                is_known = self._ledger.assigned(assignment_id) is not None
                return Released.ENDED if is_known else Released.UNKNOWN_ASSIGNMENT
            self._control.end([lease], 'released', reason, retry=retry,
                              set_up_failed=set_up_failed, now_ns=now_ns)
        except SchedulingError:
            return Released.UNAVAILABLE
        return Released.RELEASED

    def heartbeat(self, robot: str, assignment_id: str) -> None:
        """Renew the lease that a robot says it works on, if it is its own."""
        if self._fleet.held_by.get(robot) == assignment_id:
            self._deadlines.renew(assignment_id)

    def lease_of(self, robot: str, now_ns: int) -> Assignment | None:
        """
        Return the lease that a robot holds, with the deadline that it has by now.

        :param now_ns: ROS time (ns)
        """
        held = self._fleet.held_by.get(robot)
        return self._deadlines.current(self._fleet.leases[held], now_ns) if held else None

    def finished(self, record: EpisodeRecord, now_ns: int) -> Counted:
        """Count one episode, see `finished_many`."""
        return self.finished_many([record], now_ns)[0]

    def finished_many(self, records: Sequence[EpisodeRecord], now_ns: int) -> list[Counted]:
        """
        Count each episode once, or count it anew where this is a later revision.

        Those that have nothing to do with each other are written down as one, because each write
        waits for the disk.

        :returns: what became of each, in their order
        :raises SchedulingError: where the ledger cannot be written: what was not counted yet is
            not, tell them all again
        """
        told: list[Counted] = []
        while len(told) < len(records):
            told += self._counting.count_some(records[len(told):], now_ns)
        self._control.settle(now_ns)
        return told

    def steer(self, order: ScenarioOrder, now_ns: int) -> str:
        """
        Take an operator's order on scenarios and return what holds from here on.

        :raises ConfigError: where the order is not valid
        :raises SchedulingError: where the ledger cannot be written
        """
        return self._control.steer(order, now_ns)

    def steer_robot(self, order: RobotOrder, now_ns: int) -> str:
        """
        Pause, resume or drain one robot or, where the order names none, the fleet.

        :returns: what holds from here on
        :raises ConfigError: where the order is not valid
        :raises SchedulingError: where the ledger cannot be written
        """
        return self._control.steer_robot(order, now_ns)

    def repeat(self, robot: str, episode_id: str, *, author: str, reason: str, instead_of: str,
               is_cancelled: bool, now_ns: int) -> str:
        """
        Have a robot repeat one of its episodes, see `Results.repeat` and `Control.repeat`.

        :raises ConfigError: where nobody asks, or no such episode of the robot was counted
        :raises SchedulingError: where the ledger cannot be written
        """
        order = self._results.repeat(
            robot, episode_id, author=author, reason=reason, is_cancelled=is_cancelled)
        return self._control.repeat(order, instead_of=instead_of, now_ns=now_ns)

    def pause(self, now_ns: int, reason: str = 'asked to', *, author: str = '') -> None:
        """Give no new leases; those that are out go on."""
        self._control.change(ModeChanged('paused', reason, author), now_ns)

    def resume(self, now_ns: int, reason: str = 'asked to', *, author: str = '') -> None:
        """Give leases again."""
        self._control.resume(now_ns, reason, author=author)

    def drain(self, now_ns: int, reason: str = 'asked to', *, author: str = '',
              deadline_ns: int = 0) -> None:
        """
        Give no new leases and pause when the last one has ended.

        :param deadline_ns: ROS time at which those that are still out are revoked (ns); 0: never
        """
        self._control.drain(now_ns, reason, author=author, deadline_ns=deadline_ns)

    def tick(self, now_ns: int) -> None:
        """
        Revoke the leases whose time is up. To be called once a second.

        :raises SchedulingError: where the ledger cannot be used; the next tick tries again
        """
        self.recover(now_ns)
        self._control.end_overdue(now_ns)

    def recover(self, now_ns: int) -> None:
        """
        Use the ledger again where it could not be, as soon as it can; `tick` does it too.

        It tries after a second or, where to try takes long, so seldom that most of the time is
        left for answers.

        :raises SchedulingError: where it still cannot be used
        """
        began = self._steady_ns()
        if not self._ledger.trouble or began < self._next_try_ns:
            return
        try:
            self._journal.recover()
        finally:
            ended = self._steady_ns()
            self._next_try_ns = ended + max(RETRY_NS, RETRY_PAUSE * (ended - began))
        self._control.resume_all(now_ns)

    def status(self, now_ns: int) -> SchedulerStatus:
        """Return what the scheduler tells of itself."""
        status = self._reporter.status(now_ns)
        return replace(
            status, message='; '.join(filter(None, [self._ledger.trouble, status.message])))


def _assignment_id(now_ns: int, number: int) -> str:
    moment = datetime.fromtimestamp(now_ns / NS, tz=timezone.utc)
    return f'{moment:%Y%m%dT%H%M%S}-{number}'
