# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a reported episode means for the beliefs and for the lease that it names."""
from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from active_collection.episode import EpisodeRecord
from active_collection.episode import Source
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.books import Books
from active_collection.scheduling.detectors import Judges
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Result
from active_collection.scheduling.ledger import LedgerReader


class Results:
    """
    Turns records of episodes into events: each once, and anew for each later revision.

    :raises ConfigError: where a task names no success detector
    """

    def __init__(self, space: ScenarioSpace, ledger: LedgerReader) -> None:
        self._judges = Judges(space)
        self._ledger = ledger

    def previous(self, record: EpisodeRecord) -> Finished | None:
        """Return what was counted of an episode so far; None for nothing."""
        return self._ledger.last_finished(record.episode_id)

    def events(self, books: Books, record: EpisodeRecord,
               previous: Finished | None) -> list[Event]:
        """
        Return what an episode that has not been counted yet gives, its `Finished` last.

        :param previous: what was counted of an earlier revision
        """
        events: list[Event] = []
        ensembles = list(books.beliefs.ensembles)
        summary = record.uncertainty
        if summary.steps and summary.ensemble_id > (ensembles or [''])[-1]:
            events.append(EnsembleSeen(summary.ensemble_id))
            ensembles.append(summary.ensemble_id)
        fulfils, remark = self._claim(books, record, previous)
        events.append(Finished(
            episode_id=record.episode_id, revision=record.revision, robot=record.robot,
            assignment_id=record.assignment_id,
            result=self._result(record, ensembles, previous),
            previous=previous.result if previous else None,
            fulfils=fulfils, remark=remark))
        return events

    def _result(self, record: EpisodeRecord, ensembles: Sequence[str],
                previous: Finished | None) -> Result:
        """Return what an episode contributes; amended, it stays in the epoch it was counted in."""
        summary = record.uncertainty
        scored = ensembles.index(summary.ensemble_id) + 1 if (
            summary.steps and summary.ensemble_id in ensembles) else 0
        return Result(
            scenario=record.scenario,
            source=record.source,
            outcome=self._judges.outcome(record),
            epoch=previous.result.epoch if previous else len(ensembles),
            scored_epoch=scored,
            epistemic=_finite(summary.epistemic_mean) if scored else None,
            novelty=_finite(summary.novelty_mean) if scored else None,
            duration_s=record.duration_s,
            others=tuple(sorted(self._judges.impersonated(record).items())),
            is_example=record.source is Source.POLICY and not record.acts_own_policy,
        )

    def _claim(self, books: Books, record: EpisodeRecord,
               previous: Finished | None) -> tuple[bool, str]:
        """Return whether an episode ends the lease that it names, and what is odd about it."""
        lease = books.leases.get(record.assignment_id)
        if lease is not None:
            if lease.robot == record.robot:
                return True, ''
            return False, f'not the holder: {lease.robot} is'
        if previous is not None or not record.assignment_id:
            return False, ''
        ended = self._ledger.ended(record.assignment_id)
        if ended is not None:
            return False, f'late: its lease had ended ({ended.cause})'
        if self._ledger.assigned(record.assignment_id) is not None:
            return False, 'another episode of its assignment was counted before'
        return False, 'unknown assignment'


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None
