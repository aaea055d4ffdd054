# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Count the episodes of a data directory in a ledger whose scheduler does not run."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.recording.store import EpisodeStore
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.events import Started
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.fleet.results import Results
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.replay import started_with
from active_collection.scheduling.ledger.storage import LAST
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings

#: Episodes that are counted with one write to the ledger.
BATCH = 50


@dataclass(frozen=True)
class Ingested:
    """
    What became of the episodes of a data directory.

    :param counted: how many were new, amended, or known already (`DUPLICATE`)
    :param refused: directories that hold no episode to be counted, each with the reason
    """

    counted: Counter[Counted]
    refused: list[tuple[Path, str]]


def ingest(data: Path, place: str, *, space: ScenarioSpace | None, now_ns: int,
           progress: Callable[[int, int, str], None] = lambda done, total, what: None,
           ) -> Ingested:
    """
    Count every closed episode of a data directory that a ledger does not know, in order of time.

    They are counted as the ledger's last scheduler would have: by its scenario space and settings.
    A second time changes nothing.

    :param place: the ledger: path or URL
    :param space: for a ledger that is to be made; None where it is there
    :param now_ns: ROS time, of the entries in the ledger (ns)
    :raises ConfigError: where a space is given for a ledger that has one
    :raises SchedulingError: where there is no ledger, or another scheduler writes it
    """
    if space is None:
        with LedgerReader(place):
            pass  # nothing is made where nothing was meant
    records, refused = _records(data)
    counted: Counter[Counted] = Counter()
    ledger = Ledger(place)
    with ledger:
        start = ledger.last_start(until=LAST)
        if start is not None and isinstance(start.event, Started):
            if space is not None:
                raise ConfigError('--space', found=f'a ledger that has one: {ledger.name}',
                                  expected='no --space')
            space, settings = started_with(ledger.name, start.event)
        elif space is not None:
            settings = SchedulerSettings(ledger=place)
        else:
            raise ConfigError(ledger.name, found='no start of a scheduler', expected='--space')
        news = _unknown(records, Results(space, ledger))
        counted[Counted.DUPLICATE] = len(records) - len(news)
        if news:
            scheduler = Scheduler(space, settings, ledger, now_ns=now_ns)
            for first in range(0, len(news), BATCH):
                counted.update(scheduler.finished_many(news[first:first + BATCH], now_ns))
                progress(min(first + BATCH, len(news)), len(news), '')
    return Ingested(counted, refused)


def _records(data: Path) -> tuple[list[EpisodeRecord], list[tuple[Path, str]]]:
    """Return the records of a data directory in order of time, and what has none."""
    records = []
    refused = [(path, 'not closed: it is being recorded, or to be salvaged')
               for path in EpisodeStore(data).abandoned()]
    for path in find_episodes(data):
        try:
            record = read_record(path)
        except ActiveCollectionError as error:
            refused.append((path, str(error)))
            continue
        if record is None:
            refused.append((path, 'no episode record'))
        elif not record.finished_ns:
            refused.append((path, 'its record says that it is being recorded'))
        else:
            records.append(record)
    return sorted(records, key=lambda record: record.finished_ns), refused


def _unknown(records: Sequence[EpisodeRecord], results: Results) -> list[EpisodeRecord]:
    """Return what has not been counted in this revision."""
    news = []
    for record in records:
        previous = results.previous(record)
        if previous is None or previous.revision < record.revision:
            news.append(record)
    return news
