# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast a topic's messages come, learned from the recent ones; and medians in little memory."""
from __future__ import annotations

import math
import statistics
from collections import deque

#: Periods that are remembered, and least number of them that tell a rate.
WINDOW = 64
LEAST_PERIODS = 10
#: A topic keeps a pace where nine tenths of its periods are at most this many medians.
IRREGULAR = 2.0


class Pace:
    """The recent periods of a topic that may keep a rate, or publish when something happens."""

    def __init__(self) -> None:
        self._periods_ns: deque[int] = deque(maxlen=WINDOW)
        self._last_ns = 0

    def arrived(self, receive_ns: int) -> None:
        """Take note of a message; a clock that was set back makes no period."""
        if 0 < self._last_ns < receive_ns:
            self._periods_ns.append(receive_ns - self._last_ns)
        self._last_ns = receive_ns

    def rate(self) -> float:
        """Return the rate that is kept (Hz): one over the median period; 0 where none is."""
        periods = sorted(self._periods_ns.copy())
        if len(periods) < LEAST_PERIODS:
            return 0.0
        median = statistics.median(periods)
        if periods[len(periods) * 9 // 10] > IRREGULAR * median:
            return 0.0
        return 1e9 / median


class Samples:
    """
    Values for a median, spread evenly over all that came, in bounded memory.

    :param limit: most values that are kept; even
    """

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._kept: list[float] = []
        self._stride = 1
        self._until_next = 1

    def is_due(self) -> bool:
        """Count a value, and tell whether it is one that is to be added."""
        self._until_next -= 1
        return self._until_next == 0

    def add(self, value: float) -> None:
        """Add the value that was due."""
        self._kept.append(value)
        if len(self._kept) >= self._limit:
            self._kept = self._kept[::2]
            self._stride *= 2
        self._until_next = self._stride

    def skip(self) -> None:
        """Take the next value in place of the one that was due."""
        self._until_next = 1

    def median(self) -> float:
        """Return the median; NaN without values."""
        kept = self._kept.copy()
        return statistics.median(kept) if kept else math.nan
