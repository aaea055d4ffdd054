# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Fast DDS can pass pictures through shared memory."""
from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.machine.middleware import is_fast_dds
from active_collection.pipeline.doctor.machine.profile import DEFAULT_SEGMENT
from active_collection.pipeline.doctor.machine.profile import segment_size
from active_collection.pipeline.doctor.machine.profile import variables
from active_collection.pipeline.doctor.subjects import Machine
from active_collection.recording.disk import readable

#: Participants that a small robot has: recorder, uncertainty, agent, and a driver or two.
PARTICIPANTS = 6
#: How Fast DDS names what it keeps there.
NAMES = ('fastrtps_*', 'fastdds_*', 'sem.fastrtps_*', 'sem.fastdds_*')


class SharedMemory:
    """The file system of shared memory: there, writable, large enough, of one user."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        if not subject.has_ros or not is_fast_dds(subject):
            return [skipped('no Fast DDS is in use')]
        place = subject.root / 'dev' / 'shm'
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            return [wrong(f'{place} is not there or cannot be written: everything goes through '
                          'UDP', expected='a tmpfs that all may write (mode 1777)',
                          remedy='sudo mount -t tmpfs -o mode=1777 tmpfs /dev/shm; a container: '
                          '--ipc=host')]
        status = os.statvfs(place)
        free, needed = status.f_bavail * status.f_frsize, PARTICIPANTS * _segment(subject)
        if free < needed:
            return [warning(
                f'{place} has {readable(free)} free',
                expected=f'{readable(needed)} for {PARTICIPANTS} participants',
                remedy='sudo mount -o remount,size=1G /dev/shm; a container: --shm-size=1g')]
        owners = _other_owners(place)
        if owners:
            return [warning(
                f'{place} holds Fast DDS files of other users (uid {owners}): nodes of two users '
                'do not reach each other there', expected='all nodes of one user',
                remedy='start every node as the same user; then fastdds shm clean')]
        return [ok(f'{place} has {readable(free)} free')]


def _segment(machine: Machine) -> int:
    value = machine.environment.get(variables(machine)[0], '')
    with suppress(OSError, ValueError):
        return segment_size(Path(value))
    return DEFAULT_SEGMENT


def _other_owners(place: Path) -> str:
    uids = set()
    for path in (path for name in NAMES for path in place.glob(name)):
        with suppress(OSError):  # its node has just ended
            uids.add(path.stat().st_uid)
    return ', '.join(str(uid) for uid in sorted(uids - {os.geteuid()}))
