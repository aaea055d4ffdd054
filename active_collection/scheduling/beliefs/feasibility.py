# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which arrangements of a task can be set up and acted out, by what became of others."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from active_collection.episode import Outcome
from active_collection.scenario import Scenario
from active_collection.scheduling.beliefs.factor_space import Points
from active_collection.scheduling.beliefs.targets import OTHER_ENVIRONMENT
from active_collection.scheduling.beliefs.targets import Mask
from active_collection.scheduling.beliefs.targets import Point
from active_collection.scheduling.beliefs.targets import Targets
from active_collection.scheduling.beliefs.targets import TaskSpace
from active_collection.scheduling.events import GIVEN_UP
from active_collection.scheduling.events import Result

Floats = npt.NDArray[np.float64]
#: Chance that an arrangement can be set up and acted out of which nothing is known.
FEASIBLE = 0.95
#: Arrangements' worth of that belief, at each arrangement.
PULL = 2.0
#: What a coordinate may lose on its way through a factor's unit and back.
ROUNDING = 1e-9


class Feasibility:
    """
    What a task's results and what could not be set up say of its candidates.

    :param at: returns where a scenario lies; None where it is not of the space
    :param attempts: how often an arrangement is tried that is handed back each time
    """

    def __init__(self, space: TaskSpace, at: Callable[[Scenario], Point | None], *,
                 attempts: int) -> None:
        self._space = space
        self._at = at
        self._attempts = attempts

    def chance(self, targets: Targets, results: Collection[Result],
               handed_back: Sequence[Scenario]) -> Floats:
        """
        Return the chance of each candidate to be set up and acted out, shape (E, X).

        What could not be set up, and what was aborted or discarded and not but interrupted, counts
        against what is alike, and so does half of what a demonstrator failed at.
        """
        bad: list[tuple[Scenario, float]] = [(s, 1.0) for s in handed_back]
        good: list[tuple[Scenario, float]] = []
        for result in results:
            if result.is_interrupted:
                continue
            if result.outcome in GIVEN_UP:
                bad.append((result.scenario, 1.0))
            elif result.outcome is Outcome.FAILURE and not result.tries_own_policy:
                bad.append((result.scenario, 0.5))
                good.append((result.scenario, 0.5))
            else:
                good.append((result.scenario, 1.0))
        shape = targets.allowed.shape
        if not bad:
            return np.full(shape, FEASIBLE)
        against, every = np.zeros(shape), np.zeros(shape)
        for scenarios, is_bad in ((bad, True), (good, False)):
            alike = self._alike(targets, scenarios)
            every += alike
            against += alike * is_bad
        return np.asarray(1 - (PULL * (1 - FEASIBLE) + against) / (PULL + every))

    def _alike(self, targets: Targets, scenarios: list[tuple[Scenario, float]]) -> Floats:
        """Return the sum over scenarios of their weight times how alike each candidate is."""
        total = np.zeros(targets.allowed.shape)
        known = [(p, w) for s, w in scenarios if (p := self._at(s)) is not None]
        if not known:
            return total
        alike = self._space.factors.alike(
            np.array([p.at for p, _ in known]).reshape(len(known), -1), targets.candidates,
            self._space.length(targets.level))
        alike *= np.array([w for _, w in known])[:, None]
        total += OTHER_ENVIRONMENT * alike.sum(axis=0)
        for row, (point, _) in zip(alike, known, strict=True):
            if point.environment >= 0:
                total[point.environment] += (1 - OTHER_ENVIRONMENT) * row
        return total

    def refused(self, results: Collection[Result], handed_back: Sequence[Scenario]) -> list[Point]:
        """Return what was tried so often in vain that it is not tried again."""
        told = [result for result in results if not result.is_interrupted]
        given_up = Counter(handed_back)
        given_up.update(result.scenario for result in told if result.outcome in GIVEN_UP)
        in_vain = [scenario for scenario, times in given_up.items() if times >= self._attempts]
        if not in_vain:
            return []
        done = {result.scenario for result in told if result.outcome not in GIVEN_UP}
        return [point for scenario in in_vain
                if scenario not in done and (point := self._at(scenario)) is not None]


def tried_less(targets: Targets, refused: Sequence[Point]) -> Mask:
    """Return which candidates may be tried, shape (E, X): those refused while all are."""
    if not refused:
        return targets.allowed
    left = targets.allowed.copy()
    for point in refused:
        if point.environment >= 0:
            left[point.environment] &= ~is_same(targets.candidates, point.at)
    return np.where(left.any(axis=1, keepdims=True), left, targets.allowed)


def is_same(points: Points, point: Points) -> Mask:
    """Tell which points are one that was decoded and encoded, which rounds."""
    return np.asarray((np.abs(points - point) < ROUNDING).all(axis=1))
