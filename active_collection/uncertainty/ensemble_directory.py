# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A directory of ensembles: which is the newest, and what each says of itself; without torch."""
from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from active_collection.config import validate
from active_collection.errors import UncertaintyError
from active_collection.files import is_file
from active_collection.files import read_json
from active_collection.names import is_safe_name
from active_collection.uncertainty.ensemble import FORMAT
from active_collection.uncertainty.ensemble import EnsembleDescription

DESCRIPTION = 'description.json'


def new_id(now: datetime) -> str:
    """Return an id for an ensemble made at a time (UTC); ids sort by time."""
    return f'{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}'


def read_description(path: Path) -> EnsembleDescription:
    """
    Read what an ensemble says of itself.

    :raises ActiveCollectionError: where description.json is missing or not valid
    """
    file = path / DESCRIPTION
    try:
        data: Any = read_json(file)
    except (OSError, ValueError) as error:
        raise UncertaintyError(file, found=str(error),
                               expected='the description of an ensemble') from error
    if not isinstance(data, dict):
        raise UncertaintyError(file, found=type(data).__name__, expected='a JSON object')
    if data.get('format') != FORMAT:
        raise UncertaintyError(f'{file}: format', found=data.get('format'), expected=FORMAT)
    description = validate(data, EnsembleDescription, where=str(file))
    names = [item.name for item in description.observation.observation]
    if list(description.sizes) != names:
        raise UncertaintyError(f'{file}: sizes', found=', '.join(description.sizes),
                               expected=', '.join(names))
    return description


def ensembles_of(path: Path) -> list[Path]:
    """
    Return the ensembles in a directory, newest first; the directory itself if it is one.

    :param path: a directory of ensembles or an ensemble; may be missing
    :raises UncertaintyError: where it cannot be looked through
    """
    if is_file(path / DESCRIPTION):
        return [path]
    try:
        found = [p for p in path.iterdir()
                 if is_safe_name(p.name) and not p.name.startswith('.')
                 and is_file(p / DESCRIPTION)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise UncertaintyError(path, found=error,
                               expected='a directory of ensembles that can be read') from error
    return sorted(found, key=lambda p: p.name, reverse=True)


def newest(path: Path) -> Path | None:
    """
    Return the newest ensemble in a directory, the directory itself if it is one, or None.

    :param path: a directory of ensembles or an ensemble; may be missing
    :raises UncertaintyError: where it cannot be looked through
    """
    return next(iter(ensembles_of(path)), None)


def state_of(path: Path) -> frozenset[tuple[str, int, int, int]]:
    """Return what changes whenever a file of an ensemble does: names, sizes, times and inodes."""
    found: set[tuple[str, int, int, int]] = set()
    for directory, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # renamed meanwhile, as rsync does
                status = Path(directory, name).stat()
                found.add((name, status.st_size, status.st_ctime_ns, status.st_ino))
    return frozenset(found)
