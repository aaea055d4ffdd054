# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Copy closed episodes to a central store, and make sure that they have arrived."""
from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from active_collection.bags.episodes import MANIFEST
from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.errors import ActiveCollectionError
from active_collection.errors import RecordingError
from active_collection.names import is_safe_name
from active_collection.recording import confirmation as confirmations
from active_collection.recording.confirmation import Confirmation
from active_collection.recording.confirmation import FileState
from active_collection.recording.remote_errors import StoreError
from active_collection.recording.remote_store import Store

#: Where episodes are whose record names no robot; no robot's name can be taken for a date.
_NOBODY = '_'


@dataclass(frozen=True)
class Synced:
    """
    An episode that is in the store.

    :param copied: bytes that had to be copied; 0 where all was there
    """

    path: Path
    target: str
    copied: int


def sync(data: Path, store: Store, *,
         progress: Callable[[Path], None] = lambda path: None,
         ) -> Iterator[Synced | ActiveCollectionError]:
    """
    Bring every closed episode into a store, oldest first.

    What was interrupted goes on with the file at which it stopped. A file counts as copied when
    its copy has been read back and has the same SHA-256.

    :param data: the data directory
    :param progress: called with each episode before it is looked at
    :return: each episode, or why it could not be copied; the next one is tried all the same
    :raises StoreError: where the store is lost, and stays so: no further episode is tried
    """
    for path in find_episodes(data):
        progress(path)
        try:
            yield _sync_or_reconnect(data, path, store)
        except StoreError as error:
            if error.lasting:
                raise
            yield error
        except ActiveCollectionError as error:
            yield error
        except OSError as error:
            yield RecordingError(error.filename or path, found=error,
                                 expected='a readable episode')


def _sync_or_reconnect(data: Path, path: Path, store: Store) -> Synced:
    try:
        return _sync_episode(data, path, store)
    except StoreError as error:
        if not error.lasting:
            raise
        store.reconnect()
    return _sync_episode(data, path, store)


def _sync_episode(data: Path, path: Path, store: Store) -> Synced:
    known = confirmations.read(data, path.name)
    if known is not None and not known.target.startswith(f'{store.url}/'):
        known = None
    if known is not None and known.covers(path):
        return Synced(path, known.target, 0)
    confirmed = known.files if known is not None else {}
    files = {
        name: confirmed[name] if known is not None and known.knows(path, name)
        else confirmations.state_of(path / name) for name in confirmations.file_names(path)}
    place = _place(path, files, store)
    target = f'{store.url}/{place}'
    is_known = known is not None and known.target == target
    copied = 0
    for name, state in files.items():
        if is_known and confirmed.get(name) == state:
            continue
        remote = f'{place}/{name}'
        if store.sha256(remote) != state.sha256:
            store.put(path / name, remote)
            copied += state.size
            _check_arrived(store, remote, state.sha256)
    # Written last, so that an episode that has one is complete.
    manifest = ''.join(f'{state.sha256}  {name}\n' for name, state in files.items()).encode()
    store.write(f'{place}/{MANIFEST}', manifest)
    _check_arrived(store, f'{place}/{MANIFEST}', hashlib.sha256(manifest).hexdigest())
    confirmations.write(data, path.name, Confirmation(target, files))
    return Synced(path, target, copied)


def _check_arrived(store: Store, remote: str, expected: str) -> None:
    """:raises RecordingError: where what is read back of a copy is not what it should be"""
    arrived = store.sha256(remote)
    if arrived != expected:
        raise RecordingError(f'{store.url}/{remote}', found=f'SHA-256 {arrived or "none"}',
                             expected=expected)


def _place(path: Path, files: Mapping[str, FileState], store: Store) -> str:
    """
    Return where in a store an episode is or is to be.

    Of each robot by itself: others call their episodes the same. One that was copied when the
    robot was not in its place is kept up to date where it is.

    :raises RecordingError: where another episode is there, whose robot may have no more of it
    """
    former = f'{path.parent.name}/{path.name}'
    record = read_record(path)
    robot = record.robot if record is not None and is_safe_name(record.robot) else _NOBODY
    place = f'{robot}/{former}'
    own = _messages({name: state.sha256 for name, state in files.items()})
    if _messages(_manifest(store, former)) == own:
        return former
    there = _manifest(store, place)
    if there and _messages(there) != own:
        raise RecordingError(
            f'{store.url}/{place}', found='another episode of this robot, day and name',
            expected=f'none, or a copy of {path}: give one of the two directories another name')
    return place


def _messages(sums: Mapping[str, str]) -> Mapping[str, str]:
    """Return what of an episode never changes, by which it is told from others."""
    return {name: value for name, value in sums.items() if name != METADATA} or sums


def _manifest(store: Store, place: str) -> dict[str, str]:
    """Return file to SHA-256 of a complete copy; empty where there is none."""
    lines = (store.read(f'{place}/{MANIFEST}') or b'').decode(errors='replace').splitlines()
    return {name: value for value, _, name in (line.partition('  ') for line in lines)}
