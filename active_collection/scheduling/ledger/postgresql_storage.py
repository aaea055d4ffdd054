# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger in a PostgreSQL database, through SQLAlchemy."""
from __future__ import annotations

import time
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from typing import TYPE_CHECKING
from typing import Any

from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.packages import how_to_install
from active_collection.scheduling.ledger.schema import APPLICATION_ID
from active_collection.scheduling.ledger.schema import POSTGRESQL
from active_collection.scheduling.ledger.schema import VERSION
from active_collection.scheduling.ledger.sql_storage import SqlStorage
from active_collection.scheduling.ledger.sql_storage import migrate
from active_collection.scheduling.ledger.storage import PUT_BACK
from active_collection.scheduling.ledger.storage import of_another_scheduler
from active_collection.scheduling.ledger.storage import of_another_version

try:
    import psycopg
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as error:
    raise ConfigError('ledger', found=f'a PostgreSQL URL, but {error}',
                      expected=how_to_install('postgresql')) from error

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: A server that does not answer is given up after so long, as libpq has it: in s, but for the last
#: in ms. A scheduler answers nobody meanwhile; what the URL says of them goes before.
PATIENCE = {'connect_timeout': 3, 'keepalives_idle': 5, 'keepalives_interval': 2,
            'keepalives_count': 3, 'tcp_user_timeout': 5000}
#: So long the server may take for one step of a statement (s): to it alone, hung or stopped with
#: its machine alive, neither TCP nor its own bounds put an end.
ANSWERS_WITHIN_S = 10.0
#: How soon the server notices that a scheduler's machine is gone, and lets go of its lock; and how
#: long a lock that somebody has on a table is waited for.
OF_THE_SESSION = ('tcp_keepalives_idle = 5', 'tcp_keepalives_interval = 2',
                  'tcp_keepalives_count = 3', "lock_timeout = '2s'")
#: Rows that are fetched at once while history is read.
FETCHED = 2000


class PostgresqlStorage(SqlStorage):
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
        self._engine = sa.create_engine(url, pool_pre_ping=True, connect_args={
            name: value for name, value in PATIENCE.items() if name not in url.query})
        sa.event.listen(
            self._engine, 'do_connect',
            lambda dialect, record, given, named: _Impatient.connect(*given, **named))
        self._writes = writes
        self._is_known = False
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
        self._let_go()
        self._engine.dispose()

    def reopen(self) -> None:
        """Connect anew and take the lock again."""
        self.close()
        if self._writes:
            self._write_alone()

    def _let_go(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(SQLAlchemyError):  # it may be what is broken
                writer.close()

    def _write_alone(self) -> Connection:
        """Return the connection that holds the lock, opened anew where it broke."""
        if self._writer is not None and not self._writer.invalidated:
            return self._writer
        self._let_go()
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
                for setting in OF_THE_SESSION:
                    writer.execute(sa.text(f'SET {setting}'))
                if not self._is_durable:
                    writer.execute(sa.text('SET synchronous_commit = off'))
            self._migrate(writer)
        except SQLAlchemyError as error:
            writer.close()
            raise self._refused(error) from error
        except BaseException:
            writer.close()
            raise
        self._writer, self._is_known = writer, True
        return writer

    def _migrate(self, writer: Connection) -> None:
        with writer.begin():
            version, writing = self._version(writer), _Writing(writer)
            if version == 0 and self._is_known:
                raise SchedulingError(
                    self.name, found='no ledger in it any more',
                    expected=PUT_BACK)
            if version == 0:
                writing.execute('CREATE TABLE ledger_version (version BIGINT NOT NULL)')
                writing.execute('INSERT INTO ledger_version VALUES (0)')
            if version < VERSION:
                migrate(writing, version, POSTGRESQL)
                writing.execute('UPDATE ledger_version SET version = ?', (VERSION,))

    def _version(self, connection: Connection) -> int:
        """Return the ledger's schema version; 0 where there are no tables."""
        if connection.scalar(sa.text("SELECT to_regclass('ledger_version')")) is None:
            return 0
        version = int(connection.scalar(sa.text('SELECT version FROM ledger_version')) or 0)
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

    def _rows(self, query: str, parameters: Sequence[Any]) -> Iterator[Any]:
        try:
            with self._engine.connect() as connection:
                yield from connection.execution_options(yield_per=FETCHED).exec_driver_sql(
                    _of_driver(query), tuple(parameters))
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    @contextmanager
    def _writing(self) -> Iterator[_Writing]:
        writer = self._write_alone()
        try:
            with writer.begin():
                yield _Writing(writer)
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    def damage(self) -> list[str]:
        """Return nothing: PostgreSQL checks its pages itself as they are read."""
        return []

    def _refused(self, error: SQLAlchemyError) -> SchedulingError:
        found = str(getattr(error, 'orig', None) or error).strip().splitlines()[0]
        return SchedulingError(self.name, found=found,
                               expected='a PostgreSQL database that answers and can be written')


class _Impatient(psycopg.Connection[Any]):
    """A connection that breaks where the server leaves it without an answer."""

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Wait for a step of the protocol, as psycopg 3.3 does, which asks ten times a second."""
        return super().wait(self._bounded(gen), *arguments, **named)

    def _bounded(self, gen: Any) -> Generator[Any, Any, Any]:
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f'no answer for {ANSWERS_WITHIN_S:g} s')
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value


class _Writing:
    """A transaction, for `sql_storage.Writing`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> None:
        """Run a statement."""
        self._connection.exec_driver_sql(_of_driver(statement), tuple(parameters))

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Run a statement with the parameters of each row."""
        self._connection.exec_driver_sql(_of_driver(statement), [tuple(row) for row in rows])


def _of_driver(statement: str) -> str:
    """Return a statement with the marks for parameters that psycopg knows."""
    return statement.replace('?', '%s')
