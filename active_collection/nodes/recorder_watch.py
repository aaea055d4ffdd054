# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a robot's recorder still records the episode that is being acted out."""
from __future__ import annotations

import time

from active_collection.msg import RecorderStatus
from active_collection.scheduling.collection_robot import UnavailableError

#: A status this much older than the start of an episode may still tell of the time before (s).
STATUS_DELAY_S = 2.0


class RecorderWatch:
    """
    Follows a recorder's status.

    :param silence_s: a recorder that was silent for this long is lost (s)
    """

    def __init__(self, *, silence_s: float) -> None:
        self._silence_s = silence_s
        self._seen_s = time.monotonic()
        self._recording_since_s = 0.0
        self._status: RecorderStatus | None = None

    def on_status(self, status: RecorderStatus) -> None:
        """Take in a status."""
        self._status = status
        self._seen_s = time.monotonic()

    def started(self) -> None:
        """Remember that the recorder has just said that it records."""
        self._seen_s = self._recording_since_s = time.monotonic()

    def check(self, episode_id: str) -> None:
        """
        Pass while the recorder records an episode.

        :raises UnavailableError: where it is lost, or has closed the episode by itself
        """
        if time.monotonic() - self._seen_s > self._silence_s:
            raise UnavailableError('the recorder is lost')
        status = self._status
        if (status is not None and status.episode_id != episode_id
                and self._seen_s - self._recording_since_s > STATUS_DELAY_S):
            raise UnavailableError('the recorder closed the episode: '
                                   f'{status.message or "it does not say why"}')
