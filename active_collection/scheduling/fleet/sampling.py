# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How much each episode weighs in training, so that no task and no outcome drowns another."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.fleet.detectors import Judges


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One episode as training data of one task.

    :param is_impersonated: whether it was collected for another task
    :param weight: probability with which it is drawn; all weights sum to 1
    """

    episode_id: str
    task: str
    outcome: Outcome
    is_impersonated: bool
    weight: float


def balanced(space: ScenarioSpace, records: Iterable[EpisodeRecord], *,
             success_share: float) -> list[Sample]:
    """
    Return sampling weights: equal for every task, and a constant share of successes within each.

    Data rebalancing of MT-Opt (Kalashnikov et al. 2021, section 4.3). A task that has only
    successes, or only failures, gives its whole weight to what it has.

    :param success_share: of a task's weight, 0 to 1; 1 leaves failures out, for imitation
    :returns: a sample per (episode, task), those of weight 0 left out
    """
    judges = Judges(space)
    seen: list[tuple[str, str, Outcome, bool]] = []
    for record in records:
        own = judges.outcome(record)
        if record.scenario.task in space.tasks and own in {Outcome.SUCCESS, Outcome.FAILURE}:
            seen.append((record.episode_id, record.scenario.task, own, False))
        seen += [(record.episode_id, task, outcome, True)
                 for task, outcome in judges.impersonated(record).items()]
    counts = Counter((task, outcome) for _, task, outcome, _ in seen)
    shares = {(task, outcome): _share(counts, task, outcome, success_share)
              for task, outcome in counts}
    tasks = {task for (task, _), share in shares.items() if share > 0}
    return [
        Sample(episode, task, outcome, impersonated,
               shares[task, outcome] / counts[task, outcome] / len(tasks))
        for episode, task, outcome, impersonated in seen if shares[task, outcome] > 0]


def _share(counts: Counter[tuple[str, Outcome]], task: str, outcome: Outcome,
           success_share: float) -> float:
    """Return what part of its task's weight an outcome gets."""
    other = Outcome.FAILURE if outcome is Outcome.SUCCESS else Outcome.SUCCESS
    share = success_share if outcome is Outcome.SUCCESS else 1 - success_share
    return 1.0 if share > 0 and not counts[task, other] else share
