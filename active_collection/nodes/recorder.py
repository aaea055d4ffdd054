# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `recorder`: records the episodes that its services start and finish."""
from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.errors import ActiveCollectionError
from active_collection.errors import RecordingError
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.msg import UncertaintyEstimate
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.parameters import declare
from active_collection.nodes.recorder_reports import diagnostics_message
from active_collection.nodes.recorder_reports import status_message
from active_collection.nodes.run import run
from active_collection.nodes.topic_receiver import TopicReceiver
from active_collection.recording.definitions import Definitions
from active_collection.recording.disk import readable
from active_collection.recording.episode_recorder import EpisodeRecorder
from active_collection.recording.health import parse_rates
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.recorder_state import Environment
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.recorder_state import Snapshot
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.retention import choose
from active_collection.recording.retention import clean
from active_collection.recording.retention import remove
from active_collection.recording.salvage_store import salvage_abandoned
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.topics import TopicSelection
from active_collection.recording.versions import versions
from active_collection.srv import AmendEpisode
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode

STATUS_PERIOD_S = 1.0
TICK_PERIOD_S = 0.2
#: Topics that are not required get this long to be matched at the start of an episode (s).
SETTLE_S = 0.5
POLL_S = 0.02
RETENTION_PERIOD_S = 60.0

START_CODES = {
    Reason.BUSY: StartEpisode.Response.BUSY,
    Reason.DUPLICATE: StartEpisode.Response.DUPLICATE,
    Reason.INVALID: StartEpisode.Response.INVALID,
    Reason.MISSING_TOPICS: StartEpisode.Response.MISSING_TOPICS,
    Reason.NO_SPACE: StartEpisode.Response.NO_SPACE,
}
FINISH_CODES = {
    Reason.UNKNOWN_EPISODE: FinishEpisode.Response.UNKNOWN_EPISODE,
    Reason.WRITE_ERROR: FinishEpisode.Response.WRITE_ERROR,
}
AMEND_CODES = {
    Reason.UNKNOWN_EPISODE: AmendEpisode.Response.UNKNOWN_EPISODE,
    Reason.STILL_RECORDING: AmendEpisode.Response.STILL_RECORDING,
    Reason.WRITE_ERROR: AmendEpisode.Response.WRITE_ERROR,
}


