# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the report shows of collection: from the ledger, the episodes and the evaluations."""
from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import HELP_GIVEN
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ReportError
from active_collection.names import is_safe_name
from active_collection.report.data import Assignment
from active_collection.report.data import Evaluation
from active_collection.report.data import FactorRange
from active_collection.report.data import TaskEvaluation
from active_collection.report.data import Term
from active_collection.report.data import Verdict
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment as Leased
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import Started
from active_collection.scheduling.ledger.ledger import LedgerReader

#: How an ensemble's id begins: when it was trained, UTC.
STAMP = '%Y%m%dT%H%M%S'

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class History:
    """
    What a ledger says.

    :param assignments: their round is 0 until `in_rounds` has numbered them
    :param ensembles: every ensemble that scored an episode, in order
    """

    assignments: tuple[Assignment, ...] = ()
    factors: Mapping[str, Mapping[str, FactorRange]] = field(default_factory=dict)
    ensembles: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


def read_ledger(path: Path) -> History:
    """
    Read the assignments and how each ended.

    :raises SchedulingError: where the ledger is missing or damaged
    """
    rows: dict[str, Assignment] = {}
    ensembles: dict[str, None] = {}
    space, verdicts = '', []
    with LedgerReader(path) as ledger:
        for entry in ledger.entries():
            event = entry.event
            if isinstance(event, Leased):
                rows[event.assignment_id] = Assignment(
                    event.assignment_id, event.scenario, event.request.robot, 0, entry.time_ns,
                    collector=event.collector, rule=event.rule, score=event.score,
                    terms=tuple(Term(t.name, t.value, t.weight) for t in event.terms),
                    outcome='running', ensemble_id=event.ensemble_id)
            elif isinstance(event, Ended) and event.assignment_id in rows:
                rows[event.assignment_id] = replace(
                    rows[event.assignment_id], outcome=event.cause, ended_ns=entry.time_ns)
            elif isinstance(event, Finished):
                key = event.assignment_id if event.assignment_id in rows else event.episode_id
                before = rows.get(key) or Assignment(
                    '', event.result.scenario, event.robot, 0,
                    entry.time_ns - int(event.result.duration_s * 1e9),
                    collector=event.result.source.value)
                rows[key] = replace(
                    before, episode_id=event.episode_id, outcome=event.result.outcome.value,
                    is_demonstration=event.result.is_demonstration,
                    ended_ns=before.ended_ns if before.episode_id else entry.time_ns)
            elif isinstance(event, EnsembleSeen):
                ensembles[event.ensemble_id] = None
            elif isinstance(event, Started):
                space = event.space
            elif isinstance(event, ModeChanged):
                verdicts = [] if event.mode != 'finished' else [
                    Verdict('scheduler', True, event.reason)]
    return History(tuple(rows.values()), _factors(space), tuple(ensembles), tuple(verdicts))


def _factors(space: str) -> dict[str, dict[str, FactorRange]]:
    """Return the range of each task's continuous factors; none of an unknown space."""
    try:
        tasks = ScenarioSpace.model_validate_json(space).tasks
    except ValueError:
        return {}
    return {
        name: {key: FactorRange(factor.low, factor.high, factor.unit)
               for key, factor in task.factors.items()
               if factor.low is not None and factor.high is not None}
        for name, task in tasks.items()}


def read_episodes(data: Path, warn: Warn) -> list[EpisodeRecord]:
    """Return the records of all closed episodes; one that cannot be read is warned of."""
    records = []
    for bag in find_episodes(data):
        try:
            record = read_record(bag)
        except ActiveCollectionError as error:
            warn(str(error))
            continue
        if record is not None:
            records.append(record)
    return records


def with_episodes(assignments: Sequence[Assignment],
                  records: Iterable[EpisodeRecord]) -> list[Assignment]:
    """
    Return the assignments with what the episodes' own records say, and the episodes without one.

    A record is amended after the ledger has counted it, and knows when the episode itself began
    and ended.
    """
    known = {a.episode_id or a.assignment_id: a for a in assignments}
    by_lease = {a.assignment_id: a for a in assignments if a.assignment_id and not a.episode_id}
    for record in records:
        before = known.get(record.episode_id)
        if before is None and record.assignment_id in by_lease:
            before = known.pop(record.assignment_id, None)
        if before is None:
            before = Assignment('', record.scenario, record.robot, 0, record.started_ns)
        known[record.episode_id] = replace(
            before, episode_id=record.episode_id, outcome=record.outcome.value,
            is_demonstration=record.is_demonstration,
            collector=_acted(record), ended_ns=record.finished_ns or before.ended_ns,
            ensemble_id=before.ensemble_id or record.uncertainty.ensemble_id)
    return sorted(known.values(), key=lambda a: (a.issued_ns, a.assignment_id, a.episode_id))


def _acted(record: EpisodeRecord) -> str:
    """Return who acted, in turn."""
    helped = record.tags.get(HELP_GIVEN)
    return f'{record.source.value}, then {helped}' if helped else record.source.value


def in_rounds(assignments: Sequence[Assignment], evaluations: Sequence[Evaluation],
              ensembles: Sequence[str]) -> tuple[Assignment, ...]:
    """
    Number each assignment's round: how many trainings came before it.

    The scheduler learns of an ensemble from the first episode that it scored, a little later than
    robots use it; so where ids say when they were trained, that time counts as well.
    """
    numbers = {e.ensemble_id: e.round + 1 for e in evaluations}
    last = 0
    for name in dict.fromkeys((*ensembles, *(a.ensemble_id for a in assignments))):
        if name:
            last = numbers.setdefault(name, last + 1)
    trained = [(at, number) for name, number in numbers.items() if (at := _trained_ns(name))]
    return tuple(
        replace(a, round=max((numbers.get(a.ensemble_id, 0),
                              *(number for at, number in trained if at <= a.issued_ns))))
        for a in assignments)


def _trained_ns(ensemble_id: str) -> int:
    """Return when an ensemble was trained (ns since 1970); 0 where its id does not say."""
    try:
        at = datetime.strptime(f"{ensemble_id.partition('-')[0]}+0000", f'{STAMP}%z')
    except ValueError:
        return 0
    return int(at.timestamp()) * 10**9


def read_evaluations(directory: Path, warn: Warn) -> list[Evaluation]:
    """Return the evaluations of a directory; one that cannot be read is warned of."""
    evaluations = []
    for path in sorted(directory.glob('*.json')):
        try:
            evaluations.append(_evaluation(path))
        except ReportError as error:
            warn(str(error))
    return evaluations


def _evaluation(path: Path) -> Evaluation:
    expected = 'ensemble_id, round and tasks of {success, episodes, epistemic}'
    try:
        data: Any = json.loads(path.read_text(encoding='utf-8'))
        tasks = {}
        for task, result in data['tasks'].items():
            successes, episodes = int(result['success']), int(result['episodes'])
            epistemic = result.get('epistemic')
            if not (is_safe_name(task) and 0 <= successes <= episodes):
                raise ReportError(f'{path}: tasks.{task}', found=result, expected=expected)
            tasks[task] = TaskEvaluation(
                successes, episodes, math.nan if epistemic is None else float(epistemic))
        return Evaluation(int(data['round']), str(data['ensemble_id']), tasks)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError,
            OverflowError) as error:
        raise ReportError(path, found=error, expected=expected
                          ) from error
