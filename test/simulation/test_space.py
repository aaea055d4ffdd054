# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection import config
from active_collection.errors import ConfigError
from active_collection.errors import SimulationError
from active_collection.scenario import Exclusion
from active_collection.scenario import ScenarioSpace
from active_collection.simulation.held_out import held_out_scenarios
from active_collection.simulation.space import space_yaml
from active_collection.simulation.tasks import TASKS

FILE = Path(__file__).parents[2] / 'config' / 'metaworld_mt10.yaml'
SPACE = config.load(FILE, ScenarioSpace)


def test_scenario_space_is_what_meta_world_has(robot):
    factors = {task: robot.world(task).factors for task in TASKS}
    assert FILE.read_text() == space_yaml(factors)


def test_every_scenario_of_the_space_can_be_set_up(robot):
    for task in TASKS:
        for scenario in held_out_scenarios(SPACE, task, episodes=3, seed=5):
            SPACE.check(scenario)
            robot.set_up(scenario)


@given(st.integers(0, 2 ** 32), st.sampled_from(list(TASKS)), st.integers(1, 8))
def test_held_out_scenarios_are_the_same_for_the_same_seed_and_in_the_space(seed, task, episodes):
    drawn = held_out_scenarios(SPACE, task, episodes=episodes, seed=seed)
    assert drawn == held_out_scenarios(SPACE, task, episodes=episodes, seed=seed)
    assert len(set(drawn)) == episodes
    assert drawn == held_out_scenarios(SPACE, task, episodes=episodes + 3, seed=seed)[:episodes]
    for scenario in drawn:
        SPACE.check(scenario)


def test_held_out_scenarios_are_not_those_that_the_bare_seed_draws():
    factors = SPACE.tasks['push'].factors
    random = np.random.default_rng(0)
    drawn = {random.uniform(f.low, f.high) for _ in range(100) for f in factors.values()}
    held_out = held_out_scenarios(SPACE, 'push', episodes=100, seed=0)
    assert not drawn & {value for scenario in held_out for value in scenario.values.values()}


def test_held_out_scenarios_of_an_unknown_or_excluded_task_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'push'"):
        held_out_scenarios(SPACE, 'psh', episodes=1, seed=0)
    closed = SPACE.model_copy(update={'exclusions': (Exclusion(task='push'),)})
    with pytest.raises(SimulationError, match='task push'):
        held_out_scenarios(closed, 'push', episodes=1, seed=0)
