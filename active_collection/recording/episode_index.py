# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An index of a store's closed episodes: which were closed or amended since when."""
from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import size_of

#: Beside the episodes. It may be removed at any time: it is made anew, as another store.
INDEX = 'episodes.sqlite3'
#: A page ends with the episode that brings its records to this many characters of JSON.
PAGE_SIZE = 256 * 1024
PAGE_EPISODES = 100
#: Episodes that are put into the index with one write to the disk.
READ_AT_ONCE = 100
IN_MEMORY = ':memory:'
VERSION = 1
BUSY_S = 5.0

#: What the index says of an episode: path, stamp, robot, record, size.
_Row = tuple[str, str, str, str, int]

SCHEMA = (
    'CREATE TABLE IF NOT EXISTS store (only INTEGER PRIMARY KEY, id TEXT NOT NULL)',
    """
    CREATE TABLE IF NOT EXISTS episodes (
        position INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
        path TEXT NOT NULL UNIQUE,                  -- below the data directory
        stamp TEXT NOT NULL,                        -- of its metadata.yaml, see _stamp
        robot TEXT NOT NULL,                        -- empty where it has no record
        record TEXT NOT NULL,                       -- as JSON
        size INTEGER NOT NULL                       -- on disk (bytes)
    )
    """,
    'CREATE INDEX IF NOT EXISTS by_robot ON episodes (robot, position)',
    f'PRAGMA user_version = {VERSION}',
)


@dataclass(frozen=True)
class Page:
    """
    Episodes in the order in which they were closed or amended.

    :param store_id: which index the positions are of
    :param next: position of the last of the episodes, from which the next page goes on
    :param has_more: whether there are others behind them already
    """

    store_id: str
    next: int
    has_more: bool
    events: tuple[EpisodeEvent, ...]


