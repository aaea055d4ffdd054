# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Free space where episodes are written, and what the next episode will take of it."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError


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

    `reserve` may be changed at any time.
    """

    def __init__(self, disk: Disk, path: Path, *, reserve: int) -> None:
        self._disk = disk
        self._path = path
        self.reserve = reserve

    def free(self) -> int | None:
        """Return the free space (bytes); None where the disk does not tell."""
        for path in (self._path, *self._path.parents):
            try:
                return self._disk.free(path)
            except OSError:
                continue
        return None

    def problem(self) -> str:
        """Return why nothing may be written; an empty text where something may."""
        free = self.free()
        if free is None or free >= self.reserve:
            return ''
        return f'{readable(free)} free where {readable(self.reserve)} in reserve are needed'

    def check_room(self, rate: float, duration_s: float) -> None:
        """
        Refuse an episode for which there may not be room.

        :param rate: at which it will be written (bytes/s); 0: not known, the reserve is enough
        :param duration_s: longest that it may last (s)
        :raises RefusedError: where less is free than it may take and the reserve
        """
        free, needed = self.free(), int(rate * duration_s)
        if free is None or free >= self.reserve + needed:
            return
        parts = [f'{readable(self.reserve)} in reserve']
        if needed:
            parts.append(f'{readable(needed)} for up to {duration_s:g} s at the '
                         f'{readable(rate)}/s of the last episodes')
        raise RefusedError(
            Reason.NO_SPACE, str(self._path), found=f'{readable(free)} free',
            expected=f'at least {readable(self.reserve + needed)}: {" and ".join(parts)}')


def readable(size: float) -> str:
    """Return a number of bytes for a person: '1.5 GiB'."""
    for unit in ('bytes', 'KiB', 'MiB', 'GiB'):
        if abs(size) < 1024:
            return f'{size:.0f} {unit}' if unit == 'bytes' else f'{size:.1f} {unit}'
        size /= 1024
    return f'{size:.1f} TiB'
