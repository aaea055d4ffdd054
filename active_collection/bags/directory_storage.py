# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read a rosbag2 directory: its files in turn, decompressing files and messages where they are."""
from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pathlib import PurePath
from tempfile import TemporaryDirectory
from typing import Any

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import read_metadata
from active_collection.bags.mcap_storage import McapStorage
from active_collection.bags.sqlite_storage import SqliteStorage
from active_collection.bags.storage import COMPRESSED
from active_collection.bags.storage import FILES
from active_collection.bags.storage import SALVAGE
from active_collection.bags.storage import Connection
from active_collection.bags.storage import Damaged
from active_collection.bags.storage import Query
from active_collection.bags.storage import Storage
from active_collection.errors import BagError
from active_collection.mcap.compression import decompress
from active_collection.mcap.compression import decompress_file
from active_collection.mcap.limits import Buffer
from active_collection.mcap.limits import Limits

_NEWEST_VERSION = 9
_STORAGES: dict[str, type[McapStorage | SqliteStorage]] = {
    'mcap': McapStorage, 'sqlite3': SqliteStorage}


class DirectoryStorage:
    """
    The files that a metadata.yaml lists, opened one after the other.

    :param damaged: told of what is stepped over
    :raises BagError: where metadata.yaml is corrupt or of an unknown version, storage or
        compression, or where none of its files is there
    """

    def __init__(self, path: Path, *, damaged: Damaged, limits: Limits) -> None:
        self._damaged, self._limits = damaged, limits
        self._where = path / METADATA
        information = read_metadata(self._where)
        self._kind = _STORAGES[self._one_of(information, 'storage_identifier', tuple(_STORAGES))]
        # Compression's mode is empty or NONE without any, as its format is.
        self._mode = str(information.get('compression_mode') or 'none').lower()
        if self._mode != 'none':
            self._one_of({'compression_mode': self._mode}, 'compression_mode', ('file', 'message'))
            self._one_of(information, 'compression_format', ('zstd',))
        version = information.get('version', 0)
        if not isinstance(version, int) or version > _NEWEST_VERSION:
            raise BagError(f'{self._where}: version', found=version,
                           expected=f'at most {_NEWEST_VERSION}')
        self._connections = [_connection(n, topic) for n, topic in enumerate(
            information.get('topics_with_message_count') or [])]
        self._span = self._span_of(information)
        self._files = self._existing(path, information.get('relative_file_paths') or [])
        self._name_unlisted(path)

    @property
    def connections(self) -> Collection[Connection]:
        """Return the topics."""
        return self._connections

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return receive time of the first message and one more than the last's; 0, 0 of none."""
        return self._span

    def messages(self, query: Query) -> Iterator[tuple[Connection, int, Buffer]]:
        """Yield messages file by file, in the order of their times in each."""
        for file in self._files:
            try:
                with self._opened(file) as storage:
                    yield from self._of_file(storage, file, query)
            except OSError as error:
                self._damaged(BagError(file, found=error, expected='a readable file'))
            except BagError as error:
                self._damaged(error)

    def close(self) -> None:
        """Do nothing: each file is closed when its messages are read."""

    @contextmanager
    def _opened(self, file: Path) -> Iterator[Storage]:
        """Open a file, decompressed to a temporary one where the bag has file compression."""
        with TemporaryDirectory() as directory:
            plain = file
            if self._mode == 'file':
                plain = Path(directory) / file.stem
                decompress_file(file, plain, self._limits.file_bytes)
            storage = self._kind(plain, damaged=self._damaged, limits=self._limits)
            try:
                yield storage
            finally:
                storage.close()

    def _of_file(self, storage: Storage, file: Path,
                 query: Query) -> Iterator[tuple[Connection, int, Buffer]]:
        if self._mode != 'message':
            yield from storage.messages(query)
            return
        lost: dict[str, int] = {}
        for connection, time_ns, data in storage.messages(query):
            try:
                yield connection, time_ns, decompress(data, 'zstd', self._limits.message_bytes)
            except ValueError as error:
                lost[str(error)] = lost.get(str(error), 0) + 1
        for why, count in lost.items():
            self._damaged(BagError(file, found=f'{why}; {count} messages left out',
                                   expected='zstd compressed messages'))

    def _existing(self, path: Path, names: list[str]) -> list[Path]:
        # Only the last part: a bag has no business with files elsewhere.
        files = [path / PurePath(name).name for name in names]
        lost = [BagError(file, found='nothing',
                         expected=f'a file, which {METADATA} lists; {SALVAGE}')
                for file in files if not file.is_file()]
        for damage in lost:
            self._damaged(damage)
        if files and len(lost) == len(files):
            raise lost[0]
        return [file for file in files if file.is_file()]

    def _name_unlisted(self, path: Path) -> None:
        """
        Tell of files of messages that metadata.yaml does not list: their recorder died.

        They are not read: nothing says that they are of this bag.
        """
        listed = {file.name for file in self._files}
        for file in sorted(path.iterdir()):
            plain = file.name.removesuffix(COMPRESSED)
            # What was being compressed as a recorder died is there twice.
            is_read = plain in listed or f'{plain}{COMPRESSED}' in listed
            if plain.endswith(FILES) and not is_read:
                self._damaged(BagError(file, found=f'a file that {METADATA} does not list',
                                       expected=f'every file in it; {SALVAGE}'))

    def _span_of(self, information: dict[str, Any]) -> tuple[int, int]:
        if not sum(connection.count for connection in self._connections):
            return 0, 0
        try:
            start = int(information['starting_time']['nanoseconds_since_epoch'])
            return start, start + int(information['duration']['nanoseconds']) + 1
        except (KeyError, TypeError, ValueError) as error:
            raise BagError(f'{self._where}: starting_time, duration',
                           found=f'{type(error).__name__}: {error}',
                           expected='nanoseconds') from error

    def _one_of(self, information: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
        value = information.get(key)
        if value not in known:
            raise BagError(f'{self._where}: {key}', found=repr(value),
                           expected=f'one of {", ".join(known)}')
        return str(value)


def _connection(number: int, topic: dict[str, Any]) -> Connection:
    about = topic['topic_metadata']
    return Connection(number, about['name'], about['type'],
                      str(about.get('serialization_format', 'cdr')), count=topic['message_count'])
