# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Salvage what a person names: an episode, a file, a directory of files."""
from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.bags.storage import COMPRESSED
from active_collection.errors import RecordingError
from active_collection.files import sync_directory
from active_collection.files import whole_file
from active_collection.recording.salvage.bag import DATABASE
from active_collection.recording.salvage.bag import MCAP
from active_collection.recording.salvage.bag import SALVAGING
from active_collection.recording.salvage.bag import readable_messages
from active_collection.recording.salvage.bag import salvage_into
from active_collection.recording.salvage.bag import sources_of
from active_collection.recording.salvage.episodes import DAMAGED_PART
from active_collection.recording.salvage.episodes import finish_or_salvage
from active_collection.recording.salvage.outcome import Salvaged
from active_collection.recording.salvage.rosbag1 import salvage_rosbag1
from active_collection.recording.store import OpenDirectory
from active_collection.recording.store import lock
from active_collection.recording.store import readable_record

#: How a rosbag1 file's name ends once it is closed.
ROSBAG1 = '.bag'


def salvage_path(path: Path, target: Path | None = None) -> Salvaged:
    """
    Make a whole rosbag2 directory of a torn file, MCAP or SQLite, or a directory of such files.

    An episode's own directory (<id>.recording) is replaced by the whole one, as the recorder does;
    anything else stays as it is. Of a rosbag1 file, open (.bag.active) or torn, another is made.

    :param target: directory, or rosbag1 file, to make; None: the name beside with '_salvaged'
    :raises RecordingError: where the path is no bag, holds no whole message, is being recorded,
        or the target exists
    :raises OSError: where the disk refuses
    """
    if path.name in {'', '..'}:
        path = path.resolve()
    if not path.exists():
        raise RecordingError(path, found='nothing', expected=f'an {MCAP} or {DATABASE} file, or '
                             'a directory with some')
    within = path if path.is_dir() else path.parent
    directory = _lock(within) if within.name.endswith(RECORDING_SUFFIX) else None
    try:
        if directory is not None and target is None and path.is_dir() and path.name[0] != '.':
            return finish_or_salvage(None, directory)
        return _salvage_beside(path, target or _beside(path))
    finally:
        if directory is not None:
            directory.release()


def _lock(path: Path) -> OpenDirectory:
    """:raises RecordingError: where a recorder writes into the directory."""
    directory = lock(path)
    if directory is None:
        raise RecordingError(path, found='a recorder that is writing it',
                             expected='a bag whose recorder has died')
    return directory


def _beside(path: Path) -> Path:
    """Return where a bag is made whole where nobody says: not in a directory that may go away."""
    if is_rosbag1(path):
        return path.with_name(f'{path.name.partition(ROSBAG1)[0]}_salvaged{ROSBAG1}')
    name = path.name.removesuffix(COMPRESSED).removesuffix(MCAP).removesuffix(DATABASE)
    place = path.parent
    if path.name.endswith(RECORDING_SUFFIX):
        name = path.name.removesuffix(RECORDING_SUFFIX).replace(DAMAGED_PART, '').lstrip('.')
    elif path.is_file() and place.name.endswith(RECORDING_SUFFIX):
        place = place.parent
    return place / f'{name}_salvaged'


def _salvage_beside(path: Path, target: Path) -> Salvaged:
    if target.exists():
        raise RecordingError(target, found='something', expected='nothing: it is to be made')
    if is_rosbag1(path):
        return _salvage_rosbag1(path, target)
    sources = sources_of(path)
    if not sources:
        raise RecordingError(path, found='no MCAP or SQLite file', expected=f'an {MCAP} or '
                             f'{DATABASE} file, or a directory with some')
    partial = target.with_name(f'.{target.name}{SALVAGING}')
    record = readable_record(path) if path.is_dir() else None
    kept, record = salvage_into(partial, sources, record)
    salvaged = Salvaged(target, record, kept)
    if salvaged.is_empty:
        shutil.rmtree(partial)
        raise _nothing(path, salvaged)
    got, had = readable_messages(partial), readable_messages(path)
    partial.rename(target)
    sync_directory(target.parent)
    return salvaged if got >= had else replace(
        salvaged, note=f'{got} of them can be read, {had} of {path}, which stays')


def is_rosbag1(path: Path) -> bool:
    """Tell whether a path is a rosbag1 file by its name, closed or not."""
    return path.is_file() and path.name.removesuffix('.active').endswith(ROSBAG1)


def _salvage_rosbag1(path: Path, target: Path) -> Salvaged:
    with whole_file(target, anew=True) as partial:
        salvaged = Salvaged(target, None, (salvage_rosbag1(path, partial),))
        if salvaged.is_empty:
            raise _nothing(path, salvaged)
    return salvaged


def _nothing(path: Path, salvaged: Salvaged) -> RecordingError:
    return RecordingError(path, found=f'nothing to keep: {salvaged.damages or "no message"}',
                          expected='at least one whole message')
