# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Write the scenario space of Meta-World's MT10, with the ranges that Meta-World itself has.

    python -m active_collection.simulation.space > config/metaworld_mt10.yaml
"""
from __future__ import annotations

import sys
from collections.abc import Mapping

from active_collection.simulation.libraries import load_libraries
from active_collection.simulation.tasks import TASKS
from active_collection.simulation.tasks import SimulatedTask
from active_collection.simulation.world import World
from active_collection.task import Factor

HEADER = """\
# The scenario space of the simulated robots: the ten tasks of Meta-World's MT10 on one table.
# Written by `python -m active_collection.simulation.space`; a test keeps it equal.

# Version of this file's format.
format: 1

# Frame of every position: the base of the arm; x to its right, y ahead, z up (m).
frame: base_link

# Where tasks are done.
environments:
  tabletop:
    description: The table in front of a Sawyer arm; each simulated robot has its own
    # Robots that may work here at the same time.
    capacity: 64

# Who can work; a robot's name is its namespace without the slash. Other fleets list their own.
robots:
  robot_1:
    # Where it stands.
    environment: tabletop
  robot_2:
    environment: tabletop

# What is to be done. Keys of a task:
#   description       for people
#   skill_group       tasks that share a skill
#   reset             automatic: the robot can bring the scene to its start by itself
#   success           robot: the robot's own detector judges
#   cost              of one episode, in any unit; 1 is the default
#   time_limit_s      an episode that takes longer has failed (s)
#   minimum_episodes  collected of each task before uncertainty decides
#   collectors        who can act, in order of preference
#   factors           what is set up before an episode: positions between low and high, in unit
tasks:
"""

TASK = """\
  {name}:
    description: {description}
    skill_group: {skill_group}
    reset: automatic
    success: robot
    cost: 1.0
    time_limit_s: 30.0
    minimum_episodes: 2
    collectors: [scripted, policy]
    factors:
"""


def space_yaml(factors: Mapping[str, Mapping[str, Factor]]) -> str:
    """
    Return the scenario space as YAML.

    :param factors: task name to the factors of its object configuration
    """
    return HEADER + '\n'.join(_task(TASKS[name], found) for name, found in factors.items())


def metaworld_factors() -> dict[str, dict[str, Factor]]:
    """
    Return task name to factors, from Meta-World itself. Builds each of its worlds.

    :raises SimulationError: where Meta-World is not installed
    """
    libraries = load_libraries(draw=False)
    return {name: World(task, libraries).factors for name, task in TASKS.items()}


def _task(task: SimulatedTask, factors: Mapping[str, Factor]) -> str:
    text = TASK.format(name=task.name, description=task.description, skill_group=task.skill_group)
    return text + ''.join(
        f'      {name}: {{low: {factor.low:g}, high: {factor.high:g}, unit: {factor.unit}}}\n'
        for name, factor in factors.items())


if __name__ == '__main__':
    sys.stdout.write(space_yaml(metaworld_factors()))
