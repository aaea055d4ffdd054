# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Subscribe to whatever is to be recorded, and take it from the middleware in one thread."""
from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.waitable import Waitable

from active_collection.recording.definitions import Definitions
from active_collection.recording.intake import Intake
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.qos import INFINITE_NS
from active_collection.recording.qos import Qos
from active_collection.recording.qos import read_overrides
from active_collection.recording.qos import requests
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.topics import TopicSelection

InvalidHandle = rclpy_implementation.InvalidHandle

#: Messages taken from one topic before the others have their turn.
TURN = 1000
#: A publisher knows of a subscription at the latest this long after the subscription knows of it.
MATCH_DELAY_S = 0.15


class EventsOnlyGroup(CallbackGroup):
    """
    Keeps the executor from taking messages, and lets it handle the middleware's events.

    The executor builds a wait set for every message that it takes, which costs several times what
    taking it does; at 5,000 messages a second that alone would fill a core.
    """

    def can_execute(self, entity: Any) -> bool:
        """Tell whether the executor may look at it."""
        return isinstance(entity, Waitable)

    def beginning_execution(self, entity: Any) -> bool:
        """Let it run."""
        return True

    def ending_execution(self, entity: Any) -> None:
        """Nothing is held."""


@dataclass
class _Recorded:
    """
    A topic that is recorded.

    :param kind: message class
    :param counts_itself: whether its messages carry their publisher's count, which tells losses
        better than the middleware's events; true until one does not
    """

    type: str
    kind: Any
    subscriptions: dict[Qos, Any] = field(default_factory=dict)
    publishers: frozenset[bytes] = frozenset()
    offered: tuple[Qos, ...] = ()
    counts_itself: bool = True


