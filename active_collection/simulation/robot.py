# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot at a table that can do every task of MT10, without ROS."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import SimulationError
from active_collection.registry import unknown
from active_collection.scenario import Scenario
from active_collection.simulation.camera import Camera
from active_collection.simulation.libraries import load_libraries
from active_collection.simulation.observation import Array
from active_collection.simulation.observation import Observation
from active_collection.simulation.tasks import TASKS
from active_collection.simulation.world import World


class SimulatedRobot:
    """
    Sets scenarios up and acts in them.

    A task's world is built when it is first needed (0.2 s, 30 MB) and kept. Everything must be
    called from one thread.

    :param camera_size: width and height of the camera's pictures (pixels); 0: no camera
    :raises SimulationError: where Meta-World is not installed
    """

    def __init__(self, *, camera_size: int = 0) -> None:
        self._libraries = load_libraries(draw=camera_size > 0)
        self._camera_size = camera_size
        self._camera: Camera | None = None
        self._worlds: dict[str, World] = {}
        self._world: World | None = None
        self.camera_problem = self._libraries.camera_problem

    def world(self, task: str) -> World:
        """
        Return a task's world.

        :raises ConfigError: where there is no such task
        """
        if task not in self._worlds:
            if task not in TASKS:
                raise unknown('scenario: task', task, list(TASKS))
            self._worlds[task] = World(TASKS[task], self._libraries)
        return self._worlds[task]

    def middle(self, task: str) -> Scenario:
        """Return a task's scenario with each factor in the middle of its range."""
        factors = self.world(task).factors
        return Scenario.of(task, '', {
            name: ((f.low or 0.0) + (f.high or 0.0)) / 2 for name, f in factors.items()})

    def set_up(self, scenario: Scenario) -> None:
        """
        Bring robot and scene to the start of a scenario.

        :raises ActiveCollectionError: where the task is unknown, or the configuration is not one
            of its own
        """
        world = self.world(scenario.task)
        self._world = None
        world.reset(scenario.values)
        self._world = world

    @property
    def is_set_up(self) -> bool:
        """Tell whether there is a scene to sense and act in."""
        return self._world is not None

    def observe(self) -> Observation:
        """Return what it senses."""
        return self._current.observe()

    def expert_action(self) -> Array:
        """Return what the scripted expert does here: shape (4,), each in -1 to 1."""
        return self._current.expert_action()

    def step(self, action: Array) -> bool:
        """
        Act for one control step.

        :param action: shape (4,), see ACTION_NAMES
        :returns: whether the state that is reached is a success
        """
        return self._current.step(action)

    def frame(self) -> tuple[NDArray[np.uint8], float] | None:
        """
        Return a picture of the scene, RGB of shape (size, size, 3), and its focal length (pixels).

        None where there is no camera: `camera_problem` says why.

        :raises SimulationError: where nothing has been set up
        """
        if self.camera_problem or not self._camera_size:
            return None
        world = self._current
        try:
            if self._camera is None:
                self._camera = Camera(self._libraries, size=self._camera_size)
            self._camera.look_at(world)
        except SimulationError as error:
            self.camera_problem = str(error)
            return None
        return self._camera.frame(), self._camera.focal_length

    def close(self) -> None:
        """Free the camera."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    @property
    def _current(self) -> World:
        if self._world is None:
            raise SimulationError('simulated robot', found='no scenario', expected='a set-up')
        return self._world
