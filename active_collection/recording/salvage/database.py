# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make a whole SQLite file of what a torn one of a rosbag2 bag still holds."""
from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

from active_collection.bags.sqlite_journal import copy_with_journals
from active_collection.errors import RecordingError
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import FileSummary
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.qos import from_yaml
from active_collection.recording.salvage import pages
from active_collection.recording.salvage.outcome import Kept

MAGIC = b'SQLite format 3\0'
MESSAGE_COLUMNS = 4
#: What a damaged database raises; the second where a name that an error quotes is damaged.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
#: Tables of rosbag2's schema 4, which all releases read, and their columns.
TABLES = {
    'schema': 'schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL',
    'metadata': 'id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, '
                'metadata TEXT NOT NULL',
    'topics': 'id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, '
              'serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL, '
              'type_description_hash TEXT NOT NULL',
    'message_definitions': 'id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, '
                           'encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL, '
                           'type_description_hash TEXT NOT NULL',
    'messages': 'id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, '
                'data BLOB NOT NULL',
}


@dataclass
class _Counts:
    """What was kept of a topic."""

    messages: int = 0
    bytes: int = 0


@dataclass
class _Salvage:
    """A salvage in progress: from a copy of the source into a new database."""

    copied: Path
    source: sqlite3.Connection
    target: sqlite3.Connection
    damages: list[str] = field(default_factory=list)
    counts: dict[int, _Counts] = field(default_factory=dict)
    start_ns: int = 2**63
    end_ns: int = 0

    @property
    def name(self) -> str:
        """Return the file's name, for messages."""
        return self.copied.name


def salvage_database(source: Path, target: Path) -> Kept:
    """
    Copy every message of a bag's SQLite file that can be read to a new, whole one.

    A journal or write-ahead log beside it is applied, to a copy.

    :param target: must not exist
    :raises RecordingError: where the source is no rosbag2 database
    :raises OSError: where the source cannot be read or the target not be written
    """
    with source.open('rb') as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise RecordingError(source, found='no SQLite file: its first 16 bytes are not the '
                                 'magic', expected='a rosbag2 database')
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix='.copy.') as scratch:
            copied = copy_with_journals(source, Path(scratch))
            with closing(sqlite3.connect(copied)) as old, closing(sqlite3.connect(target)) as new:
                kept = _copy(_Salvage(copied, old, new), source, target.name)
        with target.open('rb') as file:
            os.fsync(file.fileno())
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, UNREADABLE):
            raise RecordingError(source, found=str(error), expected='a rosbag2 database with '
                                 'a table of topics, and space for another') from error
        raise
    return kept


def _copy(salvage: _Salvage, source: Path, name: str) -> Kept:
    # A file that is shorter than it states can then be read as far as it goes.
    salvage.source.execute('PRAGMA writable_schema=ON')
    salvage.source.text_factory = lambda data: data.decode(errors='replace')
    for table, columns in TABLES.items():
        salvage.target.execute(f'CREATE TABLE {table} ({columns})')
    topics = [topic for topic in _rows_of(salvage.source, 'topics')
              if isinstance(topic.get('id'), int) and isinstance(topic.get('name'), str)]
    for topic in topics:
        _insert(salvage.target, 'topics', topic)
    definitions: list[dict[str, Any]] = []
    with suppress(*UNREADABLE):
        definitions = _rows_of(salvage.source, 'message_definitions')
    for definition in definitions:
        _insert(salvage.target, 'message_definitions', definition)
    _insert(salvage.target, 'schema', {'schema_version': 4, 'ros_distro': _distro(salvage)})
    _copy_messages(salvage, {int(topic['id']) for topic in topics})
    salvage.target.execute('CREATE INDEX timestamp_idx ON messages (timestamp ASC)')
    salvage.target.commit()
    inside = bool(salvage.damages)
    size, stated = source.stat().st_size, _stated_size(source)
    if size < stated:
        salvage.damages.append(f'{source.name}: ends at byte {size} of {stated}')
    messages = sum(counts.messages for counts in salvage.counts.values())
    return Kept(
        file=FileSummary(name, salvage.start_ns if messages else 0, salvage.end_ns, messages),
        topics=tuple(_summary(topic, definitions, salvage.counts) for topic in topics),
        lost_bytes=max(0, stated - size), damages=tuple(salvage.damages),
        damaged_inside=inside)


