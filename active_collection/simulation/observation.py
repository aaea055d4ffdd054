# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a simulated robot senses at one control step."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Frame of every position: the base of the Sawyer arm; x to its right, y ahead, z up (m).
FRAME = 'base_link'

#: The command of one control step: displacement of the hand (1 = 1 cm) and closing of the gripper
#: (-1 opens, 1 closes), each in -1 to 1.
ACTION_NAMES = ('ee_dx', 'ee_dy', 'ee_dz', 'gripper')

#: Objects in an observation; Meta-World's tasks have one or two.
OBJECTS = 2


@dataclass(frozen=True, eq=False)
class Observation:
    """
    The state of robot and scene, in FRAME.

    :param hand_position: of the gripper's wrist, shape (3,), m
    :param hand_orientation: unit quaternion x, y, z, w, shape (4,)
    :param gripper_opening: between the fingers, 0 to 0.1 m
    :param objects: position (m) and unit quaternion x, y, z, w, shape (OBJECTS, 7); zeros where
        the task has no such object
    :param goal: where the task wants the object, or the hand, shape (3,), m
    :param joint_names: of the arm's joints, then the two fingers'
    :param joint_positions: rad for the arm, m for the fingers, shape (len(joint_names),)
    :param joint_velocities: rad/s and m/s, the same shape
    """

    hand_position: Array
    hand_orientation: Array
    gripper_opening: float
    objects: Array
    goal: Array
    joint_names: tuple[str, ...]
    joint_positions: Array
    joint_velocities: Array
