# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the policy does not know what to do in the episode in which it acts."""
from __future__ import annotations

from active_collection.collecting.collection_robot import Activity
from active_collection.collecting.collection_robot import Phase


class PolicyDoubt:
    """
    What was heard of high uncertainty, in order. One thread writes it, another may read it.

    A policy that is lost from its first step may be heard before the recorder's answer that the
    episode is open; then it counts once the policy acts there.
    """

    def __init__(self) -> None:
        self._last = ('', '')  # in which episode, and why

    def begin(self, activity: Activity, episode_id: str, reason: str) -> None:
        """
        Take in that uncertainty is high.

        :param activity: what the robot is doing just now
        :param episode_id: in which episode it is; empty: in the one in which the policy acts
        """
        if activity.phase is not Phase.COLLECTING:
            if episode_id:
                self._last = (episode_id, reason)
        elif episode_id in {'', activity.episode_id}:
            self._last = (activity.episode_id, reason)

    def end(self, activity: Activity, episode_id: str) -> None:
        """Take in that it is so no longer; where the policy acts already, that comes too late."""
        if activity.phase is not Phase.COLLECTING and episode_id == self._last[0]:
            self._last = ('', '')

    def reason(self, episode_id: str) -> str:
        """Return why the policy does not know what to do in an episode; empty where it does."""
        where, why = self._last
        return why if where == episode_id else ''
