# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What became of a bag that was salvaged."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from active_collection.episode import EpisodeRecord
from active_collection.recording.disk import readable
from active_collection.recording.metadata import FileSummary
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.recorder_state import EpisodeEvent


@dataclass
class Kept:
    """
    What a salvage kept of a file, and what it could not.

    :param lost_bytes: of damaged records
    :param damages: why, each one line
    :param damaged_inside: whether more than the end is missing
    """

    file: FileSummary
    topics: tuple[TopicSummary, ...]
    lost_bytes: int
    damages: tuple[str, ...]
    damaged_inside: bool


@dataclass(frozen=True)
class Salvaged:
    """
    What became of a bag.

    :param path: the whole bag
    :param record: of the episode; None where the bag had none
    :param note: what is to be known besides: where the damaged bag is, and what it still has
    """

    path: Path
    record: EpisodeRecord | None
    kept: tuple[Kept, ...]
    note: str = ''

    @property
    def summary(self) -> str:
        """Say in one line what was kept and what was not."""
        if not self.kept:
            return self.note or 'it was complete'
        note = f'; {self.note}' if self.note else ''
        if self.is_empty:
            return f'it held no whole message ({self.damages}){note}'
        lost = sum(kept.lost_bytes for kept in self.kept)
        files = 'one file' if len(self.kept) == 1 else f'{len(self.kept)} files'
        text = f'kept {self.messages} messages in {files}'
        if self.damages:
            text += f', gave up {readable(lost)} ({self.damages})'
        return text + note

    @property
    def messages(self) -> int:
        """Return how many messages were kept."""
        return sum(kept.file.messages for kept in self.kept)

    @property
    def is_empty(self) -> bool:
        """Tell whether there was nothing to keep."""
        return bool(self.kept) and not self.messages

    @property
    def damages(self) -> str:
        """Say what was not kept, and why."""
        return '; '.join(damage for kept in self.kept for damage in kept.damages)


@dataclass(frozen=True)
class SalvagedEpisode:
    """An episode that was salvaged, and what is to be published of it."""

    event: EpisodeEvent
    summary: str
