# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What each robot's agent meets of the scheduler: a service and a topic of its own."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.service import Service

from active_collection.msg import Lease
from active_collection.names import at_robot
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.rclpy_internals import taken_request
from active_collection.nodes.topics.aside import Aside
from active_collection.nodes.unexpected import as_line
from active_collection.nodes.unexpected import refusal
from active_collection.scheduling.assignment import Assignment
from active_collection.srv import RequestAssignment

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks

Answer = Callable[[list[RequestAssignment.Request]], list[RequestAssignment.Response]]

#: A lease that has not changed is told again after this share of the time that a heartbeat gives,
#: and after so long at most (s): what an agent believes of its deadline is not older.
AGAIN_SHARE, AGAIN_S = 0.25, 5.0


@dataclass
class _Agent:
    """
    One robot's agent.

    :param told: the lease that was told last; None before the first
    :param told_at: when (monotonic s)
    """

    service: Service
    leases: Publisher
    told: str | None = None
    told_at: float = 0.0


class Agents:
    """
    Answers each agent on a service, and tells it of its lease on a topic, in its own namespace.

    On a service that all call, each reply goes to every client, which throws the others' away
    (so does Fast DDS, so does Cyclone DDS); on a topic that all read, each message. What an agent
    hears would grow with the fleet, and what the fleet hears with its square.

    :param scheduler_id: made by chance at the start
    :param answer: returns the responses to one or more requests, in their order
    :param most: requests that are answered together at most
    :param held: returns the id of the lease that a robot holds; empty for none
    :param lease: returns that lease, with the deadline that it has by now
    :param lease_s: returns the time that a heartbeat gives (s)
    """

    def __init__(self, node: Node, *, scheduler_id: str, answer: Answer, most: int,
                 held: Callable[[str], str], lease: Callable[[str], Assignment | None],
                 lease_s: Callable[[], float]) -> None:
        self._node = node
        self._scheduler_id = scheduler_id
        self._answer = answer
        self._most = most
        self._held = held
        self._lease = lease
        self._lease_s = lease_s
        self._group = Aside()
        self._agents: dict[str, _Agent] = {}

    def meet(self, robots: set[str]) -> None:
        """Be there for these robots, and for no others any more."""
        for robot in self._agents.keys() - robots:
            self._leave(self._agents.pop(robot))
        for robot in sorted(robots - self._agents.keys()):
            where = at_robot(robot, self._node.get_fully_qualified_name())
            self._agents[robot] = _Agent(
                self._node.create_service(
                    RequestAssignment, f'{where}/request_assignment', _never,
                    callback_group=self._group),
                self._node.create_publisher(
                    Lease, f'{where}/lease', qos.LATCHED,
                    event_callbacks=PublisherEventCallbacks(use_default_callbacks=False)))

    def answer(self) -> None:
        """Answer every agent that has asked; those that asked meanwhile are answered together."""
        asked: list[tuple[_Agent, Any, Any]] = []
        for agent in list(self._agents.values()):
            while (taken := taken_request(agent.service, RequestAssignment)) is not None:
                asked.append((agent, *taken))
        for begin in range(0, len(asked), self._most):
            part = asked[begin:begin + self._most]
            try:
                answers = self._answer([request for _, request, _ in part])
            except Exception as error:
                for agent, _, header in part:
                    agent.service.send_response(refusal(
                        RequestAssignment.Response, f'request_assignment: {as_line(error)}'),
                        header)
                raise
            for (agent, _, header), answer in zip(part, answers, strict=True):
                agent.service.send_response(answer, header)

    def tell(self) -> None:
        """Tell each agent of its lease where that has changed, and now and then."""
        now_s, now = time.monotonic(), self._node.get_clock().now().to_msg()
        again_s = min(AGAIN_SHARE * self._lease_s(), AGAIN_S)
        for robot, agent in self._agents.items():
            held = self._held(robot)
            if held == agent.told and now_s - agent.told_at < again_s:
                continue
            message = Lease(scheduler_id=self._scheduler_id, assignment_id=held)
            message.header.stamp = now
            lease = self._lease(robot)
            if lease is not None:
                message.deadline = conversions.time_to_msg(lease.deadline_ns)
            agent.leases.publish(message)
            agent.told, agent.told_at = held, now_s

    def _leave(self, agent: _Agent) -> None:
        self._node.destroy_service(agent.service)
        self._node.destroy_publisher(agent.leases)


def _never(request: Any, response: Any) -> Any:
    """Stand in for the callback that the executor never calls."""
    return response
