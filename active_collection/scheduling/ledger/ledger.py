# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: every event of the scheduler, in order, with one writer."""
from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from active_collection.episode import Outcome
from active_collection.errors import SchedulingError
from active_collection.files import parse_json
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.encoding import encode
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Result
from active_collection.scheduling.events import Started
from active_collection.scheduling.events import decode
from active_collection.scheduling.events import subject_of
from active_collection.scheduling.ledger.storage import LAST
from active_collection.scheduling.ledger.storage import Storage
from active_collection.scheduling.ledger.storage import Wanted
from active_collection.scheduling.ledger.storage import damaged
from active_collection.scheduling.ledger.storage import open_storage


class LedgerReader:
    """
    Reads a ledger, also while a scheduler writes it. Every method may find it damaged.

    :param place: path of an SQLite file, or postgresql://user@host/database
    :raises SchedulingError: where it is missing, is no ledger, or is of a later version
    """

    def __init__(self, place: Path | str) -> None:
        self._storage: Storage = open_storage(place, writes=False)

    @property
    def name(self) -> str:
        """Return where it lives, for messages."""
        return self._storage.name

    def __enter__(self) -> LedgerReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._storage.close()

    def entries(self, *, after: int = 0, until: int | None = None,
                kinds: Sequence[str] = ()) -> Iterator[Entry]:
        """
        Give events in order.

        :param after: sequence number of the last event not wanted
        :param until: sequence number of the last wanted; None for all
        :param kinds: kinds wanted; none for all
        """
        return self._read(Wanted(after, _until(until), tuple(kinds)))

    def of_subject(self, subject: str) -> list[Entry]:
        """Return the events about an assignment, an episode, an ensemble or a task, in order."""
        return list(self._read(Wanted(subject=subject)))

    def assignments(self) -> Iterator[Entry]:
        """Give every assignment ever made, in order."""
        return self.entries(kinds=(Assignment.kind,))

    def episodes(self) -> dict[str, Entry]:
        """Return each counted episode's last revision by episode id, first counted first."""
        return {entry.event.episode_id: entry for entry in self.entries(kinds=(Finished.kind,))
                if isinstance(entry.event, Finished)}

    def last_start(self, *, until: int) -> Entry | None:
        """Return the last start of a scheduler at or before an event."""
        return self._last(Wanted(until=until, kinds=(Started.kind,), subject='',
                                 is_newest_first=True, is_one=True))

    def finished_of_task(self, task: str, *, after: int) -> Iterator[Entry]:
        """Give the episodes of a task that were counted after an event, in order."""
        return self._read(Wanted(after=after, kinds=(Finished.kind,), task=task))

    def unjudged(self) -> list[Finished]:
        """Return the episodes whose outcome nobody has told: the queue for a person's label."""
        events = (entry.event for entry in self.episodes().values())
        return [event for event in events if isinstance(event, Finished)
                and event.result.outcome is Outcome.UNKNOWN]

    def last_assignment(self) -> str:
        """Return the id of the last assignment; empty before the first."""
        entry = self._last(Wanted(kinds=(Assignment.kind,), is_newest_first=True, is_one=True))
        return entry.event.assignment_id if entry and isinstance(entry.event, Assignment) else ''

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 in an empty ledger."""
        return self._storage.last_sequence()

    def snapshot(self, *, until: int | None = None) -> tuple[int, dict[str, Any]] | None:
        """Return the last snapshot (sequence, state) at or before an event; None without one."""
        found = self._storage.snapshot(_until(until))
        if found is None:
            return None
        sequence, text = found
        try:
            return sequence, parse_json(text)
        except ValueError as error:
            raise damaged(self.name, f'snapshot {sequence}: {error}') from error

    def results(self, task: str, *, until: int | None = None) -> Iterator[tuple[str, Result]]:
        """
        Give (episode id, result) of each episode of a task, last first.

        The last is the one that was counted or amended last.
        """
        seen: set[str] = set()
        for entry in self._read(Wanted(until=_until(until), kinds=(Finished.kind,), task=task,
                                       is_newest_first=True)):
            event = entry.event
            if isinstance(event, Finished) and event.episode_id not in seen:
                seen.add(event.episode_id)
                yield event.episode_id, event.result

    def last_finished(self, episode_id: str) -> Finished | None:
        """Return the last revision of an episode that was counted; None if it never was."""
        found = self._last_of(Finished.kind, episode_id)
        return found if isinstance(found, Finished) else None

    def assigned(self, assignment_id: str) -> Assignment | None:
        """Return an assignment ever made; None for an unknown id."""
        found = self._last_of(Assignment.kind, assignment_id)
        return found if isinstance(found, Assignment) else None

    def ended(self, assignment_id: str) -> Ended | None:
        """Return how a lease ended without an episode; None where it did not."""
        found = self._last_of(Ended.kind, assignment_id)
        return found if isinstance(found, Ended) else None

    def damage(self) -> list[str]:
        """Return what the database itself finds wrong; empty where it is sound."""
        return self._storage.damage()

    def _last_of(self, kind: str, subject: str) -> Event | None:
        entry = self._last(
            Wanted(kinds=(kind,), subject=subject, is_newest_first=True, is_one=True))
        return entry.event if entry else None

    def _last(self, wanted: Wanted) -> Entry | None:
        return next(self._read(wanted), None)

    def _read(self, wanted: Wanted) -> Iterator[Entry]:
        for sequence, time_ns, kind, detail in self._storage.events(wanted):
            yield Entry(sequence, time_ns,
                        decode(kind, detail, where=f'{self.name}: event {sequence}'))


class Ledger(LedgerReader):
    """
    The ledger as its one writer has it, made or migrated where need be.

    What `append` has returned from survives the process and the machine. Once it could not be read
    or written, it refuses everything at once and for the same reason, until `reopen` has
    succeeded: nobody waits for a disk or a server again and again.

    :param is_durable: False leaves it to the system when the disk is written; the process may die
        all the same, but not the machine
    :raises SchedulingError: where another process writes it, it cannot be written, or is damaged
    """

    def __init__(self, place: Path | str, *, is_durable: bool = True) -> None:
        self._storage = open_storage(place, writes=True, is_durable=is_durable)
        self._trouble: SchedulingError | None = None

    @property
    def trouble(self) -> str:
        """Return why it cannot be used; empty where it can."""
        return str(self._trouble or '')

    def reopen(self, check: Callable[[], None]) -> None:
        """
        Use it again.

        :param check: reads it and raises SchedulingError where it is not what it was
        :raises SchedulingError: where it still cannot be used
        """
        with self._noted():
            self._storage.reopen()
        self._trouble = None
        with self._noted():
            check()

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 in an empty ledger."""
        with self._usable():
            return super().last_sequence()

    def snapshot(self, *, until: int | None = None) -> tuple[int, dict[str, Any]] | None:
        """Return the last snapshot (sequence, state) at or before an event; None without one."""
        with self._usable():
            return super().snapshot(until=until)

    def append(self, entries: Sequence[Entry], *,
               snapshot: tuple[int, dict[str, Any]] | None = None) -> None:
        """
        Add events: all of them durably, or none.

        :param snapshot: the state after an event that is in the ledger, to restart from
        :raises SchedulingError: where it cannot be written. Whether it was, of a connection that
            broke nobody can tell
        """
        rows = [(e.sequence, e.time_ns, e.event.kind, subject_of(e.event), _task(e.event),
                 encode(e.event)) for e in entries]
        with self._usable():
            self._storage.append(
                rows, None if snapshot is None else (snapshot[0], json.dumps(snapshot[1])))

    def _read(self, wanted: Wanted) -> Iterator[Entry]:
        with self._usable():
            yield from super()._read(wanted)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Refuse where it cannot be used, and take note where that shows within."""
        if self._trouble is not None:
            raise SchedulingError(
                self._trouble.where, found=self._trouble.found, expected=self._trouble.expected)
        with self._noted():
            yield

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except SchedulingError as error:
            self._trouble = error
            raise


def _until(sequence: int | None) -> int:
    return LAST if sequence is None else sequence


def _task(event: Event) -> str:
    if isinstance(event, Assignment):
        return event.scenario.task
    if isinstance(event, Finished):
        return event.result.scenario.task
    return ''
