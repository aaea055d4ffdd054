# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whose clock disagrees with the scheduler's, by the stamps of heartbeats."""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

#: Heartbeats of which the one that took least counts: the others waited for networks and machines.
WINDOW = 10
#: A robot that was not heard for this long is not told of any more (s).
SILENT_S = 15.0
#: Robots that a line names before it counts the rest.
MOST_NAMES = 5


@dataclass
class _Robot:
    """
    One robot's last heartbeats.

    :param delays_s: from its stamp to its arrival, each by its own clock (s)
    :param heard_s: when the last came (steady s)
    """

    delays_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    heard_s: float = 0.0


class ClockSkews:
    """
    How far the robots' clocks are ahead of the scheduler's, to within what a heartbeat takes.

    A heartbeat comes after it was sent, so the smallest of the last delays is how long one takes
    at least, less what the robot's clock is ahead: one that is late says nothing of the clocks. A
    clock that is set ahead shows at once, one that is set back after as many heartbeats.

    :param steady: a clock that nobody sets (s)
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._robots: dict[str, _Robot] = {}

    def heard(self, robot: str, *, stamp_ns: int, now_ns: int) -> None:
        """
        Take in a heartbeat.

        :param stamp_ns: ROS time of the robot when it was sent (ns); 0 where it does not say
        :param now_ns: ROS time of the scheduler (ns)
        """
        if not stamp_ns:
            return
        known = self._robots.setdefault(robot, _Robot())
        known.delays_s.append((now_ns - stamp_ns) / 1e9)
        known.heard_s = self._steady()

    def beyond(self, bound_s: float) -> dict[str, float]:
        """
        Return how far ahead clocks are (s, negative: behind) that differ by more than a bound.

        :param bound_s: (s); 0 for none
        """
        now = self._steady()
        self._robots = {name: robot for name, robot in self._robots.items()
                        if now - robot.heard_s <= SILENT_S}
        if not bound_s:
            return {}
        ahead_s = {name: -min(robot.delays_s) for name, robot in self._robots.items()}
        return {name: ahead for name, ahead in sorted(ahead_s.items()) if abs(ahead) > bound_s}


def in_words(ahead_s: dict[str, float]) -> str:
    """Return what `beyond` returned as one line for a person; empty for none."""
    if not ahead_s:
        return ''
    told = [f'{name} is {abs(ahead):.1f} s {"ahead" if ahead > 0 else "behind"}'
            for name, ahead in list(ahead_s.items())[:MOST_NAMES]]
    more = len(ahead_s) - MOST_NAMES
    return (f"clocks that differ from the scheduler's: {', '.join(told)}"
            f'{f" and {more} more" if more > 0 else ""}')
