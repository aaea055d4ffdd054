# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler's memory made again from the ledger, as it is or as it was after any event."""
from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pydantic import ValidationError

from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.books import Books
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Started
from active_collection.scheduling.ledger import LedgerReader
from active_collection.scheduling.settings import SchedulerSettings


def remember(reader: LedgerReader, *, until: int | None = None) -> Books | None:
    """
    Return the books after an event, under the space and settings that were in force then.

    :param until: sequence number of that event; None for the last
    :returns: None for a ledger without an event
    :raises SchedulingError: where the ledger is damaged
    """
    books, after = None, 0
    snapshot = reader.snapshot(until=until)
    if snapshot is not None:
        after, data = snapshot
        start = reader.last_start(until=after)
        if start is not None and isinstance(start.event, Started):
            books = _opened(reader, start.event, until=until)
            books.restore(data, where=f'{reader.name}: snapshot {after}')
    for entry in reader.entries(after=after, until=until):
        books = _next(reader, books, entry, until=until)
    return books


def fold(reader: LedgerReader) -> Iterator[tuple[Entry, Books]]:
    """
    Give every event with the books after it, from the first, without the snapshots.

    :raises SchedulingError: where the ledger is damaged
    """
    books: Books | None = None
    for entry in reader.entries():
        books = _next(reader, books, entry, until=None)
        yield entry, books


def reopened(before: Books | None, books: Books) -> Books:
    """Return fresh books with the memory of earlier ones, of another space or other settings."""
    if before is not None:
        books.restore(before.to_dict(), where='books')
    return books


def _next(reader: LedgerReader, books: Books | None, entry: Entry, *,
          until: int | None) -> Books:
    """Return the books after one more event."""
    if isinstance(entry.event, Started):
        books = reopened(books, _opened(reader, entry.event, until=until))
    if books is None:
        raise SchedulingError(f'{reader.name}: event {entry.sequence}',
                              found=entry.event.kind, expected='a start before it')
    books.apply(entry)
    return books


def _opened(reader: LedgerReader, started: Started, *, until: int | None) -> Books:
    try:
        space = ScenarioSpace.model_validate_json(started.space)
        settings = SchedulerSettings.model_validate_json(started.settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SchedulingError(f'{reader.name}: started', found=first['msg'],
                              expected='a space and settings') from error
    return Books(space, settings, points=partial(reader.covered, until=until))
