# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What would be if some leases were given and others taken: books that are put back afterwards."""
from __future__ import annotations

from types import TracebackType

from active_collection.scheduling.books import Books
from active_collection.scheduling.books import Lease
from active_collection.scheduling.events import Assigned


class Suppositions:
    """
    Leases that are supposed to be given or taken, within a `with` block.

    Decisions that are made within it see the expected effect of those before. When the block
    ends, the books are what they were.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._taken: list[Lease] = []
        self._recent = list(books.recent)
        self._retries = list(books.retries)

    def __enter__(self) -> Suppositions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        for assigned in reversed(self._books.supposed):
            self._books.count_out(assigned, -1)
            self._books.coverage.discard(assigned.assignment_id, assigned.scenario.task)
        self._books.supposed.clear()
        for lease in self._taken:
            self._books.count_out(lease.assigned, 1)
        self._books.recent.clear()
        self._books.recent.extend(self._recent)
        self._books.retries = self._retries

    def give(self, assigned: Assigned) -> None:
        """Suppose that this is out as well."""
        self._books.supposed.append(assigned)
        self._books.count_out(assigned, 1)
        self._books.send_out(assigned, is_supposed=True)

    def take(self, lease: Lease) -> None:
        """Suppose that a robot no longer holds its lease."""
        self._taken.append(lease)
        self._books.count_out(lease.assigned, -1)

    def put_back(self, lease: Lease) -> None:
        """Suppose that it holds the lease after all."""
        self._taken.remove(lease)
        self._books.count_out(lease.assigned, 1)