class EpisodeIndex:
    """
    Which episodes of a store were closed or amended since when, without reading them all again.

    Each has a position, and a later one with each change of its record, whoever changes it. The
    positions are kept in an SQLite file in the data directory; where that cannot be used, in
    memory. Recorders that share a data directory share the file. Any thread may call any method.

    :param robot: whose episodes are listed
    """

    def __init__(self, store: EpisodeStore, *, robot: str) -> None:
        self._store = store
        self._robot = robot
        self._changed: deque[Path] = deque()
        self._lock = threading.Lock()
        self._scanning = threading.Lock()
        self._is_closed = False
        self._open(str(store.data / INDEX))

    def tell(self, event: EpisodeEvent) -> None:
        """
        Take note of an episode that was closed or amended; waits for nothing.

        One whose bag could not be closed is listed once it has been salvaged.
        """
        if event.closed and not event.path.endswith(RECORDING_SUFFIX):
            self._changed.append(self._store.data / event.path)

    def scan(self, stop: threading.Event) -> None:
        """
        Read what the index does not know of yet, taking half of one core's time at most.

        :param stop: ends it before the next episode
        :raises RefusedError: where the index cannot be used
        :raises OSError: where the directories cannot be read
        """
        if not self._scanning.acquire(blocking=False):
            return
        try:
            with self._using() as database:
                gone = dict(database.execute('SELECT path, stamp FROM episodes'))
            read: list[_Row | None] = []
            for path in find_episodes(self._store.data):
                if gone.pop(self._store.relative(path), '') == _stamp(path):
                    continue
                began = time.thread_time()
                read.append(self._read(path))
                if len(read) == READ_AT_ONCE:
                    self._write(read)
                    read.clear()
                if stop.wait(time.thread_time() - began):
                    return
            self._write(read)
            with self._using() as database:
                database.executemany(
                    'DELETE FROM episodes WHERE path = ?', [(path,) for path in gone])
                self._is_complete = True
        finally:
            self._scanning.release()

    def since(self, store_id: str, after: int, *, limit: int) -> Page:
        """
        Return the episodes that were closed or amended after others, as many as fit a page.

        :param store_id: which index `after` is of; all are returned where it is another
        :param after: `next` of the page before; 0 for the first
        :param limit: at most so many; 0, or more than a page holds: a page
        :raises RefusedError: where the disk has not been looked through yet
        """
        limit = min(limit, PAGE_EPISODES) or PAGE_EPISODES
        changed: list[_Row | None] = []
        while self._changed:
            changed.append(self._read(self._changed.popleft()))
        self._write(changed)
        if not self._is_complete:
            raise _unavailable('one that is still being made')
        with self._using() as database:
            (last,), = database.execute('SELECT COALESCE(MAX(position), 0) FROM episodes')
            if store_id != self._store_id or after > last:
                after = 0
            rows = list(_fitting(database.execute(
                'SELECT position, path, record, size FROM episodes '
                'WHERE robot = ? AND position > ? ORDER BY position LIMIT ?',
                (self._robot, after, limit))))
            after = rows[-1][0] if rows else after
            more, = database.execute(
                'SELECT EXISTS (SELECT 1 FROM episodes WHERE robot = ? AND position > ?)',
                (self._robot, after)).fetchone()
            return Page(self._store_id, after, bool(more), tuple(
                EpisodeEvent(EpisodeRecord.from_json(record, where=path), True, path, size)
                for _, path, record, size in rows))

    def close(self) -> None:
        """Close the file; whoever asks afterwards is refused."""
        with self._lock:
            self._is_closed = True
            self._database.close()

    def _read(self, path: Path) -> _Row | None:
        """Return what the index is to say of a directory; None where it cannot be read now."""
        stamp = _stamp(path)
        try:
            record = read_record(path)
        except (OSError, ActiveCollectionError):
            return None
        return (self._store.relative(path), stamp, record.robot if record else '',
                record.to_json() if record else '', size_of(path))

    def _write(self, rows: Sequence[_Row | None]) -> None:
        """Put what was read into the index, unless it is there or has changed again."""
        if not any(rows):
            return
        with self._using() as database:
            for row in filter(None, rows):
                name, stamp, *_ = row
                known = database.execute(
                    'SELECT stamp FROM episodes WHERE path = ?', (name,)).fetchone()
                if stamp == _stamp(self._store.data / name) != (known[0] if known else ''):
                    database.execute(
                        'INSERT OR REPLACE INTO episodes (path, stamp, robot, record, size) '
                        'VALUES (?, ?, ?, ?, ?)', row)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Give the database for a transaction; one that cannot be used is made anew."""
        with self._lock:
            if self._is_closed:
                raise _unavailable('closed')
            try:
                with self._database:
                    yield self._database
            except sqlite3.Error as error:
                self._database.close()
                # What is damaged is made anew; a full disk or another's lock stays what it is.
                is_damaged = type(error) is sqlite3.DatabaseError
                self._open(str(self._store.data / INDEX) if is_damaged else IN_MEMORY,
                           anew=is_damaged)
                raise _unavailable(f'one that could not be used ({error})') from error

    def _open(self, place: str, *, anew: bool = False) -> None:
        """Open the database, anew where it is no index of this version, or else in memory."""
        self._is_complete = False
        try:
            if anew:
                Path(place).unlink(missing_ok=True)
            self._connect(place)
        except (OSError, sqlite3.Error) as error:
            is_another = type(error) is sqlite3.DatabaseError and not anew
            self._open(place if is_another else IN_MEMORY, anew=is_another)

    def _connect(self, place: str) -> None:
        database = sqlite3.connect(place, timeout=BUSY_S, check_same_thread=False)
        try:
            with database:
                database.execute('BEGIN IMMEDIATE')
                version, = database.execute('PRAGMA user_version').fetchone()
                if version not in {0, VERSION}:
                    raise sqlite3.DatabaseError(f'version {version}')
                for statement in SCHEMA:
                    database.execute(statement)
                database.execute(
                    'INSERT OR IGNORE INTO store VALUES (1, ?)', (secrets.token_hex(8),))
                self._store_id, = database.execute('SELECT id FROM store').fetchone()
        except BaseException:
            database.close()
            raise
        self._database = database


def _fitting(rows: Iterator[tuple[int, str, str, int]]) -> Iterator[tuple[int, str, str, int]]:
    """Give rows until their records fill a page; the first, however large it is."""
    size = 0
    for row in rows:
        yield row
        size += len(row[2])
        if size >= PAGE_SIZE:
            return


def _stamp(episode: Path) -> str:
    """Return what changes whenever an episode's record is written; empty where it is gone."""
    with suppress(OSError):
        found = (episode / METADATA).stat()
        return f'{found.st_mtime_ns}.{found.st_ino}.{found.st_size}'
    return ''


def _unavailable(found: str) -> RefusedError:
    return RefusedError(Reason.UNAVAILABLE, 'list_episodes', found=found,
                        expected='an index of the data directory: ask again')
