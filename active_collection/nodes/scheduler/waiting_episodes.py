# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes that have come and cannot be counted yet, because the ledger cannot be used."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.episode import EpisodeRecord

#: Episodes that are kept: more than a fleet ends whose robots all get no other work.
MOST = 1000


class WaitingEpisodes:
    """
    Keeps episodes in the order in which they came, each revision once.

    :param most: how many; those that come later must be asked for again
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._records: dict[tuple[str, int], EpisodeRecord] = {}

    def __len__(self) -> int:
        return len(self._records)

    @property
    def records(self) -> list[EpisodeRecord]:
        """Return what is kept."""
        return list(self._records.values())

    def keep(self, records: Iterable[EpisodeRecord]) -> set[str]:
        """Keep episodes, and return the robots of those for which there is no room."""
        left = set()
        for record in records:
            if _revision(record) not in self._records and len(self._records) >= self._most:
                left.add(record.robot)
            else:
                self._records[_revision(record)] = record
        return left

    def counted(self, record: EpisodeRecord) -> None:
        """Keep an episode no longer."""
        self._records.pop(_revision(record), None)


def _revision(record: EpisodeRecord) -> tuple[str, int]:
    return record.episode_id, record.revision
