# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether this user may make, lock and sync episodes in the data directory."""
from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from active_collection.errors import in_words
from active_collection.files import is_directory
from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.recording.store import EpisodeStore

EXPECTED = "a directory that the recorder's user can write"
#: Directories of days that are looked at.
DAYS = 100


class Directory:
    """What a recorder does to a directory, tried without leaving anything behind."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return one finding, or one for each thing that is wrong."""
        path, there = subject.path, subject.nearest
        another = 'choose another data directory (parameter data_directory)'
        above = next(p for p in (path, *path.parents) if os.path.lexists(p))
        if above != there:
            is_dangling = above.is_symlink()
            found = (f'{above} is a link to what is not there, or may not be seen'
                     if is_dangling else f'{above} is no directory')
            return [wrong(found, expected=EXPECTED,
                          remedy='mount its disk, or remove it' if is_dangling else another)]
        episodes = EpisodeStore(path).root
        for place in (there, *([episodes] if is_directory(episodes) else [])):
            problem = try_to_write(place)
            if problem:
                return [wrong(f'{place} cannot be written by uid {os.geteuid()}: {problem}',
                              expected=EXPECTED, remedy=f'sudo install -d -o "$USER" '
                              f'{episodes if place == episodes else path}; or another '
                              'data_directory')]
        if there != path:
            return [_to_be_made(path)]
        return list(_of_others(path)) or [ok(f'{path}, of uid {path.stat().st_uid}, can be '
                                             'written, locked and synced')]


def try_to_write(directory: Path) -> str:
    """
    Return why a file cannot be made and synced, or a directory not be locked and synced.

    The file has no name, or loses it at once, so that it is gone with this process in any case.
    """
    descriptor = -1
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b'0')
            file.flush()
            os.fsync(file.fileno())
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return ''  # somebody holds a lock, so there are locks
    except OSError as error:
        return in_words(error)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return ''


def _to_be_made(path: Path) -> Finding:
    """Tell of a directory that is not there yet, below one that can be written."""
    try:
        path.stat()
    except FileNotFoundError:
        return ok(f'{path} is not there yet; the recorder makes it')
    except OSError as error:
        return wrong(f'{path}: {in_words(error)}', expected=EXPECTED,
                     remedy='choose another data directory (parameter data_directory)')
    return ok(f'{path} has just been made')


def _of_others(data: Path) -> Iterable[Finding]:
    """Find directories of days that belong to another user than the data directory does."""
    owner = data.stat().st_uid
    days = sorted(EpisodeStore(data).root.glob('*'), reverse=True)[:DAYS]
    other = [day for day in days if day.stat().st_uid != owner]
    if other:
        yield warning(
            f'{other[0]} and {len(other) - 1} more are of uid {other[0].stat().st_uid}, {data} of '
            f'uid {owner}' if other[1:] else
            f'{other[0]} is of uid {other[0].stat().st_uid}, {data} of uid {owner}',
            expected='one owner, as which the recorder always runs',
            remedy=f'sudo chown -R {owner} {data / "episodes"}')
