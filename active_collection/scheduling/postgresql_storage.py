# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger in a PostgreSQL database, through SQLAlchemy Core."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.scheduling.schema import APPLICATION_ID
from active_collection.scheduling.schema import POSTGRESQL
from active_collection.scheduling.schema import VERSION
from active_collection.scheduling.schema import statements
from active_collection.scheduling.storage import SNAPSHOTS_KEPT
from active_collection.scheduling.storage import FullRow
from active_collection.scheduling.storage import Row
from active_collection.scheduling.storage import Wanted
from active_collection.scheduling.storage import of_another_scheduler
from active_collection.scheduling.storage import of_another_version

try:
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as error:
    raise ConfigError('ledger', found=f'a PostgreSQL URL, but {error}',
                      expected="pip install 'active-collection[postgresql]'") from error

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: Rows that are fetched at once while history is read.
FETCHED = 2000

EVENTS = sa.table('events', *(sa.column(name) for name in (
    'sequence', 'time_ns', 'kind', 'subject', 'task', 'detail')))
SNAPSHOTS = sa.table('snapshots', sa.column('sequence'), sa.column('books'))
#: One row: the ledger's schema version.
VERSIONS = sa.table('ledger_version', sa.column('version'))


class PostgresqlStorage:
    """
    The tables of the ledger in the schema that the URL's user works in.

    One scheduler writes it: it holds an advisory lock for as long as its connection lives. Should
    the connection break, the lock is taken anew before anything else is written, and a sequence
    number that somebody else has used is refused by the primary key.

    :param is_durable: False: the database server's host may not die
    """

    def __init__(self, place: str, *, writes: bool, is_durable: bool = True) -> None:
        try:
            url = sa.make_url(place).set(drivername='postgresql+psycopg')
        except ArgumentError as error:
            raise ConfigError('ledger', found=str(error),
                              expected='postgresql://user@host/database') from error
        self.name = url.set(drivername='postgresql').render_as_string(hide_password=True)
        self._engine = sa.create_engine(url, pool_pre_ping=True)
        self._is_durable = is_durable
        self._writer: Connection | None = None
        try:
            if writes:
                self._write_alone()
            else:
                self._check_version()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections and let another scheduler write it."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    def _write_alone(self) -> Connection:
        """Return the connection that holds the lock, opened anew where it broke."""
        if self._writer is not None and not self._writer.invalidated:
            return self._writer
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        try:
            writer = self._engine.connect()
        except SQLAlchemyError as error:
            raise self._refused(error) from error
        try:
            with writer.begin():
                is_ours = writer.scalar(sa.text(
                    'SELECT pg_try_advisory_lock(:application, hashtext(current_schema()))'),
                    {'application': APPLICATION_ID})
                if not is_ours:
                    raise of_another_scheduler(self.name)
                if not self._is_durable:
                    writer.execute(sa.text('SET synchronous_commit = off'))
            self._migrate(writer)
        except SQLAlchemyError as error:
            writer.close()
            raise self._refused(error) from error
        except BaseException:
            writer.close()
            raise
        self._writer = writer
        return writer

    def _migrate(self, writer: Connection) -> None:
        with writer.begin():
            version = self._version(writer)
            if version == 0:
                writer.execute(sa.text('CREATE TABLE ledger_version (version BIGINT NOT NULL)'))
                writer.execute(sa.insert(VERSIONS).values(version=0))
            for k in range(version, VERSION):
                for statement in statements(k, POSTGRESQL):
                    writer.execute(sa.text(statement))
            if version < VERSION:
                writer.execute(sa.update(VERSIONS).values(version=VERSION))

    def _version(self, connection: Connection) -> int:
        """Return the ledger's schema version; 0 where there are no tables."""
        if connection.scalar(sa.text("SELECT to_regclass('ledger_version')")) is None:
            return 0
        version = int(connection.scalar(sa.select(VERSIONS.c.version)) or 0)
        if version > VERSION:
            raise of_another_version(self.name, version, VERSION)
        return version

    def _check_version(self) -> None:
        try:
            with self._engine.connect() as connection:
                version = self._version(connection)
        except SQLAlchemyError as error:
            raise self._refused(error) from error
        if version < VERSION:
            found = f'a ledger of version {version}' if version else 'no ledger in it'
            raise SchedulingError(self.name, found=found,
                                  expected='a ledger that a scheduler of this release has opened')

    def events(self, wanted: Wanted) -> Iterator[Row]:
        """Give events."""
        columns = EVENTS.c
        query = sa.select(columns.sequence, columns.time_ns, columns.kind, columns.detail).where(
            columns.sequence > wanted.after, columns.sequence <= wanted.until)
        if wanted.kinds:
            query = query.where(columns.kind.in_(wanted.kinds))
        if wanted.subject is not None:
            query = query.where(columns.subject == wanted.subject)
        if wanted.task is not None:
            query = query.where(columns.task == wanted.task)
        query = query.order_by(
            columns.sequence.desc() if wanted.is_newest_first else columns.sequence)
        if wanted.is_one:
            query = query.limit(1)
        try:
            with self._engine.connect() as connection:
                options = {} if wanted.is_one else {'yield_per': FETCHED}
                for row in connection.execution_options(**options).execute(query):
                    yield int(row.sequence), int(row.time_ns), row.kind, row.detail
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 where there is none."""
        try:
            with self._engine.connect() as connection:
                return int(connection.scalar(sa.select(sa.func.max(EVENTS.c.sequence))) or 0)
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    def snapshot(self, until: int) -> tuple[int, str] | None:
        """Return the last snapshot (sequence, books as JSON) at or before an event."""
        query = sa.select(SNAPSHOTS.c.sequence, SNAPSHOTS.c.books).where(
            SNAPSHOTS.c.sequence <= until).order_by(SNAPSHOTS.c.sequence.desc()).limit(1)
        try:
            with self._engine.connect() as connection:
                row = connection.execute(query).first()
        except SQLAlchemyError as error:
            raise self._refused(error) from error
        return None if row is None else (int(row.sequence), str(row.books))

    def append(self, rows: Sequence[FullRow], snapshot: tuple[int, str] | None) -> None:
        """Add events and perhaps a snapshot: all of it durably, or nothing."""
        writer = self._write_alone()
        names = [column.name for column in EVENTS.c]
        try:
            with writer.begin():
                writer.execute(sa.insert(EVENTS),
                               [dict(zip(names, row, strict=True)) for row in rows])
                if snapshot is not None:
                    self._keep(writer, snapshot)
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    @staticmethod
    def _keep(writer: Connection, snapshot: tuple[int, str]) -> None:
        sequence, books = snapshot
        writer.execute(sa.delete(SNAPSHOTS).where(SNAPSHOTS.c.sequence == sequence))
        writer.execute(sa.insert(SNAPSHOTS).values(sequence=sequence, books=books))
        kept = sa.select(SNAPSHOTS.c.sequence).order_by(
            SNAPSHOTS.c.sequence.desc()).limit(SNAPSHOTS_KEPT)
        writer.execute(sa.delete(SNAPSHOTS).where(SNAPSHOTS.c.sequence.not_in(kept)))

    def damage(self) -> list[str]:
        """Return nothing: PostgreSQL checks its pages itself as they are read."""
        return []

    def _refused(self, error: SQLAlchemyError) -> SchedulingError:
        found = str(getattr(error, 'orig', None) or error).strip().splitlines()[0]
        return SchedulingError(self.name, found=found,
                               expected='a PostgreSQL database that answers and can be written')
