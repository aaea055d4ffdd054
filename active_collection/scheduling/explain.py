# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Why an assignment was made: the terms of its score, and the same decision made once more."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import fields

from active_collection.errors import SchedulingError
from active_collection.scheduling.decision import Decision
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.decision import NothingEligible
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.history import remember
from active_collection.scheduling.ledger import LedgerReader


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    An assignment, what became of it, and what the same decision gives from the ledger.

    :param issued: the event of the assignment
    :param outcome: one line: how it ended, or that it is out
    :param differences: fields in which the replayed decision differs; empty where it is the same
    """

    issued: Entry
    assigned: Assigned
    outcome: str
    differences: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Give the explanation for a person, line by line."""
        assigned = self.assigned
        yield f'{assigned.assignment_id}: {assigned.scenario}'
        yield (f'  for {assigned.request.robot}, acted out by {assigned.collector}, '
               f'{"with" if assigned.reset_required else "without"} a reset, '
               f'attempt {assigned.attempt}')
        yield (f'  rule {assigned.rule}, score {assigned.score:.6g}, '
               f'ensemble {assigned.ensemble_id or "none"}')
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
                               _differences(entry.event, replay(reader, entry)))
    raise SchedulingError(f'{reader.path}: assignment', found=assignment_id,
                          expected='an assignment of this ledger')


def replay(reader: LedgerReader, issued: Entry) -> Decision | NothingEligible:
    """
    Make a decision again from the ledger alone.

    :param issued: the event of its assignment
    """
    books = remember(reader, until=issued.sequence - 1)
    if books is None or not isinstance(issued.event, Assigned):
        raise SchedulingError(f'{reader.path}: event {issued.sequence}', found=issued.event.kind,
                              expected='an assignment after a start')
    maker = DecisionMaker(books.space, books.settings)
    return maker.decide(
        books, issued.event.request, now_ns=issued.time_ns, number=issued.sequence)


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
