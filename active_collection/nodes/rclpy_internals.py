# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Every name of rclpy that it does not promise: handles, and what begins with an underscore."""
from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.executors import Executor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode
from rclpy.service import Service
from rclpy.subscription import Subscription

#: What rcl raises, and what is raised by an entity that was destroyed meanwhile.
RCLError = rclpy_implementation.RCLError
InvalidHandle = rclpy_implementation.InvalidHandle

_EventHandle: Any = (getattr(rclpy_implementation, 'EventHandle', None)
                     or getattr(rclpy_implementation, 'QoSEvent', None))


def taken(subscription: Subscription, kind: Any, *,
          raw: bool = False) -> Iterator[tuple[Any, dict[str, Any]]]:
    """
    Give the messages that wait in a subscription, each with what the middleware says of it.

    Without the executor, which makes a wait set of every entity of the node for each message.

    :param kind: message class
    :param raw: whether messages are to be serialized bytes
    :raises InvalidHandle: where it was destroyed
    """
    handle: Any = subscription.handle
    with handle:
        while (message := handle.take_message(kind, raw)) is not None:
            yield message


def taken_request(service: Service, kind: Any) -> tuple[Any, Any] | None:
    """
    Return a request that waits in a service, and the header that its response needs.

    :param kind: class of the service
    """
    handle: Any = service.handle
    with handle:
        request, header = handle.service_take_request(kind.Request)
    return None if header is None else (request, header)


def sent(client: Client, request: Any) -> int:
    """Send a request whose answer is taken with `taken_response`, and return its number."""
    handle: Any = client.handle
    with handle:
        return int(handle.send_request(request))


def taken_response(client: Client, kind: Any, number: int) -> Any:
    """
    Return the response to a request where it has arrived, else None; others are passed over.

    :param kind: class of the service
    :param number: of the request, as `sent` returned it
    """
    handle: Any = client.handle
    with handle:
        while True:
            header, response = handle.take_response(kind.Response)
            if header is None:
                return None
            if header.request_id.sequence_number == number:
                return response


def forget_goals(client: ActionClient[Any, Any, Any], *, but: int) -> None:
    """
    Let go of what an action client keeps of goals that have ended; in the executor's thread.

    By itself it keeps for good what no server has answered, the feedback's callback of a goal
    that was refused and, for every goal that it sends, a future that nothing completes and that
    the executor looks at each time it waits (rclpy 9.1: `send_goal_async` makes two).

    :param client: with no goal under way
    :param but: of goals, results and cancellations without an answer, so many of each are kept: a
        late answer to one that is not known is a warning, and a late goal is to be cancelled
    """
    for pending, goals in (
            (client._pending_goal_requests, client._goal_sequence_number_to_goal_id),
            (client._pending_result_requests, client._result_sequence_number_to_goal_id),
            (client._pending_cancel_requests, {})):
        for number in sorted(pending)[:-but]:
            del pending[number]
            goals.pop(number, None)
    awaited = {
        *client._pending_goal_requests.values(), *client._pending_result_requests.values(),
        *client._pending_cancel_requests.values()}
    for future in [future for future in client._futures if future not in awaited]:
        client.remove_future(future)
    known = {bytes(goal.uuid) for goals in (
        client._goal_sequence_number_to_goal_id, client._result_sequence_number_to_goal_id)
        for goal in goals.values()}
    for kept in (client._feedback_callbacks, client._goal_handles):
        for goal in kept.keys() - known:
            del kept[goal]


def event_handle(subscription: Subscription, kind: Any) -> Any:
    """
    Return the handle of an event of a subscription.

    :raises UnsupportedEventTypeError: where the middleware has no such event
    """
    handle: Any = subscription.handle
    with handle:
        return _EventHandle(handle, kind)


def lifecycle_state(node: LifecycleNode) -> tuple[int, str]:
    """Return the number and the name of the state that a managed node is in."""
    number, name = node._state_machine.current_state
    return int(number), str(name)


def threads_of(executor: Executor) -> ThreadPoolExecutor | None:
    """Return the threads in which an executor runs callbacks; None where it has one alone."""
    threads = getattr(executor, '_executor', None)
    return threads if isinstance(threads, ThreadPoolExecutor) else None
