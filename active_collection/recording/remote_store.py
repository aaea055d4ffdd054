# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The central store that episodes are copied to, behind an fsspec URL."""
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from active_collection.errors import ConfigError
from active_collection.files import PARTIAL
from active_collection.files import copy_whole
from active_collection.files import make_directory
from active_collection.files import write_whole
from active_collection.packages import how_to_install
from active_collection.recording.remote_errors import StoreError
from active_collection.recording.remote_errors import store_error

_BLOCK = 4 * 1024 * 1024
_REPLACED = '.replaced'
#: No manifest is larger (bytes).
_LARGEST_READ = 1 << 20
#: Stores of objects in buckets. A file is there whole or not at all, so that it can be written
#: under its name; buckets are their owner's to make.
_OBJECTS = frozenset({'s3', 's3a', 'gs', 'gcs', 'abfs', 'az'})
_LOCAL = frozenset({'file', 'local'})
_ATOMIC = _OBJECTS | {'memory'}
_SFTP = frozenset({'sftp', 'ssh'})
#: What brings the file system of a kind of URL.
_GROUPS = {'s3': 's3', 's3a': 's3', 'sftp': 'sftp', 'ssh': 'sftp'}
_S3 = frozenset({'s3', 's3a'})
#: Of S3's client, where nothing else is said: a server that is away is told in seconds.
_S3_CONFIG = {'retries': {'mode': 'standard', 'total_max_attempts': 2}, 'connect_timeout': 5,
              'read_timeout': 15}


