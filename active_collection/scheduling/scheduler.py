# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler: leases scenarios to robots and learns from every episode. Time is passed in."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from datetime import timezone

from active_collection.episode import EpisodeRecord
from active_collection.errors import SchedulingError
from active_collection.names import is_safe_name
from active_collection.registry import unknown
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.allocation import Allocator
from active_collection.scheduling.allocation import assigned_of
from active_collection.scheduling.answers import Counted
from active_collection.scheduling.answers import Grant
from active_collection.scheduling.answers import Refusal
from active_collection.scheduling.answers import Refused
from active_collection.scheduling.answers import Released
from active_collection.scheduling.answers import State
from active_collection.scheduling.books import Books
from active_collection.scheduling.control import Control
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.decision import NothingEligible
from active_collection.scheduling.events import Batch
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import Request
from active_collection.scheduling.journal import Journal
from active_collection.scheduling.leases import NS
from active_collection.scheduling.leases import Deadlines
from active_collection.scheduling.ledger import Ledger
from active_collection.scheduling.operators import describe_robot
from active_collection.scheduling.orders import RobotSteered
from active_collection.scheduling.orders import Steered
from active_collection.scheduling.overview import Overview
from active_collection.scheduling.results import Results
from active_collection.scheduling.settings import SchedulerSettings


