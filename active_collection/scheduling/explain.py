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

from active_collection.errors import SchedulingError
from active_collection.scheduling.allocation import Allocator
from active_collection.scheduling.books import Books
from active_collection.scheduling.decision import Decision
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.decision import NothingEligible
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Batch
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Request
from active_collection.scheduling.history import remember
from active_collection.scheduling.leases import NS
from active_collection.scheduling.ledger import LedgerReader
from active_collection.scheduling.operators import describe
from active_collection.scheduling.operators import describe_robot
from active_collection.scheduling.orders import Steered
from active_collection.scheduling.steering import covers


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    An assignment, what became of it, and what the same decision gives from the ledger.

    :param issued: the event of the assignment
    :param outcome: one line: how it ended, or that it is out
    :param together: robots that were answered at once, this one included
    :param in_force: the operators' orders and pauses that stood then, each in one line
    :param differences: fields in which the replayed decision differs; empty where it is the same
    """

    issued: Entry
    assigned: Assigned
    outcome: str
    differences: tuple[str, ...]
    in_force: tuple[str, ...] = ()
    together: int = 1

    def lines(self) -> Iterator[str]:
        """Give the explanation for a person, line by line."""
        assigned = self.assigned
        yield f'{assigned.assignment_id}: {assigned.scenario}'
        yield (f'  for {assigned.request.robot}, acted out by {assigned.collector}, '
               f'{"with" if assigned.reset_required else "without"} a reset, '
               f'attempt {assigned.attempt}')
        yield (f'  rule {assigned.rule}, score {assigned.score:.6g}, '
               f'ensemble {assigned.ensemble_id or "none"}, priority {assigned.priority}'
               + ('' if assigned.draw is None else f', draw {assigned.draw:.6g}'))
        if assigned.policy_task:
            yield f'  the policy of {assigned.policy_task} acts'
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
        yield ('  replayed from the ledger: the same decision' if not self.differences else
               f'  replayed from the ledger: differs in {", ".join(self.differences)}')


def explain(reader: LedgerReader, assignment_id: str) -> Explanation:
    """
    Explain an assignment and make its decision again from the events before it.

    :raises SchedulingError: where there is no such assignment or the ledger is damaged
    """
    entries = reader.of_subject(assignment_id)
    for entry in entries:
        if isinstance(entry.event, Assigned):
            number = entry.event.batch or entry.sequence
            books = remember(reader, until=number - 1)
            if books is None:
                raise SchedulingError(f'{reader.name}: event {entry.sequence}',
                                      found='an assignment', expected='a start before it')
            together = _asked_together(reader, entry.event)
            return Explanation(
                entry, entry.event, _outcome(reader, entry.event, entries),
                in_force=_in_force(books, entry.event, now_ns=entry.time_ns),
                differences=_differences(entry.event, _decided_again(
                    books, together, entry.event, now_ns=entry.time_ns, number=number)),
                together=len(together))
    raise SchedulingError(f'{reader.name}: assignment', found=assignment_id,
                          expected='an assignment of this ledger')


def _decided_again(books: Books, together: Sequence[Request], assigned: Assigned, *, now_ns: int,
                   number: int) -> Decision | NothingEligible:
    """
    Make the decision of an assignment again.

    :param books: as they were before it
    :param together: the questions that were answered at once
    """
    allocator = Allocator(books.space, books.settings, DecisionMaker(books.space, books.settings))
    answers = allocator.allocate(books, together, now_ns=now_ns, number=number)
    return answers[together.index(assigned.request)]


def _in_force(books: Books, assigned: Assigned, *, now_ns: int) -> tuple[str, ...]:
    """Return what operators had asked for, what is about the assignment's own place first."""
    scenario = assigned.scenario
    orders = sorted(books.steering.standing(now_ns), key=lambda order: not covers(
        order, scenario.task, scenario.environment))
    return (*(_describe(order, covers(order, scenario.task, scenario.environment))
              for order in orders),
            *map(describe_robot, books.steering.robots.values()))


def _describe(order: Steered, is_here: bool) -> str:
    until = ''
    if order.until_ns:
        moment = datetime.fromtimestamp(order.until_ns / NS, tz=timezone.utc)
        until = f' until {moment:%Y-%m-%d %H:%M:%S} UTC'
    return f'{describe(order)}{until}' + ('' if is_here else ', which is about others')


def _asked_together(reader: LedgerReader, assigned: Assigned) -> tuple[Request, ...]:
    """Return the questions that were answered together with that of an assignment."""
    if not assigned.batch:
        return (assigned.request,)
    for entry in reader.entries(after=assigned.batch - 1, until=assigned.batch):
        if isinstance(entry.event, Batch) and assigned.request in entry.event.requests:
            return entry.event.requests
    raise SchedulingError(f'{reader.name}: event {assigned.batch}', found='no such batch',
                          expected=f'the questions answered with {assigned.assignment_id}')


def _differences(assigned: Assigned, decision: Decision | NothingEligible) -> tuple[str, ...]:
    if isinstance(decision, NothingEligible):
        return (f'everything: {decision.reason}',)
    return tuple(field.name for field in fields(Decision)
                 if getattr(assigned, field.name) != getattr(decision, field.name))


def _outcome(reader: LedgerReader, assigned: Assigned, entries: list[Entry]) -> str:
    """Say in one line how a lease ended."""
    for entry in entries:
        if isinstance(entry.event, Ended):
            return f'{entry.event.cause}: {entry.event.reason}'
    for entry in reader.finished_of_task(assigned.scenario.task, after=entries[0].sequence):
        event = entry.event
        if isinstance(event, Finished) and event.assignment_id == assigned.assignment_id:
            remark = f' ({event.remark})' if event.remark else ''
            return f'episode {event.episode_id}: {event.result.outcome.value}{remark}'
    return 'still out'
