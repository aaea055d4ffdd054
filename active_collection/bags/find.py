# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Find bags: in files, directories (recursively) and globs."""
from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.bags.storage import SALVAGE
from active_collection.errors import BagError

#: Suffixes of files that are bags by themselves.
SUFFIXES = frozenset({'.bag', '.mcap', '.db3'})
#: Suffixes of what is not finished: an open episode, a file being written, an open rosbag1.
UNFINISHED = (RECORDING_SUFFIX, '.partial', '.active')
#: Suffixes of files that are bags once they have been salvaged: compressed, or not closed.
SALVAGEABLE = ('.zstd', '.active')


def find_bags(paths: Iterable[Path | str]) -> list[Path]:
    """
    Return every bag among and below the given paths, each once, in a stable order.

    A directory with a metadata.yaml is one rosbag2 bag; any other directory is searched, links
    followed. Bags that are still being recorded are left out.

    :param paths: .bag, .mcap, .db3 files, rosbag2 directories, directories, globs ('**' descends)
    :raises BagError: where a path does not exist, is no bag, or no bag is found below it
    """
    found: dict[Path, None] = {}
    for path in paths:
        for root in _expand(path):
            bags = list(_below(root)) if root.is_dir() else [_file(root)]
            if not bags:
                raise BagError(root, found='no bag', expected='.bag, .mcap or .db3 files, or '
                               f'rosbag2 directories (with {METADATA})')
            found.update(dict.fromkeys(bags))
    return list(found)


def _expand(path: Path | str) -> list[Path]:
    path = Path(path)
    try:
        if path.exists():
            return [path]
    except (OSError, ValueError) as error:
        raise BagError(path, found=error, expected='a path that can be read') from error
    matches: list[str] = []
    if glob.has_magic(str(path)):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - also absolute
    kept = [Path(match) for match in matches if _may_be_bag(Path(match))]
    if not kept:
        found = f'{len(matches)} matches that are no bags' if matches else 'nothing'
        raise BagError(path, found=found, expected='a bag or a directory of bags')
    return kept


def _may_be_bag(path: Path) -> bool:
    """Tell whether a match of a glob is worth looking at: a whole bag's other files are not."""
    if any(part.endswith(UNFINISHED) for part in path.parts):
        return False
    return path.is_dir() or path.suffix in SUFFIXES


def _file(path: Path) -> Path:
    if path.suffix in SUFFIXES:
        return path
    hint = f'; {SALVAGE}' if path.suffix in SALVAGEABLE else ''
    raise BagError(path, found=f'a file with suffix {path.suffix!r}',
                   expected=f'one of {", ".join(sorted(SUFFIXES))}, or a directory{hint}')


def _below(root: Path) -> Iterator[Path]:
    if root.name.endswith(UNFINISHED):
        raise BagError(root, found='a bag that is still being recorded',
                       expected='a closed one (`active-collection salvage` closes it)')
    seen: set[str] = set()
    for directory, directories, files in os.walk(root, followlinks=True):
        real = os.path.realpath(directory)
        if real in seen:
            directories.clear()
            continue
        seen.add(real)
        if METADATA in files:
            directories.clear()
            yield Path(directory)
            continue
        directories[:] = sorted(d for d in directories if not d.endswith(UNFINISHED))
        yield from (Path(directory, file) for file in sorted(files)
                    if Path(file).suffix in SUFFIXES)
