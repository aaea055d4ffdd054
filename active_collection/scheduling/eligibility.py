# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which places a robot may be sent to, and if none, why not."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.beliefs import Integers
from active_collection.scheduling.books import Books
from active_collection.scheduling.collectors import usable
from active_collection.scheduling.events import Request
from active_collection.scheduling.orders import Steered
from active_collection.scheduling.scene import Scene
from active_collection.scheduling.steering import covers

Mask = npt.NDArray[np.bool_]
NONE_STOPPED: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Eligible:
    """
    The places that a robot may be sent to.

    :param places: indices into the scenario space's places, shape (P,)
    :param is_chained: whether the task can follow there without a reset, shape (P,)
    :param boost: what operators multiply the score by, shape (P,)
    :param reason: where there is none: what the last places failed at, one line
    """

    places: Integers
    is_chained: Mask
    boost: Floats
    reason: str = ''


class Eligibility:
    """The places of a scenario space as arrays, and the conditions on them one after another."""

    def __init__(self, space: ScenarioSpace) -> None:
        self._space = space
        self.task_names = tuple(space.tasks)
        self.environment_names = tuple(space.environments)
        tasks = {name: k for k, name in enumerate(self.task_names)}
        environments = {name: k for k, name in enumerate(self.environment_names)}
        self.task = np.array([tasks[t] for t, _ in space.places], dtype=np.int64)
        self.environment = np.array([environments[e] for _, e in space.places], dtype=np.int64)
        self._capacity = np.array([e.capacity for e in space.environments.values()])
        self._maximum = np.array([
            np.inf if t.maximum_episodes is None else t.maximum_episodes
            for t in space.tasks.values()])
        self._needs_chain = np.array([
            t.reset == 'none' and bool(t.preconditions) for t in space.tasks.values()])

    def find(self, books: Books, request: Request, *, now_ns: int,
             stopped: Mapping[str, str] = NONE_STOPPED, anywhere: bool = False) -> Eligible:
        """
        Return the places for a robot that holds no lease.

        :param now_ns: ROS time (ns): which of the operators' orders stand
        :param stopped: tasks that a stopping criterion has ended, each with that criterion
        :param anywhere: whether to leave aside who reaches what and how full it is
        """
        orders = books.steering.standing(now_ns)
        is_chained = self.chained(books, request)
        conditions = (
            *self._own_conditions(books, request, is_chained, anywhere=anywhere),
            ('every task there has stopped: ' + '; '.join(
                f'{name}: {why}' for name, why in stopped.items()),
             np.array([name not in stopped for name in self.task_names])[self.task]),
            ('every task there has its maximum of episodes', self._under_maximum(books)),
            ('every environment there is full', anywhere | self._has_room(books)),
            ('operators banned all that is left', ~self._ordered(orders, 'ban')),
            ("all that is left has reached an operator's cap", ~self._capped(books, orders)),
        )
        mask = np.ones(len(self.task), dtype=bool)
        for reason, condition in conditions:
            mask = mask & condition
            if not mask.any():
                return Eligible(np.empty(0, np.int64), np.empty(0, bool), np.empty(0), reason)
        first = next((m for m in self._first(orders) if (mask & m).any()), mask)
        places = np.flatnonzero(mask & first)
        return Eligible(places, is_chained[places], self.boosts(orders)[places])

    def suits(self, books: Books, request: Request) -> Mask:
        """
        Return whether a robot can do what is to be done at each place, shape of all places.

        What depends on others, room, quotas and orders, is left aside.
        """
        mask = np.ones(len(self.task), dtype=bool)
        for _, condition in self._own_conditions(
                books, request, self.chained(books, request), anywhere=False):
            mask &= condition
        return mask

    def chained(self, books: Books, request: Request) -> Mask:
        """Return where a task can follow a robot's last without a reset, of all places."""
        return self._chained(books.scenes.get(request.robot, Scene()), request.environment)

    def _own_conditions(self, books: Books, request: Request, is_chained: Mask, *,
                        anywhere: bool) -> tuple[tuple[str, Mask], ...]:
        """Return the conditions that only the robot and its scene decide."""
        return (
            (f'robot {request.robot!r} reaches no environment of a task',
             anywhere | self._reachable(request.robot)),
            ('no task there is within its capabilities', self._capable(request)),
            ('no task there has a collector that it offers',
             self._has_collector(request.collectors,
                                 has_policy=bool(books.beliefs.ensembles))),
            ('every task there needs another before it',
             is_chained | ~self._needs_chain[self.task]),
        )

    def boosts(self, orders: Sequence[Steered]) -> Floats:
        """Return the product of the boosts on each place, shape of all places."""
        boost = np.ones(len(self.task))
        for order in orders:
            if order.command == 'boost':
                boost[self._covered(order)] *= order.factor
        return boost

    def _reachable(self, robot: str) -> Mask:
        reach = np.array([self._space.can_reach(robot, e) for e in self.environment_names])
        return np.asarray(reach[self.environment])

    def _capable(self, request: Request) -> Mask:
        entry = self._space.robots.get(request.robot)
        has = {*request.capabilities, *(entry.capabilities if entry else ())}
        capable = np.array([has.issuperset(t.capabilities) for t in self._space.tasks.values()])
        return np.asarray(capable[self.task])

    def _has_collector(self, offered: Sequence[str], *, has_policy: bool) -> Mask:
        offers = np.array([bool(usable(t, tuple(offered), has_policy=has_policy))
                           for t in self._space.tasks.values()])
        return np.asarray(offers[self.task])

    def _under_maximum(self, books: Books) -> Mask:
        pending = np.array([books.pending[name] for name in self.task_names])
        return np.asarray(
            (books.beliefs.arrays().episodes + pending < self._maximum)[self.task])

    def _has_room(self, books: Books) -> Mask:
        busy = np.array([books.busy[name] for name in self.environment_names])
        return np.asarray((busy < self._capacity)[self.environment])

    def _chained(self, scene: Scene, environment: str) -> Mask:
        if scene.facts is None or environment not in {'', scene.environment}:
            return np.zeros(len(self.task), dtype=bool)
        allowed = np.array([scene.allows(task) for task in self._space.tasks.values()])
        here = np.array([name == scene.environment for name in self.environment_names])
        return np.asarray(allowed[self.task] & here[self.environment])

    def _ordered(self, orders: Sequence[Steered], command: str) -> Mask:
        mask = np.zeros(len(self.task), dtype=bool)
        for order in orders:
            if order.command == command:
                mask |= self._covered(order)
        return mask

    def _first(self, orders: Sequence[Steered]) -> Iterator[Mask]:
        """Give the places that go before all others: preemptions, highest first, then pins."""
        preemptions = [o for o in orders if o.command == 'preempt']
        for order in sorted(preemptions, key=lambda o: -o.priority):
            yield self._covered(order)
        yield self._ordered(orders, 'pin')

    def _capped(self, books: Books, orders: Sequence[Steered]) -> Mask:
        mask = np.zeros(len(self.task), dtype=bool)
        for order in orders:
            if order.command == 'cap':
                out = sum(n for place, n in books.out.items() if covers(order, *place))
                if books.steering.counted(order) + out >= order.limit:
                    mask |= self._covered(order)
        return mask

    def _covered(self, order: Steered) -> Mask:
        mask = np.ones(len(self.task), dtype=bool)
        if order.task:
            mask &= np.array([n == order.task for n in self.task_names])[self.task]
        if order.environment:
            mask &= np.array(
                [n == order.environment for n in self.environment_names])[self.environment]
        return mask
