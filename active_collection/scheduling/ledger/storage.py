# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a ledger lives: an SQLite file, or a PostgreSQL database."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from active_collection.errors import SchedulingError
from active_collection.registry import Registry

#: An event as it is read: sequence, time (ns), kind, detail.
Row = tuple[int, int, str, str]
#: An event as it is written: sequence, time (ns), kind, subject, task, detail.
FullRow = tuple[int, int, str, str, str, str]
SNAPSHOTS_KEPT = 2
LAST = 2**62
#: What is to be done where the ledger of a running scheduler is gone.
PUT_BACK = 'the ledger that was open here: put it back, or restart the scheduler'


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which events are wanted, and in which order.

    :param after: sequence number of the last one not wanted
    :param until: sequence number of the last one wanted
    :param kinds: kinds wanted; none for all
    :param subject: what they are about; None for anything
    :param task: task of their scenario; None for any
    :param is_newest_first: whether the newest comes first
    :param is_one: whether the first is enough
    """

    after: int = 0
    until: int = LAST
    kinds: tuple[str, ...] = ()
    subject: str | None = None
    task: str | None = None
    is_newest_first: bool = False
    is_one: bool = False


class Storage(Protocol):
    """
    A ledger's events and snapshots, open for reading, or for reading and as its one writer.

    Every method raises SchedulingError where the place cannot be used.

    :param place: path or URL
    :param writes: whether to make or migrate the ledger, and to keep other writers out
    :param is_durable: False leaves it to the system when what was written is on the disk
    """

    name: str

    def __init__(self, place: str, *, writes: bool, is_durable: bool) -> None: ...

    def events(self, wanted: Wanted) -> Iterator[Row]:
        """Give events."""
        ...

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 where there is none."""
        ...

    def snapshot(self, until: int) -> tuple[int, str] | None:
        """Return the last snapshot (sequence, books as JSON) at or before an event."""
        ...

    def append(self, rows: Sequence[FullRow], snapshot: tuple[int, str] | None) -> None:
        """Add events and perhaps a snapshot, of which two are kept: all durably, or nothing."""
        ...

    def reopen(self) -> None:
        """
        Open it anew after it could not be used, and keep other writers out again.

        What is not there is not made, and after an error it can be asked again.
        """
        ...

    def damage(self) -> list[str]:
        """Return what the database itself finds wrong; empty where it is sound."""
        ...

    def close(self) -> None:
        """Close it and let another write it."""
        ...


_HERE = 'active_collection.scheduling.ledger'
STORAGES: Registry[Storage] = Registry(
    'ledger storage', 'active_collection.ledger_storages', {
        'sqlite': f'{_HERE}.sqlite_storage:SqliteStorage',
        'postgresql': f'{_HERE}.postgresql_storage:PostgresqlStorage',
    })


def open_storage(place: Path | str, *, writes: bool, is_durable: bool = True) -> Storage:
    """
    Open the storage that a path or the scheme of a URL names.

    :raises ConfigError: where there is no such storage
    :raises SchedulingError: where it cannot be used
    """
    scheme, separator, _ = str(place).partition('://')
    kind = STORAGES.get(scheme if separator else 'sqlite')
    return kind(str(place), writes=writes, is_durable=is_durable)


def damaged(name: str, error: object) -> SchedulingError:
    """Return the error for a ledger whose content cannot be trusted."""
    return SchedulingError(
        name, found=str(error),
        expected='a sound ledger: restore a copy of it, or move it away to begin anew')


def of_another_version(name: str, version: int, known: int) -> SchedulingError:
    """Return the error for a ledger of a later release."""
    return SchedulingError(name, found=f'a ledger of version {version}',
                           expected=f'version {known} or earlier: use a later release')


def of_another_history(name: str, sequence: int) -> SchedulingError:
    """
    Return the error for a ledger that came back as another.

    :param sequence: of the last event that it had
    """
    return SchedulingError(
        name, found=f'a ledger that does not go on where it was left, at event {sequence}',
        expected=PUT_BACK)


def of_another_scheduler(name: str) -> SchedulingError:
    """Return the error for a ledger that somebody else writes."""
    return SchedulingError(name, found='another scheduler that writes it',
                           expected='one scheduler a ledger')
