# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What would be if some leases were given and others taken, put back afterwards."""
from __future__ import annotations

from dataclasses import replace
from types import TracebackType

from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.fleet.state import FleetState


class Suppositions:
    """
    Leases that are supposed to be given or taken, within a `with` block.

    Decisions that are made within it see the expected effect of those before. When the block
    ends, the fleet's state is what it was.
    """

    def __init__(self, fleet: FleetState) -> None:
        self._fleet = fleet
        self._taken: list[Assignment] = []
        self._retries = list(fleet.retries)

    def __enter__(self) -> Suppositions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        for supposed in reversed(self._fleet.supposed):
            self._fleet.count_out(supposed, -1)
            self._fleet.fields.come_back(supposed.assignment_id, supposed.scenario.task)
        self._fleet.supposed.clear()
        for lease in self._taken:
            self._fleet.count_out(lease, 1)
        self._fleet.retries = self._retries

    def give(self, assignment: Assignment) -> None:
        """Suppose that this is out as well."""
        supposed = replace(assignment, assignment_id=f'?{len(self._fleet.supposed)}')
        self._fleet.supposed.append(supposed)
        self._fleet.count_out(supposed, 1)
        self._fleet.send_out(supposed)

    def take(self, lease: Assignment) -> None:
        """Suppose that a robot no longer holds its lease."""
        self._taken.append(lease)
        self._fleet.count_out(lease, -1)

    def put_back(self, lease: Assignment) -> None:
        """Suppose that it holds the lease after all."""
        self._taken.remove(lease)
        self._fleet.count_out(lease, 1)
