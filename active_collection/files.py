# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that are either whole or not there: written beside, synced, renamed; and JSON of them."""
from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Ends the name of what is not whole yet.
PARTIAL = '.partial'
_BLOCK = 4 * 1024 * 1024


def expanded(path: str) -> Path:
    """
    Return a path with the home directory for its ~ or ~user.

    :raises ValueError: with what was expected, where there is no such home
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError('a path; of ~user, a user that there is') from error


def is_directory(path: Path) -> bool:
    """Tell whether a path is a directory that this user sees; pathlib raises where it is not."""
    return os.path.isdir(path)  # noqa: PTH112 - so do its others, before Python 3.14


def is_file(path: Path) -> bool:
    """Tell whether a path is a file that this user sees; pathlib raises where it is not."""
    return os.path.isfile(path)  # noqa: PTH113 - so do its others, before Python 3.14


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """
    Make a directory and those above it that are missing, and make their names durable.

    :raises OSError: where the disk refuses
    """
    missing = []
    for place in (path, *path.parents):
        if place.exists():
            break
        missing.append(place)
    path.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync_directory(place.parent)


def parse_json(text: str) -> Any:
    """
    Return what JSON text says.

    :raises ValueError: where it is no JSON, or nested too deeply
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError('values nested too deeply') from error


def read_json(path: Path) -> Any:
    """
    Return what a JSON file says.

    :raises OSError: where it cannot be read
    :raises ValueError: where it is no JSON, or nested too deeply
    """
    return parse_json(path.read_text(encoding='utf-8'))


def partial_of(path: Path) -> Path:
    """
    Return where a file or directory is written before it takes its name: beside it, hidden.

    :raises IsADirectoryError: of '.' and '/', which have no name
    """
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return path.with_name(f'.{path.name}.{os.getpid()}{PARTIAL}')


def sync_file(path: Path) -> None:
    """
    Make what was written to a file durable.

    :raises OSError: where the disk refuses
    """
    with path.open('rb') as file:
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes | str) -> None:
    """
    Replace a file's content at once: a reader or a crash sees the old content or all of the new.

    :raises OSError: where the disk refuses; the old content stands
    """
    content = data.encode() if isinstance(data, str) else data
    with whole_file(path) as partial:
        partial.write_bytes(content)


@contextmanager
def whole_file(path: Path, *, anew: bool = False) -> Iterator[Path]:
    """
    Give a file to fill that takes its name, and is durable, when the block ends without an error.

    :param path: the final file; what is there is replaced
    :param anew: nothing may be there
    :raises FileExistsError: where something is, and nothing may be
    :raises OSError: where the disk refuses; the old content stands
    """
    partial = partial_of(path)
    try:
        yield partial
        sync_file(partial)
        if anew:
            os.link(partial, path)  # fails where another process has just made it
        else:
            partial.replace(path)
    except OSError as error:
        raise of_path(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    sync_directory(path.parent)


def copy_whole(source: Path, path: Path) -> None:
    """
    Copy a file over another at once: until the copy is durable, what was there before stands.

    What an interrupted copy leaves is replaced by the next.

    :param path: the copy; its directory is made where it is missing
    :raises OSError: where the source cannot be read or the disk refuses
    """
    partial = path.with_name(f'{path.name}{PARTIAL}')
    make_directory(path.parent)
    with source.open('rb') as content:
        try:
            with partial.open('wb') as copy:
                shutil.copyfileobj(content, copy, _BLOCK)
                copy.flush()
                os.fsync(copy.fileno())
            partial.replace(path)
        except OSError as error:
            raise of_path(path, error) from error
    sync_directory(path.parent)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """
    Give a directory to fill that takes its name when the block ends without an error.

    A block that raises leaves nothing behind.

    :param path: the final directory; must not exist
    :raises FileExistsError: where it does
    :raises OSError: where it cannot be made
    """
    if path.exists():
        raise FileExistsError(f'{path} exists')
    try:
        make_directory(path.parent)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR),
                                 str(path.parent)) from error
    partial = partial_of(path)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        yield partial
        for made in partial.rglob('*'):
            if made.is_dir():
                sync_directory(made)
            else:
                sync_file(made)
        sync_directory(partial)
        partial.rename(path)
    except OSError as error:
        if Path(error.filename or partial).is_relative_to(partial):
            raise of_path(path, error) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_directory(path.parent)


def of_path(path: Path, error: OSError) -> OSError:
    """Return an error as that of the path which a caller knows of; Arrow's have none at all."""
    return OSError(error.errno or errno.EIO, error.strerror or str(error), str(path))
