# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls to services and actions that block a thread which is not the executor's."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.task import Future

from active_collection.scheduling.collection_loop import StoppedError
from active_collection.scheduling.collection_loop import UnavailableError

#: How soon a waiting call sees that it is to stop (s).
LOOK_S = 0.05
#: How long a cancelled action gets to end (s).
CANCEL_S = 2.0


class Calls:
    """
    Blocking calls that end early when `stop` is set.

    :param stop: set once the process is to end; read by whoever waits
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def wait(self, seconds: float) -> None:
        """
        Let time pass.

        :raises StoppedError: as soon as the process is to end
        """
        if self._stop.wait(seconds):
            raise StoppedError

    def service(self, client: Client, request: Any, *, timeout_s: float,
                heeds_stop: bool = True) -> Any:
        """
        Return a service's answer.

        :param heeds_stop: False for the calls with which a process that ends puts things in order
        :raises UnavailableError: where there is none in time
        :raises StoppedError: as soon as the process is to end
        """
        name = client.srv_name
        deadline = time.monotonic() + timeout_s
        while not client.service_is_ready():
            self._look(name, 'is not there', deadline, heeds_stop=heeds_stop)
        future = client.call_async(request)
        try:
            return self._result(future, name, deadline, heeds_stop=heeds_stop)
        except BaseException:
            client.remove_pending_request(future)
            raise

    def action(self, client: ActionClient, goal: Any, *, name: str, accept_s: float,
               limit_s: float, feedback: Callable[[Any], None],
               check: Callable[[], None] = lambda: None) -> Any:
        """
        Return an action's result; whatever interrupts it, the action is cancelled first.

        :param name: its name, for messages
        :param accept_s: how long it may take to be there and accept (s)
        :param limit_s: how long it may take (s)
        :param check: called while waiting; raises UnavailableError to give up
        :raises UnavailableError: where it is not there, refuses, or takes too long
        :raises StoppedError: when the process is to end
        """
        deadline = time.monotonic() + accept_s
        while not client.server_is_ready():
            self._look(name, 'is not there', deadline, heeds_stop=True)
        sent = client.send_goal_async(
            goal, feedback_callback=lambda message: feedback(message.feedback))
        handle = self._result(sent, name, deadline, heeds_stop=False)
        if not handle.accepted:
            raise UnavailableError(f'{name} refused the goal')
        future = handle.get_result_async()
        try:
            return self._result(
                future, name, time.monotonic() + limit_s, heeds_stop=True, check=check).result
        except (StoppedError, UnavailableError):
            handle.cancel_goal_async()
            self._settle(future)
            raise

    def _result(self, future: Future, name: str, deadline: float, *, heeds_stop: bool,
                check: Callable[[], None] = lambda: None) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(LOOK_S):
            check()
            if heeds_stop and self._stop.is_set():
                raise StoppedError
            if time.monotonic() > deadline:
                raise UnavailableError(f'{name} does not answer')
        if future.exception() is not None:
            raise UnavailableError(f'{name}: {future.exception()}')
        return future.result()

    def _look(self, name: str, problem: str, deadline: float, *, heeds_stop: bool) -> None:
        """Wait a little for something that is not there yet."""
        if heeds_stop:
            self.wait(LOOK_S)
        else:
            time.sleep(LOOK_S)
        if time.monotonic() > deadline:
            raise UnavailableError(f'{name} {problem}')

    @staticmethod
    def _settle(future: Future) -> None:
        """Give a cancelled action time to end."""
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        done.wait(CANCEL_S)
