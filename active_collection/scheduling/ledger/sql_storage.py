# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger in an SQL database: what is asked and written, whichever database it is."""
from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any
from typing import Protocol

from active_collection.scheduling.ledger.schema import VERSION
from active_collection.scheduling.ledger.schema import Dialect
from active_collection.scheduling.ledger.schema import statements
from active_collection.scheduling.ledger.storage import SNAPSHOTS_KEPT
from active_collection.scheduling.ledger.storage import FullRow
from active_collection.scheduling.ledger.storage import Row
from active_collection.scheduling.ledger.storage import Wanted


class Writing(Protocol):
    """A transaction; a question mark in a statement stands for each parameter."""

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> object:
        """Run a statement."""
        ...

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> object:
        """Run a statement with the parameters of each row."""
        ...


class SqlStorage(ABC):
    """The statements on the tables of `schema`; a database says how it runs them."""

    name: str

    @abstractmethod
    def _rows(self, query: str, parameters: Sequence[Any]) -> Iterator[Any]:
        """Give the rows of a query, however many, without holding them all."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Writing]:
        """Return a transaction, of which all is durable when the block ends, or nothing is."""

    def events(self, wanted: Wanted) -> Iterator[Row]:
        """Give events."""
        clauses, given = ['sequence > ?', 'sequence <= ?'], [wanted.after, wanted.until]
        parameters: list[Any] = [*given]
        if wanted.kinds:
            clauses.append(f'kind IN ({", ".join("?" for _ in wanted.kinds)})')
            parameters += wanted.kinds
        for column in ('subject', 'task'):
            value = getattr(wanted, column)
            if value is not None:
                clauses.append(f'{column} = ?')
                parameters.append(value)
        order = 'DESC' if wanted.is_newest_first else 'ASC'
        limit = 'LIMIT 1' if wanted.is_one else ''
        for sequence, time_ns, kind, detail in self._rows(
                f'SELECT sequence, time_ns, kind, detail FROM events '
                f'WHERE {" AND ".join(clauses)} ORDER BY sequence {order} {limit}', parameters):
            yield int(sequence), int(time_ns), kind, detail

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 where there is none."""
        (last,), = self._rows('SELECT COALESCE(MAX(sequence), 0) FROM events', ())
        return int(last)

    def snapshot(self, until: int) -> tuple[int, str] | None:
        """Return the last snapshot (sequence, state as JSON) at or before an event."""
        for sequence, state in self._rows(
                'SELECT sequence, books FROM snapshots WHERE sequence <= ? '
                'ORDER BY sequence DESC LIMIT 1', (until,)):
            return int(sequence), str(state)
        return None

    def append(self, rows: Sequence[FullRow], snapshot: tuple[int, str] | None) -> None:
        """Add events and perhaps a snapshot: all of it durably, or nothing."""
        with self._writing() as writing:
            if rows:
                writing.executemany(
                    'INSERT INTO events (sequence, time_ns, kind, subject, task, detail) '
                    'VALUES (?, ?, ?, ?, ?, ?)', rows)
            if snapshot is not None:
                writing.execute('DELETE FROM snapshots WHERE sequence = ?', snapshot[:1])
                writing.execute('INSERT INTO snapshots (sequence, books) VALUES (?, ?)', snapshot)
                writing.execute(
                    'DELETE FROM snapshots WHERE sequence NOT IN '
                    '(SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ?)',
                    (SNAPSHOTS_KEPT,))


def migrate(writing: Writing, version: int, dialect: Dialect) -> None:
    """Take the tables from a version to this release's."""
    for k in range(version, VERSION):
        for statement in statements(k, dialect):
            writing.execute(statement)
