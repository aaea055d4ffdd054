# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler: leases scenarios to robots and learns from every episode. Time is passed in."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone
from enum import Enum
from math import isfinite
from typing import Literal

from active_collection.episode import EpisodeRecord
from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.names import is_safe_name
from active_collection.registry import unknown
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.books import Books
from active_collection.scheduling.books import Lease
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.decision import NothingEligible
from active_collection.scheduling.detectors import Judges
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Mode
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import Request
from active_collection.scheduling.events import Result
from active_collection.scheduling.events import Started
from active_collection.scheduling.events import Steered
from active_collection.scheduling.history import remember
from active_collection.scheduling.history import reopened
from active_collection.scheduling.leases import NS
from active_collection.scheduling.leases import Deadlines
from active_collection.scheduling.ledger import Ledger
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.state import TaskState
from active_collection.scheduling.state import task_states

PROBABILITY_DRAWS = 64


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


class Scheduler:
    """
    Owns the books, the ledger and the deadlines of one fleet.

    Whatever changes the books is an event that is in the ledger first; so a restart, at whatever
    instant, finds what every robot was told. The caller calls `tick` every second.

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
        self._judges = Judges(space)
        self._books = reopened(remember(ledger), Books(space, settings, points=ledger.covered))
        self._snapshot_at = self._books.sequence
        self._deadlines = Deadlines(
            lease_s=settings.lease_s, longest_s=settings.longest_lease_s,
            largest_step_s=settings.largest_step_s)
        self._record([Started(space.model_dump_json(), settings.model_dump_json())], now_ns)
        self._deadlines.resume(self._books.leases.values(), now_ns)
        self._probabilities: tuple[tuple[object, ...], Floats] | None = None

    @property
    def books(self) -> Books:
        """Return the memory; for reading."""
        return self._books

    def request(self, request: Request, now_ns: int) -> Grant | Refusal:
        """Return the lease that a robot holds, else a new one, else why there is none."""
        refusal = self._invalid(request)
        if refusal is not None:
            return refusal
        held = self._books.held_by.get(request.robot)
        if held is not None:
            self._deadlines.renew(held, now_ns)
            return self._grant(self._books.leases[held])
        if self._books.mode != 'running':
            code = Refused.FINISHED if self._books.mode == 'finished' else Refused.PAUSED
            return self._refusal(code, f'{self._books.mode}: {self._books.mode_reason}')
        number = self._books.sequence + 1
        decision = self._maker.decide(self._books, request, now_ns=now_ns, number=number)
        if isinstance(decision, NothingEligible):
            return self._refusal(Refused.NOTHING_ELIGIBLE, decision.reason)
        assignment_id = _assignment_id(now_ns, number)
        deadline_ns = self._deadlines.grant(assignment_id, now_ns)
        assigned = Assigned(
            assignment_id=assignment_id, request=request, deadline_ns=deadline_ns,
            **{name: getattr(decision, name) for name in decision.__slots__})
        try:
            self._record([assigned], now_ns)
        except SchedulingError as error:
            self._deadlines.end(assignment_id)
            return self._refusal(Refused.UNAVAILABLE, str(error))
        return self._grant(self._books.leases[assignment_id])

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

    def _grant(self, lease: Lease) -> Grant:
        return Grant(lease.assigned, lease.issued_ns,
                     self._deadlines.of(lease.assigned.assignment_id))

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
            self._end(lease, 'released', reason, retry=retry, now_ns=now_ns)
        except SchedulingError:
            return Released.UNAVAILABLE
        return Released.RELEASED

    def heartbeat(self, robot: str, assignment_id: str, now_ns: int) -> None:
        """Renew the lease that a robot says it works on, if it is its own."""
        if self._books.held_by.get(robot) == assignment_id:
            self._deadlines.renew(assignment_id, now_ns)

    def finished(self, record: EpisodeRecord, now_ns: int) -> Counted:
        """
        Count an episode once, or count it anew where this is a later revision.

        :raises SchedulingError: where the ledger cannot be written: nothing was counted, tell it
            again
        """
        if not record.finished_ns:
            return Counted.RECORDING
        previous = self._ledger.last_finished(record.episode_id)
        if previous is not None and previous.revision >= record.revision:
            return Counted.DUPLICATE
        events: list[Event] = []
        ensembles = list(self._books.beliefs.ensembles)
        summary = record.uncertainty
        if summary.steps and summary.ensemble_id > (ensembles or [''])[-1]:
            events.append(EnsembleSeen(summary.ensemble_id))
            ensembles.append(summary.ensemble_id)
        fulfils, remark = self._claim(record, previous)
        events.append(Finished(
            episode_id=record.episode_id, revision=record.revision, robot=record.robot,
            assignment_id=record.assignment_id,
            result=self._result(record, ensembles, previous),
            previous=previous.result if previous else None,
            fulfils=fulfils, remark=remark))
        self._record(events, now_ns)
        if fulfils:
            self._deadlines.end(record.assignment_id)
        self._settle(now_ns)
        return Counted.AMENDED if previous else Counted.COUNTED

    def _result(self, record: EpisodeRecord, ensembles: Sequence[str],
                previous: Finished | None) -> Result:
        """Return what an episode contributes; amended, it stays in the epoch it was counted in."""
        summary = record.uncertainty
        scored = ensembles.index(summary.ensemble_id) + 1 if (
            summary.steps and summary.ensemble_id in ensembles) else 0
        return Result(
            scenario=record.scenario,
            source=record.source,
            outcome=self._judges.outcome(record),
            epoch=previous.result.epoch if previous else len(ensembles),
            scored_epoch=scored,
            epistemic=_finite(summary.epistemic_mean) if scored else None,
            novelty=_finite(summary.novelty_mean) if scored else None,
            duration_s=record.duration_s,
            others=tuple(sorted(self._judges.impersonated(record).items())),
        )

    def _claim(self, record: EpisodeRecord, previous: Finished | None) -> tuple[bool, str]:
        """Return whether an episode ends the lease that it names, and what is odd about it."""
        lease = self._books.leases.get(record.assignment_id)
        if lease is not None:
            if lease.robot == record.robot:
                return True, ''
            return False, f'not the holder: {lease.robot} is'
        if previous is not None or not record.assignment_id:
            return False, ''
        if self._ledger.ended(record.assignment_id) is not None:
            return False, 'late: its lease had ended'
        if self._ledger.assigned(record.assignment_id) is not None:
            return False, 'another episode of its assignment was counted before'
        return False, 'unknown assignment'

    def steer(self, order: Steered, now_ns: int) -> str:
        """
        Take an operator's order and return what holds from here on.

        :raises ConfigError: where the order is not valid
        :raises SchedulingError: where the ledger cannot be written
        """
        for name, known in (('task', list(self._space.tasks)),
                            ('environment', list(self._space.environments))):
            value = getattr(order, name)
            if value and value not in known:
                raise unknown(f'steer: {name}', value, known)
        for name in ('author', 'reason'):
            if not getattr(order, name).strip():
                raise ConfigError(f'steer: {name}', found='nothing', expected='a few words')
        if order.command == 'boost' and not (isfinite(order.factor) and order.factor > 0):
            raise ConfigError('steer: factor', found=order.factor, expected='a number above 0')
        self._record([order], now_ns)
        standing = self._books.steering.standing(now_ns)
        held = '; '.join(_describe(o) for o in standing)
        return f'in force: {held}' if held else 'nothing in force'

    def pause(self, now_ns: int, reason: str = 'asked to') -> None:
        """Give no new leases; those that are out go on."""
        self._change('paused', reason, now_ns)

    def resume(self, now_ns: int, reason: str = 'asked to') -> None:
        """Give leases again."""
        self._change('running', reason, now_ns)
        self._settle(now_ns)

    def drain(self, now_ns: int, reason: str = 'asked to') -> None:
        """Give no new leases and pause when the last one has ended."""
        self._change('draining' if self._books.leases else 'paused', reason, now_ns)

    def tick(self, now_ns: int) -> None:
        """
        Revoke the leases whose time is up. To be called once a second.

        :raises SchedulingError: where the ledger cannot be written; the next tick tries again
        """
        for assignment_id in self._deadlines.overdue(now_ns):
            lease = self._books.leases[assignment_id]
            self._end(lease, 'revoked', 'no heartbeat before its deadline', retry=True,
                      now_ns=now_ns)

    def state(self, now_ns: int) -> State:
        """Return what the scheduler tells of itself."""
        books = self._books
        key = (books.sequence, books.steering.standing(now_ns))
        if self._probabilities is None or self._probabilities[0] != key:
            self._probabilities = (key, self._maker.probabilities(
                books, now_ns=now_ns, draws=PROBABILITY_DRAWS))
        return State(
            mode=books.mode,
            message=books.mode_reason,
            rule=self._settings.rule,
            ensemble_id=(books.beliefs.ensembles or ('',))[-1],
            episodes=int(books.beliefs.arrays().episodes.sum()),
            revoked=books.revoked,
            leases=tuple(self._grant(lease) for lease in books.leases.values()),
            tasks=task_states(books, self._probabilities[1], now_ns=now_ns),
        )

    def _end(self, lease: Lease, cause: Literal['released', 'revoked'], reason: str, *,
             retry: bool, now_ns: int) -> None:
        assignment_id = lease.assigned.assignment_id
        self._record([Ended(assignment_id=assignment_id, robot=lease.robot, cause=cause,
                            reason=reason, retry=retry)], now_ns)
        self._deadlines.end(assignment_id)
        self._settle(now_ns)

    def _change(self, mode: Mode, reason: str, now_ns: int) -> None:
        self._record([ModeChanged(mode, reason)], now_ns)

    def _settle(self, now_ns: int) -> None:
        """Let a drained scheduler pause, and finish where a stopping criterion fires."""
        if self._books.mode == 'draining' and not self._books.leases:
            self._change('paused', 'drained', now_ns)
        if self._books.mode == 'running':
            verdict = self._maker.stopping.verdict(self._books.beliefs)
            if verdict:
                self._change('finished', verdict, now_ns)

    def _record(self, events: Sequence[Event], now_ns: int) -> None:
        """Write events to the ledger, then take them into account."""
        first = self._books.sequence + 1
        entries = [Entry(first + k, now_ns, event) for k, event in enumerate(events)]
        snapshot = None
        if self._books.sequence - self._snapshot_at >= self._settings.snapshot_events:
            snapshot = (self._books.sequence, self._books.to_dict())
        self._ledger.append(entries, snapshot=snapshot)
        if snapshot is not None:
            self._snapshot_at = self._books.sequence
        for entry in entries:
            self._books.apply(entry)


def _assignment_id(now_ns: int, number: int) -> str:
    moment = datetime.fromtimestamp(now_ns / NS, tz=timezone.utc)
    return f'{moment:%Y%m%dT%H%M%S}-{number}'


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _describe(order: Steered) -> str:
    place = f'{order.task or "every task"} in {order.environment or "every environment"}'
    factor = f' by {order.factor:g}' if order.command == 'boost' else ''
    return f'{order.command} {place}{factor} ({order.author}: {order.reason})'
