# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Free space where episodes are written, and what the next episode will take of it."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """What the recorder asks of a disk."""

    def free(self, path: Path) -> int:
        """
        Return the bytes that this user may still write where the path is.

        :raises OSError: where the path is gone
        """


class LocalDisk:
    """The disk of this machine."""

    def free(self, path: Path) -> int:
        """Return the bytes that this user may still write where the path is."""
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize


class DiskGuard:
    """
    Keeps a reserve free.

    :param path: where episodes are written; need not exist yet
    :param reserve: space that is never used (bytes)
    """

    def __init__(self, disk: Disk, path: Path, *, reserve: int) -> None:
        self._disk = disk
        self._path = path
        self._reserve = reserve
        self._last_bytes = 0
        self._last_s = 0.0

    def free(self) -> int | None:
        """Return the free space (bytes); None where the disk does not tell."""
        for path in (self._path, *self._path.parents):
            try:
                return self._disk.free(path)
            except OSError:
                continue
        return None

    def learn(self, size: int, duration_s: float) -> None:
        """Take the last episode's size (bytes) and duration (s) as the measure of the next."""
        self._last_bytes, self._last_s = size, duration_s

    def estimate(self, time_limit_s: float) -> int:
        """
        Return the bytes that the next episode will take at the rate of the last.

        :param time_limit_s: its longest duration (s); 0: it will be as long as the last
        """
        if self._last_s <= 0:
            return 0
        return int(self._last_bytes / self._last_s * (time_limit_s or self._last_s))

    def problem(self, needed: int = 0) -> str:
        """Return why there is no room for so many bytes; an empty text where there is."""
        free = self.free()
        if free is None or free >= self._reserve + needed:
            return ''
        wanted = f'{readable(needed)} for an episode and ' if needed else ''
        return (f'{readable(free)} free where {wanted}{readable(self._reserve)} in reserve '
                'are needed')


def readable(size: float) -> str:
    """Return a number of bytes for a person: '1.5 GiB'."""
    for unit in ('bytes', 'KiB', 'MiB', 'GiB'):
        if abs(size) < 1024:
            return f'{size:.0f} {unit}' if unit == 'bytes' else f'{size:.1f} {unit}'
        size /= 1024
    return f'{size:.1f} TiB'
