# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What nobody foresaw: said once with its traceback, shown on /diagnostics, answered, survived."""
from __future__ import annotations

import inspect
import threading
import time
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.node import Node

from active_collection.errors import in_words
from active_collection.errors import shorten
from active_collection.names import robot_of
from active_collection.nodes import qos
from active_collection.nodes.news import News

#: Time between two reports, once there is something to report (s).
PERIOD_S = 1.0
#: So long after the last one the node is said to be well (s).
RECENT_S = 60.0
#: Codes of a response for what is not the caller's mistake, best first.
CODES = ('UNAVAILABLE', 'INVALID')

_PACKAGE = str(Path(__file__).resolve().parents[1])


class FatalError(Exception):
    """Raised in a callback to end the process with status 1; its cause says why."""


class Unexpected:
    """
    The unexpected errors of one node. Any thread may call.

    The first one at a place in the code is logged with its traceback; all are counted. From the
    first on, the status '<node>: errors' is published: ERROR until there was none for a minute.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._news = News()
        self._count = 0
        self._last = ''
        self._last_at = 0.0
        self._publisher: Any = None

    def note(self, what: str, error: BaseException) -> str:
        """
        Log and count an error, and return it as one line.

        :param what: what failed, for whoever reads the line: 'load_ensemble'
        """
        line = f'{what}: {as_line(error)}'
        place = place_of(error)
        with self._lock:
            is_new = self._news.is_new(f'{what} {place}', type(error).__name__)
            is_first = not self._count
            self._count += 1
            self._last, self._last_at = line, time.monotonic()
        if is_new:
            said = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
            self._node.get_logger().error(
                f'unexpected error, the node goes on: {line} at {place}\n{said}')
        if is_first:
            self._publisher = self._node.create_publisher(
                DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
            self._node.create_timer(
                PERIOD_S, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._report()
        return line

    def _report(self) -> None:
        with self._lock:
            count, last, since = self._count, self._last, time.monotonic() - self._last_at
        if self._publisher is None:
            return
        is_recent = since < RECENT_S
        message = (f'unexpected errors, last: {last}' if is_recent else
                   f'no unexpected error for {RECENT_S:g} s, last: {last}')
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if is_recent else DiagnosticStatus.OK,
            name=f'{self._node.get_fully_qualified_name()}: errors',
            hardware_id=robot_of(self._node.get_namespace()),
            message=f'{message}; the log has the traceback',
            values=[KeyValue(key='errors', value=str(count))])
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


def unexpected_of(node: Node) -> Unexpected:
    """Return what takes a node's unexpected errors: its own where it has one."""
    own = getattr(node, 'unexpected', None)
    return own if isinstance(own, Unexpected) else Unexpected(node)


def answering(unexpected: Callable[[], Unexpected], name: str,
              callback: Callable[..., Any]) -> Callable[..., Any]:
    """
    Return a service's callback that answers whatever happens: with the reason where it fails.

    :param unexpected: returns what takes the error
    :param name: of the service
    """
    def refused(response: Any, error: Exception) -> Any:
        return refusal(type(response), unexpected().note(name, error))

    if inspect.iscoroutinefunction(callback):
        @wraps(callback)
        async def answer_later(request: Any, response: Any) -> Any:
            try:
                return await callback(request, response)
            except FatalError:
                raise
            except Exception as error:  # whatever it is, the caller waits for an answer
                return refused(response, error)

        return answer_later

    @wraps(callback)
    def answer(request: Any, response: Any) -> Any:
        try:
            return callback(request, response)
        except FatalError:
            raise
        except Exception as error:  # whatever it is, the caller waits for an answer
            return refused(response, error)

    return answer


def refusal(kind: Any, reason: str) -> Any:
    """
    Return a response that says no: flags are false as they are made, codes name no success.

    :param kind: class of the response
    :param reason: for its `message` or `reason`, where it has one
    """
    response = kind()
    if hasattr(response, 'code'):
        response.code = next(getattr(kind, code) for code in CODES if hasattr(kind, code))
    for field in ('message', 'reason'):
        if hasattr(response, field):
            setattr(response, field, reason)
    return response


def as_line(error: BaseException) -> str:
    """Return an unexpected error in one line: its type, and what it says."""
    said = in_words(error)
    kind = type(error).__name__
    return kind if said == kind else shorten(f'{kind}: {said}')


def place_of(error: BaseException) -> str:
    """Return the last place in this package that an error came through, or its last at all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    if not frames:
        return 'an unknown place'
    frame = (own or frames)[-1]
    return f'{Path(frame.filename).name}:{frame.lineno} ({frame.name})'
