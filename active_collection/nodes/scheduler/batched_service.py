# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A service that answers callers who ask at the same time together."""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy

from active_collection.nodes.rclpy_internals import taken_request
from active_collection.nodes.unexpected import as_line
from active_collection.nodes.unexpected import refusal

#: As services are, but with room for a whole fleet that asks at once: of the usual 10 requests
#: that wait, an eleventh would drop the first.
REQUESTS = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE, history=HistoryPolicy.KEEP_LAST, depth=2000)


class BatchedService:
    """
    Collects the requests that wait when the first is handled, and those of a moment after.

    The executor hands over the first; the others are taken from the middleware here. A coroutine
    that waits for the moment to pass would do the same at the cost of a core, because rclpy's
    executors do not sleep while a coroutine is pending.

    :param kind: service type
    :param answer: returns the responses to one or more requests, in their order
    :param window_s: how long to wait for others (s)
    :param most: requests that are answered together at most
    """

    def __init__(self, node: Node, kind: Any, name: str, *,
                 answer: Callable[[list[Any]], list[Any]], window_s: float, most: int) -> None:
        self._node = node
        self._kind = kind
        self._name = name
        self._answer = answer
        self._window_s = window_s
        self._most = most
        self._service = node.create_service(kind, name, self._on_request, qos_profile=REQUESTS)

    def close(self) -> None:
        """Answer nobody any more."""
        self._node.destroy_service(self._service)

    def _on_request(self, request: Any, response: Any) -> Any:
        del response
        others = self._take(self._most - 1)
        if self._window_s and len(others) < self._most - 1:
            time.sleep(self._window_s)
            others += self._take(self._most - 1 - len(others))
        try:
            first, *rest = self._answer([request, *(other for other, _ in others)])
        except Exception as error:
            for _, header in others:
                self._service.send_response(
                    refusal(self._kind.Response, f'{self._name}: {as_line(error)}'), header)
            raise  # the node answers the first as any service that fails
        for (_, header), answer in zip(others, rest, strict=True):
            self._service.send_response(answer, header)
        return first

    def _take(self, most: int) -> list[tuple[Any, Any]]:
        """Return requests that wait, each with the header that its response needs."""
        taken: list[tuple[Any, Any]] = []
        while len(taken) < most and (
                request := taken_request(self._service, self._kind)) is not None:
            taken.append(request)
        return taken
