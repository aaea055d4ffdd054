# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Entities that the executor leaves alone."""
from __future__ import annotations

from typing import Any

from rclpy.callback_groups import CallbackGroup


class Aside(CallbackGroup):
    """
    Keeps the executor from its subscriptions and clients.

    The executor makes a wait set of every entity each time it waits, in Python: at 5,000 messages
    a second that alone fills a core, and with 200 robots it costs 15 ms for each request. To ask
    each subscription in turn whether it has something costs 0.5 ms, as often as one likes.
    """

    def can_execute(self, entity: Any) -> bool:
        """Tell whether the executor may look at it: never."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Refuse to let it run."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing is held."""
