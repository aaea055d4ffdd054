# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Notice that ROS time jumps while an episode is recorded, so that its record says so."""
from __future__ import annotations

from active_collection.episode import ClockJump

#: Further back than this, between two looks, is a jump and no adjustment of the clock (s).
BACK_S = 0.1
#: Further ahead of the monotonic clock than this is one, or behind it (s). A simulator may run
#: fast, and pause.
AHEAD_S = 1.0
SIMULATED_AHEAD_S = 60.0
#: A clock that jumps all the time is told of so often only; the last stands for all from there on.
MOST = 10


class ClockJumps:
    """
    Compares ROS time with the monotonic clock.

    Messages are recorded with the time that the clock told, whatever it was: a bag whose times
    somebody has tidied up belongs to no other log of the robot.

    :param ros_ns: ROS time at the start (ns)
    :param monotonic: monotonic time then (s)
    :param simulated: whether ROS time comes from a simulator, which may run fast or pause
    """

    def __init__(self, ros_ns: int, monotonic: float, *, simulated: bool = False) -> None:
        self._began = self._monotonic = monotonic
        self._ros_ns = ros_ns
        self._ahead_s = SIMULATED_AHEAD_S if simulated else AHEAD_S
        self._behind_s = float('inf') if simulated else AHEAD_S
        self._jumps: list[ClockJump] = []

    def look(self, ros_ns: int, monotonic: float) -> bool:
        """
        Compare the clocks.

        :param ros_ns: ROS time (ns)
        :param monotonic: monotonic time (s)
        :returns: whether there is a jump that was not there before
        """
        passed_s, ros_s = monotonic - self._monotonic, (ros_ns - self._ros_ns) / 1e9
        self._ros_ns, self._monotonic = ros_ns, monotonic
        by_s = ros_s - passed_s
        if ros_s >= -BACK_S and -self._behind_s <= by_s <= self._ahead_s:
            return False
        if len(self._jumps) == MOST:
            last = self._jumps[-1]
            self._jumps[-1] = ClockJump(last.after_s, last.by_s + by_s)
            return False
        self._jumps.append(ClockJump(monotonic - self._began, by_s))
        return True

    def finished_ns(self, started_ns: int, monotonic: float) -> int:
        """
        Return the time at which an episode ends (ns), by the last look.

        Where the clock says that it ends before it began, it is as long as it has lasted.

        :param started_ns: ROS time at which it began (ns)
        :param monotonic: monotonic time (s)
        """
        if self._ros_ns >= started_ns:
            return self._ros_ns
        return started_ns + round((monotonic - self._began) * 1e9)

    @property
    def message(self) -> str:
        """Return one line for a person; empty where the clock has kept its pace."""
        return f'the clock jumped: {", ".join(map(str, self._jumps))}' if self._jumps else ''

    @property
    def jumps(self) -> tuple[ClockJump, ...]:
        """Return how it was set, in order."""
        return tuple(self._jumps)
