# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes that are told, written down once each, as many at a time as may be."""
from __future__ import annotations

from collections.abc import Sequence

from active_collection.episode import EpisodeRecord
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Finished
from active_collection.scheduling.fleet.leases import Deadlines
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.fleet.results import Results
from active_collection.scheduling.ledger.journal import Journal


class Counting:
    """
    Writes episodes to the ledger and ends the leases that they fulfil.

    :param results: turns records into events
    :param deadlines: of the leases that are out
    """

    def __init__(self, journal: Journal, results: Results, deadlines: Deadlines) -> None:
        self._journal = journal
        self._results = results
        self._deadlines = deadlines

    def count_some(self, records: Sequence[EpisodeRecord], now_ns: int) -> list[Counted]:
        """
        Count as many of the first episodes as can be written together; at least one.

        :returns: what became of each of them, in their order
        :raises SchedulingError: where the ledger cannot be used
        """
        told: list[Counted] = []
        events: list[Event] = []
        met: set[str] = set()
        for record in records:
            subjects = {record.episode_id, record.assignment_id} - {''}
            if subjects & met:
                break
            met |= subjects
            if not record.finished_ns:
                told.append(Counted.RECORDING)
                continue
            previous = self._results.previous(record)
            if previous is not None and previous.revision >= record.revision:
                told.append(Counted.DUPLICATE)
                continue
            told.append(Counted.AMENDED if previous else Counted.COUNTED)
            mine = self._results.events(self._journal.fleet, record, previous)
            events += mine
            if len(mine) > 1:
                break  # a retraining: those after it are of its epoch
        if events:
            self._journal.record(events, now_ns)
        for event in events:
            if isinstance(event, Finished) and event.fulfils:
                self._deadlines.end(event.assignment_id)
        return told
