# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a node that has ended is started again."""
from __future__ import annotations

from collections import deque
from enum import Enum

#: Exit status of a node that was asked to end, and of one that a mistake of the user's stops.
ASKED_TO, MISTAKE = 0, 2


class Verdict(Enum):
    """What becomes of a node that has ended."""

    AGAIN = 'again'
    LEFT = 'left'
    GIVEN_UP = 'given up'


class Restarts:
    """
    A bound on how often one node is started again.

    A node that runs for weeks is started again each time that it dies; one that dies as soon as it
    is started is not, after a few times.

    :param most: restarts within that time
    :param within_s: time (s)
    """

    def __init__(self, *, most: int = 5, within_s: float = 120.0) -> None:
        self.most = most
        self.within_s = within_s
        self._at: deque[float] = deque()

    @property
    def recent(self) -> int:
        """Return how often it was started again within that time."""
        return len(self._at)

    def after(self, status: int, now_s: float) -> Verdict:
        """
        Return what becomes of the node, and count a restart.

        :param status: exit status; negative: the signal that killed it
        :param now_s: a steady clock (s)
        """
        if status == ASKED_TO:
            return Verdict.LEFT
        while self._at and self._at[0] <= now_s - self.within_s:
            self._at.popleft()
        if status == MISTAKE or len(self._at) >= self.most:
            return Verdict.GIVEN_UP
        self._at.append(now_s)
        return Verdict.AGAIN
