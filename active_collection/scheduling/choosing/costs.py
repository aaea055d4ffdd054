# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an episode costs, with travel and reset."""
from __future__ import annotations

import numpy as np

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.places import Mask
from active_collection.scheduling.places import Places
from active_collection.scheduling.settings import SchedulerSettings


class Costs:
    """The cost of one episode at every place, in the unit of the tasks."""

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings,
                 places: Places) -> None:
        self._space = space
        self._settings = settings
        self._places = places
        self._task = np.array([t.cost for t in space.tasks.values()])[places.task]
        self._needs_no_reset = np.array(
            [t.reset == 'none' for t in space.tasks.values()])[places.task]
        self._travel_s = np.array([e.travel_s for e in space.environments.values()])

    def of(self, fleet: FleetState, request: Request, is_chained: Mask) -> Floats:
        """
        Return what an episode costs a robot, shape (P,) of all places.

        :param is_chained: whether the task can follow there without a reset, shape (P,)
        """
        where = self._whereabouts(fleet, request)
        here = np.array([e == where for e in self._places.environments])
        travel = np.where(here, 0.0, self._travel_s)[self._places.environment]
        return np.asarray(
            self._task + travel * self._settings.travel_cost
            + np.where(is_chained | self._needs_no_reset, 0.0, self._settings.reset_cost))

    def _whereabouts(self, fleet: FleetState, request: Request) -> str:
        """Return the environment that a robot is in, as far as is known."""
        scene, entry = fleet.scenes.get(request.robot), self._space.robots.get(request.robot)
        return (request.environment or (scene.environment if scene else '')
                or (entry.environment if entry else ''))
