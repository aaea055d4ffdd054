# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The tables of the ledger, and the steps from each older version to the next."""
from __future__ import annotations

from dataclasses import dataclass

#: Written into an SQLite file's header, and the first key of PostgreSQL's lock: 'ACld'.
APPLICATION_ID = 0x41436C64


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    What databases say differently.

    :param integer: name of a type of 64 bits
    :param table: what ends the definition of a table
    """

    integer: str
    table: str


SQLITE = Dialect(integer='INTEGER', table='STRICT')
POSTGRESQL = Dialect(integer='BIGINT', table='')

#: Statements that take a ledger from version k to k + 1; version 0 is an empty one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE events (
            sequence {integer} PRIMARY KEY, -- 1, 2, 3, ... without gaps: the order of history
            time_ns {integer} NOT NULL,     -- ROS time (ns)
            kind TEXT NOT NULL,             -- name of the event, see scheduling/events.py
            subject TEXT NOT NULL,          -- assignment, episode, ensemble or task it is about
            task TEXT NOT NULL,             -- task of its scenario; empty where it has none
            detail TEXT NOT NULL            -- the event as JSON
        ) {table}
        """,
        'CREATE INDEX events_by_subject ON events (subject, kind, sequence)',
        'CREATE INDEX events_by_task ON events (task, kind, sequence)',
        """
        CREATE TABLE snapshots (
            sequence {integer} PRIMARY KEY, -- last event that it holds
            books TEXT NOT NULL             -- the scheduler's memory after it, as JSON
        ) {table}
        """,
    ),
    # Robots that are steered, and questions that are answered together: an earlier release does
    # not know these events. The index finds the assignments without reading the episodes.
    ('CREATE INDEX events_by_kind ON events (kind, sequence)',),
    # Tasks that stop and go on, and what is believed by ensemble: an earlier release does not know
    # these events, and this one makes the memory anew from all that there are.
    ('DELETE FROM snapshots',),
)
VERSION = len(MIGRATIONS)


def statements(version: int, dialect: Dialect) -> list[str]:
    """Return the statements that take a ledger from a version to the next."""
    return [text.format(integer=dialect.integer, table=dialect.table)
            for text in MIGRATIONS[version]]
