# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Subscribe to what a recorder with given settings would record, and count what comes."""
from __future__ import annotations

import os
from pathlib import Path

from rclpy.node import Node

from active_collection.errors import ActiveCollectionError
from active_collection.nodes.topics.publisher_definitions import PublisherDefinitions
from active_collection.nodes.topics.topic_receiver import TopicReceiver
from active_collection.nodes.topics.topic_subscriptions import TopicSubscriptions
from active_collection.pipeline.doctor.listener import Listener
from active_collection.pipeline.doctor.sighting import Heard
from active_collection.recording.definitions import Definitions
from active_collection.recording.health import parse_rates
from active_collection.recording.qos import Qos
from active_collection.recording.qos import read_overrides
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.topics import TopicSelection


class RecordingTrial:
    """
    The recorder's own subscriptions, in front of a listener that writes nothing.

    :param node: in the robot's namespace, spinning
    :param settings: of the robot's recorder
    """

    def __init__(self, node: Node, settings: RecorderSettings) -> None:
        resolve = node.resolve_topic_name
        self._selection = TopicSelection(
            settings, namespace=node.get_namespace(), resolve=resolve)
        self._listener = Listener(now=lambda: int(node.get_clock().now().nanoseconds))
        prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(':')
        self._subscriptions = TopicSubscriptions(
            node, self._listener, settings=settings, selection=self._selection,
            definitions=PublisherDefinitions(
                node, Definitions([Path(prefix) for prefix in prefixes if prefix])),
            overrides={resolve(name): request
                       for name, request in _overrides(settings).items()})
        self._subscriptions.discover()
        self._receiver = TopicReceiver(
            node, self._listener, self._subscriptions, period_s=settings.receive_period_s,
            turn_bytes=settings.history_bytes)
        self.required = self._selection.required
        self.listed = tuple(map(resolve, settings.topics))
        self.rates = parse_rates(settings.expected_rates, resolve)

    @property
    def problems(self) -> dict[str, str]:
        """Return topic to why it is not recorded as it should be."""
        return self._subscriptions.problems

    def discover(self) -> None:
        """Follow what has appeared or changed."""
        self._subscriptions.discover()

    def begin(self) -> None:
        """Count from here on."""
        self._receiver.flush()
        self._listener.begin()

    def heard(self) -> tuple[Heard, ...]:
        """Return what came since then."""
        self._receiver.flush()
        return self._listener.heard()

    def unmatched(self) -> tuple[str, ...]:
        """Return required topics that are not subscribed to or have no publisher."""
        return tuple(self._subscriptions.unmatched())

    def wants(self, name: str) -> bool:
        """Tell whether a topic is recorded, by its full name."""
        return self._selection.wants(name)


def _overrides(settings: RecorderSettings) -> dict[str, Qos]:
    """Return what is requested whatever publishers offer; the file may be on another machine."""
    if not settings.qos_overrides:
        return {}
    try:
        return read_overrides(Path(settings.qos_overrides))
    except ActiveCollectionError:
        return {}
