# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Take what has been subscribed to from the middleware, in one thread."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from rclpy.node import Node

from active_collection.nodes.rclpy_internals import InvalidHandle
from active_collection.nodes.rclpy_internals import taken
from active_collection.nodes.topics.followed_topic import identity_of
from active_collection.nodes.topics.recorded_topic import RecordedTopic
from active_collection.nodes.topics.topic_subscriptions import TopicSubscriptions
from active_collection.recording.intake import Inlet
from active_collection.recording.messages import Message
from active_collection.recording.qos import LEAST_DEPTH

#: Messages taken from one topic before the others have their turn. A topic that brings more than
#: can be taken must not silence them, so it ends, too, with as many bytes as may have waited.
TURN = 1000
#: At the end of an episode, messages under way get this long (s); a topic that was silent for
#: QUIET_S has none.
DRAIN_S = 0.2
QUIET_S = 0.05


class TopicReceiver:
    """
    Takes messages, as serialized bytes, and hands them to the intake.

    :param period_s: pause between two passes over all topics (s)
    :param turn_bytes: bound on what may wait of one topic (bytes)
    """

    def __init__(self, node: Node, intake: Inlet, subscriptions: TopicSubscriptions, *,
                 period_s: float, turn_bytes: int) -> None:
        self._node = node
        self._intake = intake
        self._subscriptions = subscriptions
        self._period_s = period_s
        self._turn_bytes = turn_bytes
        self._passes = 0
        self._passed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='receiver', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more messages."""
        self._stop.set()
        self._thread.join(2.0)

    def flush(self, timeout_s: float = 2.0) -> None:
        """Return when everything that has arrived before the call is with the recorder."""
        with self._passed:
            # The pass that is going on may be past a topic already; the one after it is not.
            wanted = self._passes + 2
            self._passed.wait_for(
                lambda: self._passes >= wanted or self._stop.is_set(), timeout_s)

    def drain(self, limit_s: float = DRAIN_S) -> None:
        """
        Return when what was sent before the call is with the recorder, as far as can be told.

        A reader that waits for a lost message to be sent again holds back what was sent after it.
        So a reliable topic has delivered all when it delivers what was sent after the call, or
        has been quiet for a moment.

        :param limit_s: longest wait (s)
        """
        began, asked_ns = time.monotonic(), time.time_ns()
        self.flush(limit_s)

        def is_through(recorded: RecordedTopic) -> bool:
            return (not recorded.topic.is_reliable or recorded.sent_ns >= asked_ns
                    or time.monotonic() - recorded.taken_at >= QUIET_S)

        with self._passed:
            self._passed.wait_for(
                lambda: self._stop.is_set() or all(map(is_through, self._subscriptions.recorded)),
                max(0.0, limit_s - (time.monotonic() - began)))

    def _run(self) -> None:
        sim_time = self._node.get_parameter('use_sim_time').value
        now = _ros_ns(self._node) if sim_time else None
        while not self._stop.wait(self._period_s):
            for name, recorded, subscription in self._subscriptions.taking:
                try:
                    self._take(name, recorded, subscription, now)
                except InvalidHandle:
                    continue  # replaced meanwhile; its successor is in the next pass
                except Exception as error:  # one topic's trouble must not end the others
                    self._subscriptions.complain(name, f'{type(error).__name__}: {error}')
            with self._passed:
                self._passes += 1
                self._passed.notify_all()

    def _take(self, name: str, recorded: RecordedTopic, subscription: Any,
              now: Callable[[], int] | None) -> None:
        sent_ns, size = 0, 0
        for data, info in islice(taken(subscription, recorded.topic.kind, raw=True), TURN):
            recorded.largest = max(recorded.largest, len(data))
            sent_ns = info['source_timestamp']
            identity, sequence = identity_of(info)
            recorded.counts_itself = bool(sequence and identity)
            receive_ns = now() if now is not None else info['received_timestamp']
            self._intake.receive(Message(
                name, receive_ns or _ros_ns(self._node)(), sent_ns, sequence, identity, data))
            size += len(data)
            if size > max(self._turn_bytes, LEAST_DEPTH * recorded.largest):
                break
        if sent_ns:
            recorded.sent_ns, recorded.taken_at = sent_ns, time.monotonic()


def _ros_ns(node: Node) -> Callable[[], int]:
    clock = node.get_clock()
    return lambda: int(clock.now().nanoseconds)
