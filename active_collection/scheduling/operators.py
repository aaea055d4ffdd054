# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether an operator's order makes sense, and what stands, in words."""
from __future__ import annotations

from math import isfinite

from active_collection.errors import ConfigError
from active_collection.names import check_name
from active_collection.registry import unknown
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.orders import RobotSteered
from active_collection.scheduling.orders import Steered


def check_order(space: ScenarioSpace, order: Steered) -> None:
    """
    Refuse an order on scenarios that makes no sense.

    :raises ConfigError: naming the field
    """
    for name, known in (('task', list(space.tasks)), ('environment', list(space.environments))):
        value = getattr(order, name)
        if value and value not in known:
            raise unknown(f'steer: {name}', value, known)
    check_signed(order.author, order.reason)
    if order.command == 'boost' and not (isfinite(order.factor) and order.factor > 0):
        raise ConfigError('steer: factor', found=order.factor, expected='a number above 0')
    if order.command == 'cap' and order.limit < 0:
        raise ConfigError('steer: limit', found=order.limit, expected='0 or more episodes')
    if order.command == 'preempt' and order.priority < 1:
        raise ConfigError('steer: priority', found=order.priority,
                          expected='1 or more; leases that nobody preempted have 0')


def check_robot(space: ScenarioSpace, robot: str) -> None:
    """
    Refuse a name that is not one of the fleet's.

    :raises ConfigError: where it cannot be a robot's, or the scenario space has others
    """
    check_name(robot, 'steer: robot')
    if space.robots and robot not in space.robots:
        raise unknown('steer: robot', robot, list(space.robots))


def check_signed(author: str, reason: str) -> None:
    """
    Refuse what nobody stands for.

    :raises ConfigError: where author or reason is blank
    """
    for name, value in (('author', author), ('reason', reason)):
        if not value.strip():
            raise ConfigError(f'steer: {name}', found='nothing', expected='a few words')


def describe(order: Steered) -> str:
    """Return an order in words."""
    place = f'{order.task or "every task"} in {order.environment or "every environment"}'
    more = {'boost': f' by {order.factor:g}', 'cap': f' at {order.limit}',
            'preempt': f' with priority {order.priority}'}.get(order.command, '')
    return f'{order.command} {place}{more} ({order.author}: {order.reason})'


def describe_robot(order: RobotSteered) -> str:
    """Return what stands of a robot in words."""
    state = 'paused' if order.command == 'pause' else 'draining'
    return f'{order.robot} is {state} ({order.author}: {order.reason})'
