# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the policy answers to a simulated robot's observations, and the task that it is set to."""
from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from active_collection.errors import SimulationError
from active_collection.msg import Scenario
from active_collection.msg import UncertaintyEstimate
from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_ns
from active_collection.simulation.action_plan import as_chunk
from active_collection.simulation.messages import SCENARIO_TOPIC
from active_collection.simulation.observation import Array

#: Answers that are kept: more than one, because they come in another thread.
ANSWERS = 16
#: How long a wait for the policy looks away from a cancelled goal (s).
LOOK_S = 0.1


class PolicyAnswers:
    """
    Subscribes to the estimates, which carry the policy's mean actions, and to `scenario`.

    :param group: callback group of the subscriptions
    :param timeout_s: returns how long the policy may take (s)
    """

    def __init__(self, node: Node, *, group: CallbackGroup,
                 timeout_s: Callable[[], float]) -> None:
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._answers: OrderedDict[int, UncertaintyEstimate] = OrderedDict()
        self._task: str | None = None
        node.create_subscription(
            UncertaintyEstimate, 'uncertainty/estimate', self._on_estimate, qos.STATE,
            callback_group=group)
        node.create_subscription(
            Scenario, SCENARIO_TOPIC, self._on_scenario, qos.LATCHED, callback_group=group)

    def await_task(self, task: str, check: Callable[[], None]) -> None:
        """
        Wait until the policy is conditioned on a task, where anybody says what it is on.

        :param check: called while waiting; what it raises ends the wait and is passed on
        :raises SimulationError: where it stays on another task
        """
        if not self._wait(lambda: self._task in {None, task}, check):
            raise SimulationError(SCENARIO_TOPIC, found=f'task {self._task!r}',
                                  expected=f'{task!r}, which the policy is to act on')

    def chunk(self, stamp_ns: int, check: Callable[[], None]) -> Array:
        """
        Return the policy's mean actions for the observation with a stamp: shape (H, 4).

        :raises SimulationError: where no answer comes in time, or none that is actions
        """
        if not self._wait(lambda: stamp_ns in self._answers, check):
            raise SimulationError(
                'uncertainty/estimate', found=f'no answer within {self._timeout_s():g} s',
                expected=f'the action for {stamp_ns} ns')
        answer = self._answers[stamp_ns]
        return as_chunk(answer.action_mean, answer.horizon,
                        where='uncertainty/estimate: action_mean')

    def _wait(self, condition: Callable[[], bool], check: Callable[[], None]) -> bool:
        """Wait for a condition: an answer wakes us, a cancelled goal has to be looked for."""
        deadline_s = time.monotonic() + self._timeout_s()
        with self._changed:
            while not condition() and time.monotonic() < deadline_s:
                self._changed.wait(LOOK_S)
                check()
            return condition()

    def _on_estimate(self, estimate: UncertaintyEstimate) -> None:
        with self._changed:
            self._answers[time_to_ns(estimate.header.stamp)] = estimate
            while len(self._answers) > ANSWERS:
                self._answers.popitem(last=False)
            self._changed.notify_all()

    def _on_scenario(self, scenario: Scenario) -> None:
        with self._changed:
            self._task = scenario.task
            self._changed.notify_all()