class Store:
    """
    A central store behind an fsspec URL: file://, s3://, sftp://, …

    :param url: its root; episodes are put below it
    :param options: of the fsspec file system: endpoint, credentials
    :raises ConfigError: where the URL or an option is none, or its file system is not installed
    :raises StoreError: where it cannot be reached or logged in to
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        if not url.partition('://')[2].strip('/'):
            raise ConfigError('target', found=url, expected='a URL: file:///…, s3://…, sftp://…')
        #: Without a password: it is written and printed.
        self.url = _without_password(url).rstrip('/')
        self._given = url
        self._protocol = url.split('://', 1)[0]
        self._options = dict(options or {})
        self._files, self._root = self._opened()

    def check(self) -> None:
        """
        See that it is there, or make it; a bucket has to be there.

        :raises StoreError: where it cannot be reached or made
        """
        with self._explained(f'target {self.url}'):
            if self._protocol in _LOCAL:
                make_directory(Path(self._root))
                return
            if self._protocol not in _OBJECTS:
                self._files.makedirs(self._root, exist_ok=True)
                return
            bucket = self._root.partition('/')[0]
            try:
                with self._asking_once():
                    self._files.info(bucket)
            except PermissionError:
                # Of a bucket as a whole that says no more; some may list only what is below.
                self._list()
            except FileNotFoundError as error:
                raise ConfigError(
                    f'target {self.url}', found=f'no bucket {bucket!r}',
                    expected='one that has been made (and the endpoint_url where it is)',
                ) from error

    def reconnect(self) -> None:
        """
        Forget the connection, which may be broken, and check again over another.

        :raises StoreError: where it cannot be reached or made
        """
        self._files, self._root = self._opened()
        self.check()

    def sha256(self, name: str) -> str:
        """
        Return the checksum of a file of the store, read back; empty where it is not there.

        :param name: below the root, with forward slashes
        :raises StoreError: where it cannot be read
        """
        digest = hashlib.sha256()
        with self._explained(f'{self.url}/{name}'):
            try:
                self._files.invalidate_cache()
                with self._files.open(f'{self._root}/{name}', 'rb', cache_type='none') as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
            except FileNotFoundError:
                return ''
        return digest.hexdigest()

    def read(self, name: str) -> bytes | None:
        """
        Return a small file of the store, or None where it is not there.

        :raises StoreError: where it cannot be read
        """
        with self._explained(f'{self.url}/{name}'):
            try:
                self._files.invalidate_cache()
                with self._files.open(f'{self._root}/{name}', 'rb', cache_type='none') as file:
                    return bytes(file.read(_LARGEST_READ))
            except FileNotFoundError:
                return None

    def put(self, path: Path, name: str) -> None:
        """
        Copy a file into the store, where it takes its name when it is whole and on the disk.

        What bore the name before stands until then.

        :param name: below the root, with forward slashes
        :raises StoreError: where the store refuses it
        :raises OSError: where the file itself cannot be read
        """
        final = f'{self._root}/{name}'
        with self._explained(f'{self.url}/{name}', source=path):
            if self._protocol in _LOCAL:
                copy_whole(path, Path(final))
                return
            self._files.makedirs(final.rpartition('/')[0], exist_ok=True)
            if self._protocol in _ATOMIC:
                self._files.put_file(str(path), final)
                return
            self._files.put_file(str(path), final + PARTIAL)
            self._take_name(final)

    def write(self, name: str, content: bytes) -> None:
        """
        Write a small file into the store, as `put` does.

        :raises StoreError: where the store refuses it
        """
        final = f'{self._root}/{name}'
        with self._explained(f'{self.url}/{name}'):
            if self._protocol in _LOCAL:
                make_directory(Path(final).parent)
                write_whole(Path(final), content)
                return
            whole = self._protocol in _ATOMIC
            with self._files.open(final if whole else final + PARTIAL, 'wb') as file:
                file.write(content)
            if not whole:
                self._take_name(final)

    def _take_name(self, final: str) -> None:
        """Give what was written beside a name its name, in place of what bears it."""
        if self._protocol in _SFTP:
            self._files.force_to_disk(final + PARTIAL)
            self._files.mv(final + PARTIAL, final)
            return
        # What replaces nothing when it moves a file makes way first; nothing is removed meanwhile.
        replaced = self._files.exists(final)
        if replaced:
            self._files.mv(final, final + _REPLACED)
        try:
            self._files.mv(final + PARTIAL, final)
        except BaseException:
            if replaced:
                self._files.mv(final + _REPLACED, final)
            raise
        if self._files.exists(final + _REPLACED):
            self._files.rm_file(final + _REPLACED)

    @contextmanager
    def _asking_once(self) -> Iterator[None]:
        """Give up a server that is silent: s3fs tries again what its client tried again."""
        if self._protocol not in _S3:
            yield
            return
        tries, self._files.retries = self._files.retries, 1
        try:
            yield
        finally:
            self._files.retries = tries

    def _list(self) -> None:
        try:
            self._files.ls(self._root)
        except FileNotFoundError:  # empty as yet
            return

    def _opened(self) -> tuple[Any, str]:
        import fsspec  # type: ignore[import-untyped]

        options = {**self._options, 'skip_instance_cache': True}
        try:
            if self._protocol in _SFTP:
                return self._opened_sftp(options)
            if self._protocol in _S3:
                options.setdefault('config_kwargs', dict(_S3_CONFIG))
            files, root = fsspec.core.url_to_fs(self._given, **options)
        except ImportError as error:
            group = _GROUPS.get(self._protocol)
            raise ConfigError(
                f'target {self.url}', found=str(error),
                expected=how_to_install(group) if group else 'its file system installed',
            ) from error
        except ValueError as error:
            raise ConfigError(
                f'target {self.url}', found=str(error),
                expected='a URL: file:///…, s3://…, sftp://…, or another of fsspec') from error
        return files, root.rstrip('/')

    def _opened_sftp(self, options: dict[str, Any]) -> tuple[Any, str]:
        from fsspec.utils import infer_storage_options  # type: ignore[import-untyped]

        from active_collection.recording.sftp import sftp_file_system

        place = infer_storage_options(self._given)
        for name in ('username', 'password', 'port'):
            if name in place:
                options.setdefault(name, place[name])
        make = sftp_file_system()
        with self._explained(f'target {self.url}'):
            return make(place['host'], **options), place['path'].rstrip('/')

    @contextmanager
    def _explained(self, where: str, source: Path | None = None) -> Iterator[None]:
        """
        Say in one line what a library raises.

        :param source: a file here, whose own errors are passed on
        """
        try:
            yield
        except (ConfigError, StoreError):
            raise
        except OSError as error:
            if source is not None and str(error.filename) == str(source):
                raise
            raise self._error(where, error) from error
        except TypeError as error:
            raise ConfigError(f'target {self.url}: --option', found=error,
                              expected='options that its file system has') from error
        except Exception as error:  # each file system has errors of its own
            raise self._error(where, error) from error

    def _error(self, where: str, error: BaseException) -> StoreError:
        made = store_error(where, error)
        if made.lasting:  # whichever file it was
            return store_error(f'target {self.url}', error)
        return made


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition('@')
    netloc = f'{user.partition(":")[0]}{at}{host}'
    return urlunsplit(parts._replace(netloc=netloc))
