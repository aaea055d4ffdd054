# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The beliefs at the arrangements of every task, read in when a task is first asked for."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from itertools import islice

from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs.task_field import MEMORY
from active_collection.scheduling.beliefs.task_field import TaskField
from active_collection.scheduling.events import Result

#: Gives (episode id, result) of all episodes of a task, last counted first.
ResultSource = Callable[[str], Iterable[tuple[str, Result]]]


class Fields:
    """
    The field of every task.

    :param counted: the episodes of a task up to this instant
    :param out: what is being demonstrated of a task at this instant, by assignment
    :param handed_back: what could not be set up of a task last
    :param seed, attempts, age: see `TaskField`
    """

    def __init__(self, space: ScenarioSpace, *, seed: int, attempts: int,
                 age: Callable[[int], int], counted: ResultSource,
                 out: Callable[[str], Iterable[tuple[str, Scenario]]],
                 handed_back: Callable[[str], Iterable[Scenario]]) -> None:
        self._space = space
        self._seed = seed
        self._attempts = attempts
        self._age = age
        self._counted_before = counted
        self._out_before = out
        self._handed_back_before = handed_back
        self._tasks: dict[str, TaskField] = {}

    def send_out(self, name: str, scenario: Scenario) -> None:
        """Add an arrangement that is being demonstrated."""
        if scenario.task in self._tasks:
            self._tasks[scenario.task].send_out(name, scenario)

    def come_back(self, name: str, task: str) -> None:
        """Remove what is out under a name."""
        if task in self._tasks:
            self._tasks[task].come_back(name)

    def count(self, name: str, result: Result, previous: Result | None) -> None:
        """Add an episode, or its amendment."""
        task = result.scenario.task
        if previous is not None and previous.scenario.task != task:
            other = self._tasks.get(previous.scenario.task)
            if other is not None and not other.forget(name):
                del self._tasks[previous.scenario.task]
        if task in self._tasks:
            self._tasks[task].count(name, result)

    def hand_back(self, task: str) -> None:
        """Take in that a robot could not set something up."""
        if task in self._tasks:
            self._tasks[task].hand_back(self._handed_back_before(task))

    def see_ensemble(self) -> None:
        """Take in that there is another ensemble."""
        for task in self._tasks.values():
            task.see_ensemble()

    def task(self, name: str) -> TaskField:
        """Return a task's field."""
        if name not in self._tasks:
            task = TaskField(self._space, name, seed=self._seed, attempts=self._attempts,
                             age=self._age)
            last = list(islice(self._counted_before(name), MEMORY))
            for episode, result in reversed(last):
                task.count(episode, result)
            for assignment, scenario in self._out_before(name):
                task.send_out(assignment, scenario)
            task.hand_back(self._handed_back_before(name))
            self._tasks[name] = task
        return self._tasks[name]
