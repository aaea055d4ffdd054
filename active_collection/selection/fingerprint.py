# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Tell whether a bag has changed without reading all of it."""
from __future__ import annotations

import hashlib
import os
from pathlib import Path

from active_collection.bags.episodes import MANIFEST
from active_collection.bags.episodes import METADATA
from active_collection.errors import BagError

_ENDS = 1 << 16
_SAMPLE = 1 << 12
_SAMPLES = 16


def content_key(bag: Path) -> str:
    """
    Return a hash of a bag's data: the same wherever the bag lies and whatever it is called.

    Of each file it takes the size, the first and last 64 KiB, where every format keeps its index,
    and 16 samples between. The metadata.yaml of a directory is left out, as it is amended, and so
    is the manifest of a central store, as the episode that was copied there has none.

    :return: 16 hexadecimal digits
    :raises BagError: where a file cannot be read
    """
    return _key(bag, without=frozenset({METADATA, MANIFEST}))


def former_content_key(bag: Path) -> str:
    """
    Return the key by which pools of former times know a bag: its manifest counts.

    :raises BagError: where a file cannot be read
    """
    return _key(bag, without=frozenset({METADATA}))


def _key(bag: Path, *, without: frozenset[str]) -> str:
    digest = hashlib.sha256()
    try:
        files = [file for file in (sorted(bag.iterdir()) if bag.is_dir() else [bag])
                 if file.is_file() and file.name not in without]
        for file in files:
            _add(digest, file)
    except OSError as error:
        raise BagError(bag, found=error, expected='a bag that can be read') from error
    if not files:  # a link to nowhere, a directory of metadata alone: no copies of each other
        digest.update(os.fsencode(bag.absolute()))
    return digest.hexdigest()[:16]


def _add(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    digest.update(size.to_bytes(8, 'little'))
    with path.open('rb') as file:
        digest.update(file.read(_ENDS))
        between = size - 2 * _ENDS
        for i in range(_SAMPLES if between > 0 else 0):
            file.seek(_ENDS + between * i // _SAMPLES)
            digest.update(file.read(_SAMPLE))
        if size > _ENDS:
            file.seek(max(size - _ENDS, _ENDS))
            digest.update(file.read())
