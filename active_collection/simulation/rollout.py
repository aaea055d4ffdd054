# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Act out one episode."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from active_collection.simulation.observation import Array
from active_collection.simulation.observation import Observation
from active_collection.simulation.robot import SimulatedRobot


@dataclass(frozen=True)
class Rollout:
    """
    How an episode went.

    :param success: whether the task was done and stayed done
    :param steps: control steps that were taken
    """

    success: bool
    steps: int


def roll_out(robot: SimulatedRobot, act: Callable[[Observation], Array], *, max_steps: int,
             hold_steps: int = 1) -> Rollout:
    """
    Let a policy act from the scene as it is set up until the task is done or time is over.

    :param act: takes an observation, returns an action of shape (4,); what it raises ends the
        episode and is passed on
    :param max_steps: control steps at most
    :param hold_steps: success in this many steps in a row counts, so that a puck that rolls
        through the goal does not
    """
    held = 0
    for step in range(1, max_steps + 1):
        held = held + 1 if robot.step(act(robot.observe())) else 0
        if held >= hold_steps:
            return Rollout(success=True, steps=step)
    return Rollout(success=False, steps=max_steps)
