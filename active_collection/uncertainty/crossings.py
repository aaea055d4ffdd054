# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""From flags of single steps to the stretches of time in which uncertainty is high."""
from __future__ import annotations

from dataclasses import dataclass

from active_collection.uncertainty.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Crossing:
    """
    The moment at which uncertainty gets high, or is no longer; see HighUncertainty.msg.

    :param begins: it gets high
    :param stamp_ns: of the observation that crossed the threshold (ns)
    :param value: that crossed it
    :param duration_s: where it ends: since it began (s)
    """

    begins: bool
    stamp_ns: int
    ensemble_id: str
    value: float
    threshold: float
    duration_s: float


class Crossings:
    """Turns estimates in order into crossings."""

    def __init__(self) -> None:
        self._began_ns: int | None = None
        self._last: Estimate | None = None

    def add(self, estimate: Estimate) -> Crossing | None:
        """Return the crossing that an estimate is; None if it is none."""
        self._last = estimate
        if estimate.high == (self._began_ns is not None):
            return None
        if estimate.high:
            self._began_ns = estimate.stamp_ns
            return self._crossing(estimate, begins=True)
        return self.end()

    def end(self) -> Crossing | None:
        """
        Return the end of what is high at the newest estimate; None if nothing is.

        For whatever ends it beside a lower value: an episode's border, another measure.
        """
        if self._began_ns is None or self._last is None:
            return None
        crossing = self._crossing(self._last, begins=False)
        self._began_ns = None
        return crossing

    def _crossing(self, estimate: Estimate, *, begins: bool) -> Crossing:
        since = estimate.stamp_ns if self._began_ns is None else self._began_ns
        return Crossing(
            begins=begins, stamp_ns=estimate.stamp_ns, ensemble_id=estimate.ensemble_id,
            value=estimate.value, threshold=estimate.threshold,
            # a clock that was set back gives no negative time
            duration_s=max(0, estimate.stamp_ns - since) / 1e9)
