# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest values, in order of time and of size at once."""
from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Iterable


def quantile(ordered: list[float], share: float) -> float:
    """
    Return a quantile of sorted values, interpolated linearly; NaN of none.

    :param share: 0 (smallest) to 1 (largest)
    """
    if not ordered:
        return math.nan
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


class RankedWindow:
    """
    Holds so many of the newest values.

    :param values: finite, oldest first
    :param size: how many are kept at most
    """

    def __init__(self, values: Iterable[float], size: int) -> None:
        self._recent = deque(values, maxlen=size)
        self._ordered = sorted(self._recent)

    def __len__(self) -> int:
        return len(self._recent)

    @property
    def values(self) -> tuple[float, ...]:
        """Return the values, oldest first."""
        return tuple(self._recent)

    def add(self, value: float) -> None:
        """Take a value; the oldest goes where there are too many."""
        if len(self._recent) == self._recent.maxlen:
            del self._ordered[bisect.bisect_left(self._ordered, self._recent[0])]
        self._recent.append(value)
        bisect.insort(self._ordered, value)

    def quantile(self, share: float) -> float:
        """Return the value that this share lies below, interpolated; NaN of no values."""
        return quantile(self._ordered, share)
