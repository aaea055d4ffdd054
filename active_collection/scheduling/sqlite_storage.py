# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger in an SQLite file with write-ahead logging."""
from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from active_collection.errors import SchedulingError
from active_collection.scheduling.schema import APPLICATION_ID
from active_collection.scheduling.schema import SQLITE
from active_collection.scheduling.schema import VERSION
from active_collection.scheduling.schema import statements
from active_collection.scheduling.storage import SNAPSHOTS_KEPT
from active_collection.scheduling.storage import FullRow
from active_collection.scheduling.storage import Row
from active_collection.scheduling.storage import Wanted
from active_collection.scheduling.storage import damaged
from active_collection.scheduling.storage import of_another_scheduler
from active_collection.scheduling.storage import of_another_version

BUSY_S = 5.0
#: What SQLite says of the place that a file is in, not of what stands in it.
OF_THE_DISK = ('disk is full', 'disk I/O error', 'readonly database', 'unable to open')


class SqliteStorage:
    """
    An SQLite file: one process writes it, any may read it meanwhile.

    Each commit is synced: what `append` has returned from survives the process and the machine.

    :param is_durable: False: the process may die, but not the machine
    """

    def __init__(self, place: str, *, writes: bool, is_durable: bool = True) -> None:
        path = Path(place.removeprefix('sqlite://'))
        self.name = str(path)
        self._lock: int | None = None
        self._writer: sqlite3.Connection | None = None
        try:
            if writes:
                self._open_for_writing(path, 'FULL' if is_durable else 'OFF')
            elif not path.is_file():
                raise SchedulingError(path, found='no such file', expected='a ledger')
            self._reader = _connect(f'{path.absolute().as_uri()}?mode=ro', path)
            if _version(self._reader, path) == 0:
                self._reader.close()
                raise SchedulingError(path, found='an empty file', expected='a ledger')
        except BaseException:
            self._let_go()
            raise

    def _open_for_writing(self, path: Path, synchronous: str) -> None:
        if path.exists():
            # Looked at before the lock is made: a file that is no ledger is left without one.
            looker = _connect(f'{path.absolute().as_uri()}?mode=ro', path)
            try:
                _version(looker, path)
            finally:
                looker.close()
        self._lock = _lock(path)
        self._writer = connection = _connect(path.absolute().as_uri(), path)
        try:
            version = _version(connection, path)
            connection.execute('PRAGMA journal_mode = WAL')
            connection.execute(f'PRAGMA synchronous = {synchronous}')
            for k in range(version, VERSION):
                connection.execute('BEGIN IMMEDIATE')
                for statement in statements(k, SQLITE):
                    connection.execute(statement)
                connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
                connection.execute(f'PRAGMA user_version = {k + 1}')
                connection.execute('COMMIT')
        except sqlite3.Error as error:
            raise SchedulingError(path, found=str(error), expected='a ledger that can be written: '
                                  'restore a copy, or move it away to begin anew') from error

    def close(self) -> None:
        """Close the file and let another process write it."""
        self._reader.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def events(self, wanted: Wanted) -> Iterator[Row]:
        """Give events."""
        clauses, parameters = ['sequence > ?', 'sequence <= ?'], [wanted.after, wanted.until]
        given: list[Any] = [*parameters]
        if wanted.kinds:
            clauses.append(f'kind IN ({",".join("?" for _ in wanted.kinds)})')
            given += wanted.kinds
        for column in ('subject', 'task'):
            value = getattr(wanted, column)
            if value is not None:
                clauses.append(f'{column} = ?')
                given.append(value)
        order = 'DESC' if wanted.is_newest_first else 'ASC'
        limit = 'LIMIT 1' if wanted.is_one else ''
        yield from self._rows(
            f'SELECT sequence, time_ns, kind, detail FROM events WHERE {" AND ".join(clauses)} '
            f'ORDER BY sequence {order} {limit}', given)

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 where there is none."""
        for (last,) in self._rows('SELECT COALESCE(MAX(sequence), 0) FROM events', []):
            return int(last)
        return 0

    def snapshot(self, until: int) -> tuple[int, str] | None:
        """Return the last snapshot (sequence, books as JSON) at or before an event."""
        for sequence, books in self._rows(
                'SELECT sequence, books FROM snapshots WHERE sequence <= ? '
                'ORDER BY sequence DESC LIMIT 1', [until]):
            return int(sequence), str(books)
        return None

    def append(self, rows: Sequence[FullRow], snapshot: tuple[int, str] | None) -> None:
        """Add events and perhaps a snapshot: all of it durably, or nothing."""
        writer = self._writer
        if writer is None:
            raise SchedulingError(self.name, found='open for reading',
                                  expected='a ledger that is open for writing')
        try:
            writer.execute('BEGIN IMMEDIATE')
            writer.executemany('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)', rows)
            if snapshot is not None:
                writer.execute('INSERT OR REPLACE INTO snapshots VALUES (?, ?)', snapshot)
                writer.execute(
                    'DELETE FROM snapshots WHERE sequence NOT IN '
                    '(SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ?)',
                    (SNAPSHOTS_KEPT,))
            writer.execute('COMMIT')
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                if writer.in_transaction:
                    writer.execute('ROLLBACK')
            raise SchedulingError(
                self.name, found=str(error), expected='a ledger that can be written') from error

    def damage(self) -> list[str]:
        """Return what SQLite's own integrity check complains of; empty for a sound file."""
        try:
            rows = self._reader.execute('PRAGMA integrity_check(20)').fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [str(row[0]) for row in rows if row[0] != 'ok']

    def _rows(self, query: str, parameters: Sequence[Any]) -> Iterator[Any]:
        try:
            yield from self._reader.execute(query, parameters)
        except sqlite3.DatabaseError as error:
            raise _refused(self.name, error) from error


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None,
                               check_same_thread=False)
    except sqlite3.Error as error:
        raise SchedulingError(path, found=str(error), expected='a ledger') from error


def _refused(name: str, error: object) -> SchedulingError:
    """Return the error for a ledger that SQLite cannot use; nobody is told to drop a sound one."""
    if any(words in str(error) for words in OF_THE_DISK):
        return SchedulingError(name, found=str(error), expected='a disk with room that can be '
                               'written; the ledger itself is left as it is')
    return damaged(name, error)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the ledger's schema version, 0 for an empty file."""
    try:
        version = int(connection.execute('PRAGMA user_version').fetchone()[0])
        application = int(connection.execute('PRAGMA application_id').fetchone()[0])
        tables = int(connection.execute('SELECT COUNT(*) FROM sqlite_master').fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise _refused(str(path), error) from error
    if (tables or version) and application != APPLICATION_ID:
        raise SchedulingError(path, found="another program's SQLite file", expected='a ledger')
    if version > VERSION:
        raise of_another_version(str(path), version, VERSION)
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
        raise of_another_scheduler(str(path)) from error
    return descriptor
