# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The managed node `recorder`: records the episodes that its services start and finish."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import CallbackGroup
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.duration import Duration

from active_collection.errors import shorten
from active_collection.msg import Episode
from active_collection.msg import HighUncertainty
from active_collection.msg import RecorderStatus
from active_collection.msg import UncertaintyEstimate
from active_collection.names import robot_of
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.managed_node import ManagedNode
from active_collection.nodes.recorder.recorder_reports import diagnostics_message
from active_collection.nodes.recorder.recorder_reports import status_message
from active_collection.nodes.recorder.recorder_services import RecorderServices
from active_collection.nodes.recorder.recorder_services import episode_message
from active_collection.nodes.recorder.recorder_session import RecorderSession
from active_collection.nodes.run import run
from active_collection.nodes.sole import OTHER_ROBOT
from active_collection.nodes.sole import Sole
from active_collection.recording.disk import readable
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.recorder_state import Snapshot
from active_collection.recording.recorder_state import State
from active_collection.recording.settings import RecorderSettings

STATUS_PERIOD_S = 1.0
TICK_PERIOD_S = 0.2
RETENTION_PERIOD_S = 60.0
#: How long the last messages may take to reach their subscribers (s).
LAST_WORD_S = 0.2


class RecorderNode(ManagedNode[RecorderSettings]):
    """
    Transitions, topics and timers around a RecorderSession.

    Configured, it has its data directory and salvages; active, it subscribes and records. An
    episode that is open when it is deactivated is closed as aborted.
    """

    def __init__(self) -> None:
        super().__init__('recorder')
        settings = self.declare_settings(RecorderSettings)
        Sole(self, 'recorder', remedy=OTHER_ROBOT).listen()
        self._session: RecorderSession | None = None
        self._of_session: list[Callable[[], Any]] = []
        # Calls that open and close episodes wait for topics and disks; they must not hold up the
        # status, nor the discovery that they wait for.
        self._commands = MutuallyExclusiveCallbackGroup()
        reports = MutuallyExclusiveCallbackGroup()
        self._reports = reports
        self._episodes = self.create_publisher(Episode, 'episodes', qos.EPISODES)
        self._status = self.create_publisher(RecorderStatus, '~/status', qos.LATCHED)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        RecorderServices(self, lambda: self._session, group=self._commands,
                         listing=MutuallyExclusiveCallbackGroup())
        # A simulator that pauses or starts anew must not stop the watch over the disk.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(
            STATUS_PERIOD_S, self._report, callback_group=reports, clock=self._steady)
        if settings.auto_start:
            self.start_by_itself()
        else:
            self._publish_status()

    def configure(self) -> None:
        """Take the parameters as they are, prepare the data directory, and salvage."""
        settings = self.settings
        session = RecorderSession(self, settings, publish=self._publish_episode)
        self._session = session
        upkeep = MutuallyExclusiveCallbackGroup()
        self._every(settings.discovery_period_s, session.discover, upkeep)
        self._every(TICK_PERIOD_S, session.recorder.tick, self._commands)
        self._every(RETENTION_PERIOD_S, session.retain, MutuallyExclusiveCallbackGroup())
        self._hear(UncertaintyEstimate, settings.uncertainty_topic,
                   lambda message: session.recorder.summarise(
                       conversions.summary_from_msg(message.episode)))
        self._hear(HighUncertainty, settings.high_uncertainty_topic,
                   lambda message: session.recorder.mark_uncertain(
                       high=message.state == HighUncertainty.BEGIN))
        self._publish_status()

    def take_settings(self, settings: RecorderSettings, names: Collection[str]) -> None:
        """Take changed settings, where the node is configured; else `configure` will."""
        if self._session is not None:
            self._session.change(settings)

    def activate(self) -> None:
        """Subscribe, and take episodes."""
        if self._session is not None:
            self._session.activate()
        self._publish_status()

    def deactivate(self) -> None:
        """Close the open episode and take no other."""
        if self._session is not None:
            self._session.deactivate()
        self._publish_status()

    def clean_up(self) -> None:
        """Give everything back that was configured."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
        while self._of_session:
            self._of_session.pop()()
        self._publish_status()

    def stop(self) -> None:
        """Close the open episode and tell those who listen."""
        if self._session is not None:
            self._session.close()
        self._publish_status()
        for publisher in (self._episodes, self._status):
            publisher.wait_for_all_acked(Duration(seconds=LAST_WORD_S))

    def _every(self, period_s: float, callback: Callable[[], None], group: CallbackGroup) -> None:
        timer = self.create_timer(period_s, callback, callback_group=group, clock=self._steady)
        self._of_session.append(lambda: self.destroy_timer(timer))

    def _hear(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> None:
        if topic:
            subscription = self.create_subscription(
                kind, topic, callback, qos.STATE, callback_group=self._reports)
            self._of_session.append(lambda: self.destroy_subscription(subscription))

    def _publish_episode(self, event: EpisodeEvent) -> None:
        self._episodes.publish(episode_message(event))
        record = event.record
        if not event.closed:
            self.get_logger().info(
                f'recording {record.episode_id}: {shorten(str(record.scenario))}')
        else:
            losses = ', with losses' if record.has_losses else ''
            jumps = ', '.join(map(str, record.clock_jumps))
            jumped = f', while the clock jumped ({shorten(jumps)})' if jumps else ''
            reason = record.stop_reason.value if record.stop_reason else 'not finished'
            self.get_logger().info(
                f'{record.episode_id}: {record.outcome.value} ({reason}), '
                f'{record.duration_s:.1f} s, {readable(event.size)}{losses}{jumped}')
        self._publish_status()

    def _report(self) -> None:
        snapshot = self._publish_status()
        session = self._session
        self._diagnostics.publish(diagnostics_message(
            snapshot, session.problems if session is not None else {},
            expected_rates=session.expected_rates if session is not None else {},
            failure=str(self.failure or ''), node=self.get_fully_qualified_name(),
            robot=robot_of(self.get_namespace()), stamp=self.get_clock().now().to_msg()))

    def _publish_status(self) -> Snapshot:
        session = self._session
        snapshot = (session.recorder.snapshot() if session is not None
                    else Snapshot(State.INACTIVE, 'unconfigured'))
        self._status.publish(status_message(snapshot, self.get_clock().now().to_msg()))
        return snapshot


def main() -> int:
    """Run the node."""
    return run(RecorderNode, threads=5)
