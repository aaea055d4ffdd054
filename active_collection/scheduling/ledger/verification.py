# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a ledger can be trusted: its file, its events, and what follows from them."""
from __future__ import annotations

from collections.abc import Callable

from active_collection.errors import SchedulingError
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.replay import fold
from active_collection.scheduling.ledger.replay import remember

MOST = 20


def problems(reader: LedgerReader, *, progress: Callable[[int], None] = lambda _: None,
             ) -> list[str]:
    """
    Return what is wrong with a ledger, at most 20 lines; empty where it is sound.

    Checked: the file itself; that events are numbered without gaps and each can be read; that
    every lease ends once and every episode counts once, with rising revisions; that the events
    give the same memory with and without the snapshots.

    :param progress: called with the number of each event that was read
    """
    found = reader.damage()
    if found:
        return found[:MOST]
    checker = _Checker()
    try:
        for entry in reader.entries():
            found += checker.check(entry)
            progress(entry.sequence)
            if len(found) >= MOST:
                break
        return found[:MOST] or _snapshot_problems(reader)
    except SchedulingError as error:
        return [*found, str(error)]


def _snapshot_problems(reader: LedgerReader) -> list[str]:
    fleet: FleetState | None = None
    for _, folded in fold(reader):
        fleet = folded
    remembered = remember(reader)
    if fleet is None or remembered is None or fleet.to_dict() == remembered.to_dict():
        return []
    return ['the last snapshot is not what the events before it give']


class _Checker:
    """Looks at events one after another."""

    def __init__(self) -> None:
        self._sequence = 0
        self._out: set[str] = set()
        self._known: set[str] = set()
        self._revision: dict[str, int] = {}

    def check(self, entry: Entry) -> list[str]:
        """Return what is wrong with the next event."""
        found = []
        if entry.sequence != self._sequence + 1:
            found.append(f'event {entry.sequence} follows event {self._sequence}')
        self._sequence = entry.sequence
        event = entry.event
        if isinstance(event, Assignment):
            if event.assignment_id in self._known:
                found.append(f'event {entry.sequence}: {event.assignment_id} assigned twice')
            self._known.add(event.assignment_id)
            self._out.add(event.assignment_id)
        elif isinstance(event, Ended):
            found += self._end(entry, event.assignment_id)
        elif isinstance(event, Finished):
            found += self._count(entry, event)
        return found

    def _count(self, entry: Entry, event: Finished) -> list[str]:
        found = self._end(entry, event.assignment_id) if event.fulfils else []
        last = self._revision.get(event.episode_id)
        if (event.previous is None) != (last is None):
            found.append(f'event {entry.sequence}: {event.episode_id} counted twice or amended '
                         'before it was counted')
        if last is not None and event.revision <= last:
            found.append(f'event {entry.sequence}: {event.episode_id}: revision {event.revision} '
                         f'after {last}')
        self._revision[event.episode_id] = event.revision
        return found

    def _end(self, entry: Entry, assignment_id: str) -> list[str]:
        if assignment_id not in self._out:
            return [f'event {entry.sequence}: {assignment_id} ended although it was not out']
        self._out.discard(assignment_id)
        return []
