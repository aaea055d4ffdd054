# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recorder node has from its configuration to its clean-up."""
from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.node import Node

from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import RecordingError
from active_collection.names import robot_of
from active_collection.nodes.rclpy_internals import RCLError
from active_collection.nodes.topics.publisher_definitions import PublisherDefinitions
from active_collection.nodes.topics.topic_receiver import TopicReceiver
from active_collection.nodes.topics.topic_subscriptions import TopicSubscriptions
from active_collection.nodes.unexpected import unexpected_of
from active_collection.recording.definitions import Definitions
from active_collection.recording.episode_index import EpisodeIndex
from active_collection.recording.episode_recorder import EpisodeRecorder
from active_collection.recording.health import parse_rates
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.qos import read_overrides
from active_collection.recording.recorder_state import Environment
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.refusals import RefusedError
from active_collection.recording.retention import choose
from active_collection.recording.retention import clean
from active_collection.recording.retention import remove
from active_collection.recording.salvage.episodes import salvage_abandoned
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.topics import TopicSelection
from active_collection.recording.versions import versions

#: Topics that are not required get this long to be matched at the start of an episode (s).
SETTLE_S = 0.5
POLL_S = 0.02
#: How long the end of the process waits for messages that have arrived already (s).
LAST_FLUSH_S = 0.3
INACTIVE = 'inactive'


