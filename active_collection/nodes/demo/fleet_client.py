# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A fleet from outside: its scheduler's state, pause and resume, new ensembles for its robots."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from std_srvs.srv import Trigger

from active_collection.errors import SchedulingError
from active_collection.msg import SchedulerState
from active_collection.names import namespace_of
from active_collection.nodes import qos
from active_collection.srv import LoadEnsemble

#: Nodes that have just been started on a busy machine take their time to be found (s).
PATIENCE_S = 60.0


class FleetClient(Node):
    """
    Watches and steers a running fleet. Its calls block: an executor must spin it elsewhere.

    :param robots: robot names
    :param scheduler: full name of the scheduler node
    """

    def __init__(self, robots: Sequence[str], scheduler: str = '/scheduler') -> None:
        super().__init__('fleet_client')
        self._scheduler = scheduler
        self._changed = threading.Condition()
        self._state: SchedulerState | None = None
        self.create_subscription(
            SchedulerState, f'{scheduler}/state', self._on_state, qos.LATCHED)
        self._pause = self.create_client(Trigger, f'{scheduler}/pause')
        self._resume = self.create_client(Trigger, f'{scheduler}/resume')
        self._load = {
            f'{namespace_of(robot)}/uncertainty': self.create_client(
                LoadEnsemble, f'{namespace_of(robot)}/uncertainty/load_ensemble')
            for robot in robots}

    def pause(self, timeout_s: float = PATIENCE_S) -> None:
        """Stop handing out assignments; those that are out go on."""
        self._call(self._pause, Trigger.Request(), timeout_s)

    def resume(self, timeout_s: float = PATIENCE_S) -> None:
        """Hand out assignments again."""
        self._call(self._resume, Trigger.Request(), timeout_s)

    def load_ensemble(self, path: Path, timeout_s: float = PATIENCE_S) -> None:
        """
        Put an ensemble into every robot's uncertainty node.

        :raises SchedulingError: naming the node, where it refuses or does not answer
        """
        for node, client in self._load.items():
            answer = self._call(client, LoadEnsemble.Request(path=str(path)), timeout_s)
            if not answer.loaded:
                raise SchedulingError(
                    node, found=answer.message, expected='the ensemble loaded')

    def wait(self, condition: Callable[[SchedulerState], bool], *, timeout_s: float,
             meanwhile: Callable[[SchedulerState], None]) -> SchedulerState:
        """
        Wait until the scheduler's state meets a condition.

        :param meanwhile: called with each state, twice a second at least
        :raises SchedulingError: where it does not within `timeout_s`, or no state comes at all
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with self._changed:
                self._changed.wait(timeout=0.5)
                state = self._state
            if state is None:
                continue
            meanwhile(state)
            if condition(state):
                return state
        raise SchedulingError(
            f'{self._scheduler}/state',
            found='no state at all' if self._state is None else (
                f'{self._state.episodes} episodes, {self._state.leases} leases, '
                f'{self._state.message!r}'),
            expected=f'progress within {timeout_s:.0f} s')

    def _on_state(self, state: SchedulerState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _call(self, client: Client, request: Any, timeout_s: float) -> Any:
        if not client.wait_for_service(timeout_sec=timeout_s):
            raise SchedulingError(
                client.srv_name, found='no such service', expected=f'one within {timeout_s:g} s')
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(timeout_s):
            raise SchedulingError(
                client.srv_name, found='no answer', expected=f'one within {timeout_s:g} s')
        return future.result()
