# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One Meta-World task: place the objects, sense, act, ask the expert."""
from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from active_collection.errors import SimulationError
from active_collection.registry import unknown
from active_collection.simulation.libraries import Libraries
from active_collection.simulation.observation import ACTION_NAMES
from active_collection.simulation.observation import OBJECTS
from active_collection.simulation.observation import Array
from active_collection.simulation.observation import Observation
from active_collection.simulation.tasks import SimulatedTask
from active_collection.task import Factor
from active_collection.task import Value

COORDINATES = ('object_x', 'object_y', 'object_z', 'goal_x', 'goal_y', 'goal_z')

#: A range narrower than this (m) is no factor: its middle is taken.
NARROWEST = 0.005

#: How far a placed object may be from where it was asked for (m).
PLACEMENT_TOLERANCE = 0.001

#: Meta-World gives the opening of the gripper as a share of this (m).
WIDEST_OPENING = 0.1

JOINTS = (*(f'right_j{i}' for i in range(7)), 'r_close', 'l_close')


class World:
    """
    A Meta-World environment whose object configuration is given and not drawn.

    The same configuration and actions give the same states, whatever happened before.

    :param task: which one
    :raises SimulationError: where this Meta-World has no such task
    """

    def __init__(self, task: SimulatedTask, libraries: Libraries) -> None:
        self.task = task
        self._mujoco = libraries.mujoco
        self._state: Array
        self._previous: Array
        try:
            self._environment = libraries.environments[task.metaworld_name]()
            self._expert = libraries.experts[task.metaworld_name]()
        except KeyError as error:
            raise SimulationError(f'simulation: task {task.name!r}', found='not in Meta-World',
                                  expected='metaworld 3.1.1') from error
        self._show_goal()

    @property
    def model(self) -> Any:
        """Return MuJoCo's model, for a camera."""
        return self._environment.model

    @property
    def data(self) -> Any:
        """Return MuJoCo's state, for a camera."""
        return self._environment.data

    @cached_property
    def factors(self) -> dict[str, Factor]:
        """Return the factors of the object configuration: positions (m) in the robot's frame."""
        found = {}
        for name, (low, high) in self._ranges.items():
            if name not in self.task.held and high - low >= NARROWEST:
                found[name] = Factor(low=low, high=high, unit='m')
        return found

    def reset(self, configuration: Mapping[str, Value]) -> None:
        """
        Put the robot at its start and the objects where the configuration says.

        :param configuration: a value (m) for each of `factors`
        :raises SimulationError: where a factor is missing, unknown or out of range, or the
            objects do not come to stand there
        """
        self._check(configuration)
        coordinates = [
            float(configuration[name]) if name in self.factors else (low + high) / 2
            for name, (low, high) in self._ranges.items()]
        environment = self._environment
        environment._last_rand_vec = np.array(coordinates)  # noqa: SLF001 - the only way in
        environment.reset()
        # Meta-World moves bodies in the model; their poses are computed from it only here.
        self._mujoco.mj_forward(self.model, self.data)
        self._state = self._previous = self._read_state()
        self._check_placement(configuration)

    def placement(self) -> dict[str, float]:
        """Return where the objects and the goal are, in the simulation, as factors (m)."""
        here = self.data.body(self.task.object_body).xpos
        there = (self.data.body(self.task.goal_body).xpos if self.task.goal_body
                 else self._environment._target_pos)  # noqa: SLF001
        measured = dict(zip(COORDINATES, (*here, *there), strict=True))
        return {name: float(measured[name]) for name in self.factors}

    def observe(self) -> Observation:
        """Return what the robot senses."""
        state = self._state
        objects = np.zeros((OBJECTS, 7))
        objects[0, :3] = state[4:7]
        objects[0, 3:] = self._orientation(state[7:11])
        w, x, y, z = self.data.body('hand').xquat
        joints = [self.data.joint(name) for name in JOINTS]
        return Observation(
            hand_position=state[:3].copy(),
            hand_orientation=np.array([x, y, z, w]),
            gripper_opening=float(state[3]) * WIDEST_OPENING,
            objects=objects,
            goal=self._goal(),
            joint_names=JOINTS,
            joint_positions=np.array([joint.qpos[0] for joint in joints]),
            joint_velocities=np.array([joint.qvel[0] for joint in joints]))

    def expert_action(self) -> Array:
        """Return what Meta-World's scripted expert does here: shape (4,), each in -1 to 1."""
        seen = np.concatenate([self._state, self._previous, self._goal()])
        action: Array = np.clip(self._expert.get_action(seen), -1.0, 1.0).astype(np.float64)
        return action

    def step(self, action: Array) -> bool:
        """
        Act for one control step of 12.5 ms.

        :param action: shape (4,), see ACTION_NAMES; clipped to -1 to 1
        :returns: whether Meta-World counts the state that is reached as success
        :raises SimulationError: where the action has another shape or is not finite
        """
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (len(ACTION_NAMES),) or not np.isfinite(action).all():
            raise SimulationError('simulation: action', found=action.tolist(),
                                  expected=f'{len(ACTION_NAMES)} finite numbers')
        *_, information = self._environment.step(np.clip(action, -1.0, 1.0))
        # Meta-World has read the state for itself, and to read it anew takes a tenth of a step.
        self._state, self._previous = self._environment._prev_obs, self._state  # noqa: SLF001
        return bool(information['success'])

    @cached_property
    def _ranges(self) -> dict[str, tuple[float, float]]:
        """Return the range of each coordinate that Meta-World takes, in its order."""
        box = self._environment._random_reset_space  # noqa: SLF001
        ranges = zip(COORDINATES, zip(box.low.tolist(), box.high.tolist(), strict=True),
                     strict=False)
        return {name: self.task.narrowed.get(name, limits) for name, limits in ranges}

    def _show_goal(self) -> None:
        """Let the goal be seen, and episodes be as long as the caller wants."""
        environment = self._environment
        environment._partially_observable = False  # noqa: SLF001 - set_task takes only pickles
        environment._set_task_called = True  # noqa: SLF001
        del environment.sawyer_observation_space
        environment.max_path_length = sys.maxsize

    def _check(self, configuration: Mapping[str, Value]) -> None:
        where = f'scenario: {self.task.name}: configuration'
        for name in configuration:
            if name not in self.factors:
                raise unknown(where, name, list(self.factors))
        for name, factor in self.factors.items():
            value = configuration.get(name, math.nan)
            if not factor.allows(value):
                raise SimulationError(f'{where}.{name}', found=configuration.get(name, 'nothing'),
                                      expected=str(factor))

    def _check_placement(self, configuration: Mapping[str, Value]) -> None:
        for name, found in self.placement().items():
            wanted = float(configuration[name])
            if abs(found - wanted) > PLACEMENT_TOLERANCE:
                raise SimulationError(
                    f'simulation: {self.task.name}: {name}', found=f'{found:.4f} m after the '
                    'reset', expected=f'{wanted:.4f} m')

    def _read_state(self) -> Array:
        """Return Meta-World's own observation of this instant, without the goal: shape (18,)."""
        state: Array = self._environment._get_curr_obs_combined_no_goal()  # noqa: SLF001
        return state

    def _goal(self) -> Array:
        return np.array(self._environment._target_pos, dtype=np.float64)  # noqa: SLF001

    def _orientation(self, quaternion: Array) -> Array:
        if self.task.quaternions == 'none':
            return np.array([0.0, 0.0, 0.0, 1.0])
        if self.task.quaternions == 'wxyz':
            return np.roll(quaternion, -1)
        return quaternion
