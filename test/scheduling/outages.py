# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What can happen to the file of a ledger that is open, and be put right again."""
import resource
import sqlite3
from contextlib import closing
from contextlib import contextmanager


@contextmanager
def replaced_by_directory(path):
    """Move the file away, with a directory in its place."""
    aside = path.with_name('aside')
    path.rename(aside)
    path.mkdir()
    yield
    path.rmdir()
    aside.rename(path)


@contextmanager
def vanished_directory(path):
    """Take its whole directory away, as a network disk does."""
    aside = path.parent.with_name('unmounted')
    path.parent.rename(aside)
    yield
    aside.rename(path.parent)


@contextmanager
def locked_by_another(path):
    """Let another program hold the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute('BEGIN EXCLUSIVE')
        yield
        other.execute('ROLLBACK')


@contextmanager
def overwritten_header(path):
    """Write over the file's first pages, and put them back."""
    with closing(sqlite3.connect(path)) as other:  # so that all is in the file, and read anew
        other.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    sound = path.read_bytes()
    with path.open('r+b') as file:
        file.write(b'\xa5' * min(len(sound), 16384))
    yield
    with path.open('r+b') as file:
        file.write(sound)


@contextmanager
def full_disk(path):
    """Let this process write nothing beyond the end of the file's log."""
    size = path.with_name(f'{path.name}-wal').stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


OUTAGES = [replaced_by_directory, vanished_directory, locked_by_another, overwritten_header]