class TopicReceiver:
    """
    Keeps the subscriptions of a recorder as the publishers need them, and takes their messages.

    One thread takes messages, as serialized bytes, and hands them to the intake. `discover` may
    be called from any other.
    """

    def __init__(self, node: Node, intake: Intake, *, settings: RecorderSettings,
                 selection: TopicSelection, definitions: Definitions) -> None:
        self._node = node
        self._intake = intake
        self._settings = settings
        self._selection = selection
        self._definitions = definitions
        self._overrides: dict[str, Qos] = {}
        if settings.qos_overrides:
            self._overrides = {
                node.resolve_topic_name(name): request for name, request
                in read_overrides(Path(settings.qos_overrides).expanduser()).items()}
        self._group = EventsOnlyGroup()
        self._recorded: dict[str, _Recorded] = {}
        self._taking: tuple[tuple[str, _Recorded, Any], ...] = ()
        self._problems: dict[str, str] = {}
        self._discovering = threading.Lock()
        self._matched: frozenset[str] = frozenset()
        self._changed_at = time.monotonic()
        self._passes = 0
        self._passed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='receiver', daemon=True)

    @property
    def problems(self) -> dict[str, str]:
        """Return topic to why it cannot be recorded as it should."""
        return dict(self._problems)

    def start(self) -> None:
        """Start to take messages."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more messages."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def flush(self, timeout_s: float = 2.0) -> None:
        """Return when everything that has arrived before the call is with the recorder."""
        with self._passed:
            # The pass that is going on may be past a topic already; the one after it is not.
            wanted = self._passes + 2
            self._passed.wait_for(
                lambda: self._passes >= wanted or self._stop.is_set(), timeout_s)

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

    def discover(self) -> None:
        """Subscribe to what has appeared, and adapt to publishers that have come or gone."""
        with self._discovering:
            for name, types in self._node.get_topic_names_and_types():
                if self._selection.wants(name):
                    self._follow(name, types)
            self._taking = tuple(
                (name, recorded, subscription)
                for name, recorded in self._recorded.items()
                for subscription in recorded.subscriptions.values())

    def _is_matched(self, name: str) -> bool:
        recorded = self._recorded.get(name)
        return recorded is not None and any(
            subscription.get_publisher_count() > 0
            for subscription in list(recorded.subscriptions.values()))

    def _follow(self, name: str, types: list[str]) -> None:
        endpoints = self._node.get_publishers_info_by_topic(name)
        recorded = self._recorded.get(name)
        if not endpoints:
            return
        if recorded is None:
            recorded = self._subscribable(name, endpoints[0].topic_type)
            if recorded is None:
                return
            self._recorded[name] = recorded
        others = sorted(set(types) - {recorded.type})
        if others:
            self._complain(name, f'has publishers of {", ".join(others)} too; only '
                           f'{recorded.type} is recorded')
        fitting = [e for e in endpoints if e.topic_type == recorded.type]
        publishers = frozenset(bytes(e.endpoint_gid)[:16] for e in fitting)
        offered = tuple(dict.fromkeys(_offered(e.qos_profile) for e in fitting))
        if publishers == recorded.publishers and offered == recorded.offered:
            return
        self._adapt(name, recorded, offered)
        self._changed_at = time.monotonic()
        recorded.publishers, recorded.offered = publishers, offered
        self._intake.keep_latched(name, set(publishers))

    def _subscribable(self, name: str, type_name: str) -> _Recorded | None:
        package, _, kind = type_name.partition('/msg/')
        try:
            return _Recorded(type_name, getattr(importlib.import_module(f'{package}.msg'), kind))
        except (ImportError, AttributeError, ValueError) as error:
            self._complain(name, f'not recorded: its type {type_name} is not installed on this '
                           f'machine ({error})')
            return None

    def _adapt(self, name: str, recorded: _Recorded, offered: tuple[Qos, ...]) -> None:
        self._intake.add_topic(Topic(name, self._definitions.get(recorded.type), offered))
        override = self._overrides.get(name)
        wanted = ((override,) if override is not None
                  else requests(offered, depth=self._settings.history_depth))
        for request in wanted:
            if request not in recorded.subscriptions:
                recorded.subscriptions[request] = self._subscribe(name, recorded, request)
        # What is not wanted any longer goes last: nothing is missed in between, and what arrives
        # twice is told by the publisher's count.
        for request in set(recorded.subscriptions) - set(wanted):
            self._node.destroy_subscription(recorded.subscriptions.pop(request))

    def _subscribe(self, name: str, recorded: _Recorded, request: Qos) -> Any:
        def lost(event: Any) -> None:
            if not recorded.counts_itself:
                self._intake.count_lost(name, event.total_count_change)

        return self._node.create_subscription(
            recorded.kind, name, _never, _profile(request), raw=True,
            callback_group=self._group,
            event_callbacks=SubscriptionEventCallbacks(message_lost=lost))

    def _complain(self, name: str, problem: str) -> None:
        if self._problems.get(name) != problem:
            self._problems[name] = problem
            self._node.get_logger().warning(f'{name}: {problem}')

    def _run(self) -> None:
        sim_time = self._node.get_parameter('use_sim_time').value
        now = _ros_ns(self._node) if sim_time else None
        while not self._stop.wait(self._settings.receive_period_s):
            for name, recorded, subscription in self._taking:
                try:
                    self._take(name, recorded, subscription, now)
                except InvalidHandle:
                    continue  # replaced meanwhile; its successor is in the next pass
                except Exception as error:  # one topic's trouble must not end the others
                    self._complain(name, f'{type(error).__name__}: {error}')
            with self._passed:
                self._passes += 1
                self._passed.notify_all()

    def _take(self, name: str, recorded: _Recorded, subscription: Any,
              now: Callable[[], int] | None) -> None:
        handle = subscription.handle
        with handle:
            for _ in range(TURN):
                taken = handle.take_message(recorded.kind, True)
                if taken is None:
                    return
                data, info = taken
                sequence = info.get('publication_sequence_number') or 0
                publisher = info.get('publisher_gid')
                identity = publisher['data'] if publisher else b''
                recorded.counts_itself = bool(sequence and identity)
                receive_ns = now() if now is not None else info['received_timestamp']
                self._intake.receive(Message(
                    name, receive_ns or _ros_ns(self._node)(), info['source_timestamp'],
                    sequence, identity, data))


def _never(message: Any) -> None:
    """Stand in for the callback that the executor never calls."""


def _ros_ns(node: Node) -> Callable[[], int]:
    clock = node.get_clock()
    return lambda: int(clock.now().nanoseconds)


def _profile(request: Qos) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=request.depth,
        reliability=ReliabilityPolicy[request.reliability.upper()],
        durability=DurabilityPolicy[request.durability.upper()])


def _offered(profile: QoSProfile) -> Qos:
    return Qos(
        reliability=profile.reliability.name.lower(), durability=profile.durability.name.lower(),
        history=profile.history.name.lower(), depth=profile.depth,
        deadline_ns=_nanoseconds(profile.deadline), lifespan_ns=_nanoseconds(profile.lifespan),
        liveliness=profile.liveliness.name.lower(),
        liveliness_lease_ns=_nanoseconds(profile.liveliness_lease_duration))


def _nanoseconds(duration: Any) -> int:
    return min(int(duration.nanoseconds), INFINITE_NS)
