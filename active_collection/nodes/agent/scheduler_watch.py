# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether two schedulers lease to the same robot."""
from __future__ import annotations

#: A scheduler that was not heard for this long is gone (s); each speaks every 5 s at least.
GONE_S = 12.0


class SchedulerWatch:
    """
    Tells two schedulers from one that was started again.

    Each start has an id of its own. After a restart the former id is not heard again; where it is,
    both are there.
    """

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}
        self._back: set[str] = set()

    def hear(self, scheduler_id: str, now_s: float) -> None:
        """
        Take in that a scheduler has spoken.

        :param now_s: a steady clock (s)
        """
        self._forget(now_s)
        last = max(self._heard, key=self._heard.__getitem__, default=scheduler_id)
        if scheduler_id != last and scheduler_id in self._heard:
            self._back |= {scheduler_id, last}
        self._heard[scheduler_id] = now_s

    def is_two(self, now_s: float) -> bool:
        """Tell whether two are there."""
        self._forget(now_s)
        return len(self._back) > 1

    def _forget(self, now_s: float) -> None:
        self._heard = {key: at for key, at in self._heard.items() if now_s - at <= GONE_S}
        self._back &= self._heard.keys()
