# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
A disk that forgets what was not synced: what of a directory outlives a power cut.

Of a file what it held at its last fsync outlives it, of a directory the names that it had at its
last one: POSIX promises no more. A name that is given to what is not synced is a fault even where
it is synced later, as the name may reach the disk first.
"""
from __future__ import annotations

import os
import pathlib
import stat
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_NAMING = ('rename', 'replace', 'link')
#: Functions that are no site of their own: who calls them is.
_HELPERS = frozenset({'sync_directory', 'sync_file'})


class SurvivingDisk:
    """
    Watches what this process syncs and names below a directory.

    :param root: what is in it now is durable
    :param dropped: a site whose fsyncs do nothing

    :ivar sites: 'module.function/file' or '…/directory' to how many fsyncs came from there
    :ivar faults: names that were given to what was not synced
    """

    def __init__(self, root: Path, *, dropped: str = '') -> None:
        self.sites: Counter[str] = Counter()
        self.faults: list[str] = []
        self._root = root
        self._dropped = dropped
        self._contents: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, int]] = {}
        self._remember(root)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Watch until the patch is undone."""
        for name in ('fsync', 'fdatasync'):
            patch.setattr(os, name, self._syncing(getattr(os, name)))
        for name in _NAMING:
            naming = self._naming(getattr(os, name))
            patch.setattr(os, name, naming)
            accessor = getattr(pathlib, '_NormalAccessor', None)  # Python 3.10 binds them
            if accessor is not None:
                patch.setattr(accessor, name, staticmethod(naming))

    def lost(self, *, but: Callable[[Path], bool] = lambda path: False) -> list[str]:
        """
        Return what a power cut now would take of the directory or change in it.

        What it brings back that was removed is not told: it is not missed.

        :param but: of which paths, below the directory, nothing is promised
        """
        there, left = self._now(self._root), self._left(self._root.stat().st_ino, Path())
        return sorted(str(path) for path in there
                      if not but(path) and there[path] != left.get(path))

    def content(self, path: Path) -> bytes | None:
        """Return what a power cut now would leave of a file; None where it would be gone."""
        return self._left(self._root.stat().st_ino, Path()).get(path.relative_to(self._root))

    def _syncing(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def synced(descriptor: int) -> None:
            descriptor = descriptor if isinstance(descriptor, int) else descriptor.fileno()
            status = os.fstat(descriptor)
            is_directory = stat.S_ISDIR(status.st_mode)
            site = f'{_site()}/{"directory" if is_directory else "file"}'
            self.sites[site] += 1
            sync(descriptor)
            if site == self._dropped:
                return
            if is_directory:
                self._entries[status.st_ino] = _listed(descriptor)
            else:
                self._contents[status.st_ino] = Path(f'/proc/self/fd/{descriptor}').read_bytes()
        return synced

    def _naming(self, name: Callable[..., None]) -> Callable[..., None]:
        def named(source: Any, target: Any, **options: Any) -> None:
            if Path(source).is_relative_to(self._root) and not self._is_durable(Path(source)):
                self.faults.append(f'{_site()}: {Path(source).name} to {Path(target).name}')
            name(source, target, **options)
        return named

    def _is_durable(self, path: Path) -> bool:
        if not path.is_dir():
            return self._contents.get(path.stat().st_ino) == path.read_bytes()
        listed = _listed(path)
        return (self._entries.get(path.stat().st_ino, {}) == listed
                and all(self._is_durable(path / name) for name in listed))

    def _remember(self, directory: Path) -> None:
        self._entries[directory.stat().st_ino] = _listed(directory)
        for path in directory.iterdir():
            if path.is_dir():
                self._remember(path)
            else:
                self._contents[path.stat().st_ino] = path.read_bytes()

    def _now(self, directory: Path) -> dict[Path, bytes]:
        return {path.relative_to(self._root): path.read_bytes()
                for path in directory.rglob('*') if path.is_file()}

    def _left(self, inode: int, place: Path) -> dict[Path, bytes]:
        left: dict[Path, bytes] = {}
        for name, number in self._entries.get(inode, {}).items():
            if number in self._contents:
                left[place / name] = self._contents[number]
            else:
                left.update(self._left(number, place / name))
        return left


def _listed(directory: Any) -> dict[str, int]:
    with os.scandir(directory) as entries:
        return {entry.name: entry.inode() for entry in entries}


def _site() -> str:
    frame = sys._getframe(2)
    while frame.f_code.co_name in _HELPERS or frame.f_globals.get('__name__') in {
            'pathlib', 'contextlib', 'shutil'}:
        frame = frame.f_back
    return f'{frame.f_globals["__name__"].rpartition(".")[2]}.{frame.f_code.co_name}'
