# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Operators' orders on scenarios and robots: what is one, which stand, and what they do."""
from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone
from math import isfinite
from math import prod
from typing import Any
from typing import ClassVar
from typing import Literal

import numpy as np
import numpy.typing as npt

from active_collection.errors import ConfigError
from active_collection.errors import shorten
from active_collection.names import check_name
from active_collection.registry import unknown
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.encoding import decode_as
from active_collection.scheduling.encoding import encode
from active_collection.scheduling.places import Mask
from active_collection.scheduling.places import Places

NS = 1_000_000_000
Command = Literal['pin', 'ban', 'boost', 'clear', 'cap', 'preempt']
RobotCommand = Literal['pause', 'resume', 'drain']


@dataclass(frozen=True, slots=True)
class ScenarioOrder:
    """
    An operator pinned, banned, boosted, capped or put something before all else, or cleared that.

    :param task: task name; empty: every task
    :param environment: environment name; empty: every environment
    :param factor: what a boost multiplies the score by
    :param until_ns: ROS time at which it ends by itself (ns); 0: until cleared
    :param limit: episodes that a cap allows from here on, with what is out
    :param priority: what a preemption gives to its leases; it takes robots from lower ones
    """

    kind: ClassVar[str] = 'steered'
    command: Command
    task: str
    environment: str
    factor: float
    until_ns: int
    author: str
    reason: str
    limit: int = 0
    priority: int = 0

    @property
    def subject(self) -> str:
        """Return what the event is about: the task."""
        return self.task

    def covers(self, task: str, environment: str) -> bool:
        """Tell whether it is about a place."""
        return self.task in {'', task} and self.environment in {'', environment}

    def check(self, space: ScenarioSpace) -> None:
        """
        Refuse an order that makes no sense.

        :raises ConfigError: naming the field
        """
        for name, known in (('task', list(space.tasks)),
                            ('environment', list(space.environments))):
            value = getattr(self, name)
            if value and value not in known:
                raise unknown(f'steer: {name}', value, known)
        check_signed(self.author, self.reason)
        if self.command == 'boost' and not (isfinite(self.factor) and self.factor > 0):
            raise ConfigError('steer: factor', found=self.factor, expected='a number above 0')
        if self.command == 'cap' and self.limit < 0:
            raise ConfigError('steer: limit', found=self.limit, expected='0 or more episodes')
        if self.command == 'preempt' and self.priority < 1:
            raise ConfigError('steer: priority', found=self.priority,
                              expected='1 or more; leases that nobody preempted have 0')

    def __str__(self) -> str:
        place = f'{self.task or "every task"} in {self.environment or "every environment"}'
        more = {'boost': f' by {self.factor:g}', 'cap': f' at {self.limit}',
                'preempt': f' with priority {self.priority}'}.get(self.command, '')
        return f'{self.command} {place}{more} ({self.author}: {self.reason})'

    def until(self) -> str:
        """Return in words when it ends by itself; empty where it does not."""
        if not self.until_ns:
            return ''
        moment = datetime.fromtimestamp(self.until_ns / NS, tz=timezone.utc)
        return f' until {moment:%Y-%m-%d %H:%M:%S} UTC'


@dataclass(frozen=True, slots=True)
class RobotOrder:
    """
    An operator paused, resumed or drained one robot.

    :param deadline_ns: ROS time at which a drain revokes its lease (ns); 0: never
    """

    kind: ClassVar[str] = 'robot'
    command: RobotCommand
    robot: str
    deadline_ns: int
    author: str
    reason: str

    @property
    def subject(self) -> str:
        """Return what the event is about: the robot."""
        return self.robot

    def check(self, space: ScenarioSpace) -> None:
        """
        Refuse an order that nobody stands for, or on a name that is not one of the fleet's.

        :raises ConfigError: naming the field
        """
        check_signed(self.author, self.reason)
        if self.robot:
            check_name(self.robot, 'steer: robot')
            if space.robots and self.robot not in space.robots:
                raise unknown('steer: robot', self.robot, list(space.robots))

    def __str__(self) -> str:
        state = 'paused' if self.command == 'pause' else 'draining'
        return f'{self.robot} is {state} ({self.author}: {self.reason})'


def ends_ns(now_ns: int, seconds: float) -> int:
    """Return when what is ordered for so long ends (ns); 0, never, for no length."""
    return now_ns + int(seconds * NS) if seconds > 0 else 0


def check_signed(author: str, reason: str) -> None:
    """Refuse an order that nobody stands for: ConfigError, naming the field."""
    for name, value in (('author', author), ('reason', reason)):
        if not value.strip():
            raise ConfigError(f'steer: {name}', found='nothing', expected='a few words')


