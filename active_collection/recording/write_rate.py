# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast a robot's recent episodes have filled the disk."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from itertools import islice

from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import readable_record
from active_collection.recording.store import size_of

#: Episodes that count as recent.
EPISODES = 5
#: Directories that are looked at for them, where no index knows: others' may fill the disk.
LOOKED_AT = 25
#: A shorter episode counts as one of this length (s): what every bag has beside its messages
#: would pass for a high rate.
SHORTEST_S = 1.0


class WriteRate:
    """
    The mean rate of the last episodes, those before the recorder's last start included.

    Not for two threads at once.

    :param robot: whose episodes count; several robots may share a data directory
    """

    def __init__(self, store: EpisodeStore, *, robot: str) -> None:
        self._store = store
        self._robot = robot
        #: Gives size (bytes) and duration (s) of so many last episodes, the newest first.
        self.earlier: Callable[[int], Sequence[tuple[int, float]]] = lambda count: ()
        self._recent: deque[tuple[int, float]] | None = None

    def add(self, size: int, duration_s: float) -> None:
        """
        Take an episode that has been closed as the newest.

        :param size: on the disk (bytes)
        """
        self._known().append((size, max(duration_s, SHORTEST_S)))

    def mean(self) -> float:
        """Return the rate (bytes/s); 0 where no episode is known."""
        recent = self._known()
        duration_s = sum(duration for _, duration in recent)
        return sum(size for size, _ in recent) / duration_s if duration_s else 0.0

    def mean_size(self) -> float:
        """Return the size of an episode on the disk (bytes); 0 where no episode is known."""
        recent = self._known()
        return sum(size for size, _ in recent) / len(recent) if recent else 0.0

    def _known(self) -> deque[tuple[int, float]]:
        if self._recent is None:
            self._recent = deque(maxlen=EPISODES)
            for size, duration_s in reversed(self.earlier(EPISODES) or self._stored()):
                self.add(size, duration_s)
        return self._recent

    def _stored(self) -> list[tuple[int, float]]:
        """Return size (bytes) and duration (s) of closed episodes, the newest first."""
        found: list[tuple[int, float]] = []
        for path in islice(self._store.newest(), LOOKED_AT):
            record = readable_record(path)
            if record is not None and record.robot == self._robot and record.finished_ns:
                found.append((size_of(path), record.duration_s))
            if len(found) == EPISODES:
                break
        return found
