# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One simulated robot for all tests: worlds and cameras take a while to build."""
from __future__ import annotations

import importlib.util
import zlib

import numpy as np
import pytest

from active_collection.scenario import Scenario
from active_collection.simulation.libraries import load_libraries
from active_collection.simulation.robot import SimulatedRobot
from active_collection.simulation.tasks import TASKS

TASK_NAMES = tuple(TASKS)


def pytest_collection_modifyitems(items):
    if importlib.util.find_spec('metaworld') is None:
        for item in items:
            if 'robot' in getattr(item, 'fixturenames', ()):
                item.add_marker(pytest.mark.skip(reason='Meta-World is not installed'))


@pytest.fixture(scope='session', autouse=True)
def libraries():
    """Import MuJoCo with its camera before a test imports it without."""
    if importlib.util.find_spec('metaworld') is None:
        return None
    return load_libraries(draw=True)


@pytest.fixture(scope='session')
def robot(libraries):
    robot = SimulatedRobot(camera_size=128)
    yield robot
    robot.close()


@pytest.fixture
def random_scenario(robot):
    """Draw a scenario of a task, uniformly, the same for the same (task, seed)."""
    def draw(task: str, seed: int = 0) -> Scenario:
        random = np.random.default_rng([seed, zlib.crc32(task.encode())])
        return Scenario.of(task, 'tabletop', {
            name: float(random.uniform(factor.low, factor.high))
            for name, factor in robot.world(task).factors.items()})
    return draw