@dataclass(frozen=True, slots=True)
class Standing:
    """
    The orders on scenarios that hold at an instant, oldest first, and what they do.

    :param counted: episodes that counted of each one's places since it was given
    """

    orders: tuple[ScenarioOrder, ...]
    counted: tuple[int, ...]

    def of(self, command: Command) -> list[ScenarioOrder]:
        """Return those of one kind."""
        return [order for order in self.orders if order.command == command]

    def preemptions(self) -> list[ScenarioOrder]:
        """Return the preemptions, the highest priority first."""
        return sorted(self.of('preempt'), key=lambda order: -order.priority)

    def boosts(self, places: Places) -> npt.NDArray[np.float64]:
        """Return the product of the boosts on each place, shape (P,)."""
        boost = np.ones(len(places))
        for order in self.of('boost'):
            boost[_covered(order, places)] *= order.factor
        return boost

    def banned(self, places: Places) -> Mask:
        """Return which places are banned, shape (P,)."""
        return self._any(self.of('ban'), places)

    def capped(self, places: Places, out: Sequence[Mapping[tuple[str, str], int]]) -> Mask:
        """
        Return at which places a cap is reached, shape (P,).

        :param out: of each place, leases; and episodes that wait for a judgement
        """
        return self._any([
            order for order, counted in zip(self.orders, self.counted, strict=True)
            if order.command == 'cap' and order.limit <= counted + sum(
                n for held in out for place, n in held.items() if order.covers(*place))], places)

    def first(self, places: Places) -> Iterator[Mask]:
        """Give the places that go before all others: preemptions, highest first, then pins."""
        for order in self.preemptions():
            yield _covered(order, places)
        yield self._any(self.of('pin'), places)

    @staticmethod
    def _any(orders: Sequence[ScenarioOrder], places: Places) -> Mask:
        mask = np.zeros(len(places), dtype=bool)
        for order in orders:
            mask |= _covered(order, places)
        return mask

    def priority(self, task: str, environment: str) -> int:
        """Return the priority that preemptions give to a lease of a place; 0 without one."""
        return max((o.priority for o in self.of('preempt') if o.covers(task, environment)),
                   default=0)

    def is_pinned(self, task: str) -> bool:
        """Tell whether a task is pinned somewhere."""
        return any(order.task in {'', task} for order in self.of('pin'))

    def is_banned(self, task: str) -> bool:
        """Tell whether a task is banned everywhere."""
        return any(o.task in {'', task} and not o.environment for o in self.of('ban'))

    def boost(self, task: str) -> float:
        """Return the product of the boosts on a task in every environment."""
        return prod((o.factor for o in self.of('boost')
                     if o.task in {'', task} and not o.environment), start=1.0)

    def signed(self, command: Command, tasks: Collection[str],
               environments: Collection[str]) -> tuple[str, ...]:
        """Return who ordered something of these tasks and environments, and why."""
        return tuple(dict.fromkeys(
            shorten(f'{order.author}: {order.reason}') for order in self.of(command)
            if order.task in {'', *tasks} and order.environment in {'', *environments}))

    def __str__(self) -> str:
        return '; '.join(map(str, self.orders))


def _covered(order: ScenarioOrder, places: Places) -> Mask:
    return places.of(order.task, order.environment)


class Orders:
    """
    The orders that were given. One replaces an earlier one of its kind on the same place.

    :ivar robots: the pause or drain of each robot that gets no leases
    """

    def __init__(self) -> None:
        #: Each with the episodes of its places that counted since it was given.
        self._counted: dict[ScenarioOrder, int] = {}
        self.robots: dict[str, RobotOrder] = {}

    def apply(self, order: ScenarioOrder | RobotOrder) -> None:
        """Take an order; 'clear' takes back what stands on its task and environment."""
        if isinstance(order, RobotOrder):
            self.robots.pop(order.robot, None)
            if order.command != 'resume':
                self.robots[order.robot] = order
            return

        def is_replaced(other: ScenarioOrder) -> bool:
            if order.command == 'clear':
                return order.covers(other.task, other.environment)
            return ((order.command, order.task, order.environment)
                    == (other.command, other.task, other.environment))

        self._counted = {other: n for other, n in self._counted.items() if not is_replaced(other)}
        if order.command != 'clear':
            self._counted[order] = 0

    def count(self, task: str, environment: str, episodes: int) -> None:
        """Count episodes of a place under the caps on it; less than 0 takes back."""
        for order in self._counted:
            if order.command == 'cap' and order.covers(task, environment):
                self._counted[order] += episodes

    def standing(self, now_ns: int) -> Standing:
        """Return the orders that hold at a time (ns)."""
        held = [(order, counted) for order, counted in self._counted.items()
                if not order.until_ns or now_ns < order.until_ns]
        return Standing(tuple(order for order, _ in held), tuple(counted for _, counted in held))

    def drains(self) -> dict[str, int]:
        """Return when the drain of each robot revokes its lease (ns), where it ever does."""
        return {robot: order.deadline_ns for robot, order in self.robots.items()
                if order.command == 'drain' and order.deadline_ns}

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` takes: plain JSON types."""
        return {'orders': [[encode(order), counted] for order, counted in self._counted.items()],
                'robots': [encode(order) for order in self.robots.values()]}

    def restore(self, data: Any, *, where: str) -> None:
        """
        Take over what `to_dict` returned.

        :param where: what holds it, for messages
        """
        self._counted = {decode_as(ScenarioOrder, text, where=where): int(counted)
                         for text, counted in data['orders']}
        robots = [decode_as(RobotOrder, text, where=where) for text in data['robots']]
        self.robots = {order.robot: order for order in robots}
