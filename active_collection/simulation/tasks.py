# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ten tasks of Meta-World's MT10, as far as they are known without Meta-World installed."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from types import MappingProxyType
from typing import Literal

NONE: Mapping[str, tuple[float, float]] = MappingProxyType({})


@dataclass(frozen=True)
class SimulatedTask:
    """
    What this package adds to a Meta-World task.

    :param name: task name in a scenario space
    :param description: what is done, and what the object is
    :param skill_group: tasks that share a skill
    :param object_body: MuJoCo body that Meta-World places at object_x, object_y
    :param goal_body: body that it places at goal_x, goal_y; empty: the goal itself
    :param held: coordinates of Meta-World's reset space that do not become factors
    :param narrowed: factor to the range (m) that replaces Meta-World's
    :param quaternions: how Meta-World orders the object's quaternion in its observation; 'none':
        it gives no orientation, because the object only slides
    """

    name: str
    description: str
    skill_group: str
    object_body: str
    goal_body: str = ''
    held: tuple[str, ...] = ()
    narrowed: Mapping[str, tuple[float, float]] = field(default_factory=lambda: NONE)
    quaternions: Literal['xyzw', 'wxyz', 'none'] = 'xyzw'

    @property
    def metaworld_name(self) -> str:
        """Return Meta-World's own name: 'pick-place-v3'."""
        return f'{self.name.replace("_", "-")}-v3'


#: Meta-World draws again until object and goal are 0.15 m apart on the table. A configuration is
#: given, not drawn, so the ranges are cut to those in which every point is far enough apart.
APART = MappingProxyType({'object_y': (0.6, 0.67), 'goal_y': (0.825, 0.9)})

TASKS: Mapping[str, SimulatedTask] = MappingProxyType({task.name: task for task in (
    SimulatedTask('reach', 'Move the gripper to the goal; the puck on the table does not matter',
                  'reach', 'obj', narrowed=APART),
    # Meta-World reads the goal's height from its reset space and then replaces it by the puck's.
    SimulatedTask('push', 'Push the puck along the table to the goal', 'puck', 'obj',
                  held=('goal_z',), narrowed=APART),
    SimulatedTask('pick_place', 'Pick up the puck and hold it at the goal above the table', 'puck',
                  'obj', narrowed=APART),
    SimulatedTask('door_open', 'Open the door of the box by its handle', 'door', 'door'),
    SimulatedTask('drawer_open', 'Pull the drawer open by its handle', 'drawer', 'drawer',
                  quaternions='wxyz'),
    SimulatedTask('drawer_close', 'Push the open drawer shut', 'drawer', 'drawer',
                  quaternions='none'),
    SimulatedTask('button_press_topdown', 'Press the button on top of the box', 'button', 'box',
                  quaternions='wxyz'),
    SimulatedTask('peg_insert_side', 'Insert the peg into the hole in the side of the box; the '
                  'goal is where the box stands', 'peg', 'peg', 'box'),
    SimulatedTask('window_open', 'Slide the window open by its handle', 'window', 'window',
                  quaternions='none'),
    SimulatedTask('window_close', 'Slide the window shut by its handle', 'window', 'window',
                  quaternions='none'),
)})