class Scheduler:
    """
    Answers robots, counts their episodes and takes operators' orders, for one fleet.

    The caller calls `tick` every second.

    :param ledger: open for writing; the scheduler does not close it
    :param now_ns: ROS time (ns)
    :raises ConfigError: where there is no such acquisition rule
    :raises SchedulingError: where the ledger is damaged or cannot be written
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings, ledger: Ledger, *,
                 now_ns: int) -> None:
        self._space = space
        self._settings = settings
        self._ledger = ledger
        self._maker = DecisionMaker(space, settings)
        self._allocator = Allocator(space, settings, self._maker)
        self._results = Results(space, ledger)
        self._journal = Journal(space, settings, ledger, now_ns=now_ns)
        self._books = self._journal.books
        self._deadlines = Deadlines(
            lease_s=settings.lease_s, longest_s=settings.longest_lease_s,
            largest_step_s=settings.largest_step_s)
        self._control = Control(space, self._journal, self._deadlines, self._maker)
        self._control.resume_all(now_ns)
        self._overview = Overview(
            self._books, self._deadlines, self._maker, rule=settings.rule)

    @property
    def books(self) -> Books:
        """Return the memory; for reading."""
        return self._books

    def request(self, request: Request, now_ns: int) -> Grant | Refusal:
        """Return the lease that a robot holds, else a new one, else why there is none."""
        return self.request_many([request], now_ns)[0]

    def request_many(self, requests: Sequence[Request], now_ns: int) -> list[Grant | Refusal]:
        """
        Answer robots that ask at once, together; a robot that asks twice gets one lease.

        :returns: an answer for each request, in their order
        """
        told: dict[str, Grant | Refusal] = {}
        asking: dict[str, Request] = {}
        for request in requests:
            answer = self._told_at_once(request, now_ns)
            if answer is not None:
                told[request.robot] = answer
            else:
                asking[request.robot] = request
        if asking:
            told.update(zip(asking, self._assign(list(asking.values()), now_ns), strict=True))
        return [told[request.robot] for request in requests]

    def _told_at_once(self, request: Request, now_ns: int) -> Grant | Refusal | None:
        """Return the answer to a robot for which nothing has to be decided."""
        refusal = self._invalid(request)
        if refusal is not None:
            return refusal
        held = self._books.held_by.get(request.robot)
        if held is not None:
            self._deadlines.renew(held, now_ns)
            return self._overview.grant(self._books.leases[held])
        if self._books.mode != 'running':
            code = Refused.FINISHED if self._books.mode == 'finished' else Refused.PAUSED
            return self._refusal(code, f'{self._books.mode}: {self._books.mode_reason}')
        order = self._books.steering.robots.get(request.robot)
        return self._refusal(Refused.PAUSED, describe_robot(order)) if order else None

    def _assign(self, requests: Sequence[Request], now_ns: int) -> list[Grant | Refusal]:
        """Decide for robots that hold no lease, and write it down as one."""
        number = self._books.sequence + 1
        decisions = self._allocator.allocate(
            self._books, requests, now_ns=now_ns, number=number)
        is_batch = len(requests) > 1
        events: list[Event] = [Batch(tuple(requests))] if is_batch else []
        ids: list[str] = []
        for request, decision in zip(requests, decisions, strict=True):
            if isinstance(decision, NothingEligible):
                ids.append('')
                continue
            ids.append(_assignment_id(now_ns, number + len(events)))
            events.append(assigned_of(
                decision, assignment_id=ids[-1], request=request, batch=number * is_batch,
                deadline_ns=self._deadlines.grant(ids[-1], now_ns)))
        failure = ''
        if any(ids):
            try:
                self._journal.record(events, now_ns)
            except SchedulingError as error:
                failure = str(error)
                for assignment_id in filter(None, ids):
                    self._deadlines.end(assignment_id)
        answers: list[Grant | Refusal] = []
        for assignment_id, decision in zip(ids, decisions, strict=True):
            if isinstance(decision, NothingEligible):
                answers.append(self._refusal(Refused.NOTHING_ELIGIBLE, decision.reason))
            elif failure:
                answers.append(self._refusal(Refused.UNAVAILABLE, failure))
            else:
                answers.append(self._overview.grant(self._books.leases[assignment_id]))
        return answers

    def _invalid(self, request: Request) -> Refusal | None:
        if not is_safe_name(request.robot):
            return self._refusal(Refused.INVALID, f'no robot name: {request.robot[:64]!r}')
        if self._space.robots and request.robot not in self._space.robots:
            error = unknown('robot', request.robot, list(self._space.robots))
            return self._refusal(Refused.UNKNOWN_ROBOT, str(error))
        if not request.collectors:
            return self._refusal(Refused.INVALID, f'robot {request.robot!r} offers no collector')
        return None

    def _refusal(self, code: Refused, message: str) -> Refusal:
        return Refusal(code, message, self._settings.retry_after_s)

    def release(self, assignment_id: str, *, robot: str, reason: str, retry: bool,
                now_ns: int) -> Released:
        """
        Take a lease back from its robot without an episode. Idempotent.

        :param retry: whether the scenario may be assigned again
        """
        lease = self._books.leases.get(assignment_id)
        if lease is not None and lease.robot != robot:
            return Released.NOT_HOLDER
        try:
            if lease is None:
                is_known = self._ledger.assigned(assignment_id) is not None
                return Released.ENDED if is_known else Released.UNKNOWN_ASSIGNMENT
            self._control.end([lease], 'released', reason, retry=retry, now_ns=now_ns)
        except SchedulingError:
            return Released.UNAVAILABLE
        return Released.RELEASED

    def heartbeat(self, robot: str, assignment_id: str, now_ns: int) -> None:
        """Renew the lease that a robot says it works on, if it is its own."""
        if self._books.held_by.get(robot) == assignment_id:
            self._deadlines.renew(assignment_id, now_ns)

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
            told += self._count_some(records[len(told):], now_ns)
        self._control.settle(now_ns)
        return told

    def _count_some(self, records: Sequence[EpisodeRecord], now_ns: int) -> list[Counted]:
        """Count as many of the first episodes as can be written together; at least one."""
        told: list[Counted] = []
        events: list[Event] = []
        met: set[str] = set()
        for record in records:
            subjects = {record.episode_id, record.assignment_id} - {''}
            if subjects & met:
                break
            met |= subjects
            if not record.finished_ns:
                told.append(Counted.RECORDING)
                continue
            previous = self._results.previous(record)
            if previous is not None and previous.revision >= record.revision:
                told.append(Counted.DUPLICATE)
                continue
            told.append(Counted.AMENDED if previous else Counted.COUNTED)
            mine = self._results.events(self._books, record, previous)
            events += mine
            if len(mine) > 1:
                break  # a retraining: those after it are of its epoch
        if events:
            self._journal.record(events, now_ns)
        for event in events:
            if isinstance(event, Finished) and event.fulfils:
                self._deadlines.end(event.assignment_id)
        return told

    def steer(self, order: Steered, now_ns: int) -> str:
        """
        Take an operator's order on scenarios and return what holds from here on.

        :raises ConfigError: where the order is not valid
        :raises SchedulingError: where the ledger cannot be written
        """
        return self._control.steer(order, now_ns)

    def steer_robot(self, order: RobotSteered, now_ns: int) -> str:
        """
        Pause, resume or drain one robot or, where the order names none, the fleet.

        :returns: what holds from here on
        :raises ConfigError: where the order is not valid
        :raises SchedulingError: where the ledger cannot be written
        """
        return self._control.steer_robot(order, now_ns)

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

        :raises SchedulingError: where the ledger cannot be written; the next tick tries again
        """
        self._control.end_overdue(now_ns)

    def state(self, now_ns: int) -> State:
        """Return what the scheduler tells of itself."""
        return self._overview.state(now_ns)


def _assignment_id(now_ns: int, number: int) -> str:
    moment = datetime.fromtimestamp(now_ns / NS, tz=timezone.utc)
    return f'{moment:%Y%m%dT%H%M%S}-{number}'
