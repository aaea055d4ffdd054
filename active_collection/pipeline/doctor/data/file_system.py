# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the file system under the data directory keeps what is written to it."""
from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory

IN_MEMORY = frozenset({'tmpfs', 'ramfs', 'devtmpfs'})
NETWORKED = frozenset({
    'nfs', 'nfs4', 'cifs', 'smb3', '9p', 'ceph', 'glusterfs', 'lustre', 'afs', 'fuse.sshfs',
    'fuse.rclone', 'fuse.s3fs', 'virtiofs'})
LAYERED = frozenset({'overlay', 'aufs'})
#: No files of 4 GiB (vfat), no owners, no journal.
OF_STICKS = frozenset({'vfat', 'msdos', 'exfat', 'ntfs', 'ntfs3', 'fuseblk'})
LOCAL = 'a local disk (ext4, xfs, btrfs)'


@dataclass(frozen=True)
class Mount:
    """A mounted file system."""

    point: Path
    kind: str
    options: tuple[str, ...]


class FileSystem:
    """The kind of file system, and whether it may be written."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return one finding."""
        mount = mount_of(subject.nearest, subject.mounts)
        if mount is None:
            return [skipped(f'{subject.mounts} does not tell')]
        what = f'{subject.path} is on {mount.kind}, mounted at {mount.point}'
        if 'ro' in mount.options:
            return [wrong(f'{what}, read-only', expected='one that can be written',
                          remedy='dmesg | tail: after an error of the disk it is mounted so; sudo '
                          f'mount -o remount,rw {mount.point}')]
        if mount.kind in IN_MEMORY:
            return [warning(f'{what}: gone with the next boot', expected=LOCAL,
                            remedy='set data_directory to a path on a disk')]
        if mount.kind in LAYERED:
            return [warning(f'{what}: gone with the container', expected='a volume',
                            remedy=f'docker run -v /data:{subject.path}')]
        if mount.kind in NETWORKED:
            return [warning(
                f'{what}: a recorder that waits for a network loses messages', expected=LOCAL,
                remedy='record to a disk of this machine, and copy with active-collection sync')]
        if mount.kind in OF_STICKS:
            return [warning(f'{what}: no owners, no journal, perhaps no files over 4 GiB',
                            expected=LOCAL, remedy='format it as ext4')]
        return [ok(what)]


def mount_of(path: Path, mounts: Path) -> Mount | None:
    """
    Return the file system that a path is on; None where the table does not tell.

    :param path: exists
    :param mounts: the kernel's table, see proc_pid_mountinfo(5)
    """
    try:
        lines = mounts.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return None
    target, found = path.resolve(), None
    for line in lines:
        before, _, after = line.partition(' - ')
        words, more = before.split(), after.split()
        if len(words) < 6 or len(more) < 3:
            continue
        point = Path(_unescaped(words[4]))
        is_nearer = found is None or len(point.parts) >= len(found.point.parts)
        if target.is_relative_to(point) and is_nearer:
            found = Mount(point, more[0], (*words[5].split(','), *more[2].split(',')))
    return found


def _unescaped(text: str) -> str:
    """Return a path of the table, in which spaces stand as octal numbers."""
    return re.sub(r'\\([0-7]{3})', lambda match: chr(int(match[1], 8)), text)
