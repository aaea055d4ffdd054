# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What operators have asked for: pins, bans and boosts on tasks and environments."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.scheduling.events import Steered


class Steering:
    """The orders that stand. An order replaces an earlier one of its kind on the same place."""

    def __init__(self, orders: Iterable[Steered] = ()) -> None:
        self._orders: list[Steered] = list(orders)

    @property
    def orders(self) -> tuple[Steered, ...]:
        """Return the orders, oldest first, lapsed ones included."""
        return tuple(self._orders)

    def apply(self, order: Steered) -> None:
        """Take an order; 'clear' takes back what stands on its task and environment."""
        def is_replaced(other: Steered) -> bool:
            if order.command == 'clear':
                return (order.task in {'', other.task}
                        and order.environment in {'', other.environment})
            return ((order.command, order.task, order.environment)
                    == (other.command, other.task, other.environment))

        self._orders = [other for other in self._orders if not is_replaced(other)]
        if order.command != 'clear':
            self._orders.append(order)

    def standing(self, now_ns: int) -> tuple[Steered, ...]:
        """Return the orders that hold at a time (ns)."""
        return tuple(o for o in self._orders if not o.until_ns or now_ns < o.until_ns)


def covers(order: Steered, task: str, environment: str) -> bool:
    """Tell whether an order is about a place."""
    return order.task in {'', task} and order.environment in {'', environment}
