# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger in an SQLite file with write-ahead logging."""
from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from active_collection.errors import SchedulingError
from active_collection.files import make_directory
from active_collection.scheduling.ledger.schema import APPLICATION_ID
from active_collection.scheduling.ledger.schema import SQLITE
from active_collection.scheduling.ledger.schema import VERSION
from active_collection.scheduling.ledger.sql_storage import SqlStorage
from active_collection.scheduling.ledger.sql_storage import migrate
from active_collection.scheduling.ledger.storage import PUT_BACK
from active_collection.scheduling.ledger.storage import damaged
from active_collection.scheduling.ledger.storage import of_another_scheduler
from active_collection.scheduling.ledger.storage import of_another_version

#: How long a lock of another process is waited for (s). A scheduler answers nobody meanwhile.
BUSY_S = 2.0
#: What SQLite says of the place that a file is in, not of what stands in it.
OF_THE_DISK = ('disk is full', 'disk I/O error', 'readonly database', 'unable to open')
#: And of what others do with it.
OF_OTHERS = ('is locked',)


class SqliteStorage(SqlStorage):
    """
    An SQLite file: one process writes it, any may read it meanwhile.

    Each commit is synced: what `append` has returned from survives the process and the machine.
    Nothing is written to a file that has been moved away while it was open.

    :param is_durable: False: the process may die, but not the machine
    """

    def __init__(self, place: str, *, writes: bool, is_durable: bool = True) -> None:
        self._path = Path(place.removeprefix('sqlite://'))
        self.name = str(self._path)
        self._synchronous = ('FULL' if is_durable else 'OFF') if writes else ''
        self._lock: int | None = None
        #: Of files that were moved away: to close one would delete its successor's log.
        self._left: list[_Open] = []
        try:
            if writes and self._path.exists():
                # Looked at before the lock is made: a file that is no ledger is left without one.
                with closing(_connect(self._path, 'ro')) as looker:
                    _version(looker, self._path)
            elif not writes and not self._path.is_file():
                raise SchedulingError(self._path, found='no such file', expected='a ledger')
            self._open = self._opened(version=0)
        except BaseException:
            self._unlock()
            raise

    def _opened(self, *, version: int) -> _Open:
        """
        Return connections to the file as it is, and hold its lock.

        :param version: schema version that it must have at least
        """
        writer = None
        if self._synchronous:
            self._hold_lock()
            writer = _connect(self._path, 'rwc' if version == 0 else 'rw')
        reader = None
        try:
            if writer is not None:
                self._prepare(writer, version)
            reader = _connect(self._path, 'ro')
            if _version(reader, self._path) == 0:
                raise SchedulingError(self._path, found='an empty file', expected='a ledger')
            return _Open(_identity(self._path), reader, writer)
        except BaseException:
            for connection in (reader, writer):
                if connection is not None:
                    connection.close()
            raise

    def _prepare(self, connection: sqlite3.Connection, least: int) -> None:
        try:
            version = _version(connection, self._path)
            if version < least:
                raise SchedulingError(self._path, found='an empty file', expected=PUT_BACK)
            connection.execute('PRAGMA journal_mode = WAL')
            connection.execute(f'PRAGMA synchronous = {self._synchronous}')
            if version < VERSION:
                with _transaction(connection):
                    migrate(connection, version, SQLITE)
                    connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
                    connection.execute(f'PRAGMA user_version = {VERSION}')
        except sqlite3.Error as error:
            raise SchedulingError(
                self._path, found=str(error), expected='a ledger that can be written: '
                'restore a copy, or move it away to begin anew') from error

    def reopen(self) -> None:
        """Open the file anew that stands at the place; none is made."""
        if not self._path.is_file():
            found = 'a directory' if self._path.is_dir() else 'no such file'
            raise SchedulingError(self._path, found=found, expected=PUT_BACK)
        before, self._open = self._open, self._opened(version=1)
        if before.file == self._open.file:
            before.close()
        else:
            self._left.append(before)

    def close(self) -> None:
        """Close the file and let another process write it."""
        if self._open.file == _identity(self._path):
            self._open.close()
        self._unlock()

    def _hold_lock(self) -> None:
        """Hold the lock that its one writer has, anew where its file was replaced."""
        path = self._path.with_name(f'{self._path.name}.lock')
        if self._lock is not None:
            held = os.fstat(self._lock)
            if (held.st_dev, held.st_ino) == _identity(path):
                return
        taken = _lock(self._path, path)
        self._unlock()
        self._lock = taken

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if self._open.writer is None:
            raise SchedulingError(self.name, found='open for reading',
                                  expected='a ledger that is open for writing')
        if self._open.file != _identity(self._path):
            raise SchedulingError(self.name, found='a file that was moved away',
                                  expected=PUT_BACK)
        try:
            with _transaction(self._open.writer):
                yield self._open.writer
        except sqlite3.IntegrityError as error:  # of its number there is an event already
            raise of_another_scheduler(self.name) from error
        except sqlite3.Error as error:
            raise _refused(self.name, error) from error

    def damage(self) -> list[str]:
        """Return what SQLite's own integrity check complains of; empty for a sound file."""
        try:
            rows = self._open.reader.execute('PRAGMA integrity_check(20)').fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [str(row[0]) for row in rows if row[0] != 'ok']

    def _rows(self, query: str, parameters: Sequence[Any]) -> Iterator[Any]:
        try:
            yield from self._open.reader.execute(query, parameters)
        except sqlite3.Error as error:
            raise _refused(self.name, error) from error


@dataclass(frozen=True)
class _Open:
    """
    Connections to a file.

    :param file: which one, however it is named
    """

    file: tuple[int, int]
    reader: sqlite3.Connection
    writer: sqlite3.Connection | None

    def close(self) -> None:
        self.reader.close()
        if self.writer is not None:
            self.writer.close()


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells one file from another; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute('BEGIN IMMEDIATE')
    try:
        yield
        connection.execute('COMMIT')
    except BaseException:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute('ROLLBACK')
        raise


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """
    Return a connection to a file.

    :param mode: ro, rw, or rwc to make it where it is missing
    """
    try:
        return sqlite3.connect(f'{path.absolute().as_uri()}?mode={mode}', uri=True, timeout=BUSY_S,
                               isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise SchedulingError(path, found=str(error), expected='a ledger') from error


def _refused(name: str, error: object) -> SchedulingError:
    """Return the error for a ledger that SQLite cannot use; nobody is told to drop a sound one."""
    if any(words in str(error) for words in OF_THE_DISK):
        return SchedulingError(name, found=str(error), expected='a disk with room that can be '
                               'written; the ledger itself is left as it is')
    if any(words in str(error) for words in OF_OTHERS):
        return SchedulingError(name, found=str(error),
                               expected='no other program that writes it')
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


def _lock(path: Path, lock: Path) -> int:
    """Return the descriptor of the lock of a ledger's one writer."""
    try:
        make_directory(path.parent)
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
