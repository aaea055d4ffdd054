# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: every event of the scheduler, in order, in an SQLite file with one writer."""
from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from active_collection.episode import Outcome
from active_collection.errors import SchedulingError
from active_collection.files import parse_json
from active_collection.scenario import Scenario
from active_collection.scheduling.books import is_covering
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Started
from active_collection.scheduling.events import decode
from active_collection.scheduling.events import encode
from active_collection.scheduling.events import subject_of
from active_collection.scheduling.schema import APPLICATION_ID
from active_collection.scheduling.schema import MIGRATIONS
from active_collection.scheduling.schema import VERSION

SNAPSHOTS_KEPT = 2
BUSY_S = 5.0


class LedgerReader:
    """
    Reads a ledger, also while a scheduler writes it.

    :raises SchedulingError: where the file is missing, is no ledger, or is of a later version
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise SchedulingError(self.path, found='no such file', expected='a ledger')
        self._connection = _connect(f'{self.path.absolute().as_uri()}?mode=ro', self.path)
        try:
            version = _version(self._connection, self.path)
            if version == 0:
                raise SchedulingError(self.path, found='an empty file', expected='a ledger')
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> LedgerReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def entries(self, *, after: int = 0, until: int | None = None,
                kinds: Sequence[str] = ()) -> Iterator[Entry]:
        """
        Give events in order.

        :param after: sequence number of the last event not wanted
        :param until: sequence number of the last wanted; None for all
        :param kinds: kinds wanted; none for all
        :raises SchedulingError: where the file is damaged
        """
        marks = ','.join('?' for _ in kinds)
        wanted = f'AND kind IN ({marks})' if kinds else ''
        limit = 2**62 if until is None else until
        yield from self._read(
            f'WHERE sequence > ? AND sequence <= ? {wanted} ORDER BY sequence',
            (after, limit, *kinds))

    def of_subject(self, subject: str) -> list[Entry]:
        """Return the events about an assignment, an episode, an ensemble or a task, in order."""
        return list(self._read('WHERE subject = ? ORDER BY sequence', (subject,)))

    def assignments(self) -> Iterator[Entry]:
        """Give every assignment ever made, in order."""
        return self.entries(kinds=(Assigned.kind,))

    def episodes(self) -> dict[str, Entry]:
        """Return each counted episode's last revision by episode id, first counted first."""
        return {entry.event.episode_id: entry for entry in self.entries(kinds=(Finished.kind,))
                if isinstance(entry.event, Finished)}

    def last_start(self, *, until: int) -> Entry | None:
        """Return the last start of a scheduler at or before an event."""
        for entry in self._read("WHERE subject = '' AND kind = ? AND sequence <= ? "
                                'ORDER BY sequence DESC LIMIT 1', (Started.kind, until)):
            return entry
        return None

    def finished_of_task(self, task: str, *, after: int) -> Iterator[Entry]:
        """Give the episodes of a task that were counted after an event, in order."""
        return self._read('WHERE task = ? AND kind = ? AND sequence > ? ORDER BY sequence',
                          (task, Finished.kind, after))

    def unjudged(self) -> list[Finished]:
        """Return the episodes whose outcome nobody has told: the queue for a person's label."""
        events = (entry.event for entry in self.episodes().values())
        return [event for event in events if isinstance(event, Finished)
                and event.result.outcome is Outcome.UNKNOWN]

    def last_assignment(self) -> str:
        """Return the id of the last assignment; empty before the first."""
        return str(self._one("SELECT subject FROM events WHERE kind = 'assigned' "
                             'ORDER BY sequence DESC LIMIT 1') or '')

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 in an empty ledger."""
        return int(self._one('SELECT COALESCE(MAX(sequence), 0) FROM events'))

    def snapshot(self, *, until: int | None = None) -> tuple[int, dict[str, Any]] | None:
        """Return the last snapshot (sequence, books) at or before an event; None without one."""
        limit = 2**62 if until is None else until
        rows = self._rows('SELECT sequence, books FROM snapshots WHERE sequence <= ? '
                          'ORDER BY sequence DESC LIMIT 1', (limit,))
        for sequence, text in rows:
            try:
                return int(sequence), parse_json(text)
            except ValueError as error:
                raise self._damaged(f'snapshot {sequence}: {error}') from error
        return None

    def covered(self, task: str, *, until: int | None = None) -> Iterator[tuple[str, Scenario]]:
        """
        Give (episode id, scenario) of each episode that covers its configuration, last first.

        The last is the one that was counted or amended last.
        """
        limit = 2**62 if until is None else until
        seen: set[str] = set()
        for entry in self._read(
                'WHERE task = ? AND kind = ? AND sequence <= ? ORDER BY sequence DESC',
                (task, Finished.kind, limit)):
            event = entry.event
            if isinstance(event, Finished) and event.episode_id not in seen:
                seen.add(event.episode_id)
                if is_covering(event.result):
                    yield event.episode_id, event.result.scenario

    def last_finished(self, episode_id: str) -> Finished | None:
        """Return the last revision of an episode that was counted; None if it never was."""
        found = self._last(Finished.kind, episode_id)
        return found if isinstance(found, Finished) else None

    def assigned(self, assignment_id: str) -> Assigned | None:
        """Return an assignment ever made; None for an unknown id."""
        found = self._last(Assigned.kind, assignment_id)
        return found if isinstance(found, Assigned) else None

    def ended(self, assignment_id: str) -> Ended | None:
        """Return how a lease ended without an episode; None where it did not."""
        found = self._last(Ended.kind, assignment_id)
        return found if isinstance(found, Ended) else None

    def _last(self, kind: str, subject: str) -> Event | None:
        for entry in self._read('WHERE subject = ? AND kind = ? ORDER BY sequence DESC LIMIT 1',
                                (subject, kind)):
            return entry.event
        return None

    def damage(self) -> list[str]:
        """Return what SQLite's own integrity check complains of; empty for a sound file."""
        try:
            rows = self._connection.execute('PRAGMA integrity_check(20)').fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [str(row[0]) for row in rows if row[0] != 'ok']

    def _read(self, clause: str, parameters: tuple[object, ...]) -> Iterator[Entry]:
        query = f'SELECT sequence, time_ns, kind, detail FROM events {clause}'
        for sequence, time_ns, kind, detail in self._rows(query, parameters):
            yield Entry(int(sequence), int(time_ns),
                        decode(kind, detail, where=f'{self.path}: event {sequence}'))

    def _rows(self, query: str, parameters: tuple[object, ...]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, parameters)
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def _one(self, query: str) -> Any:
        for row in self._rows(query, ()):
            return row[0]
        return None

    def _damaged(self, error: object) -> SchedulingError:
        return _refused(self.path, error)


