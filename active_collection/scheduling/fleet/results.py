# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a reported episode means for the beliefs and for the lease that it names."""
from __future__ import annotations

from enum import Enum
from math import isfinite
from typing import Protocol

from active_collection.episode import REDONE
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.errors import ConfigError
from active_collection.errors import shorten
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Event
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Result
from active_collection.scheduling.fleet.detectors import Judges
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.orders import check_signed
from active_collection.scheduling.repeats import Repeat

#: No episode takes longer than this, or twice its task's time limit where that is longer (s).
LONGEST_S = 4 * 3600.0
#: Why recording stopped where an abort says nothing of what was to be done.
INTERRUPTED = frozenset({StopReason.OPERATOR, StopReason.RECORDER_SHUTDOWN, StopReason.DISK_FULL,
                         StopReason.WRITE_ERROR})


class Counted(str, Enum):
    """What became of a reported episode."""

    COUNTED = 'counted'
    AMENDED = 'amended'
    DUPLICATE = 'duplicate'
    RECORDING = 'recording'


class Past(Protocol):
    """What is asked of the past: a ledger tells it."""

    def last_finished(self, episode_id: str) -> Finished | None:
        """Return the last revision of an episode that was counted; None if it never was."""
        ...

    def assigned(self, assignment_id: str) -> Assignment | None:
        """Return an assignment ever made; None for an unknown id."""
        ...

    def ended(self, assignment_id: str) -> Ended | None:
        """Return how a lease ended without an episode; None where it did not."""
        ...


class Results:
    """
    Turns records of episodes into events: each once, and anew for each later revision.

    :raises ConfigError: where a task names no success detector
    """

    def __init__(self, space: ScenarioSpace, past: Past) -> None:
        self._space = space
        self._judges = Judges(space)
        self._past = past

    def previous(self, record: EpisodeRecord) -> Finished | None:
        """
        Return what was counted of an episode so far; None for nothing.

        One that another robot told under the same id is another episode, unless it is of the same
        assignment.
        """
        found = self._past.last_finished(record.episode_id)
        if found is None or found.robot == record.robot:
            return found
        if record.assignment_id and record.assignment_id == found.assignment_id:
            return found
        return self._past.last_finished(_renamed(record.robot, record.episode_id))

    def events(self, fleet: FleetState, record: EpisodeRecord,
               previous: Finished | None) -> list[Event]:
        """
        Return what an episode that has not been counted yet gives, its `Finished` last.

        :param previous: what was counted of an earlier revision
        """
        events: list[Event] = []
        ensembles, summary = fleet.beliefs.ensembles, record.uncertainty
        acted = scored = 0
        if summary.steps:
            scored = ensembles.number_of(summary.ensemble_id)
            if ensembles.is_worth_seeing(summary.ensemble_id, summary.ensemble_created_ns):
                scored = ensembles.next_number
                events.append(EnsembleSeen(
                    summary.ensemble_id, summary.ensemble_created_ns,
                    tuple(sorted(summary.trained_on.items())) or None,
                    tuple(sorted(summary.held_out_loss.items()))))
            acted = scored = scored or ensembles.numbers[0]
        if not acted or record.source is not Source.POLICY:
            acted = ensembles.next_number - 1 if events else ensembles.newest_number
        fulfils, remark = self._claim(fleet, record, previous)
        duration_s, doubt = self._duration(record)
        name = previous.episode_id if previous else record.episode_id
        is_taken = previous is None and self._past.last_finished(name) is not None
        events.append(Finished(
            episode_id=_renamed(record.robot, record.episode_id) if is_taken else name,
            revision=record.revision, robot=record.robot, assignment_id=record.assignment_id,
            result=Result(
                scenario=record.scenario,
                source=record.source,
                outcome=self._judges.outcome(record),
                epoch=previous.result.epoch if previous else acted,
                scored_epoch=scored,
                epistemic=_finite(summary.epistemic_mean) if scored else None,
                novelty=_finite(summary.novelty_mean) if scored else None,
                duration_s=duration_s,
                others=tuple(sorted(self._judges.impersonated(record).items())),
                is_example=record.source is Source.POLICY and not record.acts_own_policy,
                is_interrupted=_is_interrupted(record)),
            previous=previous.result if previous else None, fulfils=fulfils,
            remark='; '.join(filter(None, [
                remark, doubt, 'another robot told an episode of this id' * is_taken]))))
        return events

    def repeat(self, robot: str, episode_id: str, *, author: str, reason: str,
               is_cancelled: bool) -> Repeat:
        """
        Return the order that a robot collects the scenario of one of its episodes once more.

        :raises ConfigError: where nobody asks, or no such episode of the robot was counted
        """
        check_signed(author, reason)
        told = (self._past.last_finished(name) for name in
                (episode_id, _renamed(robot, episode_id)))
        found = next((each for each in told if each is not None and each.robot == robot), None)
        if found is None:
            raise ConfigError('repeat: episode_id', found=shorten(episode_id),
                              expected=f'an episode that {shorten(robot)} reported')
        lease = self._past.assigned(found.assignment_id) if found.assignment_id else None
        result = found.result
        return Repeat(
            robot, episode_id, found.assignment_id, result.scenario,
            lease.collector if lease else result.source.value,
            lease.policy_task if lease else '', author, reason, is_cancelled)

    def _duration(self, record: EpisodeRecord) -> tuple[float, str]:
        """
        Return how long an episode took (s), and what is odd about it.

        By the recorder's steady clock; where it has measured nothing, a clock that was set within
        it makes it a lifetime, or end before it began. What cannot be is taken for the task's time
        limit.
        """
        task = self._space.tasks.get(record.scenario.task)
        limit_s = task.time_limit_s if task else LONGEST_S
        longest_s = max(LONGEST_S, 2 * limit_s)
        took_s = record.lasted_s or (record.finished_ns - record.started_ns) / 1e9
        if 0 <= took_s <= longest_s:
            return took_s, ''
        return limit_s, f'impossible duration: {took_s:.6g} s'

    def _claim(self, fleet: FleetState, record: EpisodeRecord,
               previous: Finished | None) -> tuple[bool, str]:
        """Return whether an episode ends the lease that it names, and what is odd about it."""
        lease = fleet.leases.get(record.assignment_id)
        if lease is not None:
            if lease.robot == record.robot:
                return True, ''
            return False, f'not the holder: {lease.robot} is'
        if previous is not None or not record.assignment_id:
            return False, ''
        ended = self._past.ended(record.assignment_id)
        if ended is not None:
            return False, f'late: its lease had ended ({ended.cause})'
        if self._past.assigned(record.assignment_id) is not None:
            return False, 'another episode of its assignment was counted before'
        return False, 'unknown assignment'


def _is_interrupted(record: EpisodeRecord) -> bool:
    """Tell whether what became of an episode says nothing of its configuration."""
    if record.outcome is Outcome.DISCARDED:
        return bool(record.tags.get(REDONE))
    return record.outcome is Outcome.ABORTED and record.stop_reason in INTERRUPTED


def _renamed(robot: str, episode_id: str) -> str:
    """Return the name of an episode whose id another robot's has too."""
    return f'{robot}.{episode_id}'


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None
