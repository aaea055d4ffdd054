# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An index of a store's closed episodes: which were closed or amended since when."""
from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.recording.index_file import IndexFile
from active_collection.recording.index_file import unavailable
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.refusals import RefusedError
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import size_of
from active_collection.recording.store import written_ns

#: A page ends with the episode that brings its records to this many characters of JSON.
PAGE_SIZE = 256 * 1024
PAGE_EPISODES = 100
#: Episodes that are put into the index with one write to the disk.
READ_AT_ONCE = 100
#: Episodes that were told of and that nobody has asked for; a scan finds those before them.
MOST_TOLD = 1000
#: In place of the stamp of one whose record cannot be read: it is tried again each time.
UNREADABLE = 'unreadable'
#: How every path begins: one that does not is nobody's episode.
_WITHIN = 'episodes/'
#: Columns, in the order of `_Row`.
COLUMNS = 'path, stamp, robot, record, outcome, finished_ns, written_ns, size'

_Row = tuple[str, str, str, str, str, int, int, int]


@dataclass(frozen=True)
class Closed:
    """
    What the index says of a closed episode.

    :param path: its directory
    :param outcome: empty where it has no record that can be read
    :param finished_ns: ROS time (ns); 0 where it has none
    :param size: on disk (bytes)
    """

    path: Path
    outcome: str
    finished_ns: int
    size: int


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
    :param keep: whether what is read may be put into the file; else it is in memory
    """

    def __init__(self, store: EpisodeStore, *, robot: str, keep: bool = True) -> None:
        self.store = store
        self._robot = robot
        self._changed: deque[Path] = deque(maxlen=MOST_TOLD)
        self._scanning = threading.Lock()
        self._file = IndexFile(store.data, keep=keep)

    def tell(self, event: EpisodeEvent) -> None:
        """
        Take note of an episode that was closed or amended; waits for nothing.

        One whose bag could not be closed is listed once it has been salvaged.
        """
        if event.closed and not event.path.endswith(RECORDING_SUFFIX):
            self._changed.append(self.store.data / event.path)

    def scan(self, stop: threading.Event, *, share: float = 0.5) -> None:
        """
        Read what the index does not know of yet.

        :param stop: ends it before the next episode
        :param share: of one core's time that reading may take, above 0 to 1
        :raises RefusedError: where the index cannot be used
        :raises OSError: where the directories cannot be read
        """
        if not self._scanning.acquire(blocking=False):
            return
        try:
            with self._file.using() as database:
                gone = dict(database.execute('SELECT path, stamp FROM episodes'))
            read: list[_Row | None] = []
            for path in find_episodes(self.store.data):
                if gone.pop(self.store.relative(path), '') == _stamp(path):
                    continue
                began = time.thread_time()
                read.append(self._read(path))
                if len(read) == READ_AT_ONCE:
                    self._write(read)
                    read.clear()
                if stop.wait((time.thread_time() - began) * (1 - share) / share):
                    return
            self._write(read)
            with self._file.using() as database:
                database.executemany(
                    'DELETE FROM episodes WHERE path = ?', [(path,) for path in gone])
                self._file.is_complete = True
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
        if not self._file.is_complete:
            raise unavailable('one that is still being made')
        with self._file.using() as database:
            (last,), = database.execute('SELECT COALESCE(MAX(position), 0) FROM episodes')
            if store_id != self._file.store_id or after > last:
                after = 0
            rows = list(_fitting(database.execute(
                'SELECT position, path, record, size FROM episodes '
                "WHERE robot = ? AND record <> '' AND position > ? ORDER BY position LIMIT ?",
                (self._robot, after, limit))))
            after = rows[-1][0] if rows else after
            more, = database.execute(
                'SELECT EXISTS (SELECT 1 FROM episodes '
                "WHERE robot = ? AND record <> '' AND position > ?)",
                (self._robot, after)).fetchone()
            return Page(self._file.store_id, after, bool(more), tuple(
                EpisodeEvent(EpisodeRecord.from_json(record, where=path), True, path, size)
                for _, path, record, size in rows))

    def closed(self) -> list[Closed]:
        """
        Return every closed episode, of all robots, by the time at which it was finished.

        :raises RefusedError: where the disk has not been looked through yet
        """
        if not self._file.is_complete:
            raise unavailable('one that is still being made')
        with self._file.using() as database:
            rows = database.execute(
                'SELECT path, outcome, finished_ns, size FROM episodes ORDER BY finished_ns, path')
            return [Closed(self.store.data / path, *values) for path, *values in rows
                    if path.startswith(_WITHIN) and '..' not in path.split('/')]

    def records(self) -> dict[Path, tuple[EpisodeRecord, int]]:
        """
        Return directory to record and size (bytes) of every episode that has a record.

        :raises RefusedError: where the index cannot be used
        """
        with self._file.using() as database:
            rows = database.execute(
                "SELECT path, record, size FROM episodes WHERE record <> ''").fetchall()
        found = {}
        for path, text, size in rows:
            with suppress(ActiveCollectionError):  # it is for whoever asks to read the directory
                found[self.store.data / path] = EpisodeRecord.from_json(text, where=path), size
        return found

    def recent(self, count: int) -> list[tuple[int, float]]:
        """Return size (bytes) and duration (s) of the robot's last episodes, the newest first."""
        with suppress(RefusedError, ActiveCollectionError), self._file.using() as database:
            rows = database.execute(
                'SELECT size, record FROM episodes WHERE robot = ? AND finished_ns > 0 '
                'ORDER BY written_ns DESC LIMIT ?', (self._robot, count)).fetchall()
            return [(size, EpisodeRecord.from_json(record).duration_s) for size, record in rows]
        return []

    def doubt(self, path: Path) -> None:
        """
        Read an episode again with the next scan: the index says what its directory does not.

        :raises RefusedError: where the index cannot be used
        """
        with self._file.using() as database:
            database.execute("UPDATE episodes SET stamp = '' WHERE path = ?",
                             (self.store.relative(path),))

    def close(self) -> None:
        """Close the file; whoever asks afterwards is refused."""
        self._file.close()

    def _read(self, path: Path) -> _Row | None:
        """Return what the index is to say of a directory; None where it is gone."""
        stamp, name = _stamp(path), self.store.relative(path)
        try:
            record = read_record(path)
        except (OSError, ActiveCollectionError):
            return (name, UNREADABLE, '', '', '', 0, 0, size_of(path)) if stamp else None
        if record is None:
            return name, stamp, '', '', '', 0, 0, size_of(path)
        return (name, stamp, record.robot, record.to_json(), record.outcome.value,
                record.finished_ns, written_ns(path), size_of(path))

    def _write(self, rows: Sequence[_Row | None]) -> None:
        """Put what was read into the index, unless it is there or has changed again."""
        if not any(rows):
            return
        with self._file.using() as database:
            for row in filter(None, rows):
                name, stamp, *_ = row
                known = database.execute(
                    'SELECT stamp FROM episodes WHERE path = ?', (name,)).fetchone()
                if stamp != (known[0] if known else '') and (
                        stamp in {UNREADABLE, _stamp(self.store.data / name)}):
                    database.execute(
                        f'INSERT OR REPLACE INTO episodes ({COLUMNS}) '
                        'VALUES (?, ?, ?, ?, ?, ?, ?, ?)', row)


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
