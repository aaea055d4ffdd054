# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The tables of the ledger, and the steps from each older version to the next."""
from __future__ import annotations

#: Written into the file's header: 'ACld'.
APPLICATION_ID = 0x41436C64

#: Statements that take a ledger from version k to k + 1; version 0 is an empty file.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY,   -- 1, 2, 3, ... without gaps: the order of history
            time_ns INTEGER NOT NULL,       -- ROS time (ns)
            kind TEXT NOT NULL,             -- name of the event, see scheduling/events.py
            subject TEXT NOT NULL,          -- assignment, episode, ensemble or task it is about
            task TEXT NOT NULL,             -- task of its scenario; empty where it has none
            detail TEXT NOT NULL            -- the event as JSON
        ) STRICT
        """,
        'CREATE INDEX events_by_subject ON events (subject, kind, sequence)',
        'CREATE INDEX events_by_task ON events (task, kind, sequence)',
        """
        CREATE TABLE snapshots (
            sequence INTEGER PRIMARY KEY,   -- last event that it holds
            books TEXT NOT NULL             -- the scheduler's memory after it, as JSON
        ) STRICT
        """,
    ),
)
VERSION = len(MIGRATIONS)
