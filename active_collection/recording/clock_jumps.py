# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Notice that ROS time jumps while an episode is recorded, so that its record says so."""
from __future__ import annotations

#: Tag of an episode during which ROS time has jumped: by how much, and when.
TAG = 'clock_jumps'
#: Further back than this, between two looks, is a jump and no adjustment of the clock (s).
BACK_S = 0.1
#: Further ahead of the monotonic clock than this is one (s). A simulator may run fast.
AHEAD_S = 1.0
SIMULATED_AHEAD_S = 60.0
#: A clock that jumps all the time is told of so often only.
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
        self._jumps: list[str] = []
        self._more = 0

    def look(self, ros_ns: int, monotonic: float) -> None:
        """
        Compare the clocks.

        :param ros_ns: ROS time (ns)
        :param monotonic: monotonic time (s)
        """
        passed_s, ros_s = monotonic - self._monotonic, (ros_ns - self._ros_ns) / 1e9
        self._ros_ns, self._monotonic = ros_ns, monotonic
        if ros_s >= -BACK_S and ros_s - passed_s <= self._ahead_s:
            return
        if len(self._jumps) == MOST:
            self._more += 1
            return
        self._jumps.append(f'{ros_s - passed_s:+.1f} s after {monotonic - self._began:.1f} s')

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
        return f'the clock jumped: {self.tags()[TAG]}' if self._jumps else ''

    def tags(self) -> dict[str, str]:
        """Return what the record says of it."""
        if not self._jumps:
            return {}
        more = [f'{self._more} more'] if self._more else []
        return {TAG: ', '.join([*self._jumps, *more])}
