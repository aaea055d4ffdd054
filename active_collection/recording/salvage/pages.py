# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Read the rows of an SQLite file page by page, where the trees above them are torn.

https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages) and 2.1 (records)
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import BinaryIO

HEADER_SIZE = 100
LEAF_OF_TABLE = 0x0D
#: Size (bytes) of an integer by its serial type; 8 and 9 stand for the values 0 and 1.
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
FIRST_BLOB = 12
#: Longest that SQLite lets a row be by default (bytes).
LARGEST_ROW = 1_000_000_000


def rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """
    Return every whole row of every table: its id, then its columns without the first.

    That fits tables whose first column is INTEGER PRIMARY KEY, which stands for the id. Text is
    returned as None. A page that is no longer in use may hold a row once more.

    :param path: the database, without a journal that is still to be applied
    :raises OSError: where it cannot be read
    """
    with path.open('rb') as file:
        pages = _Pages(file)
        for number in range(1, pages.count + 1):
            page = pages.read(number)
            start = HEADER_SIZE if number == 1 else 0
            if page[start] != LEAF_OF_TABLE:
                continue
            for index in range(int.from_bytes(page[start + 3:start + 5], 'big')):
                pointer = start + 8 + 2 * index
                try:
                    yield _row(pages, page, int.from_bytes(page[pointer:pointer + 2], 'big'))
                except (ValueError, IndexError):
                    continue


class _Pages:
    """The whole pages of a database. `usable`: bytes of each that hold data."""

    def __init__(self, file: BinaryIO) -> None:
        header = file.read(HEADER_SIZE).ljust(HEADER_SIZE, b'\0')
        self._file = file
        self._size = int.from_bytes(header[16:18], 'big')
        if self._size == 1:
            self._size = 65536
        self.usable = self._size - header[20]
        self.count = file.seek(0, 2) // self._size if self._size >= 512 else 0

    def read(self, number: int) -> bytes:
        """Return a page; ValueError where the file does not have it."""
        if not 0 < number <= self.count:
            raise ValueError(f'no page {number}')
        self._file.seek((number - 1) * self._size)
        return self._file.read(self._size)


def _row(pages: _Pages, page: bytes, at: int) -> tuple[Any, ...]:
    size, at = _varint(page, at)
    row_id, at = _varint(page, at)
    record = _payload(pages, page, at, size)
    end, at = _varint(record, 0)
    types = []
    while at < end:
        kind, at = _varint(record, at)
        types.append(kind)
    values: list[Any] = []
    for kind in types:
        length = INTEGERS.get(kind, (kind - FIRST_BLOB) // 2 if kind >= FIRST_BLOB else 0)
        content = record[at:at + length]
        if len(content) != length:
            raise ValueError('torn row')
        values.append(_value(kind, content))
        at += length
    return (row_id, *values[1:])


def _value(kind: int, content: bytes) -> Any:
    if kind in {8, 9}:
        return kind - 8
    if kind in INTEGERS:
        return int.from_bytes(content, 'big', signed=True)
    return content if kind >= FIRST_BLOB and kind % 2 == 0 else None


def _payload(pages: _Pages, page: bytes, at: int, size: int) -> bytes:
    """Return a row's record, with what of it overflows to other pages."""
    if size > LARGEST_ROW:
        raise ValueError('no row is so large')
    usable = pages.usable
    local = size
    if size > usable - 35:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        local = local if local <= usable - 35 else least
    parts = [page[at:at + local]]
    following = int.from_bytes(page[at + local:at + local + 4], 'big')
    missing = size - local
    while missing > 0:
        overflow = pages.read(following)
        parts.append(overflow[4:4 + min(missing, usable - 4)])
        following = int.from_bytes(overflow[:4], 'big')
        missing -= usable - 4
    record = b''.join(parts)
    if len(record) != size:
        raise ValueError('torn row')
    return record


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9
