# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `scheduler`: leases scenarios to robots and learns from the episodes they publish."""
from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from active_collection.config import load
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.msg import Episode
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.nodes import assignments
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.batched_service import BatchedService
from active_collection.nodes.fleet_topics import FleetTopics
from active_collection.nodes.parameters import declare
from active_collection.nodes.run import run
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.answers import Counted
from active_collection.scheduling.ledger import Ledger
from active_collection.scheduling.pace import Pace
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RequestAssignment
from active_collection.srv import SteerRobot
from active_collection.srv import SteerScenario

TICK_PERIOD_S = 1.0
#: Time between two looks whether the state is to be published (s).
LOOK_PERIOD_S = 0.1
#: The state is published after a change, but not more often than this (s), nor so often that it
#: takes more than this share of the time, 0 to 1; and at least as often as that (s).
STATE_SOONEST_S, STATE_SHARE, STATE_LATEST_S = 0.5, 0.04, 1.0
#: Time between two looks for episodes and heartbeats (s).
TAKE_PERIOD_S = 0.05


class SchedulerNode(Node):
    """Services, topics and timers around a Scheduler. One thread."""

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        super().__init__('scheduler', automatically_declare_parameters_from_overrides=True)
        settings = declare(self, SchedulerSettings)
        if not settings.space:
            raise ConfigError('parameter space', found='nothing',
                              expected='the path of a scenario space')
        self._space = load(settings.space, ScenarioSpace)
        self._ledger = Ledger(settings.ledger)
        self._scheduler = Scheduler(
            self._space, settings, self._ledger, now_ns=self._now_ns())
        self._topics = FleetTopics(
            self, on_episodes=self._on_episodes, on_status=self._on_status)
        self._unwritten: dict[tuple[str, int], EpisodeRecord] = {}
        self._pace = Pace(
            soonest_s=STATE_SOONEST_S, latest_s=STATE_LATEST_S, share=STATE_SHARE)
        self._leases = assignments.LeaseMessages(self._space)
        self._state = self.create_publisher(SchedulerState, '~/state', qos.LATCHED)
        self._serve(settings)
        self.create_timer(TAKE_PERIOD_S, self._topics.take)
        self.create_timer(TICK_PERIOD_S, self._tick)
        self.create_timer(LOOK_PERIOD_S, self._publish_if_due)
        self._topics.discover()
        self._publish()

    def destroy_node(self) -> None:
        """Close the ledger once no callback runs any more; the leases live on in it."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        super().destroy_node()

    def _serve(self, settings: SchedulerSettings) -> None:
        BatchedService(
            self, RequestAssignment, '~/request_assignment', answer=self._on_requests,
            window_s=settings.batch_window_s, most=settings.batch_robots)
        for kind, name, callback in (
                (ReleaseAssignment, 'release_assignment', self._on_release),
                (SteerScenario, 'steer_scenario', self._on_steer),
                (SteerRobot, 'steer_robot', self._on_steer_robot),
                (Trigger, 'pause', partial(self._on_mode, self._scheduler.pause)),
                (Trigger, 'resume', partial(self._on_mode, self._scheduler.resume)),
                (Trigger, 'drain', partial(self._on_mode, self._scheduler.drain))):
            self.create_service(kind, f'~/{name}', callback)

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_requests(self, requests: list[RequestAssignment.Request],
                     ) -> list[RequestAssignment.Response]:
        self._topics.take_episodes({request.robot: None for request in requests})
        answers = self._scheduler.request_many(
            [assignments.request_from_msg(request) for request in requests], self._now_ns())
        return [assignments.answer_to_msg(answer, self._space) for answer in answers]

    def _on_release(self, request: ReleaseAssignment.Request,
                    response: ReleaseAssignment.Response) -> ReleaseAssignment.Response:
        released = self._scheduler.release(
            request.assignment_id, robot=request.robot, reason=request.reason,
            retry=request.retry, now_ns=self._now_ns())
        self.get_logger().info(
            f'{request.robot!r} hands back {request.assignment_id!r}: {released.value} '
            f'({request.reason})')
        response.code = getattr(response, released.name)
        response.message = released.value
        return response

    def _on_steer(self, request: SteerScenario.Request,
                  response: SteerScenario.Response) -> SteerScenario.Response:
        order = assignments.order_from_msg(request, now_ns=self._now_ns())
        if order is None:
            response.message = f'command: found {request.command}, expected one of SteerScenario'
            return response
        return self._told(response, partial(self._scheduler.steer, order))

    def _on_steer_robot(self, request: SteerRobot.Request,
                        response: SteerRobot.Response) -> SteerRobot.Response:
        order = assignments.robot_order_from_msg(request, now_ns=self._now_ns())
        if order is None:
            response.message = f'command: found {request.command}, expected one of SteerRobot'
            return response
        return self._told(response, partial(self._scheduler.steer_robot, order))

    def _told(self, response: Any, take: Callable[[int], str]) -> Any:
        """Take an operator's order, and tell everybody at once what holds from here on."""
        try:
            response.message = take(self._now_ns())
            response.accepted = True
        except ActiveCollectionError as error:
            response.message = str(error)
        self._publish()
        return response

    def _on_mode(self, change: Any, request: Trigger.Request,
                 response: Trigger.Response) -> Trigger.Response:
        del request
        try:
            change(self._now_ns())
            response.success = True
            response.message = self._scheduler.books.mode
        except SchedulingError as error:
            response.message = str(error)
        self._publish()
        return response

    def _on_episodes(self, arrived: list[tuple[str, Episode]]) -> None:
        """Count episodes. Whose each is, the topic says that it came on."""
        records = []
        for robot, message in arrived:
            if message.state != Episode.CLOSED:
                continue
            message.robot = robot
            try:
                records.append(conversions.episode_from_msg(message))
            except ActiveCollectionError as error:
                self.get_logger().warning(f'{robot}: an episode that is not valid: {error}')
        if records:
            self._count(records)

    def _count(self, records: list[EpisodeRecord]) -> None:
        """Count episodes, or keep them for the next tick where the ledger cannot be written."""
        try:
            counted = self._scheduler.finished_many(records, self._now_ns())
        except SchedulingError as error:
            self.get_logger().error(f'{len(records)} episodes are not counted yet: {error}')
            self._unwritten.update({_revision(record): record for record in records})
            return
        for record, what in zip(records, counted, strict=True):
            self._unwritten.pop(_revision(record), None)
            if what is not Counted.DUPLICATE:
                self.get_logger().info(
                    f'{record.episode_id}: {what.value}, {record.outcome.value}, '
                    f'{record.scenario}')

    def _on_status(self, robot: str, message: RobotStatus) -> None:
        self._scheduler.heartbeat(robot, message.assignment_id, self._now_ns())

    def _tick(self) -> None:
        if self._unwritten:
            self._count(list(self._unwritten.values()))
        try:
            self._scheduler.tick(self._now_ns())
        except SchedulingError as error:
            self.get_logger().error(str(error))
        self._topics.discover()

    def _publish_if_due(self) -> None:
        if self._pace.is_due(self._scheduler.books.sequence, time.monotonic()):
            self._publish()

    def _publish(self) -> None:
        began, version = time.monotonic(), self._scheduler.books.sequence
        now = self.get_clock().now()
        self._state.publish(assignments.state_to_msg(
            self._scheduler.state(int(now.nanoseconds)), self._leases, now))
        self._pace.told(version, began, time.monotonic())


def _revision(record: EpisodeRecord) -> tuple[str, int]:
    return record.episode_id, record.revision


def main() -> int:
    """Run the node and return the exit status."""
    return run(SchedulerNode)