class RecorderSession:
    """
    A configured recorder: its episodes, and while it is active the subscriptions that feed them.

    :param publish: called with every episode that is started, closed, amended or salvaged
    :raises ActiveCollectionError: where the data directory cannot be written or the file of QoS
        overrides not be used
    """

    def __init__(self, node: Node, settings: RecorderSettings, *,
                 publish: Callable[[EpisodeEvent], None]) -> None:
        self.settings = settings
        self._node = node
        self._publish_event = publish
        self._log = node.get_logger()
        self._stopping = threading.Event()
        self._prefixes = [
            Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(':') if p]
        self._selection = self._select(settings)
        overrides = (read_overrides(Path(settings.qos_overrides))
                     if settings.qos_overrides else {})
        self._overrides = {
            self._resolve(name): request for name, request in overrides.items()}
        self.expected_rates = parse_rates(settings.expected_rates, self._resolve)
        self._robot = robot_of(node.get_namespace())
        self.recorder = EpisodeRecorder(
            settings, robot=self._robot, publish=self._publish,
            environment=self._environment())
        self.recorder.suspend(INACTIVE)
        self._subscriptions: TopicSubscriptions | None = None
        self._receiver: TopicReceiver | None = None
        try:
            self.recorder.store.prepare()
        except OSError as error:
            raise RecordingError(
                f'parameter data_directory: {settings.data_directory}', found=str(error),
                expected='a directory that can be written') from error
        self.index = EpisodeIndex(self.recorder.store, robot=self._robot)
        self.recorder.rate.earlier = self.index.recent
        self._beside('index', self._scan)
        if settings.salvage_at_start:
            self._beside('salvage', self._salvage)

    @property
    def problems(self) -> dict[str, str]:
        """Return topic to why it is not recorded as it should be."""
        return self._subscriptions.problems if self._subscriptions is not None else {}

    def change(self, settings: RecorderSettings) -> None:
        """
        Take changed settings: what an episode is made of, from the next one on.

        :raises ConfigError: where a topic's name is not one; nothing has changed
        """
        selection = self._select(settings)
        rates = parse_rates(settings.expected_rates, self._resolve)
        self.settings, self._selection, self.expected_rates = settings, selection, rates
        self.recorder.change(settings, rates)
        if self._subscriptions is not None:
            self._subscriptions.select(selection)

    def activate(self) -> None:
        """Subscribe, and take episodes."""
        self.recorder.resume()
        self._subscriptions = TopicSubscriptions(
            self._node, self.recorder.intake, settings=self.settings, selection=self._selection,
            definitions=PublisherDefinitions(self._node, Definitions(self._prefixes)),
            overrides=self._overrides)
        self._subscriptions.discover()
        self._receiver = TopicReceiver(
            self._node, self.recorder.intake, self._subscriptions,
            period_s=self.settings.receive_period_s, turn_bytes=self.settings.history_bytes)

    def deactivate(self, state: str = INACTIVE) -> None:
        """Close the open episode, take no other, and let go of the subscriptions."""
        if self._receiver is not None:
            self._receiver.drain(LAST_FLUSH_S)
        self.recorder.suspend(state)
        receiver, self._receiver = self._receiver, None
        subscriptions, self._subscriptions = self._subscriptions, None
        if receiver is not None and subscriptions is not None:
            receiver.stop()
            subscriptions.close()

    def close(self) -> None:
        """Close the open episode, and leave what goes on in the background to the next start."""
        self._stopping.set()
        self.deactivate('shutting down')
        self.index.close()

    def discover(self) -> None:
        """Look for new topics and publishers."""
        subscriptions = self._subscriptions
        if subscriptions is not None:
            subscriptions.discover()

    def drain(self) -> None:
        """Return when what was sent before the call is with the recorder, and its types known."""
        subscriptions, receiver = self._subscriptions, self._receiver
        if subscriptions is None or receiver is None:
            return
        receiver.drain()
        while not subscriptions.is_defined() and not self._stopping.wait(POLL_S):
            subscriptions.discover()
        subscriptions.discover()

    def unmatched(self) -> list[str]:
        """Return required topics that are not subscribed to or have no publisher."""
        subscriptions = self._subscriptions
        return subscriptions.unmatched() if subscriptions is not None else []

    def matched(self, request: StartRequest) -> StartRequest:
        """Wait until every required topic is matched, and say in the request which are not."""
        subscriptions, receiver = self._subscriptions, self._receiver
        if subscriptions is None or receiver is None:
            return request
        began = time.monotonic()
        while not self._stopping.is_set():
            subscriptions.discover()
            waited = time.monotonic() - began
            missing = subscriptions.unmatched()
            if (not missing and subscriptions.is_defined()
                    and (subscriptions.is_settled() or waited > SETTLE_S)):
                break
            if waited > self.settings.match_timeout_s:
                break
            self._stopping.wait(POLL_S)
        receiver.flush()
        return replace(request, missing_topics=tuple(subscriptions.unmatched()))

    def retain(self) -> None:
        """Remove what the rules of retention remove, and see what else has changed on the disk."""
        self._scan()
        clean(self.recorder.store.data)
        now_ns = int(self._node.get_clock().now().nanoseconds)
        try:
            removals = list(choose(self.index, self.settings.retention, now_ns=now_ns))
        except RefusedError:  # it is still being made, and the next look may find it complete
            return
        for removal in removals:
            try:
                remove(removal)
            except (OSError, RecordingError) as error:
                self._log.error(f'{removal.path} cannot be removed: {error}')
            else:
                self._log.info(
                    f'removed {removal.path}: {removal.record.outcome.value}, {removal.reason}')

    def _select(self, settings: RecorderSettings) -> TopicSelection:
        return TopicSelection(
            settings, namespace=self._node.get_namespace(), resolve=self._resolve)

    def _resolve(self, name: str) -> str:
        """Return a topic's full name; one that is none is a mistake in the parameters."""
        try:
            return self._node.resolve_topic_name(name)
        except (RCLError, NameValidationException) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f'topic {name!r}', found=reason.split(', at ')[0],
                              expected='the name of a ROS topic') from error

    def _environment(self) -> Environment:
        clock = self._node.get_clock()
        return Environment(
            ros_ns=lambda: int(clock.now().nanoseconds),
            simulated_time=bool(self._node.get_parameter('use_sim_time').value),
            ros_distro=os.environ.get('ROS_DISTRO', 'unknown'),
            versions={**versions(self._prefixes), 'python': platform.python_version(),
                      'rmw': rclpy.get_rmw_implementation_identifier()},
            expected_rates=self.expected_rates, event_topics=self._selection.events)

    def _publish(self, event: EpisodeEvent) -> None:
        self.index.tell(event)
        self._publish_event(event)

    def _beside(self, name: str, job: Callable[[], None]) -> None:
        """Do a job in a thread of its own; what it does not foresee is told."""
        def guarded() -> None:
            try:
                job()
            except Exception as error:
                unexpected_of(self._node).note(name, error)

        threading.Thread(target=guarded, name=name, daemon=True).start()

    def _scan(self) -> None:
        try:
            self.index.scan(self._stopping)
        except (OSError, RefusedError) as error:
            if not self._stopping.is_set():
                self._log.warning(f'the list of episodes is not complete yet: {error}')

    def _salvage(self) -> None:
        for path, result in salvage_abandoned(self.recorder.store, stop=self._stopping):
            if isinstance(result, ActiveCollectionError):
                self._log.error(f'salvage of {path}: {result}')
            else:
                self._log.warning(f'salvaged {path}: {result.summary}')
                if result.event.record.robot == self._robot:  # others may share the directory
                    self._publish(result.event)
