# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Take in what an annotation tool exported: what is right of it, and what is wrong by place."""
from __future__ import annotations

import inspect
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.archive import is_zip
from active_collection.annotation.archive import the_file
from active_collection.annotation.archive import unpacked
from active_collection.annotation.formats import FORMATS
from active_collection.annotation.formats import Format
from active_collection.annotation.items import Item
from active_collection.annotation.tabular import csv_text
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError
from active_collection.files import write_whole
from active_collection.registry import unknown


@dataclass(frozen=True)
class Ingested:
    """
    What came of a file.

    :param annotations: what is right, in the file's order, repeats and all
    :param rejected: what is wrong, with its place: unknown picture or class, box outside
    """

    annotations: tuple[Annotation, ...]
    rejected: tuple[ActiveCollectionError, ...]


def ingest(path: Path, form: str, items: Sequence[Item], classes: Sequence[str],
           options: Mapping[str, str] | None = None) -> Ingested:
    """
    Read a file that an annotation tool exported, or the zip file that it packed it into.

    :param form: name of the format
    :param classes: allowed labels; any where empty
    :param options: of the format
    :raises ConfigError: where the format, or an option of it, is unknown
    :raises AnnotationError: where the file cannot be read at all, or nothing in it is right
    """
    chosen = _format(form, options or {})
    if not is_zip(path):
        return _read(chosen, path, path, items, classes)
    with unpacked(path) as directory:
        try:
            return _within(path, directory, _read(
                chosen, the_file(directory, chosen.file, path), path, items, classes))
        except AnnotationError as error:
            raise _renamed(error, directory, path) from error


def write_rejected(path: Path, rejected: Sequence[ActiveCollectionError]) -> None:
    """
    Write a CSV file of what is wrong: where it stands, what was found, what was expected.

    :raises OSError: where it cannot be written
    """
    write_whole(path, csv_text(['where', 'found', 'expected'], (
        [error.where, error.found, error.expected] for error in rejected)))


def _format(name: str, options: Mapping[str, str]) -> Format:
    kind = FORMATS.get(name)
    known = list(inspect.signature(kind).parameters)
    for option in options:
        if option not in known:
            raise unknown(f'{name} option', option, known)
    return kind(**options)


def _read(form: Format, file: Path, given: Path, items: Sequence[Item],
          classes: Sequence[str]) -> Ingested:
    """
    Read a file.

    :param given: what the user named, for messages
    """
    rejected: list[ActiveCollectionError] = []
    annotations = form.read(file, items, classes, rejected.append)
    if not annotations and rejected:
        first = rejected[0]
        raise AnnotationError(
            first.where, found=first.found if len(rejected) == 1 else
            f'{first.found} (and {len(rejected) - 1} more, none right)', expected=first.expected)
    if not annotations:
        raise AnnotationError(given, found='no labels', expected='at least one')
    return Ingested(tuple(annotations), tuple(rejected))


def _within(archive: Path, directory: Path, read: Ingested) -> Ingested:
    """Return what came of a file of an archive, with places in that."""
    return Ingested(read.annotations, tuple(
        _renamed(error, directory, archive) for error in read.rejected))


def _renamed(error: ActiveCollectionError, directory: Path,
             archive: Path) -> ActiveCollectionError:
    return type(error)(error.where.replace(str(directory), str(archive)), found=error.found,
                       expected=error.expected)
