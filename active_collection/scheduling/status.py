# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scheduler tells of itself: what is out, what is believed, and what comes next."""
from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from active_collection.errors import SchedulingError
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.choosing.decision import DecisionMaker
from active_collection.scheduling.fleet.leases import NS
from active_collection.scheduling.fleet.leases import Deadlines
from active_collection.scheduling.fleet.state import FleetState

PROBABILITY_DRAWS = 64
#: A judgement that has not come for this long is told of (s).
WAITED_S = 600.0
S_PER_H = 3600.0
#: Quantiles of success that are told.
LOW = 0.05
HIGH = 0.95


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """
    What is known of one task.

    :param assigned: leases that are out
    :param success_low: 5 % quantile of the posterior of success
    :param success_high: 95 % quantile
    :param epistemic: expected normalised epistemic uncertainty; None before the first estimate
    :param probability: chance that the next assignment is this task, 0 to 1; NaN where the ledger
        could not be read to tell
    :param minimum: episodes that it is to have before the rule chooses
    :param maximum: episodes that it has at most; None for no limit
    :param boost: factor on its score over all environments
    """

    task: str
    assigned: int
    episodes: int
    successes: int
    failures: int
    aborted: int
    success_rate: float
    success_low: float
    success_high: float
    epistemic: float | None
    probability: float
    minimum: int
    maximum: int | None
    is_pinned: bool
    is_banned: bool
    boost: float


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """
    What the scheduler tells of itself.

    :param leases: that are out, each with the deadline that it has by now
    """

    mode: str
    message: str
    rule: str
    ensemble_id: str
    episodes: int
    revoked: int
    leases: tuple[Assignment, ...]
    tasks: tuple[TaskStatus, ...]


class StatusReporter:
    """
    Tells the scheduler's status, of which what takes long is kept until something changes.

    :param fleet: for reading
    :param rule: name of the acquisition rule
    """

    def __init__(self, fleet: FleetState, deadlines: Deadlines, maker: DecisionMaker, *,
                 rule: str) -> None:
        self._fleet = fleet
        self._deadlines = deadlines
        self._maker = maker
        self._rule = rule
        self._looked_at: tuple[object, ...] = ()
        self._probabilities: Floats = np.full(len(fleet.space.tasks), np.nan)

    def status(self, now_ns: int) -> SchedulerStatus:
        """Return the status at a ROS time (ns)."""
        fleet = self._fleet
        self._look_ahead(now_ns)
        return SchedulerStatus(
            mode=fleet.mode,
            message='; '.join(filter(None, [
                fleet.mode_reason, *map(str, fleet.orders.robots.values()),
                *self._stopped(), *self._waiting(now_ns)])),
            rule=self._rule,
            ensemble_id=fleet.beliefs.newest_id,
            episodes=int(fleet.beliefs.arrays().episodes.sum()),
            revoked=fleet.revoked,
            leases=tuple(self._deadlines.current(lease, now_ns)
                         for lease in fleet.leases.values()),
            tasks=_task_statuses(fleet, self._probabilities, now_ns=now_ns),
        )

    def _look_ahead(self, now_ns: int) -> None:
        """Have each task's chance to be next, as far as the ledger can be read; else the last."""
        fleet = self._fleet
        key = (fleet.sequence, fleet.orders.standing(now_ns))
        if self._looked_at == key:
            return
        with suppress(SchedulingError):
            self._probabilities = self._maker.probabilities(
                fleet, now_ns=now_ns, draws=PROBABILITY_DRAWS)
            self._looked_at = key

    def _stopped(self) -> list[str]:
        """Return which tasks have stopped, and why, where that is not the reason of the mode."""
        if self._fleet.mode == 'finished':
            return []
        return [f'{task} has stopped: {why}' for task, (why, _) in self._fleet.stopped.items()]

    def _waiting(self, now_ns: int) -> list[str]:
        """Return how many episodes wait for a judgement that has not come for long."""
        waiting = self._fleet.unjudged
        return [f'{count} of {task} wait for a judgement, the first of them since '
                f'{(now_ns - waiting.since_ns[task]) / NS / S_PER_H:.1f} h'
                for task, count in sorted(waiting.tasks.items())
                if count and now_ns - waiting.since_ns[task] >= WAITED_S * NS]


def _task_statuses(fleet: FleetState, probabilities: Floats, *,
                   now_ns: int) -> tuple[TaskStatus, ...]:
    """
    Return the status of every task, in the scenario space's order.

    :param probabilities: of each task to be assigned next, shape (T,)
    """
    arrays = fleet.beliefs.arrays()
    mean, low, high = _success(fleet)
    orders = fleet.orders.standing(now_ns)
    statuses = []
    for k, name in enumerate(fleet.space.tasks):
        belief = fleet.beliefs.task(name)
        statuses.append(TaskStatus(
            task=name,
            assigned=fleet.leased[name],
            episodes=int(arrays.episodes[k]),
            successes=belief.successes + belief.policy_successes,
            failures=belief.failures + belief.policy_failures,
            aborted=belief.aborted,
            success_rate=float(mean[k]),
            success_low=float(low[k]),
            success_high=float(high[k]),
            epistemic=float(arrays.epistemic[k]) if arrays.is_measured[k] else None,
            probability=float(probabilities[k]),
            minimum=fleet.space.tasks[name].minimum_episodes,
            maximum=fleet.space.tasks[name].maximum_episodes,
            is_pinned=orders.is_pinned(name),
            is_banned=orders.is_banned(name),
            boost=orders.boost(name),
        ))
    return tuple(statuses)


def _success(fleet: FleetState) -> tuple[Floats, Floats, Floats]:
    """
    Return the mean and two quantiles of the posterior of every task's success.

    Of a task that a policy may act out that is the newest policy's, of which nothing is known
    before there is one; of another, the demonstrators'.
    """
    arrays = fleet.beliefs.arrays()
    counts = [fleet.beliefs.task(name) for name in fleet.space.tasks]
    shown = np.array(['policy' not in t.collectors for t in fleet.space.tasks.values()])
    alpha = 1.0 + shown * np.array([c.successes for c in counts])
    beta = 1.0 + shown * np.array([c.failures for c in counts])
    learnt, curves = arrays.learnt, arrays.curves
    tried = ~shown & ((arrays.trials > 0) | (learnt > 0))
    return (np.where(tried, curves.mean(learnt), alpha / (alpha + beta)),
            np.where(tried, curves.quantile(learnt, LOW), betaincinv(alpha, beta, LOW)),
            np.where(tried, curves.quantile(learnt, HIGH), betaincinv(alpha, beta, HIGH)))