class Ledger(LedgerReader):
    """
    The ledger as its one writer has it, made or migrated where need be.

    Write-ahead logging with a sync at each commit: what `append` has returned from survives the
    process and the machine.

    :param is_durable: False leaves it to the system when the disk is written; the process may die
        all the same, but not the machine
    :raises SchedulingError: where another process writes it, it cannot be written, or is damaged
    """

    def __init__(self, path: Path | str, *, is_durable: bool = True) -> None:
        path = Path(path)
        self._lock = _lock(path)
        try:
            self._create(path, 'FULL' if is_durable else 'OFF')
            super().__init__(path)
        except BaseException:
            os.close(self._lock)
            raise

    def _create(self, path: Path, synchronous: str) -> None:
        connection = _connect(path.absolute().as_uri(), path)
        try:
            version = _version(connection, path)
            connection.execute('PRAGMA journal_mode = WAL')
            connection.execute(f'PRAGMA synchronous = {synchronous}')
            for k in range(version, VERSION):
                connection.execute('BEGIN IMMEDIATE')
                for statement in MIGRATIONS[k]:
                    connection.execute(statement)
                connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
                connection.execute(f'PRAGMA user_version = {k + 1}')
                connection.execute('COMMIT')
        except sqlite3.Error as error:
            connection.close()
            raise SchedulingError(path, found=str(error), expected='a ledger that can be written: '
                                  'restore a copy, or move it away to begin anew') from error
        except BaseException:
            connection.close()
            raise
        self._writer = connection

    def close(self) -> None:
        """Close the file and let another process write it."""
        super().close()
        self._writer.close()
        os.close(self._lock)

    def append(self, entries: Sequence[Entry], *,
               snapshot: tuple[int, dict[str, Any]] | None = None) -> None:
        """
        Add events: all of them durably, or none.

        :param snapshot: the books after an event that is in the ledger, to restart from
        :raises SchedulingError: where the file cannot be written; nothing was added
        """
        rows = [(e.sequence, e.time_ns, e.event.kind, subject_of(e.event), _task(e.event),
                 encode(e.event)) for e in entries]
        try:
            self._writer.execute('BEGIN IMMEDIATE')
            self._writer.executemany('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)', rows)
            if snapshot is not None:
                sequence, books = snapshot
                self._writer.execute('INSERT OR REPLACE INTO snapshots VALUES (?, ?)',
                                     (sequence, json.dumps(books)))
                self._writer.execute(
                    'DELETE FROM snapshots WHERE sequence NOT IN '
                    '(SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ?)',
                    (SNAPSHOTS_KEPT,))
            self._writer.execute('COMMIT')
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                if self._writer.in_transaction:
                    self._writer.execute('ROLLBACK')
            raise SchedulingError(
                self.path, found=str(error), expected='a ledger that can be written') from error


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None,
                               check_same_thread=False)
    except sqlite3.Error as error:
        raise SchedulingError(path, found=str(error), expected='a ledger') from error


#: What SQLite says of the place that a file is in, not of what stands in it.
OF_THE_DISK = ('disk is full', 'disk I/O error', 'readonly database', 'unable to open')


def _refused(path: Path, error: object) -> SchedulingError:
    """Return the error for a ledger that SQLite cannot use; nobody is told to drop a sound one."""
    if any(words in str(error) for words in OF_THE_DISK):
        return SchedulingError(path, found=str(error), expected='a disk with room that can be '
                               'written; the ledger itself is left as it is')
    return SchedulingError(
        path, found=str(error),
        expected='a sound ledger: restore a copy of it, or move it away to begin anew')


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the ledger's schema version, 0 for an empty file."""
    try:
        version = int(connection.execute('PRAGMA user_version').fetchone()[0])
        application = int(connection.execute('PRAGMA application_id').fetchone()[0])
        tables = int(connection.execute('SELECT COUNT(*) FROM sqlite_master').fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise _refused(path, error) from error
    if (tables or version) and application != APPLICATION_ID:
        raise SchedulingError(path, found="another program's SQLite file", expected='a ledger')
    if version > VERSION:
        raise SchedulingError(path, found=f'a ledger of version {version}',
                              expected=f'version {VERSION} or earlier: use a later release')
    return version


def _lock(path: Path) -> int:
    """Return the descriptor of the lock that its one writer holds."""
    lock = path.with_name(f'{path.name}.lock')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SchedulingError(path, found=str(error), expected='a place that can be written'
                              ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SchedulingError(path, found='another scheduler that writes it',
                              expected='one scheduler a ledger') from error
    return descriptor


def _task(event: Event) -> str:
    if isinstance(event, Assigned):
        return event.scenario.task
    if isinstance(event, Finished):
        return event.result.scenario.task
    return ''
