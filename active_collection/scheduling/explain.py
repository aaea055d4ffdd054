# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Why an assignment was made: the terms of its score, and the same decision made once more."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import fields

from active_collection.errors import SchedulingError
from active_collection.scheduling.allocation import Allocator
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
from active_collection.scheduling.ledger import LedgerReader


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    An assignment, what became of it, and what the same decision gives from the ledger.

    :param issued: the event of the assignment
    :param outcome: one line: how it ended, or that it is out
    :param together: robots that were answered at once, this one included
    :param differences: fields in which the replayed decision differs; empty where it is the same
    """

    issued: Entry
    assigned: Assigned
    outcome: str
    differences: tuple[str, ...]
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
            return Explanation(entry, entry.event, _outcome(reader, entry.event, entries),
                               _differences(entry.event, replay(reader, entry)),
                               together=len(_asked_together(reader, entry)))
    raise SchedulingError(f'{reader.name}: assignment', found=assignment_id,
                          expected='an assignment of this ledger')


def replay(reader: LedgerReader, issued: Entry) -> Decision | NothingEligible:
    """
    Make a decision again from the ledger alone.

    :param issued: the event of its assignment
    """
    assigned = issued.event
    number, requests = issued.sequence, _asked_together(reader, issued)
    if isinstance(assigned, Assigned) and assigned.batch:
        number = assigned.batch
    books = remember(reader, until=number - 1)
    if books is None or not isinstance(assigned, Assigned):
        raise SchedulingError(f'{reader.name}: event {issued.sequence}', found=issued.event.kind,
                              expected='an assignment after a start')
    allocator = Allocator(books.space, books.settings, DecisionMaker(books.space, books.settings))
    answers = allocator.allocate(books, requests, now_ns=issued.time_ns, number=number)
    return answers[requests.index(assigned.request)]


def _asked_together(reader: LedgerReader, issued: Entry) -> tuple[Request, ...]:
    """Return the questions that were answered together with that of an assignment."""
    assigned = issued.event
    if not isinstance(assigned, Assigned):
        return ()
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
