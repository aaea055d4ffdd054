# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Object configurations that are kept for evaluation."""
from __future__ import annotations

import numpy as np

from active_collection.errors import SimulationError
from active_collection.registry import unknown
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.task import Factor
from active_collection.task import Value

#: Sets the random numbers of evaluation apart from all others that start from the same seed.
STREAM = 0x48454C44

#: Draws of a configuration until one that no exclusion covers.
DRAWS = 1000


def held_out_scenarios(space: ScenarioSpace, task: str, *, episodes: int,
                       seed: int) -> list[Scenario]:
    """
    Draw scenarios of a task, uniformly over its factors, for evaluation only.

    They depend on the seed, the task and its factors, and on nothing else: each round and each
    ensemble meets the same ones. They come from a stream of random numbers of their own, so that
    whatever else draws from the same seed meets others; continuous values never coincide.

    :param episodes: number of scenarios, at least 1
    :param seed: not negative
    :raises ActiveCollectionError: where the task is unknown or has no scenario
    """
    if task not in space.tasks:
        raise unknown('--tasks', task, list(space.tasks))
    environment = next((e for t, e in space.places if t == task), None)
    random = np.random.default_rng([STREAM, seed, *task.encode()])
    factors = space.tasks[task].factors
    found: list[Scenario] = []
    for _ in range(DRAWS * episodes if environment else 0):
        values = {name: _draw(factor, random) for name, factor in factors.items()}
        scenario = Scenario.of(task, environment or '', values)
        if not any(exclusion.covers(scenario) for exclusion in space.exclusions):
            found.append(scenario)
        if len(found) == episodes:
            return found
    raise SimulationError(f'task {task}', found=f'{len(found)} scenarios that are not excluded',
                          expected=f'{episodes}')


def _draw(factor: Factor, random: np.random.Generator) -> Value:
    if factor.values is not None:
        return str(random.choice(factor.values))
    return float(random.uniform(factor.low or 0.0, factor.high or 0.0))
