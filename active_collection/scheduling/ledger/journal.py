# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of the fleet of a scheduler that runs, and the ledger that is always ahead of it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.encoding import encode
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Started
from active_collection.scheduling.events import decode
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.ledger.replay import remember
from active_collection.scheduling.ledger.replay import reopened
from active_collection.scheduling.ledger.storage import of_another_history
from active_collection.scheduling.settings import SchedulerSettings


class Journal:
    """
    Whatever changes the fleet's state is an event that is in the ledger first.

    So a restart, at whatever instant, finds what every robot was told.

    :param ledger: open for writing
    :param now_ns: ROS time (ns)
    :param snapshot_events: events between two snapshots
    :raises SchedulingError: where the ledger is damaged or cannot be written
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings, ledger: Ledger, *,
                 now_ns: int, snapshot_events: int) -> None:
        self._ledger = ledger
        self._space = space
        self._snapshot_events = snapshot_events
        #: For reading. Events alone change it.
        self.fleet = reopened(
            remember(ledger), FleetState(space, settings, results=ledger.results))
        self._snapshot_at = self.fleet.sequence
        self._last: Entry | None = None
        #: What may or may not have been written when the ledger failed.
        self._in_doubt: list[Entry] = []
        self._start(settings, now_ns)

    def change(self, settings: SchedulerSettings, now_ns: int) -> None:
        """
        Go on under other settings: with another state, as a restart has them.

        :raises SchedulingError: where they cannot be written: nothing has happened
        """
        self._start(settings, now_ns)
        self.fleet = reopened(
            self.fleet, FleetState(self._space, settings, results=self._ledger.results))

    def record(self, events: Sequence[Event], now_ns: int) -> None:
        """
        Write events to the ledger, all or none, then take them into account.

        A connection that broke is made anew at once.

        :raises SchedulingError: where they cannot be written: nothing has happened, or `recover`
            will tell
        """
        first = self.fleet.sequence + 1
        entries = [Entry(first + k, now_ns, event) for k, event in enumerate(events)]
        snapshot = None
        if self.fleet.sequence - self._snapshot_at >= self._snapshot_events:
            snapshot = (self.fleet.sequence, self.fleet.to_dict())
        is_usable = not self._ledger.trouble
        try:
            self._ledger.append(entries, snapshot=snapshot)
        except SchedulingError:
            if not is_usable or self._last is None:
                raise
            self._in_doubt = entries
            if self.recover():
                return
            self._in_doubt = entries
            self._ledger.append(entries)
            self._in_doubt = []
        else:
            if snapshot is not None:
                self._snapshot_at = self.fleet.sequence
        self._take(entries)

    def recover(self) -> bool:
        """
        Use the ledger again after it could not be read or written.

        It must go on where it was left. The state is written into it, which shows that it can be.

        :returns: whether it turned out to hold what could not be written for certain
        :raises SchedulingError: where it still cannot be used
        """
        found: list[Entry] = []
        self._ledger.reopen(lambda: found.extend(self._written_since()))
        self._take(found)
        self._in_doubt = []
        self._ledger.append([], snapshot=(self.fleet.sequence, self.fleet.to_dict()))
        self._snapshot_at = self.fleet.sequence
        return bool(found)

    def _written_since(self) -> list[Entry]:
        """Return what the ledger holds beyond the state: all that was in doubt, or nothing."""
        entries = list(self._ledger.entries(after=self.fleet.sequence - 1))
        known = [] if self._last is None else [_as_read(self._last)]
        found = entries[1:]
        if entries[:1] != known or (found and found != list(map(_as_read, self._in_doubt))):
            raise of_another_history(self._ledger.name, self.fleet.sequence)
        return found

    def _take(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.fleet.apply(entry)
            self._last = entry

    def _start(self, settings: SchedulerSettings, now_ns: int) -> None:
        self.record([Started(self._space.model_dump_json(), settings.told())], now_ns)


def _as_read(entry: Entry) -> Entry:
    """Return an entry as it reads back."""
    text = encode(entry.event)
    return replace(entry, event=decode(entry.event.kind, text, where='an event'))