def _copy_messages(salvage: _Salvage, topics: set[int]) -> None:
    left_out = 0
    for row in _messages(salvage):
        number, topic, stamp_ns, data = row
        is_message = isinstance(topic, int) and topic in topics and isinstance(data, bytes)
        if is_message and not isinstance(stamp_ns, int):
            stamp_ns = _indexed_stamp(salvage, number)
        if not (is_message and isinstance(stamp_ns, int)):
            left_out += 1
            continue
        if not _insert_message(salvage.target, (number, topic, stamp_ns, data)):
            continue
        counts = salvage.counts.setdefault(topic, _Counts())
        counts.messages += 1
        counts.bytes += len(data)
        salvage.start_ns = min(salvage.start_ns, stamp_ns)
        salvage.end_ns = max(salvage.end_ns, stamp_ns)
    if left_out:
        salvage.damages.append(f'{salvage.name}: {left_out} messages of no topic left out')


def _indexed_stamp(salvage: _Salvage, number: int) -> Any:
    """Return the time (ns) that the index has of a message; None where it has none."""
    # By itself: an error would make the list of messages, which is being read, begin anew.
    with suppress(*UNREADABLE), closing(sqlite3.connect(salvage.copied)) as database:
        found = database.execute(
            'SELECT timestamp FROM messages INDEXED BY timestamp_idx WHERE id = ? '
            'AND timestamp IS NOT NULL', (number,)).fetchone()
        return found[0] if found else None
    return None


def _insert_message(target: sqlite3.Connection, row: tuple[Any, ...]) -> bool:
    """Insert a message; False where it is there: pages that are out of use repeat rows."""
    if target.execute('INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?)', row).rowcount:
        return True
    if target.execute('SELECT topic_id, timestamp, data FROM messages WHERE id = ?',
                      row[:1]).fetchone() == row[1:]:
        return False
    # Another message, whose id is damaged.
    target.execute('INSERT INTO messages VALUES (NULL, ?, ?, ?)', row[1:])
    return True


def _messages(salvage: _Salvage) -> Iterator[tuple[Any, ...]]:
    """Return the messages; where their table is torn, those that are on whole pages."""
    try:
        yield from salvage.source.execute(
            'SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY id')
    except UNREADABLE as error:
        salvage.damages.append(f'{salvage.name}: table of messages: {error}')
        salvage.source.close()
        for row in pages.rows(salvage.copied):
            if len(row) == MESSAGE_COLUMNS:
                yield row


def _rows_of(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table, with those of its columns that can be read."""
    columns = []
    for column in _columns(table):
        with suppress(*UNREADABLE):  # releases differ, and a column's name may be damaged
            connection.execute(f'SELECT {column} FROM {table} LIMIT 0')
            columns.append(column)
    while True:
        try:
            rows = connection.execute(
                f'SELECT {", ".join(columns) or "*"} FROM {table}').fetchall()
            return [dict(zip(columns, row, strict=True)) for row in rows]
        except UNREADABLE:
            if len(columns) <= 1:
                raise
            columns.pop()  # of a damaged row the first ones may still be there


def _columns(table: str) -> list[str]:
    return [column.split()[0] for column in TABLES[table].split(', ')]


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    columns = _columns(table)
    places = ', '.join('?' for _ in columns)
    # A damaged row may lack values, or have the id of another.
    values = ['' if row.get(column) is None else row[column] for column in columns]
    connection.execute(f'INSERT OR IGNORE INTO {table} VALUES ({places})', values)


def _distro(salvage: _Salvage) -> str:
    with suppress(*UNREADABLE, LookupError):
        return str(_rows_of(salvage.source, 'schema')[0]['ros_distro'])
    return 'unknown'


def _stated_size(source: Path) -> int:
    """Return the size (bytes) that the database's header states; 0 where it states none."""
    with source.open('rb') as file:
        header = file.read(100)
    if len(header) < 100 or header[24:28] != header[92:96]:
        return 0
    page = int.from_bytes(header[16:18], 'big')
    return int.from_bytes(header[28:32], 'big') * (65536 if page == 1 else page)


def _summary(topic: dict[str, Any], definitions: list[dict[str, Any]],
             counts: dict[int, _Counts]) -> TopicSummary:
    kept, kind = counts.get(int(topic['id']), _Counts()), str(topic.get('type') or '')
    text: dict[str, Any] = next(
        (d for d in definitions if d.get('topic_type') == kind), {})
    definition = Definition(
        kind, str(text.get('encoding', '')),
        str(text.get('encoded_message_definition', '')),
        str(topic.get('type_description_hash') or text.get('type_description_hash', '')))
    qos: tuple[Any, ...] = ()
    with suppress(yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        qos = from_yaml(topic.get('offered_qos_profiles', ''))
    return TopicSummary(Topic(str(topic['name']), definition, qos), kept.messages, kept.bytes)
