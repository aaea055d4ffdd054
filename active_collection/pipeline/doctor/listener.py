# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Counts what a recorder would record, by the recorder's own measures."""
from __future__ import annotations

import math
import threading
from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass

from active_collection.pipeline.doctor.sighting import Heard
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.stamps import header_stamp_ns
from active_collection.recording.statistics import Arrivals
from active_collection.recording.statistics import TopicCounter


@dataclass
class _Counted:
    arrivals: Arrivals
    counter: TopicCounter
    size: int = 0
    unstamped: int = 0


class Listener:
    """
    Takes in what the recorder's subscriptions receive, and writes nothing.

    :param now: the clock of the messages' times of receipt (ns)
    """

    #: No episode is open.
    episode = None

    def __init__(self, *, now: Callable[[], int]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._topics: dict[str, Topic] = {}
        self._counted: dict[str, _Counted] = {}
        self._began_ns = 0

    def begin(self) -> None:
        """Count anew from here on."""
        with self._lock:
            self._began_ns = self._now()
            for name, topic in self._topics.items():
                self._counted[name].counter = _counter(topic)
                self._counted[name].size = self._counted[name].unstamped = 0

    def add_topic(self, topic: Topic) -> None:
        """Count a topic from here on, or take in anew what its publishers offer."""
        with self._lock:
            self._topics[topic.name] = topic
            counted = self._counted.get(topic.name)
            if counted is None:
                self._counted[topic.name] = _Counted(Arrivals(), _counter(topic))
                return
            counted.counter.latched = topic.is_latched
            counted.counter.has_stamps = topic.definition.begins_with_header

    def forget(self, topics: Collection[str]) -> bool:
        """Count these topics no more."""
        with self._lock:
            for topic in topics:
                self._topics.pop(topic, None)
                self._counted.pop(topic, None)
        return True

    def keep_latched(self, topic: str, publishers: Collection[bytes]) -> None:
        """Keep nothing: no episode will open with it."""

    def receive(self, message: Message) -> None:
        """Count a message of a topic that was added."""
        with self._lock:
            counted = self._counted[message.topic]
            lost = counted.arrivals.missing_before(message.publisher, message.sequence)
            if lost is None:
                return
            counted.counter.lost += lost
            counted.size += len(message.data)
            counted.unstamped += (counted.counter.has_stamps
                                  and header_stamp_ns(message.data) is None)
            counted.counter.count(message._replace(receive_ns=counted.arrivals.ordered(
                message.receive_ns, self._now)), queued=True)

    def count_lost(self, topic: str, count: int) -> None:
        """Count messages that the middleware reports as lost, where no sequence numbers do."""
        with self._lock:
            self._counted[topic].counter.lost += count

    def heard(self) -> tuple[Heard, ...]:
        """Return what was heard of every topic since the beginning."""
        with self._lock:
            return tuple(self._heard(each) for _, each in sorted(self._counted.items()))

    def _heard(self, counted: _Counted) -> Heard:
        counter = counted.counter
        told = counter.statistics(written=0, size=counted.size, expected_rate=0.0)
        delay_ns = counter.least_delay_ns
        return Heard(
            topic=counter.topic, type=counter.type, received=counter.received, lost=counter.lost,
            size=counted.size, rate=told.rate, largest_gap_s=told.largest_gap,
            silence_s=(self._now() - (counter.last_ns or self._began_ns)) / 1e9,
            skew_s=None if math.isnan(told.clock_skew) else told.clock_skew,
            delay_s=None if delay_ns is None else delay_ns / 1e9, unstamped=counted.unstamped)


def _counter(topic: Topic) -> TopicCounter:
    return TopicCounter(topic.name, topic.definition.type, latched=topic.is_latched,
                        has_stamps=topic.definition.begins_with_header)
