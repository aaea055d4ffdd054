# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read label files that others wrote, with errors that name the place."""
from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from active_collection.annotation.items import Item
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError

#: Largest label file that is read (bytes).
LARGEST = 1 << 30

#: Told what is wrong with one label of a file; what it raises ends the reading.
Reject = Callable[[ActiveCollectionError], None]


def refuse(error: ActiveCollectionError) -> None:
    """
    Take no file with a wrong label in it.

    :raises ActiveCollectionError: the error
    """
    raise error


def text_of(path: Path) -> str:
    """
    Return a label file's text.

    :raises AnnotationError: where it is missing, too large or no UTF-8
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise AnnotationError(path, found=f'{size} bytes', expected=f'at most {LARGEST}')
        return path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(path, found=error, expected='a label file') from error


def json_of(path: Path) -> Any:
    """
    Return a JSON file's content.

    :raises AnnotationError: where it cannot be read or is no JSON
    """
    text = text_of(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(path, found=error, expected='JSON') from error


@contextmanager
def place(where: str, expected: str) -> Iterator[None]:
    """
    Turn what strange content makes Python raise into an error that names the place.

    :raises AnnotationError: where the block raises KeyError, TypeError, ValueError, IndexError or
        AttributeError
    """
    try:
        yield
    except ActiveCollectionError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise AnnotationError(where, found=error,
                              expected=expected) from error


@contextmanager
def entry(where: str, expected: str, reject: Reject) -> Iterator[None]:
    """
    Read one label: what is wrong with it goes to `reject`, and the block ends there.

    :param where: file and place in it, for messages: 'coco.json: annotations[3]'
    """
    try:
        with place(where, expected):
            yield
    except ActiveCollectionError as error:
        reject(error)


def by_unit(items: Sequence[Item]) -> dict[str, Item]:
    """Return unit id to item."""
    return {item.unit_id: item for item in items}


def by_file(items: Sequence[Item]) -> dict[str, Item]:
    """Return file name, without its directory, to item: tools rename directories."""
    return {Path(item.file).name: item for item in items}


def item_of(name: str, files: dict[str, Item], where: str) -> Item:
    """
    Return the item of a picture's file name.

    :raises AnnotationError: where there is none
    """
    item = files.get(Path(name.replace('\\', '/')).name)
    if item is None:
        raise AnnotationError(where, found=f'picture {name!r}',
                              expected='one of this export (labels of another round?)')
    return item
