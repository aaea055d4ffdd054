# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the middleware says of a subscription beside its messages."""
from __future__ import annotations

from typing import Any

try:
    from rclpy.event_handler import QoSSubscriptionEventType as EventType
    from rclpy.event_handler import SubscriptionEventCallbacks
    from rclpy.event_handler import UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import QoSSubscriptionEventType as EventType
    from rclpy.qos_event import SubscriptionEventCallbacks
    from rclpy.qos_event import UnsupportedEventTypeError

from rclpy.qos import qos_policy_name_from_kind

from active_collection.nodes.rclpy_internals import event_handle

#: For create_subscription: no event reaches the executor. It would wake, and build its wait set,
#: at every message: two thirds of a core at 5,000 messages a second.
NO_CALLBACKS = SubscriptionEventCallbacks(use_default_callbacks=False)


class MiddlewareEvents:
    """
    The events of one subscription, asked for instead of waited for.

    :param subscription: as create_subscription returned it
    """

    def __init__(self, subscription: Any) -> None:
        self._lost = _handle(subscription, EventType.RCL_SUBSCRIPTION_MESSAGE_LOST)
        self._refused = _handle(
            subscription, EventType.RCL_SUBSCRIPTION_REQUESTED_INCOMPATIBLE_QOS)

    def lost(self) -> int:
        """Return how many messages the middleware has lost since the last call."""
        event = _take(self._lost)
        return int(event.total_count_change) if event else 0

    def refused(self) -> str:
        """Return the policy for which a publisher gives nothing since the last call, or ''."""
        event = _take(self._refused)
        if not event or not event.total_count_change:
            return ''
        return str(qos_policy_name_from_kind(event.last_policy_kind)).lower()

    def destroy(self) -> None:
        """Let go of the subscription."""
        for handle in (self._lost, self._refused):
            if handle is not None:
                handle.destroy_when_not_in_use()
        self._lost = self._refused = None


def _handle(subscription: Any, kind: Any) -> Any:
    """Return an event's handle; None where the middleware has no such event."""
    try:
        return event_handle(subscription, kind)
    except UnsupportedEventTypeError:
        return None


def _take(handle: Any) -> Any:
    if handle is None:
        return None
    with handle:
        return handle.take_event()
