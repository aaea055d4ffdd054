# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls to services and actions that block a thread which is not the executor's."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from functools import partial
from typing import Any

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from active_collection.collecting.collection_robot import RefusedError
from active_collection.collecting.collection_robot import StoppedError
from active_collection.collecting.collection_robot import UnavailableError
from active_collection.nodes.rclpy_internals import forget_goals

#: How soon a waiting call sees that it is to stop (s).
LOOK_S = 0.05
#: How long a cancelled action gets to end (s).
CANCEL_S = 2.0
#: An action server that was not in the graph for this long is lost (s).
LOST_S = 1.0
#: Goals, results and cancellations of which an answer may still come that are remembered, each.
MOST_UNANSWERED = 10


class Calls:
    """
    Blocking calls that end early when `stop` is set.

    :param stop: set once the process is to end; read by whoever waits
    :param node: the clients' node, whose executor has one thread
    """

    def __init__(self, stop: threading.Event, node: Node) -> None:
        self._stop = stop
        self._node = node

    @property
    def is_stopping(self) -> bool:
        """Tell whether the process is to end."""
        return self._stop.is_set()

    def check_stop(self) -> None:
        """
        Pass while the process is to go on.

        :raises StoppedError: once it is to end
        """
        if self._stop.is_set():
            raise StoppedError

    def wait(self, seconds: float) -> None:
        """
        Let time pass.

        :raises StoppedError: as soon as the process is to end
        """
        if self._stop.wait(seconds):
            raise StoppedError

    def await_servers(self, servers: Mapping[str, Callable[[], bool]], *,
                      timeout_s: float, remedy: str = '') -> None:
        """
        Return once all servers are there.

        :param servers: name, for messages, to what tells whether it is
        :param remedy: what a person can do where one is not
        :raises UnavailableError: naming the first that is not in time
        :raises StoppedError: as soon as the process is to end
        """
        deadline = time.monotonic() + timeout_s
        for name, is_there in servers.items():
            self._await(is_there, name, deadline, heeds_stop=True, remedy=remedy)

    def service(self, client: Client, request: Any, *, timeout_s: float,
                heeds_stop: bool = True, remedy: str = '') -> Any:
        """
        Return a service's answer.

        :param remedy: what a person can do where the service is not there
        :param heeds_stop: False for the calls with which a process that ends puts things in order
        :raises UnavailableError: where there is none in time
        :raises StoppedError: as soon as the process is to end
        """
        if heeds_stop:
            self.check_stop()
        name = client.srv_name
        deadline = time.monotonic() + timeout_s
        self._await(client.service_is_ready, name, deadline, heeds_stop=heeds_stop,
                    remedy=remedy)
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
        Return an action's end, its `status` and `result`; what interrupts it cancels it first.

        :param name: its name, for messages
        :param accept_s: how long it may take to be there and accept (s)
        :param limit_s: how long it may take (s)
        :param check: called while waiting; what it raises ends the action and is passed on
        :raises RefusedError: where it refuses or takes too long
        :raises UnavailableError: where it is not there, is lost, or does not stop when it is
            cancelled
        :raises StoppedError: when the process is to end
        """
        try:
            return self._action(client, goal, name=name, accept_s=accept_s, limit_s=limit_s,
                                feedback=feedback, check=check)
        finally:
            if self._node.executor is not None:
                self._node.executor.create_task(
                    partial(forget_goals, client, but=MOST_UNANSWERED))

    def _action(self, client: ActionClient, goal: Any, *, name: str, accept_s: float,
                limit_s: float, feedback: Callable[[Any], None],
                check: Callable[[], None]) -> Any:
        self.check_stop()
        deadline = time.monotonic() + accept_s
        self._await(client.server_is_ready, name, deadline, heeds_stop=True)
        sent = self._asked(lambda: client.send_goal_async(
            goal, feedback_callback=lambda message: feedback(message.feedback)))
        try:
            handle = self._result(sent, name, deadline, heeds_stop=False)
        except UnavailableError:
            # A goal that is accepted after all must not move the robot with nobody watching.
            sent.add_done_callback(_cancel_late)
            raise
        if not handle.accepted:
            raise RefusedError(f'{name} refused the goal')
        future = self._asked(handle.get_result_async)
        presence = _Presence(client, name)

        def look() -> None:
            presence.check()
            check()

        try:
            return self._result(
                future, name, time.monotonic() + limit_s, heeds_stop=True, check=look,
                late=RefusedError)
        except Exception as error:
            self._asked(handle.cancel_goal_async)
            if not self._settle(future) and not isinstance(
                    error, (StoppedError, UnavailableError)):
                raise UnavailableError(f'{name} does not stop; {error}') from error
            raise

    def _asked(self, ask: Callable[[], Future]) -> Future:
        """
        Return the answer to what is asked in the executor's thread.

        Asked in another one, rclpy loses an answer that comes before it has written down that it
        waits for one, and the goal goes on unwatched (ros2/rclpy issue 1123).
        """
        answer = Future()

        def hand_on(asked: Future) -> None:
            if asked.exception() is not None:
                answer.set_exception(asked.exception())
            else:
                answer.set_result(asked.result())

        def in_executor() -> None:
            try:
                ask().add_done_callback(hand_on)
            except Exception as error:  # into the thread that waits for the answer
                answer.set_exception(error)

        while self._node.executor is None:  # the node is being made
            self.wait(LOOK_S)
        self._node.executor.create_task(in_executor)
        return answer

    def _result(self, future: Future, name: str, deadline: float, *, heeds_stop: bool,
                check: Callable[[], None] = lambda: None,
                late: type[UnavailableError] = UnavailableError) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(LOOK_S):
            check()
            if heeds_stop and self._stop.is_set():
                raise StoppedError
            if time.monotonic() > deadline:
                raise late(f'{name} does not answer')
        if future.exception() is not None:
            raise UnavailableError(f'{name}: {future.exception()}')
        return future.result()

    def _await(self, is_there: Callable[[], bool], name: str, deadline: float, *,
               heeds_stop: bool, remedy: str = '') -> None:
        """Wait for a server that may not have been discovered yet."""
        while not is_there():
            if heeds_stop:
                self.wait(LOOK_S)
            else:
                time.sleep(LOOK_S)
            if time.monotonic() > deadline:
                raise UnavailableError(
                    '; '.join(filter(None, [f'{name} is not there', remedy])))

    @staticmethod
    def _settle(future: Future) -> bool:
        """Give a cancelled action time to end, and tell whether it did."""
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        return done.wait(CANCEL_S)


class _Presence:
    """Whether an action's server is still there."""

    def __init__(self, client: ActionClient, name: str) -> None:
        self._client = client
        self._name = name
        self._seen = time.monotonic()

    def check(self) -> None:
        now = time.monotonic()
        if self._client.server_is_ready():
            self._seen = now
        elif now - self._seen > LOST_S:
            raise UnavailableError(f'{self._name} is lost')


def _cancel_late(sent: Future) -> None:
    handle = sent.result() if sent.exception() is None else None
    if handle is not None and handle.accepted:
        handle.cancel_goal_async()
