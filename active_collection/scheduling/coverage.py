# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What was collected of every task and is out, read in when a task is first asked for."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable

from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.task_coverage import MEMORY
from active_collection.scheduling.task_coverage import TaskCoverage

#: Gives (episode id, scenario) of all that was collected of a task, last counted first.
PointSource = Callable[[str], Iterable[tuple[str, Scenario]]]


class Coverage:
    """
    The coverage of every task, read in only when a task is first asked for.

    :param collected: what was collected of a task up to this instant
    :param out: what is out of a task at this instant, under the names of the assignments
    :param candidates: see `TaskCoverage`
    """

    def __init__(self, space: ScenarioSpace, *, candidates: int, collected: PointSource,
                 out: PointSource) -> None:
        self._space = space
        self._candidates = candidates
        self._collected_before = collected
        self._out_before = out
        self._tasks: dict[str, TaskCoverage] = {}

    def send_out(self, name: str, scenario: Scenario, *, is_supposed: bool = False) -> None:
        """Add a configuration that is out; see `TaskCoverage.send_out`."""
        if scenario.task in self._tasks:
            self._tasks[scenario.task].send_out(name, scenario, is_supposed=is_supposed)

    def collect(self, name: str, scenario: Scenario) -> None:
        """Add a collected configuration under the name of its episode."""
        if scenario.task in self._tasks:
            self._tasks[scenario.task].collect(name, scenario)

    def come_back(self, name: str, episode: str, task: str) -> None:
        """Let what was out under one name be collected under another."""
        if task in self._tasks:
            self._tasks[task].come_back(name, episode)

    def discard(self, name: str, task: str) -> None:
        """Remove what is known under a name."""
        if task in self._tasks and not self._tasks[task].discard(name):
            del self._tasks[task]

    def task(self, name: str) -> TaskCoverage:
        """Return a task's coverage."""
        if name not in self._tasks:
            task = TaskCoverage(self._space, name, candidates=self._candidates)
            last = []
            for pair in self._collected_before(name):
                last.append(pair)
                if len(last) == MEMORY:
                    break
            for episode, scenario in reversed(last):
                task.collect(episode, scenario)
            for assignment, scenario in self._out_before(name):
                task.send_out(assignment, scenario)
            self._tasks[name] = task
        return self._tasks[name]
