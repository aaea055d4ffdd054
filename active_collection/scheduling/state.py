# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scheduler tells of itself: the content of the topic `scheduler/state`."""
from __future__ import annotations

from dataclasses import dataclass

from scipy.special import betaincinv

from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.books import Books
from active_collection.scheduling.steering import covers

LOW = 0.05
HIGH = 0.95


@dataclass(frozen=True, slots=True)
class TaskState:
    """
    What is known of one task.

    :param assigned: leases that are out
    :param success_low: 5 % quantile of the posterior of success
    :param success_high: 95 % quantile
    :param epistemic: expected normalised epistemic uncertainty; None before the first estimate
    :param probability: chance that the next assignment is this task, 0 to 1
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
    is_pinned: bool
    is_banned: bool
    boost: float


def task_states(books: Books, probabilities: Floats, *, now_ns: int) -> tuple[TaskState, ...]:
    """
    Return the state of every task, in the scenario space's order.

    :param probabilities: of each task to be assigned next, shape (T,)
    """
    arrays = books.beliefs.arrays()
    low = betaincinv(arrays.alpha, arrays.beta, LOW)
    high = betaincinv(arrays.alpha, arrays.beta, HIGH)
    orders = books.steering.standing(now_ns)
    states = []
    for k, name in enumerate(books.space.tasks):
        belief = books.beliefs.task(name)
        mine = [order for order in orders if covers(order, name, order.environment)]
        boost = 1.0
        for order in mine:
            if order.command == 'boost' and not order.environment:
                boost *= order.factor
        states.append(TaskState(
            task=name,
            assigned=books.pending[name],
            episodes=int(arrays.episodes[k]),
            successes=belief.total('successes') + belief.total('policy_successes'),
            failures=belief.total('failures') + belief.total('policy_failures'),
            aborted=belief.total('aborted'),
            success_rate=float(arrays.alpha[k] / (arrays.alpha[k] + arrays.beta[k])),
            success_low=float(low[k]),
            success_high=float(high[k]),
            epistemic=float(arrays.epistemic[k]) if arrays.is_measured[k] else None,
            probability=float(probabilities[k]),
            is_pinned=any(order.command == 'pin' for order in mine),
            is_banned=any(o.command == 'ban' and not o.environment for o in mine),
            boost=boost,
        ))
    return tuple(states)
