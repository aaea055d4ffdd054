# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the disk takes what the topics bring, with the syncs that outlive a power cut."""
from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from active_collection.errors import in_words
from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.recording.disk import readable
from active_collection.recording.store import EpisodeStore
from active_collection.recording.write_rate import WriteRate

#: Written at most, in pieces that are synced one by one, and for so long at most (s).
MOST_BYTES = 64 * 1024 * 1024
PIECE_BYTES = 4 * 1024 * 1024
LIMIT_S = 1.5
#: A disk that is only just fast enough has nothing left for the copy to the store.
HEADROOM = 2.0
REMEDY = ('record to an SSD (data_directory), compress (compression: zstd), or record less '
          '(topics, exclude)')


@dataclass(frozen=True)
class Measured:
    """
    What a disk did.

    :param rate: bytes/s, syncs included
    :param longest_s: longest time for a piece to be safe (s)
    """

    size: int
    rate: float
    longest_s: float


class Speed:
    """A small file, written and synced as the recorder does it, which never has a name."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return one finding."""
        free = subject.disk.free(subject.nearest)
        if free < subject.settings.disk_reserve_bytes + MOST_BYTES:
            return [skipped(f'{readable(free)} free: too little to try')]
        try:
            measured = measure(subject.nearest)
        except OSError as error:
            return [wrong(f'{subject.nearest}: {in_words(error)} after less than '
                          f'{readable(MOST_BYTES)}', expected='a disk that takes it',
                          remedy='dmesg | tail; df -h; quota')]
        needed = subject.rate or WriteRate(
            EpisodeStore(subject.path), robot=subject.robot).mean()
        text = f'{readable(measured.rate)}/s written and synced ({readable(measured.size)})'
        if not needed:
            return [ok(f'{text}; no episode or live topic says what is needed')]
        stall_s = subject.settings.queue_bytes / needed
        if measured.rate < needed:
            return [wrong(text, expected=f'{readable(needed)}/s, which the topics bring',
                          remedy=REMEDY)]
        if measured.longest_s > stall_s:
            return [wrong(f'a sync took {measured.longest_s:.2f} s',
                          expected=f'at most {stall_s:.2f} s: then the queue (queue_bytes) is '
                          f'full at {readable(needed)}/s', remedy=REMEDY)]
        if measured.rate < HEADROOM * needed:
            return [warning(text, expected=f'twice the {readable(needed)}/s that the topics bring',
                            remedy=REMEDY)]
        return [ok(f'{text}, {readable(needed)}/s needed, longest sync '
                   f'{measured.longest_s:.3f} s')]


def measure(directory: Path) -> Measured:
    """
    Write a file that has no name in the directory, and return how fast that went.

    :raises OSError: where the disk refuses
    """
    piece = os.urandom(PIECE_BYTES)  # a file system may compress what is not random
    size, longest_s = 0, 0.0
    began = time.monotonic()
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        while size < MOST_BYTES and time.monotonic() - began < LIMIT_S:
            at = time.monotonic()
            written = file.write(piece)
            os.fsync(file.fileno())
            size += written
            longest_s = max(longest_s, time.monotonic() - at)
        passed_s = time.monotonic() - began
    return Measured(size, size / passed_s, longest_s)
