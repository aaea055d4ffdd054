# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How often something is told that is not worth telling at each change."""
from __future__ import annotations


class PublishRate:
    """
    Tells when it is time: soon after a change, now and then without, never so often that it hurts.

    Every change is told in the end, since what is told is the state and not the change.

    :param soonest_s: least time between two (s)
    :param latest_s: greatest time between two, changes or not (s)
    :param share: part of the time that telling may take, 0 to 1; it then comes later, up to
        `latest_s`
    """

    def __init__(self, *, soonest_s: float, latest_s: float, share: float) -> None:
        self._soonest_s = soonest_s
        self._latest_s = latest_s
        self._share = share
        self._told: tuple[object, float] | None = None
        self._pause_s = soonest_s

    def is_due(self, version: object, now_s: float) -> bool:
        """
        Tell whether it is time.

        :param version: differs from that of the last time if there was a change
        :param now_s: steady time (s)
        """
        if self._told is None:
            return True
        last, when_s = self._told
        pause_s = self._pause_s if version != last else self._latest_s
        return now_s - when_s >= pause_s

    def told(self, version: object, began_s: float, ended_s: float) -> None:
        """
        Take in that it was told.

        :param began_s: steady time when that began, and `ended_s`, when it was done (s)
        """
        wanted_s = (ended_s - began_s) / self._share
        self._pause_s = min(max(self._soonest_s, wanted_s), self._latest_s)
        self._told = version, began_s