class RecorderNode(Node):
    """Services, topics and timers around an EpisodeRecorder."""

    def __init__(self) -> None:
        super().__init__('recorder', automatically_declare_parameters_from_overrides=True)
        self._settings = declare(self, RecorderSettings)
        self._stopping = threading.Event()
        clock = self.get_clock()
        prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(':') if p]
        self._recorder = EpisodeRecorder(
            self._settings, robot=self.get_namespace().strip('/'), publish=self._publish_episode,
            environment=Environment(
                ros_ns=lambda: int(clock.now().nanoseconds),
                ros_distro=os.environ.get('ROS_DISTRO', 'unknown'),
                versions={**versions(prefixes), 'python': platform.python_version(),
                          'rmw': rclpy.get_rmw_implementation_identifier()}))
        try:
            self._recorder.store.prepare()
        except OSError as error:
            raise RecordingError(
                f'parameter data_directory: {self._settings.data_directory}',
                found=str(error), expected='a directory that can be written') from error
        self._receiver = TopicReceiver(
            self, self._recorder.intake, settings=self._settings,
            selection=TopicSelection(self._settings, namespace=self.get_namespace(),
                                     resolve=self.resolve_topic_name),
            definitions=Definitions(prefixes))
        self._expected_rates = parse_rates(
            self._settings.expected_rates, self.resolve_topic_name)
        self._episodes = self.create_publisher(Episode, 'episodes', qos.EPISODES)
        self._status = self.create_publisher(RecorderStatus, '~/status', qos.LATCHED)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self._serve()
        self._receiver.discover()
        self._receiver.start()
        self._publish_status()
        self._salvager = threading.Thread(target=self._salvage, name='salvage', daemon=True)
        if self._settings.salvage_at_start:
            self._salvager.start()

    def close(self) -> None:
        """Close the open episode and tell those who listen."""
        self._stopping.set()
        self._receiver.flush(0.5)
        self._recorder.shut_down()
        self._receiver.stop()
        self._publish_status()
        for publisher in (self._episodes, self._status):
            publisher.wait_for_all_acked(Duration(seconds=0.5))

    def _serve(self) -> None:
        # Calls that open and close episodes wait for topics and disks; they must not hold up the
        # status, nor the discovery that they wait for.
        commands = MutuallyExclusiveCallbackGroup()
        upkeep = MutuallyExclusiveCallbackGroup()
        reports = MutuallyExclusiveCallbackGroup()
        for kind, name, callback in (
                (StartEpisode, 'start_episode', self._start),
                (FinishEpisode, 'finish_episode', self._finish),
                (AmendEpisode, 'amend_episode', self._amend)):
            self.create_service(kind, f'~/{name}', callback, callback_group=commands)
        self.create_timer(
            self._settings.discovery_period_s, self._receiver.discover, callback_group=upkeep)
        self.create_timer(TICK_PERIOD_S, self._recorder.tick, callback_group=commands)
        self.create_timer(STATUS_PERIOD_S, self._report, callback_group=reports)
        if self._settings.retention.has_limit:
            self.create_timer(RETENTION_PERIOD_S, self._retain,
                              callback_group=MutuallyExclusiveCallbackGroup())
        if self._settings.uncertainty_topic:
            self.create_subscription(
                UncertaintyEstimate, self._settings.uncertainty_topic,
                lambda message: self._recorder.summarise(
                    conversions.summary_from_msg(message.episode)),
                qos.STATE, callback_group=reports)

    def _start(self, request: Any, response: Any) -> Any:
        try:
            asked = self._start_request(request)
            if not self._recorder.open_episode_id:
                asked = self._matched(asked)
            record = self._recorder.start(asked)
        except RefusedError as refusal:
            response.code = START_CODES.get(refusal.reason, StartEpisode.Response.UNAVAILABLE)
            response.message = str(refusal)
            busy = refusal.reason is Reason.BUSY
            response.episode_id = (
                self._recorder.open_episode_id if busy else request.episode_id)
            response.missing_topics = self._receiver.unmatched()
        except ActiveCollectionError as error:
            response.code, response.message = StartEpisode.Response.INVALID, str(error)
        else:
            response.code = StartEpisode.Response.ACCEPTED
            response.episode_id = record.episode_id
            response.missing_topics = list(record.missing_topics)
        if response.message:
            self.get_logger().warning(f'start_episode refused: {response.message}')
        return response

    def _start_request(self, request: Any) -> StartRequest:
        return StartRequest(
            scenario=conversions.scenario_from_msg(request.scenario),
            source=_source(request.source), episode_id=request.episode_id,
            assignment_id=request.assignment_id, operator=request.operator_name,
            notes=request.notes, tags={tag.key: tag.value for tag in request.tags},
            allow_missing_topics=request.allow_missing_topics,
            time_limit_s=max(0.0, conversions.duration_to_s(request.time_limit)))

    def _matched(self, request: StartRequest) -> StartRequest:
        """Wait until every required topic is matched, and say which are not."""
        began = time.monotonic()
        while not self._stopping.is_set():
            self._receiver.discover()
            waited = time.monotonic() - began
            missing = self._receiver.unmatched()
            if not missing and (self._receiver.is_settled() or waited > SETTLE_S):
                break
            if waited > self._settings.match_timeout_s:
                break
            self._stopping.wait(POLL_S)
        self._receiver.flush()
        return replace(request, missing_topics=tuple(self._receiver.unmatched()))

    def _finish(self, request: Any, response: Any) -> Any:
        try:
            outcome = _outcome(request.outcome)
            stop_reason = _stop_reason(request.stop_reason)
            self._receiver.flush()
            record = self._recorder.finish(
                request.episode_id, outcome=outcome, stop_reason=stop_reason,
                notes=request.notes)
        except RefusedError as refusal:
            response.code = FINISH_CODES.get(refusal.reason, FinishEpisode.Response.INVALID)
            response.message = str(refusal)
        except ActiveCollectionError as error:
            response.code, response.message = FinishEpisode.Response.INVALID, str(error)
        else:
            failed = record.stop_reason is StopReason.WRITE_ERROR
            response.code = (FinishEpisode.Response.WRITE_ERROR if failed
                             else FinishEpisode.Response.ACCEPTED)
            response.message = record.notes if failed else ''
            response.episode = self._message(self._recorder.event_of(record))
        return response

    def _amend(self, request: Any, response: Any) -> Any:
        try:
            record = self._recorder.amend(
                request.episode_id, outcome=_outcome(request.outcome, or_unknown=True),
                notes=request.notes, author=request.author)
        except RefusedError as refusal:
            response.code = AMEND_CODES.get(refusal.reason, AmendEpisode.Response.INVALID)
            response.message = str(refusal)
        except ActiveCollectionError as error:
            response.code, response.message = AmendEpisode.Response.INVALID, str(error)
        else:
            response.code = AmendEpisode.Response.ACCEPTED
            response.episode = self._message(self._recorder.event_of(record))
        return response

    def _message(self, event: EpisodeEvent) -> Episode:
        state = Episode.CLOSED if event.closed else Episode.RECORDING
        return conversions.episode_to_msg(
            event.record, state=state, path=event.path, size=event.size)

    def _publish_episode(self, event: EpisodeEvent) -> None:
        self._episodes.publish(self._message(event))
        record = event.record
        if not event.closed:
            self.get_logger().info(f'recording {record.episode_id}: {record.scenario}')
        else:
            losses = ', with losses' if record.has_losses else ''
            reason = record.stop_reason.value if record.stop_reason else 'not finished'
            self.get_logger().info(
                f'{record.episode_id}: {record.outcome.value} ({reason}), '
                f'{record.duration_s:.1f} s, {readable(event.size)}{losses}')
        self._publish_status()

    def _report(self) -> None:
        snapshot = self._publish_status()
        self._diagnostics.publish(diagnostics_message(
            snapshot, self._receiver.problems, expected_rates=self._expected_rates,
            node=self.get_fully_qualified_name(), robot=self.get_namespace().strip('/'),
            stamp=self.get_clock().now().to_msg()))

    def _publish_status(self) -> Snapshot:
        snapshot = self._recorder.snapshot()
        self._status.publish(status_message(snapshot, self.get_clock().now().to_msg()))
        return snapshot

    def _retain(self) -> None:
        data = self._recorder.store.data
        clean(data)
        now_ns = int(self.get_clock().now().nanoseconds)
        for removal in choose(data, self._settings.retention, now_ns=now_ns):
            try:
                remove(removal)
            except OSError as error:
                self.get_logger().error(f'{removal.path} cannot be removed: {error}')
            else:
                self.get_logger().info(
                    f'removed {removal.path}: {removal.record.outcome.value}, {removal.reason}')

    def _salvage(self) -> None:
        for path, result in salvage_abandoned(self._recorder.store, stop=self._stopping):
            if isinstance(result, ActiveCollectionError):
                self.get_logger().error(f'salvage of {path}: {result}')
            else:
                self.get_logger().warning(f'salvaged {path}: {result.summary}')
                self._publish_episode(result.event)


def _source(text: str) -> Source:
    return _member(Source, text, 'source')


def _stop_reason(text: str) -> StopReason:
    return _member(StopReason, text or StopReason.FINISHED.value, 'stop_reason')


def _member(kind: Callable[[str], Any], text: str, where: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        values = ', '.join(member.value for member in kind)  # type: ignore[attr-defined]
        raise RefusedError(Reason.INVALID, where, found=repr(text),
                           expected=f'one of {values}') from None


def _outcome(number: int, *, or_unknown: bool = False) -> Outcome:
    outcome = conversions.OUTCOME_FROM_MSG.get(number)
    if outcome is None or (outcome is Outcome.UNKNOWN and not or_unknown):
        raise RefusedError(Reason.INVALID, 'outcome', found=number,
                           expected='one of the outcomes of active_collection/msg/Episode')
    return outcome


def main() -> int:
    """Run the node."""
    return run(RecorderNode, threads=4)
