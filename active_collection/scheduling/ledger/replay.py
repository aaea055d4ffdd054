# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler's memory made again from the ledger, as it is or as it was after any event."""
from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pydantic import ValidationError

from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Started
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.settings import SchedulerSettings


def remember(reader: LedgerReader, *, until: int | None = None) -> FleetState | None:
    """
    Return the fleet's state after an event, under the space and settings that were in force then.

    :param until: sequence number of that event; None for the last
    :returns: None for a ledger without an event
    :raises SchedulingError: where the ledger is damaged
    """
    fleet, after = None, 0
    snapshot = reader.snapshot(until=until)
    if snapshot is not None:
        after, data = snapshot
        start = reader.last_start(until=after)
        if start is not None and isinstance(start.event, Started):
            fleet = _opened(reader, start.event, until=until)
            fleet.restore(data, where=f'{reader.name}: snapshot {after}')
    for entry in reader.entries(after=after, until=until):
        fleet = _next(reader, fleet, entry, until=until)
    return fleet


def fold(reader: LedgerReader) -> Iterator[tuple[Entry, FleetState]]:
    """
    Give every event with the state after it, from the first, without the snapshots.

    :raises SchedulingError: where the ledger is damaged
    """
    fleet: FleetState | None = None
    for entry in reader.entries():
        fleet = _next(reader, fleet, entry, until=None)
        yield entry, fleet


def reopened(before: FleetState | None, fleet: FleetState) -> FleetState:
    """Return a new state with what an earlier one held, of another space or other settings."""
    if before is not None:
        fleet.restore(before.to_dict(), where='the state before')
    return fleet


def _next(reader: LedgerReader, fleet: FleetState | None, entry: Entry, *,
          until: int | None) -> FleetState:
    """Return the state after one more event."""
    if isinstance(entry.event, Started):
        fleet = reopened(fleet, _opened(reader, entry.event, until=until))
    if fleet is None:
        raise SchedulingError(f'{reader.name}: event {entry.sequence}',
                              found=entry.event.kind, expected='a start before it')
    fleet.apply(entry)
    return fleet


def started_with(name: str, started: Started) -> tuple[ScenarioSpace, SchedulerSettings]:
    """
    Return the scenario space and the settings that a scheduler was started with.

    :param name: where its ledger lives, for messages
    :raises SchedulingError: where they cannot be understood
    """
    try:
        return (ScenarioSpace.model_validate_json(started.space),
                SchedulerSettings.recalled(started.settings))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SchedulingError(f'{name}: started', found=first['msg'],
                              expected='a space and settings') from error


def _opened(reader: LedgerReader, started: Started, *, until: int | None) -> FleetState:
    space, settings = started_with(reader.name, started)
    return FleetState(space, settings, results=partial(reader.results, until=until))
