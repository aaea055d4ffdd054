# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `scheduler`: leases scenarios to robots and learns from the episodes they publish."""
from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Any

from rclpy.clock import Clock
from rclpy.clock import ClockType
from std_srvs.srv import Trigger

from active_collection.config import load
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.errors import shorten
from active_collection.msg import Episode
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.news import News
from active_collection.nodes.parameters import ParameterNode
from active_collection.nodes.run import run
from active_collection.nodes.scheduler import assignments
from active_collection.nodes.scheduler.agents import Agents
from active_collection.nodes.scheduler.batched_service import BatchedService
from active_collection.nodes.scheduler.fleet_topics import FleetTopics
from active_collection.nodes.scheduler.missed_episodes import MissedEpisodes
from active_collection.nodes.scheduler.scheduler_reports import SchedulerReports
from active_collection.nodes.scheduler.waiting_episodes import WaitingEpisodes
from active_collection.nodes.sole import Sole
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.fleet.clock_skew import ClockSkews
from active_collection.scheduling.fleet.clock_skew import in_words
from active_collection.scheduling.fleet.publish_rate import PublishRate
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RepeatEpisode
from active_collection.srv import RequestAssignment
from active_collection.srv import SteerRobot
from active_collection.srv import SteerScenario

TICK_PERIOD_S = 1.0
#: Time between two looks what is to be told, and whom to ask (s).
LOOK_PERIOD_S = 0.1
#: The state is published after a change, but not more often than this (s), nor so often that it
#: takes more than this share of the time, 0 to 1; and at least as often as that (s).
STATE_SOONEST_S, STATE_SHARE, STATE_LATEST_S = 0.5, 0.04, 1.0
#: While nobody listens it is published as often as that (s): of 1,000 leases it takes long to say.
STATE_UNHEARD_S = 5.0
#: Robots that ask at the same time are answered together, so that each gets what it can do at
#: least cost: this long (s) others are waited for, and at most so many.
BATCH_WINDOW_S = 0.005
BATCH_ROBOTS = 64
#: How long it listens for another one before it opens the ledger and leases (s).
LISTEN_S = 2.0
#: What a person can do who wants two schedulers.
OTHER_FLEET = ("give one another ROS_DOMAIN_ID, as its robots, or another name "
               "(-r __node:=scheduler_b) that its agents' parameter scheduler says")
#: Time between two looks for episodes and heartbeats, and for what agents ask (s).
TAKE_PERIOD_S, ANSWER_PERIOD_S = 0.2, 0.04


