# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The directories of episodes: made, closed, found by id."""
from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone
from pathlib import Path

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.bags.episodes import days_of
from active_collection.bags.episodes import read_record
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.files import make_directory
from active_collection.files import sync_directory
from active_collection.names import check_name


@dataclass
class OpenDirectory:
    """
    The directory of an episode that is being written, locked as long as its writer lives.

    The lock is on the directory itself, so the kernel takes it away with the process, and another
    recorder or a salvage can tell a live episode from one whose recorder has died.
    """

    path: Path
    descriptor: int

    def is_in_place(self) -> bool:
        """Tell whether the path still names this directory: nobody has moved or removed it."""
        try:
            found, held = self.path.stat(), os.fstat(self.descriptor)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def release(self) -> None:
        """Give the lock up. Does nothing the second time."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def lock(path: Path) -> OpenDirectory | None:
    """
    Lock a directory, or return None where someone else has locked it or it is gone.

    :raises OSError: where it cannot be opened
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    directory = OpenDirectory(path, descriptor)
    if not directory.is_in_place():
        directory.release()
        return None
    return directory


@contextmanager
def _alone_in(day: Path) -> Iterator[None]:
    """
    Keep other recorders from naming a directory here: a rename would replace their empty one.

    :raises OSError: where the directory cannot be opened or locked
    """
    descriptor = os.open(day, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class EpisodeStore:
    """
    Episodes below <data>/episodes/<YYYY-MM-DD>/<episode_id>/.

    :param data: the data directory; made with the first episode
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.root = data / 'episodes'

    def prepare(self) -> None:
        """
        Make the directory of episodes and see that it can be written.

        :raises OSError: where it cannot
        """
        make_directory(self.root)
        probe = self.root / f'.probe.{uuid.uuid4().hex}.partial'
        probe.mkdir()
        probe.rmdir()

    def relative(self, path: Path) -> str:
        """Return a path below the data directory with forward slashes."""
        return path.relative_to(self.data).as_posix()

    def find(self, episode_id: str) -> Path | None:
        """
        Return the directory of a closed episode.

        :raises InvalidNameError: where the id cannot be a directory's name
        """
        check_name(episode_id, 'episode_id')
        for path in days_of(self.root):
            if (path / episode_id / METADATA).is_file():
                return path / episode_id
        return None

    def is_taken(self, episode_id: str) -> bool:
        """Tell whether an episode with this id is closed, open or waits for salvage."""
        check_name(episode_id, 'episode_id')
        return any((day / name).exists() for day in days_of(self.root)
                   for name in (episode_id, f'{episode_id}{RECORDING_SUFFIX}'))

    def record(self, episode_id: str) -> tuple[Path, EpisodeRecord] | None:
        """
        Return directory and record of a closed episode.

        :raises ActiveCollectionError: where the id or the record is not valid
        """
        path = self.find(episode_id)
        record = read_record(path) if path else None
        return (path, record) if path and record else None

    def create(self, episode_id: str, started_ns: int) -> OpenDirectory:
        """
        Make the locked directory of a new episode.

        :param started_ns: ROS time, whose UTC date names the parent (ns)
        :raises FileExistsError: where another recorder has just made it
        :raises OSError: where the disk refuses
        """
        check_name(episode_id, 'episode_id')
        date = datetime.fromtimestamp(started_ns / 1e9, tz=timezone.utc).strftime('%Y-%m-%d')
        day = self.root / date
        make_directory(day)
        # Locked before it has its name, so nobody ever sees it unlocked.
        partial = day / f'.{episode_id}.{uuid.uuid4().hex}.partial'
        partial.mkdir()
        directory = lock(partial)
        if directory is None:
            raise FileExistsError(f'{partial}: in use')
        try:
            directory.path = day / f'{episode_id}{RECORDING_SUFFIX}'
            with _alone_in(day):
                if directory.path.exists() or (day / episode_id).exists():
                    raise FileExistsError(f'{directory.path}: exists')
                partial.rename(directory.path)
        except OSError:
            directory.release()
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_directory(day)
        sync_directory(self.root)
        return directory

    def discard(self, directory: OpenDirectory) -> None:
        """Remove a directory in which nothing has been recorded yet."""
        shutil.rmtree(directory.path, ignore_errors=True)
        directory.release()

    def close(self, directory: OpenDirectory) -> Path:
        """
        Give a finished episode its name.

        :raises OSError: where the disk refuses or the name is taken
        """
        final = directory.path.with_name(directory.path.name.removesuffix(RECORDING_SUFFIX))
        if final.exists():
            raise FileExistsError(f'{final}: exists')
        sync_directory(directory.path)
        directory.path.rename(final)
        sync_directory(final.parent)
        directory.release()
        return final

    def newest(self) -> Iterator[Path]:
        """Return the directories of closed episodes, the newest first."""
        for day in sorted(self.root.glob('*'), reverse=True):
            closed = [path.parent for path in day.glob(f'*/{METADATA}')
                      if path.parent.suffix != RECORDING_SUFFIX]
            yield from sorted(closed, key=written_ns, reverse=True)

    def abandoned(self) -> list[Path]:
        """Return directories of episodes that are not closed, oldest first; some may be live."""
        return sorted(
            path for path in self.root.glob(f'*/*{RECORDING_SUFFIX}')
            if path.is_dir() and not path.name.startswith('.'))


def written_ns(episode: Path) -> int:
    """Return when its messages were last written (ns), which no amendment changes; 0: unknown."""
    try:
        return max((path.stat().st_mtime_ns for path in episode.glob('*.mcap')), default=0)
    except OSError:
        return 0


def size_of(directory: Path) -> int:
    """Return the bytes of a directory's files; what vanishes meanwhile counts 0."""
    total = 0
    for path in directory.rglob('*'):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def readable_record(path: Path) -> EpisodeRecord | None:
    """Return a directory's record, or None where it has none that can be understood."""
    try:
        return read_record(path)
    except ActiveCollectionError:
        return None
