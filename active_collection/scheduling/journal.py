# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The books of a scheduler that runs, and the ledger that is always ahead of them."""
from __future__ import annotations

from collections.abc import Sequence

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.books import Books
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Started
from active_collection.scheduling.history import remember
from active_collection.scheduling.history import reopened
from active_collection.scheduling.ledger import Ledger
from active_collection.scheduling.settings import SchedulerSettings


class Journal:
    """
    Whatever changes the books is an event that is in the ledger first.

    So a restart, at whatever instant, finds what every robot was told.

    :param ledger: open for writing
    :param now_ns: ROS time (ns)
    :raises SchedulingError: where the ledger is damaged or cannot be written
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings, ledger: Ledger, *,
                 now_ns: int) -> None:
        self._ledger = ledger
        self._snapshot_events = settings.snapshot_events
        #: The memory; for reading. Events alone change it.
        self.books = reopened(remember(ledger), Books(space, settings, points=ledger.covered))
        self._snapshot_at = self.books.sequence
        self.record([Started(space.model_dump_json(), settings.told())], now_ns)

    def record(self, events: Sequence[Event], now_ns: int) -> None:
        """
        Write events to the ledger, all or none, then take them into account.

        :raises SchedulingError: where they cannot be written: nothing has happened
        """
        first = self.books.sequence + 1
        entries = [Entry(first + k, now_ns, event) for k, event in enumerate(events)]
        snapshot = None
        if self.books.sequence - self._snapshot_at >= self._snapshot_events:
            snapshot = (self.books.sequence, self.books.to_dict())
        self._ledger.append(entries, snapshot=snapshot)
        if snapshot is not None:
            self._snapshot_at = self.books.sequence
        for entry in entries:
            self.books.apply(entry)
