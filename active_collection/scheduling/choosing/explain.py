# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Why an assignment was made: the terms of its score, and the same decision made once more."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields
from datetime import datetime
from datetime import timezone

from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.choosing.allocation import Allocator
from active_collection.scheduling.choosing.decision import DecisionMaker
from active_collection.scheduling.events import Batch
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.fleet.leases import NS
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.replay import remember


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    An assignment, what became of it, and what the same decision gives from the ledger.

    :param issued: the event of the assignment
    :param outcome: one line: how it ended, or that it is out
    :param together: robots that were answered at once, this one included
    :param in_force: the operators' orders and pauses that stood then, each in one line
    :param differences: fields in which the replayed decision differs; empty where it is the same
    :param unable: why it cannot be made again; empty where it can
    """

    issued: Entry
    assignment: Assignment
    outcome: str
    differences: tuple[str, ...]
    in_force: tuple[str, ...] = ()
    together: int = 1
    unable: str = ''

    def lines(self) -> Iterator[str]:
        """Give the explanation for a person, line by line."""
        assigned = self.assignment
        yield f'{assigned.assignment_id}: {assigned.scenario}'
        yield (f'  for {assigned.request.robot}, acted out by {assigned.collector}, '
               f'{"with" if assigned.reset_required else "without"} a reset, '
               f'attempt {assigned.attempt}')
        yield (f'  rule {assigned.rule}, score {assigned.score:.6g}, '
               f'ensemble {assigned.ensemble_id or "none"}, priority {assigned.priority}'
               + ('' if assigned.draw is None else f', draw {assigned.draw:.6g}'))
        if assigned.policy_task:
            yield f'  the policy of {assigned.policy_task} acts'
        if assigned.repeats:
            yield f'  repeats episode {assigned.repeats}, asked for by {assigned.asked_by}'
        if assigned.batch:
            yield (f'  answered together with {self.together - 1} other robots '
                   f'(event {assigned.batch})' + (
                       f'; the rule chose it for {assigned.chosen_for}'
                       if assigned.chosen_for else ''))
        for term in assigned.terms:
            entered = f'x {term.weight:.6g}' if term.weight else '(for information)'
            yield f'    {term.name:<20} {term.value:>12.6g} {entered}'
        for runner_up in assigned.runners_up:
            yield (f'  runner-up {runner_up.task} @ {runner_up.environment}, '
                   f'score {runner_up.score:.6g}')
        for order in self.in_force or ('no order of an operator',):
            yield f'  in force: {order}'
        yield f'  {self.outcome}'
        if self.unable:
            yield f'  cannot be replayed from the ledger: {self.unable}'
            return
        yield ('  replayed from the ledger: the same decision' if not self.differences else
               f'  replayed from the ledger: differs in {", ".join(self.differences)}')


def explain(reader: LedgerReader, assignment_id: str) -> Explanation:
    """
    Explain an assignment and make its decision again from the events before it.

    :raises SchedulingError: where there is no such assignment or the ledger is damaged
    """
    entries = reader.of_subject(assignment_id)
    for entry in entries:
        if isinstance(entry.event, Assignment):
            number = entry.event.batch or entry.sequence
            fleet = remember(reader, until=number - 1)
            if fleet is None:
                raise SchedulingError(f'{reader.name}: event {entry.sequence}',
                                      found='an assignment', expected='a start before it')
            together = _asked_together(reader, entry.event)
            differences: tuple[str, ...] = ()
            unable = ''
            try:
                differences = _differences(entry.event, _decided_again(
                    fleet, together, entry.event, now_ns=entry.time_ns, number=number))
            except ConfigError as error:  # a rule that was, or is a third party's
                unable = str(error)
            return Explanation(
                entry, entry.event, _outcome(reader, entry.event, entries),
                in_force=_in_force(fleet, entry.event, now_ns=entry.time_ns),
                differences=differences, together=len(together), unable=unable)
    raise SchedulingError(f'{reader.name}: assignment', found=assignment_id,
                          expected='an assignment of this ledger')


def _decided_again(fleet: FleetState, together: Sequence[Request], assigned: Assignment, *,
                   now_ns: int, number: int) -> Assignment | Refusal:
    """
    Make the decision of an assignment again.

    :param fleet: as it was before it
    :param together: the questions that were answered at once
    """
    allocator = Allocator(fleet.space, fleet.settings, DecisionMaker(fleet.space, fleet.settings))
    answers = allocator.allocate(fleet, together, now_ns=now_ns, number=number)
    return answers[together.index(assigned.request)]


def _in_force(fleet: FleetState, assigned: Assignment, *, now_ns: int) -> tuple[str, ...]:
    """Return what operators had asked for, what is about the assignment's own place first."""
    place = assigned.scenario.task, assigned.scenario.environment
    orders = sorted(fleet.orders.standing(now_ns).orders, key=lambda o: not o.covers(*place))
    return (*(f'{order}{order.until()}' + (
        '' if order.covers(*place) else ', which is about others') for order in orders),
        *map(str, fleet.orders.robots.values()), *map(str, fleet.repeats.values()))


def _asked_together(reader: LedgerReader, assigned: Assignment) -> tuple[Request, ...]:
    """Return the questions that were answered together with that of an assignment."""
    if not assigned.batch:
        return (assigned.request,)
    for entry in reader.entries(after=assigned.batch - 1, until=assigned.batch):
        if isinstance(entry.event, Batch) and assigned.request in entry.event.requests:
            return entry.event.requests
    raise SchedulingError(f'{reader.name}: event {assigned.batch}', found='no such batch',
                          expected=f'the questions answered with {assigned.assignment_id}')


def _differences(assigned: Assignment, answer: Assignment | Refusal) -> tuple[str, ...]:
    if isinstance(answer, Refusal):
        return ('everything: ' + '; '.join(map(str, answer.reasons)),)
    again = answer.leased(
        assigned.assignment_id, now_ns=assigned.issued_ns, deadline_ns=assigned.deadline_ns,
        batch=assigned.batch)
    return tuple(field.name for field in fields(Assignment)
                 if getattr(assigned, field.name) != getattr(again, field.name))


def _outcome(reader: LedgerReader, assigned: Assignment, entries: list[Entry]) -> str:
    """Say in one line how a lease ended: what its episode is by now, and what it was at first."""
    for entry in entries:
        if isinstance(entry.event, Ended):
            return f'{entry.event.cause}: {entry.event.reason}'
    for entry in reader.finished_of_task(assigned.scenario.task, after=entries[0].sequence):
        event = entry.event
        if isinstance(event, Finished) and event.assignment_id == assigned.assignment_id:
            return _episode(reader.of_subject(event.episode_id))
    return 'still out'


def _episode(revisions: Sequence[Entry]) -> str:
    """Say in one line what an episode is by its last revision, and what it was before it."""
    told = [(entry.time_ns, entry.event) for entry in revisions
            if isinstance(entry.event, Finished)]
    (_, first), (amended_ns, last) = told[0], told[-1]
    remark = f' ({first.remark})' if first.remark else ''
    outcome = f'episode {last.episode_id}: {last.result.outcome.value}{remark}'
    if len(told) == 1:
        return outcome
    when = datetime.fromtimestamp(amended_ns / NS, tz=timezone.utc)
    return (f'{outcome}, amended at {when:%Y-%m-%d %H:%M:%S} UTC; '
            f'at first {first.result.outcome.value}')
