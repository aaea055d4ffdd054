# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The subscriptions to whatever is to be recorded, as its publishers need them."""
from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from rclpy.node import Node

from active_collection.nodes.topics.followed_topic import FollowedTopic
from active_collection.nodes.topics.followed_topic import publisher_identity
from active_collection.nodes.topics.message_types import MessageTypes
from active_collection.nodes.topics.message_types import UnusableTypeError
from active_collection.nodes.topics.offered_qos import from_profile
from active_collection.nodes.topics.publisher_definitions import PublisherDefinitions
from active_collection.nodes.topics.publisher_definitions import ToldDefinition
from active_collection.nodes.topics.recorded_topic import RecordedTopic
from active_collection.recording.intake import Inlet
from active_collection.recording.messages import Topic
from active_collection.recording.qos import Qos
from active_collection.recording.qos import fitting_depth
from active_collection.recording.qos import requests
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.topics import TopicSelection

#: A publisher knows of a subscription at the latest this long after the subscription knows of it.
MATCH_DELAY_S = 0.15


class TopicSubscriptions:
    """
    Subscribes to the selected topics, and adapts to publishers that come and go.

    Any thread may call; `taking` is what a receiver takes messages from.

    :param overrides: fully qualified topic name to what is requested, whatever publishers offer
    """

    def __init__(self, node: Node, intake: Inlet, *, settings: RecorderSettings,
                 selection: TopicSelection, definitions: PublisherDefinitions,
                 overrides: Mapping[str, Qos]) -> None:
        self._node = node
        self._intake = intake
        self._settings = settings
        self._selection = self._selected = selection
        self._definitions = definitions
        self._overrides = overrides
        self._types = MessageTypes()
        self._recorded: dict[str, RecordedTopic] = {}
        self._problems: dict[str, str] = {}
        self._discovering = threading.Lock()
        self._matched: frozenset[str] = frozenset()
        self._changed_at = time.monotonic()
        self._closed = False
        self.taking: tuple[tuple[str, RecordedTopic, Any], ...] = ()

    @property
    def problems(self) -> dict[str, str]:
        """Return topic to why it cannot be recorded as it should."""
        return dict(self._problems)

    @property
    def recorded(self) -> list[RecordedTopic]:
        """Return every topic that is subscribed to."""
        return list(self._recorded.copy().values())

    def close(self) -> None:
        """Let go of every subscription."""
        with self._discovering:
            self._closed = True
            self.taking = ()
            for recorded in self._recorded.values():
                recorded.topic.close()
            self._recorded.clear()
            self._definitions.close()

    def select(self, selection: TopicSelection) -> None:
        """Record other topics: at once or, where an episode is open, once it is closed."""
        self._selected = selection

    def unmatched(self) -> list[str]:
        """Return required topics that are not subscribed to or have no publisher."""
        return [name for name in self._selection.required if not self._is_matched(name)]

    def is_settled(self) -> bool:
        """
        Tell whether every topic whose publishers are known is matched, and has been for a moment.

        A reader knows of a match before the writer does, and what the writer sends in between
        does not arrive.
        """
        recorded = {name: topic.publishers for name, topic in list(self._recorded.items())}
        matched = frozenset(name for name in recorded if self._is_matched(name))
        if matched != self._matched:
            self._matched = matched
            self._changed_at = time.monotonic()
        if any(publishers and name not in matched for name, publishers in recorded.items()):
            return False
        return time.monotonic() - self._changed_at >= MATCH_DELAY_S

    def is_defined(self) -> bool:
        """Tell whether no publisher's node is still being asked for a definition."""
        return self._definitions.is_settled()

    def discover(self) -> None:
        """Subscribe to what has appeared, and adapt to publishers that have come or gone."""
        with self._discovering:
            if self._closed:
                return
            self._adopt_selection()
            for name, types in self._node.get_topic_names_and_types():
                if self._selection.wants(name):
                    self._follow(name, types)
            for recorded in self._recorded.values():
                recorded.topic.prune()
            self.taking = tuple(
                (name, recorded, subscription)
                for name, recorded in self._recorded.items()
                for subscription in recorded.topic.subscriptions)
            for name, recorded in self._recorded.items():
                self._hear(name, recorded)

    def _adopt_selection(self) -> None:
        selected = self._selected
        if selected is self._selection:
            return
        dropped = [name for name in self._recorded if not selected.wants(name)]
        if not self._intake.forget(dropped):
            return
        self._selection = selected
        for name in dropped:
            self._recorded.pop(name).topic.close()
            self._problems.pop(name, None)

    def _is_matched(self, name: str) -> bool:
        recorded = self._recorded.get(name)
        return recorded is not None and recorded.topic.is_matched

    def _hear(self, name: str, recorded: RecordedTopic) -> None:
        lost, refused = recorded.topic.hear()
        if lost and not recorded.counts_itself:
            self._intake.count_lost(name, lost)
        if refused:
            self.complain(name, f'a publisher offers less {refused} than qos_overrides asks for; '
                           'nothing of it is recorded')

    def _follow(self, name: str, types: list[str]) -> None:
        endpoints = self._node.get_publishers_info_by_topic(name)
        if not endpoints:
            return
        recorded = self._of_type(name, {endpoint.topic_type for endpoint in endpoints})
        if recorded is None:
            recorded = self._subscribable(name, endpoints[0].topic_type)
            if recorded is None:
                return
            self._recorded[name] = recorded
        fitting = [e for e in endpoints if e.topic_type == recorded.type]
        told = recorded.told
        if fitting or told is None:
            told = self._definitions.of(recorded.type, fitting)
        publishers = frozenset(map(publisher_identity, fitting))
        offered = tuple(dict.fromkeys(from_profile(e.qos_profile) for e in fitting))
        others = sorted(set(types) - {recorded.type})
        depth = fitting_depth(recorded.largest, depth=self._settings.history_depth,
                              max_bytes=self._settings.history_bytes)
        if (publishers, offered, told, depth) != (
                recorded.publishers, recorded.offered, recorded.told, recorded.depth):
            self._problems.pop(name, None)
            recorded.depth = depth
            self._adapt(name, recorded, told, offered)
            self._changed_at = time.monotonic()
            recorded.publishers, recorded.offered = publishers, offered
            recorded.told = told
            self._intake.keep_latched(name, set(publishers))
        problems = [told.problem] if told.problem else []
        if others:
            problems.append(f'has publishers of {", ".join(others)} too; only {recorded.type} is '
                            'recorded')
        if problems:
            self.complain(name, '; '.join(problems))

    def _of_type(self, name: str, types: set[str]) -> RecordedTopic | None:
        """Return a topic as it is recorded; between episodes, forget one whose type is gone."""
        recorded = self._recorded.get(name)
        if recorded is None or recorded.type in types or self._intake.episode is not None:
            return recorded
        self._recorded.pop(name).topic.close()
        return None

    def _subscribable(self, name: str, type_name: str) -> RecordedTopic | None:
        try:
            return RecordedTopic(type_name, FollowedTopic(
                self._node, name, self._types.of(type_name), raw=True))
        except UnusableTypeError as error:
            self.complain(name, f'not recorded: {error}')
            return None

    def _adapt(self, name: str, recorded: RecordedTopic, told: ToldDefinition,
               offered: tuple[Qos, ...]) -> None:
        self._intake.add_topic(Topic(
            name, told.definition, offered, is_awaited=told.is_awaited))
        override = self._overrides.get(name)
        most = recorded.depth if recorded.depth < self._settings.history_depth else None
        wanted = ((override,) if override is not None
                  else requests(offered, depth=recorded.depth, most=most))
        recorded.topic.want(wanted)

    def complain(self, name: str, problem: str) -> None:
        """Say, once, why a topic is not recorded as it should be."""
        if self._problems.get(name) != problem:
            self._problems[name] = problem
            self._node.get_logger().warning(f'{name}: {problem}')
