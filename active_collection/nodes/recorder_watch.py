# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a robot's recorder still records the episode that is being acted out."""
from __future__ import annotations

import time

from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.scheduling.collection_robot import UnavailableError

#: A status this much older than the start of an episode may still tell of the time before (s).
STATUS_DELAY_S = 2.0


class RecorderWatch:
    """
    Follows a recorder's status and the episode that it has started last.

    :param silence_s: a recorder that was silent for this long is lost (s)
    """

    def __init__(self, *, silence_s: float) -> None:
        self._silence_s = silence_s
        self._seen_s = time.monotonic()
        self._recording_since_s = 0.0
        self._status: RecorderStatus | None = None
        self._started: Episode | None = None

    def on_status(self, status: RecorderStatus) -> None:
        """Take in a status."""
        self._status = status
        self._seen_s = time.monotonic()

    def on_episode(self, episode: Episode) -> None:
        """Take in what is told of an episode: of its start."""
        if episode.state == Episode.RECORDING:
            self._started = episode

    @property
    def is_heard(self) -> bool:
        """Tell whether the recorder has told anything yet."""
        return self._status is not None

    @property
    def open_id(self) -> str:
        """Return the id of the episode that it records, empty where it records none."""
        return str(self._status.episode_id) if self._status is not None else ''

    def record(self, episode_id: str) -> Episode | None:
        """Return what was told at the start of the episode that is open, if it was heard."""
        record = self._started
        is_it = record is not None and record.episode_id == episode_id == self.open_id
        return record if is_it else None

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
