# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read a rosbag2 SQLite file, row by row where it is corrupt."""
from __future__ import annotations

import sqlite3
from collections.abc import Collection
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from active_collection.bags.sqlite_journal import copy_with_journals
from active_collection.bags.sqlite_journal import journals_of
from active_collection.bags.storage import SALVAGE
from active_collection.bags.storage import Connection
from active_collection.bags.storage import Damaged
from active_collection.bags.storage import Query
from active_collection.errors import BagError
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits

_BLOCK = 4096
_LAST_ROW = 2 ** 63 - 1
_FORMS = {'ros2msg': 'msg', 'ros2idl': 'idl'}
#: id, topic and time of a message.
_Row = tuple[int, int, int]


class SqliteStorage:
    """
    One SQLite file, open for reading; with what its journal holds, where its writer died.

    :param damaged: told of what is stepped over
    :raises BagError: where it is no rosbag2 database, or has a journal and no copy can be made
    """

    def __init__(self, path: Path, *, damaged: Damaged, limits: Limits) -> None:
        self._path, self._damaged, self._limits = path, damaged, limits
        self._closing = ExitStack()
        try:
            self._database = self._connected()
        except sqlite3.Error as error:
            self.close()
            raise self._error(error) from error
        try:
            self._open()
        except (sqlite3.Error, ValueError, OverflowError) as error:
            self.close()
            raise self._error(error) from error
        except BaseException:
            self.close()
            raise

    @property
    def connections(self) -> Collection[Connection]:
        """Return the topics."""
        return self._connections.values()

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return receive time of the first message and one more than the last's; 0, 0 of none."""
        return self._span

    def messages(self, query: Query) -> Iterator[tuple[Connection, int, Buffer]]:
        """Yield messages in the order of their times."""
        wanted = {n: c for n, c in self._connections.items() if query.wants(c)}
        lost: dict[str, int] = {}
        for row, topic, time_ns in self._rows(wanted, query):
            if not query.visit(wanted[topic], time_ns):
                continue
            try:
                yield wanted[topic], time_ns, self._data(row)
            except (sqlite3.Error, ValueError) as error:
                lost[str(error)] = lost.get(str(error), 0) + 1
        for why, count in lost.items():
            self._tell(f'{why}; {count} messages left out')

    def close(self) -> None:
        """Close the file. Closing it again does nothing."""
        self._closing.close()

    def _connected(self) -> sqlite3.Connection:
        """Open the file as it is; one with a journal as a copy, which SQLite may change."""
        path, how = self._path, 'mode=ro&immutable=1'
        if journals := journals_of(self._path):
            size = sum(file.stat().st_size for file in (self._path, *journals))
            if size > self._limits.file_bytes:
                raise BagError(self._path, found=f'{size:,} bytes with its journal',
                               expected=f'at most {self._limits.file_bytes:,}; {SALVAGE}')
            scratch = self._closing.enter_context(TemporaryDirectory())
            path, how = copy_with_journals(self._path, Path(scratch)), 'mode=rw'
        database = sqlite3.connect(f'file:{quote(str(path.absolute()))}?{how}', uri=True,
                                   check_same_thread=False)
        self._closing.callback(database.close)
        return database

    def _open(self) -> None:
        # A file may bring its own code and names: none of it runs, no text is too strange.
        self._database.execute('PRAGMA trusted_schema=OFF')
        self._database.execute('PRAGMA cell_size_check=ON')
        self._database.text_factory = lambda data: data.decode(errors='replace')
        tables = {name for name, in self._database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {'messages', 'topics'} <= tables:
            raise BagError(self._path, found=f'tables {", ".join(sorted(tables)) or "none"}',
                           expected="rosbag2's tables messages and topics")
        definitions: dict[str, tuple[str, str]] = {}
        if 'message_definitions' in tables:
            definitions = {str(name): (_FORMS.get(form, ''), str(text)) for name, form, text in
                           self._database.execute('SELECT topic_type, encoding, '
                                                  'encoded_message_definition '
                                                  'FROM message_definitions')}
        topics = self._database.execute(
            'SELECT id, name, type, serialization_format FROM topics').fetchall()
        counts, self._span = self._counted()
        self._connections = {
            number: Connection(number, str(name), str(kind), str(encoding),
                               *definitions.get(str(kind), ('', '')), counts.get(number, 0))
            for number, name, kind, encoding in topics}

    def _counted(self) -> tuple[dict[int, int], tuple[int, int]]:
        """Return messages a topic, and the span of their times (ns)."""
        try:
            rows = self._database.execute(
                'SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages '
                'GROUP BY topic_id').fetchall()
            if not all(isinstance(value, int) for row in rows for value in row):
                raise ValueError('times that are no numbers')
        except (sqlite3.Error, ValueError) as error:
            self._tell(str(error))
            rows = _counts(self._salvaged())
        counts = {topic: count for topic, count, _, _ in rows}
        first, last = min((r[2] for r in rows), default=0), max((r[3] for r in rows), default=-1)
        return counts, (first, last + 1)

    def _rows(self, wanted: Collection[int], query: Query) -> Iterator[_Row]:
        """Yield wanted messages in the order of their times; no data is read."""
        marks = ','.join('?' * len(wanted))
        last = min(max(query.stop_ns, -_LAST_ROW), _LAST_ROW)
        try:
            # Listed before any is read: the list may break off, and is taken row by row then.
            with closing(self._database.execute(
                    f'SELECT id, topic_id, timestamp FROM messages WHERE topic_id IN ({marks}) '
                    'AND timestamp >= ? AND timestamp < ? ORDER BY timestamp, id',
                    (*wanted, max(query.start_ns, -_LAST_ROW), last))) as rows:
                listed = rows.fetchall()
        except sqlite3.Error as error:
            self._tell(str(error))
            listed = sorted((row for row in self._salvaged() if row[1] in wanted
                             and query.start_ns <= row[2] < query.stop_ns),
                            key=lambda row: (row[2], row[0]))
        yield from listed

    def _salvaged(self) -> Iterator[_Row]:
        """Yield whatever messages can be reached, in the order of their rows."""
        last = -1
        while last < _LAST_ROW:
            try:
                rows = self._after(last, _BLOCK)
            except sqlite3.Error:
                rows = self._beyond(last)
            # In a damaged tree what was asked for beyond a row may stand before it.
            rows = [row for row in rows if row[0] > last]
            if not rows:
                return
            yield from (row for row in rows if all(isinstance(value, int) for value in row))
            last = max(row[0] for row in rows)

    def _beyond(self, last: int) -> list[_Row]:
        """Return the first message that can be read behind a row, if there is one."""
        good, bad = None, 0
        step = 1
        while good is None and last + step < _LAST_ROW:
            if self._readable(last + step):
                good = step
            else:
                bad, step = step, step * 2
        while good is not None and good - bad > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if self._readable(last + middle) else (good, middle)
        return self._after(last + good, 1) if good is not None else []

    def _readable(self, row: int) -> bool:
        try:
            return bool(self._after(row, 1))
        except sqlite3.Error:
            return False

    def _after(self, row: int, most: int) -> list[_Row]:
        return self._database.execute(
            'SELECT id, topic_id, timestamp FROM messages NOT INDEXED WHERE id > ? '
            'ORDER BY id LIMIT ?', (row, most)).fetchall()

    def _data(self, row: int) -> bytes:
        found = self._database.execute(
            'SELECT length(data), typeof(data) FROM messages WHERE id = ?', (row,)).fetchone()
        if found is None or found[1] != 'blob':
            raise ValueError('rows without bytes')
        if found[0] > self._limits.message_bytes:
            raise ValueError(f'more than the limit of {self._limits.message_bytes:,} bytes')
        data = self._database.execute('SELECT data FROM messages WHERE id = ?', (row,)).fetchone()
        return bytes(data[0])

    def _tell(self, found: str) -> None:
        self._damaged(BagError(self._path, found=found,
                               expected=f'a whole SQLite database; {SALVAGE}'))

    def _error(self, error: Exception) -> BagError:
        return BagError(self._path, found=f'{type(error).__name__}: {error}',
                        expected=f'a whole rosbag2 SQLite database; {SALVAGE}')


def _counts(rows: Iterator[_Row]) -> list[tuple[int, int, int, int]]:
    """Return (topic, number, first time, last time) of each topic."""
    counted: dict[int, tuple[int, int, int, int]] = {}
    for _, topic, time_ns in rows:
        _, count, first, last = counted.get(topic, (topic, 0, time_ns, time_ns))
        counted[topic] = (topic, count + 1, min(first, time_ns), max(last, time_ns))
    return list(counted.values())
