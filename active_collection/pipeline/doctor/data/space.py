# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How many more episodes there is room for."""
from __future__ import annotations

import os
from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.recording.disk import DiskGuard
from active_collection.recording.disk import readable
from active_collection.recording.store import EpisodeStore
from active_collection.recording.write_rate import WriteRate

#: Fewer than a shift's are worth a word before it begins.
FEW_EPISODES = 50
#: Without an episode to go by: an hour at the rate at which the topics come.
HOUR_S = 3600.0
#: An episode is a directory, its metadata and a file or two.
FEW_INODES = 10_000


class Space:
    """Free space beside the recorder's reserve, in episodes."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return one finding."""
        reserve = subject.settings.disk_reserve_bytes
        guard = DiskGuard(subject.disk, subject.path, reserve=reserve)
        free = guard.free()
        if free is None:
            return [skipped(f'{subject.path}: the disk does not tell')]
        remedy = (f'copy to the store and remove: active-collection sync {subject.path} URL, then '
                  'the parameters retention.*; du -sh')
        problem = guard.problem()
        if problem:
            return [wrong(f'{subject.path}: {problem}: no episode starts',
                          expected=f'more than disk_reserve_bytes, {readable(reserve)}',
                          remedy=remedy)]
        if _inodes(subject) < FEW_INODES:
            return [warning(f'{subject.path}: room for {_inodes(subject)} files',
                            expected=f'at least {FEW_INODES}', remedy=remedy)]
        usable = free - reserve
        recent = WriteRate(EpisodeStore(subject.path), robot=subject.robot)
        size = recent.mean_size()
        if size:
            count = int(usable / size)
            text = (f'{readable(free)} free, room for {count} more episodes of {readable(size)} '
                    f'beside the reserve of {readable(reserve)}')
            if count < FEW_EPISODES:
                return [warning(text, expected=f'at least {FEW_EPISODES}', remedy=remedy)]
            return [ok(text)]
        text = f'{readable(free)} free, {readable(reserve)} of it in reserve'
        if subject.rate and usable < subject.rate * HOUR_S:
            minutes = usable / subject.rate / 60
            return [warning(f'{text}: room for {minutes:.0f} min at {readable(subject.rate)}/s',
                            expected='at least an hour', remedy=remedy)]
        return [ok(text)]


def _inodes(subject: DataDirectory) -> int:
    """Return how many more files there may be; many where the file system does not count."""
    status = os.statvfs(subject.nearest)
    return status.f_favail if status.f_files else FEW_INODES
