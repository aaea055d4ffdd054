"""The scheduler's memory made again from the ledger, as it is or as it was after any event."""
from __future__ import annotations

from functools import partial

from pydantic import ValidationError

from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.books import Books
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
    snapshot = reader.snapshot(until=until)
    sequence, data = snapshot if snapshot is not None else (0, None)
    books: Books | None = None
    for entry in reader.entries(until=sequence, kinds=(Started.kind,)) if data else ():
        if isinstance(entry.event, Started):
            books = _opened(reader, entry.event, until=until)
    if data is not None and books is not None:
        books.restore(data, where=f'{reader.path}: snapshot {sequence}')
    for entry in reader.entries(after=sequence, until=until):
        if isinstance(entry.event, Started):
            books = reopened(books, _opened(reader, entry.event, until=until))
        if books is None:
            raise SchedulingError(f'{reader.path}: event {entry.sequence}',
                                  found=entry.event.kind, expected='a start before it')
        books.apply(entry)
    return books


def reopened(before: Books | None, books: Books) -> Books:
    """Return fresh books with the memory of earlier ones, of another space or other settings."""
    if before is not None:
        books.restore(before.to_dict(), where='books')
    return books


def _opened(reader: LedgerReader, started: Started, *, until: int | None) -> Books:
    try:
        space = ScenarioSpace.model_validate_json(started.space)
        settings = SchedulerSettings.model_validate_json(started.settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SchedulingError(f'{reader.path}: started', found=first['msg'],
                              expected='a space and settings') from error
    return Books(space, settings, points=partial(reader.covered, until=until))
