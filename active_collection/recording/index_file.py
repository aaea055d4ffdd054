# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The SQLite file of an index of episodes, which is made anew where it cannot be used."""
from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError

#: Beside the episodes. It may be removed at any time: it is made anew, as another store.
INDEX = 'episodes.sqlite3'
VERSION = 2
BUSY_S = 5.0
#: So much of the file is kept in the process (KiB). By and by SQLite would take 2 MB, for nothing:
#: each scan goes through all of it, and a page is asked for once.
CACHE_KIB = 256
_IN_MEMORY = ':memory:'

SCHEMA = (
    'CREATE TABLE IF NOT EXISTS store (only INTEGER PRIMARY KEY, id TEXT NOT NULL)',
    """
    CREATE TABLE IF NOT EXISTS episodes (
        position INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
        path TEXT NOT NULL UNIQUE,                  -- below the data directory
        stamp TEXT NOT NULL,                        -- of its metadata.yaml
        robot TEXT NOT NULL,                        -- empty where it has no record, as the next
        record TEXT NOT NULL,                       -- as JSON
        outcome TEXT NOT NULL,
        finished_ns INTEGER NOT NULL,               -- ROS time
        written_ns INTEGER NOT NULL,                -- when its messages were, by the disk's clock
        size INTEGER NOT NULL                       -- on disk (bytes)
    )
    """,
    'CREATE INDEX IF NOT EXISTS by_robot ON episodes (robot, position)',
    'CREATE INDEX IF NOT EXISTS by_time ON episodes (robot, written_ns)',
    f'PRAGMA user_version = {VERSION}',
)


class IndexFile:
    """
    The database of an index. Any thread may use it.

    :param data: the data directory
    :param keep: whether the file may be written; else a copy of it, if there is one, in memory

    :ivar store_id: of this database; another one where it was made anew
    :ivar is_complete: whether it was compared with the directories since it was opened
    """

    def __init__(self, data: Path, *, keep: bool) -> None:
        self._place = str(data / INDEX)
        self._lock = threading.Lock()
        self._is_closed = False
        self.is_complete = False
        self.store_id = ''
        if keep:
            self._open(self._place)
        else:
            self._connect(_IN_MEMORY, like=self._place)

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """
        Give the database for a transaction; one that cannot be used is made anew.

        :raises RefusedError: where it could not be used
        """
        with self._lock:
            if self._is_closed:
                raise unavailable('closed')
            try:
                with self._database:
                    yield self._database
            except sqlite3.Error as error:
                self._database.close()
                # What is damaged is made anew; a full disk or another's lock stays what it is.
                is_damaged = type(error) is sqlite3.DatabaseError
                self._open(self._place if is_damaged else _IN_MEMORY, anew=is_damaged)
                raise unavailable(f'one that could not be used ({error})') from error

    def close(self) -> None:
        """Close it; whoever uses it afterwards is refused."""
        with self._lock:
            self._is_closed = True
            self._database.close()

    def _open(self, place: str, *, anew: bool = False) -> None:
        """Open the database, anew where it is no index of this version, or else in memory."""
        self.is_complete = False
        try:
            if anew:
                Path(place).unlink(missing_ok=True)
            self._connect(place)
        except (OSError, sqlite3.Error) as error:
            is_another = type(error) is sqlite3.DatabaseError and not anew
            self._open(place if is_another else _IN_MEMORY, anew=is_another)

    def _connect(self, place: str, *, like: str = '') -> None:
        database = sqlite3.connect(place, timeout=BUSY_S, check_same_thread=False)
        try:
            database.execute(f'PRAGMA cache_size = -{CACHE_KIB}')
            if like:
                _take_over(database, like)
            with database:
                database.execute('BEGIN IMMEDIATE')
                version, = database.execute('PRAGMA user_version').fetchone()
                if version not in {0, VERSION}:
                    raise sqlite3.DatabaseError(f'version {version}')
                for statement in SCHEMA:
                    database.execute(statement)
                database.execute(
                    'INSERT OR IGNORE INTO store VALUES (1, ?)', (secrets.token_hex(8),))
                self.store_id, = database.execute('SELECT id FROM store').fetchone()
        except BaseException:
            database.close()
            raise
        self._database = database


def _take_over(database: sqlite3.Connection, place: str) -> None:
    """Copy an index of this version, which is another's, into one in memory."""
    with suppress(sqlite3.Error), closing(
            sqlite3.connect(f'{Path(place).absolute().as_uri()}?mode=ro', uri=True,
                            timeout=BUSY_S)) as other:
        if other.execute('PRAGMA user_version').fetchone() == (VERSION,):
            other.backup(database)
            # Its positions go another way from here on.
            database.execute('UPDATE store SET id = ?', (secrets.token_hex(8),))
            database.commit()
            return


def unavailable(found: str) -> RefusedError:
    """Return the refusal of an index that cannot be used now."""
    return RefusedError(Reason.UNAVAILABLE, 'list_episodes', found=found,
                        expected='an index of the data directory: ask again')
