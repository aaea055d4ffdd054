# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A threshold that flags a budgeted share of steps, whatever the scale of the values."""
from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Iterable

from active_collection.uncertainty.settings import ThresholdSettings


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


class AdaptiveThreshold:
    """
    The value that `budget` of the recent steps exceed, with hysteresis.

    A budget instead of a threshold is ThriftyDAgger's (Hoque et al. 2021, "ThriftyDAgger:
    budget-aware novelty and risk gating for interactive imitation learning"); that a flag is taken
    back lower than it is raised, LazyDAgger's (Hoque et al. 2021, "LazyDAgger: reducing context
    switching in interactive imitation learning").

    :param seed: values to start from: those on held-out episodes under the same ensemble; they
        leave the window as steps come in
    """

    def __init__(self, settings: ThresholdSettings, seed: Iterable[float] = ()) -> None:
        self._settings = settings
        self._recent = deque(seed, maxlen=settings.window)
        self._ordered = sorted(self._recent)
        self._is_high = False

    @property
    def recent(self) -> tuple[float, ...]:
        """Return the values in the window, oldest first."""
        return tuple(self._recent)

    @property
    def value(self) -> float:
        """Return the threshold in force; NaN until there are `minimum` values."""
        if len(self._ordered) < self._settings.minimum:
            return math.nan
        return quantile(self._ordered, 1 - self._settings.budget)

    def flag(self, value: float) -> bool:
        """
        Tell whether a step's value is high, and learn from it.

        The step is judged by the values before it.

        :param value: finite
        """
        threshold = self.value
        limit = threshold * (self._settings.release if self._is_high else 1.0)
        self._is_high = value > limit  # NaN compares false: nothing is high before calibration
        self._remember(value)
        return self._is_high

    def _remember(self, value: float) -> None:
        if len(self._recent) == self._settings.window:
            del self._ordered[bisect.bisect_left(self._ordered, self._recent[0])]
        self._recent.append(value)
        bisect.insort(self._ordered, value)
