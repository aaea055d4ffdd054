# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a writer that died left beside its SQLite file: the file is whole only with its journal.

A journal takes back what was half written, a write-ahead log holds what was written and is not in
the file yet. SQLite applies either as it opens the file, and changes both: to a copy only.
"""
from __future__ import annotations

import shutil
from pathlib import Path

_JOURNALS = ('-journal', '-wal')


def journals_of(path: Path) -> list[Path]:
    """Return the journals beside a SQLite file that hold something."""
    beside = [path.with_name(path.name + suffix) for suffix in _JOURNALS]
    return [journal for journal in beside if journal.is_file() and journal.stat().st_size]


def copy_with_journals(path: Path, directory: Path) -> Path:
    """
    Copy a SQLite file and its journals, and return the copy of the file.

    :param directory: must have room for both
    :raises OSError: where one of them cannot be read, or the disk refuses
    """
    for file in (path, *journals_of(path)):
        shutil.copyfile(file, directory / file.name)
    return directory / path.name
