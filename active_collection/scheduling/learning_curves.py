# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How tasks are learnt, for a simulation: from a file, made up, or fitted to a ledger."""
from __future__ import annotations

import numpy as np
from pydantic import Field

from active_collection.config import Model
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.books import Books
from active_collection.scheduling.curves import fit


class TaskCurve(Model):
    """
    How a task's policy learns: success(n) = ceiling - a (n / scale + 1)^-b of n demonstrations.

    The ensemble's epistemic uncertainty, which is of what more demonstrations would change, falls
    as that part of the failures does: uncertainty (n / scale + 1)^-b.

    :param scale: demonstrations before which hardly anything is learnt, and after which each
        doubling counts
    """

    scale: float = Field(default=1.0, ge=0.1, le=1e6)
    a: float = Field(default=1.0, ge=0, le=1)
    b: float = Field(default=0.3, ge=0, le=2)
    ceiling: float = Field(default=1.0, ge=0, le=1)
    demonstrator: float = Field(default=0.95, ge=0, le=1)
    uncertainty: float = Field(default=0.2, ge=0, le=1)
    duration_s: float = Field(default=30.0, gt=0)

    def success(self, demonstrations: float) -> float:
        """Return the policy's success after so many demonstrations, 0 to 1."""
        return max(0.0, self.ceiling - self.a * self._unlearnt(demonstrations))

    def epistemic(self, demonstrations: float) -> float:
        """Return the ensemble's expected epistemic uncertainty then."""
        return self.uncertainty * self._unlearnt(demonstrations)

    def _unlearnt(self, demonstrations: float) -> float:
        return float((demonstrations / self.scale + 1) ** -self.b)


class LearningCurves(Model):
    """The learning curve of every task, from a YAML file."""

    tasks: dict[str, TaskCurve] = Field(min_length=1)


def made_up(space: ScenarioSpace, seed: int) -> LearningCurves:
    """
    Return curves drawn at random: easy tasks, slow ones, and some that never get good.

    Half of what a task can reach is learnt after 1 to 200 demonstrations or so, as on the tasks of
    Meta-World, which differ that much. The rank correlation of uncertainty and failure over the
    tasks is 0.44, 0.52 and 0.57 after 2, 5 and 10 demonstrations (there it is 0.84 to 0.88).
    """
    random = np.random.default_rng(seed)
    return LearningCurves(tasks={
        name: TaskCurve(
            scale=float(np.exp(random.uniform(0.0, np.log(100.0)))),
            a=float(random.uniform(0.7, 1.0)), b=float(random.uniform(0.5, 1.5)),
            ceiling=float(random.choice([1.0, 1.0, 1.0, 0.3])),
            uncertainty=float(random.uniform(0.15, 0.25)))
        for name in space.tasks})


def fitted(books: Books) -> LearningCurves:
    """Return the curves that a ledger's own episodes give."""
    arrays = books.beliefs.arrays()
    curves = fit(arrays)
    level = arrays.epistemic * (arrays.demonstrations + 1.0) ** curves.b
    return LearningCurves(tasks={
        name: TaskCurve(a=float(curves.a[k]), b=float(curves.b[k]),
                        uncertainty=float(min(level[k], 1.0)) if arrays.is_measured[k] else 0.2)
        for k, name in enumerate(books.space.tasks)})