class SchedulerNode(ParameterNode[SchedulerSettings]):
    """Services, topics and timers around a Scheduler. One thread."""

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        super().__init__('scheduler', automatically_declare_parameters_from_overrides=True)
        settings = self.declare_settings(SchedulerSettings)
        self._sole = Sole(self, '~', remedy=OTHER_FLEET, changed=self._on_other)
        self._sole.listen(LISTEN_S)
        if not settings.space:
            raise ConfigError('parameter space', found='nothing',
                              expected='the path of a scenario space')
        self._space = load(settings.space, ScenarioSpace)
        self._ledger = Ledger(settings.ledger)
        self._scheduler = Scheduler(
            self._space, settings, self._ledger, now_ns=self._now_ns())
        self._missed = MissedEpisodes(self, on_episodes=self._on_listed)
        self._topics = FleetTopics(
            self, on_episodes=self._on_episodes, on_status=self._on_status,
            on_recorder=self._missed.ask, on_gone=self._on_gone)
        self._agents = Agents(
            self, scheduler_id=self._sole.instance_id, answer=self._on_requests,
            most=BATCH_ROBOTS, lease_s=lambda: self.settings.lease_s,
            held=lambda robot: self._scheduler.fleet.held_by.get(robot, ''),
            lease=lambda robot: self._scheduler.lease_of(robot, self._now_ns()))
        self._refused = News()
        self._waiting = WaitingEpisodes()
        self._reports = SchedulerReports(self)
        self._skews = ClockSkews()
        # In a simulation every node has the simulator's time, as far as it has heard it.
        self._is_simulated = bool(self.get_parameter('use_sim_time').value)
        self._rate = PublishRate(
            soonest_s=STATE_SOONEST_S, latest_s=STATE_LATEST_S, share=STATE_SHARE)
        self._leases = assignments.LeaseMessages(self._space)
        self._listeners, self._told_at = 0, 0.0
        self._state = self.create_publisher(SchedulerState, '~/state', qos.LATCHED)
        self._served: list[Callable[[], Any]] = []
        self._serve()
        # A simulator that pauses must not let leases lapse unheard and unsaid.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        for period_s, callback in ((TAKE_PERIOD_S, self._topics.take), (TICK_PERIOD_S, self._tick),
                                   (ANSWER_PERIOD_S, self._agents.answer),
                                   (LOOK_PERIOD_S, self._look)):
            self.create_timer(period_s, callback, clock=steady)
        self._discover()
        self._publish()

    def take_settings(self, settings: SchedulerSettings, names: Collection[str]) -> None:
        """Decide by changed settings from here on, and tell everybody what follows from them."""
        del names
        if settings != self.settings:
            self._scheduler.change(settings, self._now_ns())
            self._publish()

    def destroy_node(self) -> None:
        """Close the ledger once no callback runs any more; the leases live on in it."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        super().destroy_node()

    def _on_other(self) -> None:
        """Answer nobody while another scheduler of this name does; go on when it is gone."""
        if self._sole.yields:
            self.get_logger().error('leases nothing and takes no orders: the other one does')
            while self._served:
                self._served.pop()()
            self._agents.meet(set())
        elif not self._served:
            self._serve()

    def _serve(self) -> None:
        self._served.append(BatchedService(
            self, RequestAssignment, '~/request_assignment', answer=self._on_requests,
            window_s=BATCH_WINDOW_S, most=BATCH_ROBOTS).close)
        for kind, name, callback in (
                (ReleaseAssignment, 'release_assignment', self._on_release),
                (SteerScenario, 'steer_scenario', self._on_steer),
                (SteerRobot, 'steer_robot', self._on_steer_robot),
                (RepeatEpisode, 'repeat_episode', self._on_repeat),
                (Trigger, 'pause', partial(self._on_mode, self._scheduler.pause)),
                (Trigger, 'resume', partial(self._on_mode, self._scheduler.resume)),
                (Trigger, 'drain', partial(self._on_mode, self._scheduler.drain))):
            service = self.create_service(kind, f'~/{name}', callback)
            self._served.append(partial(self.destroy_service, service))

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_requests(self, requests: list[RequestAssignment.Request],
                     ) -> list[RequestAssignment.Response]:
        self._topics.take_episodes({request.robot: None for request in requests})
        answers = self._scheduler.request_many(
            [assignments.request_from_msg(request) for request in requests], self._now_ns())
        for request, answer in zip(requests, answers, strict=True):
            self._log_refusal(shorten(request.robot), answer)
        return [assignments.answer_to_msg(answer, self._space) for answer in answers]

    def _log_refusal(self, robot: str, answer: Assignment | Refusal) -> None:
        """Log why a robot gets nothing, once until it gets something or the reason changes."""
        if isinstance(answer, Assignment):
            self._refused.forget(robot)
        elif self._refused.is_new(robot, answer.gist):
            line = f'nothing for {robot!r}: {answer.message}'
            if answer.needs_person:
                self.get_logger().warning(line)
            else:
                self.get_logger().info(line)

    def _on_release(self, request: ReleaseAssignment.Request,
                    response: ReleaseAssignment.Response) -> ReleaseAssignment.Response:
        released = self._scheduler.release(
            request.assignment_id, robot=request.robot, reason=request.reason,
            retry=request.retry, set_up_failed=request.set_up_failed, now_ns=self._now_ns())
        self.get_logger().info(
            f'{shorten(request.robot)!r} hands back {shorten(request.assignment_id)!r}: '
            f'{released.value} ({shorten(request.reason)})')
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

    def _on_repeat(self, request: RepeatEpisode.Request,
                   response: RepeatEpisode.Response) -> RepeatEpisode.Response:
        self._topics.take_episodes([request.robot])
        return self._told(response, lambda now_ns: self._scheduler.repeat(
            request.robot, request.episode_id, author=request.author, reason=request.reason,
            instead_of=request.assignment_id, is_cancelled=request.cancel, now_ns=now_ns))

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
            response.message = self._scheduler.fleet.mode
        except SchedulingError as error:
            response.message = str(error)
        self._publish()
        return response

    def _on_episodes(self, arrived: list[tuple[str, Episode]]) -> None:
        """Count episodes that came on topics, and see whether others are missing."""
        for robot, message in arrived:
            self._missed.heard(robot, message)
        self._count_messages(arrived)

    def _on_listed(self, robot: str, messages: list[Episode]) -> None:
        self._count_messages([(robot, message) for message in messages])

    def _count_messages(self, arrived: list[tuple[str, Episode]]) -> None:
        """Count episodes. Whose each is, its topic or its recorder's name says."""
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
        """Count episodes, or keep them for a later tick where the ledger cannot be used."""
        try:
            counted = self._scheduler.finished_many(records, self._now_ns())
        except SchedulingError:  # `tick` tells of it
            for robot in self._waiting.keep(records):
                self._missed.ask(robot)
            return
        for record, what in zip(records, counted, strict=True):
            self._waiting.counted(record)
            if what is not Counted.DUPLICATE:
                self.get_logger().info(
                    f'{record.episode_id}: {what.value}, {record.outcome.value}, '
                    f'{record.scenario}')

    def _on_gone(self, robot: str) -> None:
        self._missed.forget(robot)
        self._refused.forget(robot)
        self.get_logger().info(f'{robot} is gone: nothing of it is followed any more')

    def _discover(self) -> None:
        self._has_more = self._topics.discover()
        if not self._sole.yields:
            self._agents.meet(self._topics.agents)

    def _on_status(self, robot: str, message: RobotStatus) -> None:
        self._scheduler.heartbeat(robot, message.assignment_id)
        if not self._is_simulated:
            self._skews.heard(robot, stamp_ns=conversions.time_to_ns(message.header.stamp),
                              now_ns=self._now_ns())

    def _tick(self) -> None:
        now_ns = self._now_ns()
        with suppress(SchedulingError):  # it is told of below
            self._scheduler.recover(now_ns)
        if self._waiting and not self._scheduler.trouble:
            self._count(self._waiting.records)  # before their leases are overdue
        if not self._scheduler.trouble:  # else `tick` might use it again before they are counted
            with suppress(SchedulingError):
                self._scheduler.tick(now_ns)
        self._reports.tell(trouble=self._scheduler.trouble, waiting=len(self._waiting),
                           clocks=self._clocks())
        self._discover()

    def _clocks(self) -> str:
        return in_words(self._skews.beyond(self.settings.clock_skew_warn_s))

    def _look(self) -> None:
        if self._has_more:
            self._discover()
        if not self._waiting:  # what cannot be counted now need not be fetched
            self._missed.step()
        self._agents.tell()
        if self._is_due():
            self._publish()

    def _is_due(self) -> bool:
        """Tell whether the state is due: at once to who begins to listen, rarely to none."""
        before, self._listeners = self._listeners, self._state.get_subscription_count()
        if self._listeners > before:
            return True
        now_s = time.monotonic()
        return (self._rate.is_due(self._scheduler.fleet.sequence, now_s)
                and (self._listeners > 0 or now_s - self._told_at >= STATE_UNHEARD_S))

    def _publish(self) -> None:
        if self._sole.yields:  # whoever listens is to hear one
            return
        self._told_at = time.monotonic()
        began, version = time.monotonic(), self._scheduler.fleet.sequence
        now = self.get_clock().now()
        self._state.publish(assignments.status_to_msg(
            self._scheduler.status(int(now.nanoseconds)), self._leases, now,
            remark=self._clocks()))
        self._rate.told(version, began, time.monotonic())


def main() -> int:
    """Run the node and return the exit status."""
    return run(SchedulerNode)
