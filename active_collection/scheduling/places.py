# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The places of a scenario space, a task in an environment each, as arrays."""
from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from active_collection.scenario import ScenarioSpace

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


class Places:
    """
    The places of a space, P of them.

    :ivar names: (task, environment) of each
    :ivar tasks: names of all tasks; `environments`, of all environments
    :ivar task: index of each place's task, shape (P,); `environment`, of its environment
    :ivar local: index of each among the places of its task, shape (P,)
    :ivar index: of a (task, environment)
    """

    def __init__(self, space: ScenarioSpace) -> None:
        self.names = tuple(space.places)
        self.tasks = tuple(space.tasks)
        self.environments = tuple(space.environments)
        tasks = {name: k for k, name in enumerate(self.tasks)}
        environments = {name: k for k, name in enumerate(self.environments)}
        self.task: Integers = np.array([tasks[t] for t, _ in self.names], dtype=np.int64)
        self.environment: Integers = np.array(
            [environments[e] for _, e in self.names], dtype=np.int64)
        self.index = {place: k for k, place in enumerate(self.names)}
        counts: Counter[str] = Counter()
        self.local: Integers = np.zeros(len(self.names), dtype=np.int64)
        for k, (name, _) in enumerate(self.names):
            self.local[k] = counts[name]
            counts[name] += 1

    def __len__(self) -> int:
        return len(self.names)

    def of(self, task: str, environment: str) -> Mask:
        """Return which places are of a task and an environment, empty names for all, (P,)."""
        mask = np.ones(len(self), dtype=bool)
        if task:
            mask &= np.array([name == task for name in self.tasks])[self.task]
        if environment:
            mask &= np.array([name == environment for name in self.environments])[self.environment]
        return mask
