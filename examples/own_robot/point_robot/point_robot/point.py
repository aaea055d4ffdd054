# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A point that moves in a plane, and a script that demonstrates how it gets to its goal."""
import math
import random
from dataclasses import dataclass

#: How far it reaches from where it starts [m], and how fast it moves along each axis [m/s].
REACH_M = 0.6
SPEED_M_S = 0.5
#: It is there when it is as near as this [m].
TOLERANCE_M = 0.01


@dataclass
class Point:
    """Where it is, and where it is to go [m]."""

    x: float = 0.0
    y: float = 0.0
    goal_x: float = 0.0
    goal_y: float = 0.0

    @property
    def distance_m(self) -> float:
        """Return how far it is from its goal."""
        return math.hypot(self.goal_x - self.x, self.goal_y - self.y)

    @property
    def is_there(self) -> bool:
        """Tell whether it has reached its goal."""
        return self.distance_m <= TOLERANCE_M

    def move(self, velocity: tuple[float, float], seconds: float) -> None:
        """Move for a time, no faster than it can."""
        self.x += limited(velocity[0]) * seconds
        self.y += limited(velocity[1]) * seconds


def demonstrated(point: Point, noise: random.Random) -> tuple[float, float]:
    """Return the velocity that brings it nearer [m/s]: four times the distance left, a second."""
    return (limited(4.0 * (point.goal_x - point.x) + noise.gauss(0.0, 0.005)),
            limited(4.0 * (point.goal_y - point.y) + noise.gauss(0.0, 0.005)))


def limited(velocity: float) -> float:
    """Return a velocity along one axis that it can do."""
    return max(-SPEED_M_S, min(SPEED_M_S, velocity))
