# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What operators have asked for: orders on tasks and environments, and who may work at all."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from active_collection.scheduling.events import decode
from active_collection.scheduling.events import encode
from active_collection.scheduling.orders import RobotSteered
from active_collection.scheduling.orders import Steered


@dataclass(slots=True)
class _Standing:
    """
    An order, and what has been counted under it.

    :param counted: episodes of its places that counted since it was given
    """

    order: Steered
    counted: int = 0


class Steering:
    """The orders that stand. An order replaces an earlier one of its kind on the same place."""

    def __init__(self) -> None:
        self._standing: list[_Standing] = []
        self._robots: dict[str, RobotSteered] = {}

    @property
    def orders(self) -> tuple[Steered, ...]:
        """Return the orders, oldest first, lapsed ones included."""
        return tuple(each.order for each in self._standing)

    @property
    def robots(self) -> Mapping[str, RobotSteered]:
        """Return the pause or drain of each robot that gets no leases."""
        return self._robots

    def apply(self, order: Steered) -> None:
        """Take an order; 'clear' takes back what stands on its task and environment."""
        def is_replaced(other: Steered) -> bool:
            if order.command == 'clear':
                return (order.task in {'', other.task}
                        and order.environment in {'', other.environment})
            return ((order.command, order.task, order.environment)
                    == (other.command, other.task, other.environment))

        self._standing = [each for each in self._standing if not is_replaced(each.order)]
        if order.command != 'clear':
            self._standing.append(_Standing(order))

    def steer_robot(self, order: RobotSteered) -> None:
        """Pause, drain or resume a robot."""
        if order.command == 'resume':
            self._robots.pop(order.robot, None)
        else:
            self._robots[order.robot] = order

    def count(self, task: str, environment: str, episodes: int) -> None:
        """Count episodes of a place under the caps on it; less than 0 takes back."""
        for each in self._standing:
            if each.order.command == 'cap' and covers(each.order, task, environment):
                each.counted += episodes

    def counted(self, order: Steered) -> int:
        """Return the episodes that counted since a cap was given."""
        return sum(each.counted for each in self._standing if each.order == order)

    def standing(self, now_ns: int) -> tuple[Steered, ...]:
        """Return the orders that hold at a time (ns)."""
        return tuple(each.order for each in self._standing
                     if not each.order.until_ns or now_ns < each.order.until_ns)

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` takes: plain JSON types."""
        return {'orders': [[encode(each.order), each.counted] for each in self._standing],
                'robots': [encode(order) for order in self._robots.values()]}

    def restore(self, data: Any, *, where: str) -> None:
        """
        Take over what `to_dict` returned, or the list of orders that stood here in version 1.

        :param where: what holds it, for messages
        """
        if isinstance(data, list):
            data = {'orders': [[text, 0] for text in data], 'robots': []}
        for text, counted in data['orders']:
            order = decode('steered', text, where=where)
            if isinstance(order, Steered):
                self._standing.append(_Standing(order, int(counted)))
        for text in data['robots']:
            robot = decode('robot', text, where=where)
            if isinstance(robot, RobotSteered):
                self._robots[robot.robot] = robot


def covers(order: Steered, task: str, environment: str) -> bool:
    """Tell whether an order is about a place."""
    return order.task in {'', task} and order.environment in {'', environment}


def priority_of(orders: tuple[Steered, ...], task: str, environment: str) -> int:
    """Return the priority that preemptions give to a lease of a place; 0 without one."""
    return max((order.priority for order in orders
                if order.command == 'preempt' and covers(order, task, environment)), default=0)
