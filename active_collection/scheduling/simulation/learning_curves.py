# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How tasks are taken to be learnt: from a file, fitted to a ledger, or all alike."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from active_collection.config import Model
from active_collection.config import load
from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.replay import remember


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


def assumed(space: ScenarioSpace, *, file: Path | None = None,
            ledger: str | None = None) -> LearningCurves:
    """
    Return the curves of a file, else those fitted to a ledger, else one curve for every task.

    :param ledger: its path or URL
    :raises ActiveCollectionError: where file or ledger cannot be read
    """
    if file is not None:
        return load(file, LearningCurves)
    if not ledger:
        return LearningCurves(tasks=dict.fromkeys(space.tasks, TaskCurve()))
    with LedgerReader(ledger) as reader:
        name, fleet = reader.name, remember(reader)
    if fleet is None:
        raise SchedulingError(name, found='no event', expected="a fleet's ledger")
    return fitted(fleet)


def fitted(fleet: FleetState) -> LearningCurves:
    """
    Return the curves that a ledger's own episodes give.

    The power law through the expected success after as many demonstrations as there are and after
    four times as many, with no floor that nobody has seen; and how long episodes took.
    """
    arrays = fleet.beliefs.arrays()
    known = np.maximum(arrays.learnt + arrays.fresh, 1.0)
    now = np.maximum(1 - arrays.curves.mean(known), 1e-3)
    later = np.maximum(1 - arrays.curves.mean(np.round(4 * known)), 1e-3)
    b = np.clip(np.log(now / later) / np.log((4 * known + 1) / (known + 1)), 0.0, 2.0)
    a = np.clip(now * (known + 1) ** b, 0.0, 1.0)
    level = arrays.epistemic * (known + 1.0) ** b
    seconds = arrays.seconds / np.maximum(arrays.episodes, 1)
    return LearningCurves(tasks={
        name: TaskCurve(a=float(a[k]), b=float(b[k]),
                        uncertainty=float(min(level[k], 1.0)) if arrays.is_measured[k] else 0.2,
                        duration_s=float(seconds[k]) or TaskCurve().duration_s)
        for k, name in enumerate(fleet.space.tasks)})
