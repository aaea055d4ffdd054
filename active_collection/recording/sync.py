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
from typing import Any

from active_collection.bags.episodes import find_episodes
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import RecordingError
from active_collection.recording import confirmation as confirmations
from active_collection.recording.confirmation import Confirmation
from active_collection.recording.confirmation import FileState

#: As `sha256sum --check` takes it; written last, so that an episode that has it is complete.
MANIFEST = 'manifest.sha256'
_BLOCK = 4 * 1024 * 1024
_PARTIAL = '.partial'
#: Stores in which a file is there whole or not at all, so that it can be written under its name.
_ATOMIC = frozenset({'s3', 's3a', 'gs', 'gcs', 'abfs', 'az', 'memory'})


@dataclass(frozen=True)
class Synced:
    """
    An episode that is in the store.

    :param copied: bytes that had to be copied; 0 where all was there
    """

    path: Path
    target: str
    copied: int


class Store:
    """
    A central store behind an fsspec URL: file://, s3://, sftp://, …

    :param url: its root; episodes are put at <url>/<YYYY-MM-DD>/<episode_id>/
    :param options: of the fsspec file system: endpoint, credentials
    :raises ConfigError: where the URL is none, or its file system is not installed
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        import fsspec  # type: ignore[import-untyped]

        if not url.partition('://')[2].strip('/'):
            raise ConfigError('target', found=url, expected='a URL: file:///…, s3://…, sftp://…')
        try:
            self._files, self._root = fsspec.core.url_to_fs(url, **(options or {}))
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f'target {url}', found=str(error),
                expected='a URL whose fsspec file system is installed') from error
        self.url = url.rstrip('/')
        self._root = self._root.rstrip('/')
        self._atomic = url.split('://', 1)[0] in _ATOMIC

    def check(self) -> None:
        """
        See that it is there, or make it.

        :raises ConfigError: where it cannot be reached or made
        """
        try:
            self._files.makedirs(self._root, exist_ok=True)
        except Exception as error:  # each file system has errors of its own
            raise ConfigError(
                f'target {self.url}', found=f'{type(error).__name__}: {error}',
                expected='a store that can be read and written') from error

    def sha256(self, name: str) -> str:
        """
        Return the checksum of a file of the store, read back; empty where it is not there.

        :param name: below the root, with forward slashes
        """
        digest = hashlib.sha256()
        try:
            self._files.invalidate_cache()
            with self._files.open(f'{self._root}/{name}', 'rb', cache_type='none') as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except FileNotFoundError:
            return ''
        return digest.hexdigest()

    def put(self, path: Path, name: str) -> None:
        """
        Copy a file into the store; until it is whole, it does not bear its name.

        :param name: below the root, with forward slashes
        """
        final = f'{self._root}/{name}'
        self._files.makedirs(final.rpartition('/')[0], exist_ok=True)
        if self._atomic:
            self._files.put_file(str(path), final)
            return
        self._files.put_file(str(path), final + _PARTIAL)
        if self._files.exists(final):
            self._files.rm_file(final)
        self._files.mv(final + _PARTIAL, final)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file into the store."""
        with self._files.open(f'{self._root}/{name}', 'wb') as file:
            file.write(content)


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
    """
    for path in find_episodes(data):
        progress(path)
        try:
            yield _sync_episode(data, path, store)
        except ActiveCollectionError as error:
            yield error
        except Exception as error:  # each file system has errors of its own
            yield RecordingError(
                f'{path} to {store.url}', found=f'{type(error).__name__}: {error}',
                expected='a store that can be read and written')


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
