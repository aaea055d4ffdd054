# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Copy closed episodes to a central store, and make sure that they have arrived."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from active_collection.bags.episodes import find_episodes
from active_collection.errors import ActiveCollectionError
from active_collection.errors import RecordingError
from active_collection.recording import confirmation as confirmations
from active_collection.recording.confirmation import Confirmation
from active_collection.recording.confirmation import FileState
from active_collection.recording.remote_errors import StoreError
from active_collection.recording.remote_store import Store

#: As `sha256sum --check` takes it; written last, so that an episode that has it is complete.
MANIFEST = 'manifest.sha256'


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
    target = f'{store.url}/{path.parent.name}/{path.name}'
    known = confirmations.read(data, path.name)
    if known is not None and known.target != target:
        known = None
    if known is not None and known.covers(path):
        return Synced(path, target, 0)
    files: dict[str, FileState] = dict(known.files) if known is not None else {}
    names = confirmations.file_names(path)
    copied = 0
    for name in names:
        if known is not None and known.knows(path, name):
            continue
        state = confirmations.state_of(path / name)
        remote = f'{path.parent.name}/{path.name}/{name}'
        if store.sha256(remote) != state.sha256:
            store.put(path / name, remote)
            copied += state.size
            arrived = store.sha256(remote)
            if arrived != state.sha256:
                raise RecordingError(f'{store.url}/{remote}', found=f'SHA-256 {arrived or "none"}',
                                     expected=state.sha256)
        files[name] = state
    files = {name: files[name] for name in names}
    manifest = ''.join(f'{state.sha256}  {name}\n' for name, state in files.items())
    store.write(f'{path.parent.name}/{path.name}/{MANIFEST}', manifest.encode())
    confirmations.write(data, path.name, Confirmation(target, files))
    return Synced(path, target, copied)
