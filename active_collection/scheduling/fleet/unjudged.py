# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes that wait for a person's judgement: until then they count as out."""
from __future__ import annotations

from collections import Counter
from typing import Any

from active_collection.episode import Outcome
from active_collection.scheduling.events import Result


class Unjudged:
    """
    How many episodes wait, by task and environment.

    :ivar tasks: by task
    :ivar demonstrations: those that no policy of the task acted out, by task
    :ivar since_ns: since when a task has always had one that waits (ns), by task
    """

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str]] = Counter()
        self.tasks: Counter[str] = Counter()
        self.demonstrations: Counter[str] = Counter()
        self.since_ns: dict[str, int] = {}

    def count(self, result: Result, sign: int, time_ns: int) -> None:
        """Count an episode if it waits; with sign -1, one that no longer does."""
        if result.outcome is not Outcome.UNKNOWN:
            return
        task = result.scenario.task
        self._count[task, result.scenario.environment] += sign
        self.tasks[task] += sign
        if not result.tries_own_policy:
            self.demonstrations[task] += sign
        if not self.tasks[task]:
            self.since_ns.pop(task, None)
        else:
            self.since_ns.setdefault(task, time_ns)

    def places(self) -> dict[tuple[str, str], int]:
        """Return how many wait of each task and environment."""
        return {place: count for place, count in self._count.items() if count}

    def to_list(self) -> list[Any]:
        """Return what `restore` takes: plain JSON types."""
        return [[[*place, count] for place, count in sorted(self.places().items())],
                {task: n for task, n in sorted(self.demonstrations.items()) if n},
                dict(sorted(self.since_ns.items()))]

    def restore(self, data: list[Any]) -> None:
        """Take over what `to_list` returned."""
        places, demonstrations, since = data
        self._count = Counter({(task, place): count for task, place, count in places})
        self.tasks = Counter()
        for task, _, count in places:
            self.tasks[task] += count
        self.demonstrations = Counter(demonstrations)
        self.since_ns = dict(since)
