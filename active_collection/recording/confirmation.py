# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether an episode is known to be, whole, in a central store."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path

from active_collection.bags.episodes import MANIFEST
from active_collection.bags.episodes import METADATA
from active_collection.files import PARTIAL
from active_collection.files import make_directory
from active_collection.files import read_json
from active_collection.files import write_whole

DIRECTORY = 'synced'
#: Before, a copy could be another robot's, and not be on the disk: what says so counts no more.
FORMAT = 2
_BLOCK = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileState:
    """
    A file as it was when it was last compared with its copy.

    :param modified_ns: its time of modification (ns), by which an untouched one is known
    """

    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """
    Files whose copies have been read back and found equal.

    :param target: URL of the episode's copy
    :param files: name below the episode's directory to state
    """

    target: str
    files: Mapping[str, FileState]

    def covers(self, directory: Path) -> bool:
        """Tell whether every file of an episode is as it was when its copy was compared."""
        names = file_names(directory)
        return (bool(names) and self.target.endswith(f'/{directory.parent.name}/{directory.name}')
                and all(self.knows(directory, name) for name in names))

    def covers_moved(self, directory: Path) -> bool:
        """Tell the same of an episode that bears another name."""
        return all(self.knows(directory, name) for name in file_names(directory))

    def knows(self, directory: Path, name: str) -> bool:
        """Tell whether one file is as it was when its copy was compared."""
        state = self.files.get(name)
        if state is None:
            return False
        status = (directory / name).stat()
        return (status.st_size, status.st_mtime_ns) == (state.size, state.modified_ns)


def file_names(directory: Path) -> list[str]:
    """
    Return the names of an episode's files, below its directory.

    The last is metadata.yaml: a copy without it is no bag to anyone. What is being written and
    the manifest of a store that the episode comes from are not its own.
    """
    names = (path.relative_to(directory).as_posix() for path in directory.rglob('*')
             if path.is_file() and path.suffix != PARTIAL and path.name != MANIFEST)
    return sorted(names, key=lambda name: (name == METADATA, name))


def state_of(path: Path) -> FileState:
    """Return a file's state; its content is read whole."""
    status = path.stat()
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return FileState(status.st_size, status.st_mtime_ns, digest.hexdigest())


def read(data: Path, episode_id: str) -> Confirmation | None:
    """
    Return what is confirmed of an episode; None where nothing is, or it cannot be understood.

    :param data: the data directory
    """
    try:
        content = read_json(data / DIRECTORY / f'{episode_id}.json')
        if content['format'] != FORMAT:
            return None
        files = {str(name): FileState(**state) for name, state in content['files'].items()}
        return Confirmation(str(content['target']), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(data: Path, episode_id: str, confirmation: Confirmation) -> None:
    """
    Remember what is confirmed of an episode.

    :raises OSError: where the disk refuses
    """
    directory = data / DIRECTORY
    make_directory(directory)
    content = {'format': FORMAT, 'target': confirmation.target,
               'files': {name: asdict(state) for name, state in confirmation.files.items()}}
    write_whole(directory / f'{episode_id}.json', json.dumps(content, indent=1, sort_keys=True))
