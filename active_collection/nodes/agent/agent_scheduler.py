# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The fleet's scheduler as a robot's agent uses it: ask for work, keep it, hand it back."""
from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.collecting.collection_robot import NoWork
from active_collection.collecting.collection_robot import UnavailableError
from active_collection.collecting.collection_robot import Work
from active_collection.collecting.lease_watch import LeaseWatch
from active_collection.errors import ActiveCollectionError
from active_collection.msg import Assignment
from active_collection.msg import Lease
from active_collection.names import at_robot
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.agent.agent_messages import refusal_from_msg
from active_collection.nodes.agent.agent_messages import work_from_msg
from active_collection.nodes.agent.scheduler_watch import SchedulerWatch
from active_collection.nodes.alarm import Alarm
from active_collection.nodes.calls import Calls
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RequestAssignment


class AgentScheduler:
    """
    Clients of the scheduler's services, and whether the lease that it gave still stands.

    :param settings: returns those in force
    :param calls: made in the loop's thread
    :param name: the robot's name
    """

    def __init__(self, node: Node, settings: Callable[[], AgentSettings], *, calls: Calls,
                 name: str) -> None:
        self._node = node
        self._settings = settings
        self._calls = calls
        self._name = name
        self._lease = LeaseWatch()
        self._schedulers = SchedulerWatch()
        self._two = Alarm(node, 'schedulers')
        scheduler = node.resolve_service_name(settings().scheduler)
        own = at_robot(name, scheduler)
        self._request = node.create_client(RequestAssignment, f'{own}/request_assignment')
        self._release = node.create_client(ReleaseAssignment, f'{scheduler}/release_assignment')
        self._assignment = node.create_publisher(Assignment, 'assignment', qos.LATCHED)
        node.create_subscription(Lease, f'{own}/lease', self._on_lease, qos.LATCHED)

    def request(self, environment: str) -> Work | NoWork:
        """
        Ask for work.

        :param environment: where the robot is; empty if not known
        :raises UnavailableError: where it does not answer, or sends no valid scenario
        """
        self._lease.follow(None)
        answer = self._calls.service(self._request, RequestAssignment.Request(
            robot=self._name, environment=environment,
            capabilities=list(self._settings().capabilities),
            collectors=list(self._settings().collectors)), timeout_s=self._settings().answer_s,
            remedy='start the scheduler (fleet.launch.py) in the same ROS_DOMAIN_ID, or name it '
                   "in the agent's parameter scheduler")
        if answer.code != answer.GRANTED:
            return refusal_from_msg(answer, retry_s=self._settings().retry_s)
        try:
            work = work_from_msg(answer.assignment)
        except ActiveCollectionError as error:
            raise UnavailableError(f'the scheduler sent no valid scenario: {error}') from error
        self._lease.follow(work)
        self._assignment.publish(answer.assignment)
        return work

    def release(self, work: Work, reason: str, *, retry: bool, set_up_failed: bool) -> None:
        """Hand the lease back."""
        self._node.get_logger().warning(f'{work.assignment_id} handed back: {reason}')
        self._calls.service(self._release, ReleaseAssignment.Request(
            assignment_id=work.assignment_id, robot=self._name, reason=reason, retry=retry,
            set_up_failed=set_up_failed),
            timeout_s=1.0 if self._calls.is_stopping else self._settings().answer_s,
            heeds_stop=False)

    def check(self) -> None:
        """
        Pass while the lease stands.

        :raises TakenError: where it was taken back
        """
        self._lease.check()

    def look(self) -> None:
        """Say where two schedulers lease to this robot; to be called about once a second."""
        two = self._schedulers.is_two(time.monotonic())
        self._two.tell(
            f'two schedulers named {self._settings().scheduler} lease to this robot: end one, or '
            'part their fleets by ROS_DOMAIN_ID' if two else '')

    def _on_lease(self, message: Lease) -> None:
        self._schedulers.hear(message.scheduler_id, time.monotonic())
        self._lease.see(conversions.time_to_ns(message.header.stamp), {
            message.assignment_id: conversions.time_to_ns(message.deadline)})
