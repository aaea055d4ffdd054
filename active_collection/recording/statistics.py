# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Count what becomes of a topic's messages before they reach the bag."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from active_collection.episode import TopicStatistics


@dataclass
class TopicCounter:
    """
    Counts of one topic during an episode. Written by the receiving thread only.

    :param lost: messages that were sent and never reached the recorder
    :param latched: its messages may be older than their receipt, whatever the clocks say
    :param least_delay_ns: shortest time from sending to receipt, each by its own clock (ns)
    """

    topic: str
    type: str
    latched: bool = False
    received: int = 0
    dropped: int = 0
    lost: int = 0
    first_ns: int = 0
    last_ns: int = 0
    largest_gap_ns: int = 0
    least_delay_ns: int | None = None

    def count(self, receive_ns: int, publish_ns: int, *, queued: bool) -> None:
        """
        Count a message that reached the recorder.

        :param receive_ns: when (ns)
        :param publish_ns: when it was sent, by the publisher's clock (ns); 0 where not known
        :param queued: False where the queue was full
        """
        if publish_ns and not self.latched:
            delay = receive_ns - publish_ns
            least = self.least_delay_ns
            self.least_delay_ns = delay if least is None else min(least, delay)
        if self.received:
            # A clock that jumps back makes no gap.
            self.largest_gap_ns = max(self.largest_gap_ns, receive_ns - self.last_ns)
        else:
            self.first_ns = receive_ns
        self.last_ns = receive_ns
        self.received += 1
        if not queued:
            self.dropped += 1

    def statistics(self, *, written: int, size: int) -> TopicStatistics:
        """
        Return the counts with what the writer has.

        :param written: messages in the bag
        :param size: their serialized bytes
        """
        span = (self.last_ns - self.first_ns) / 1e9
        rate = (self.received - 1) / span if self.received > 1 and span > 0 else 0.0
        return TopicStatistics(
            topic=self.topic, type=self.type, received=self.received, written=written,
            dropped=self.dropped, lost=self.lost, bytes=size, rate=rate,
            largest_gap=self.largest_gap_ns / 1e9)


class Arrivals:
    """
    What arrives on one topic, brought into order: losses, repetitions, times of receipt.

    The middleware's message-lost event is silent where a message was pushed out of a history that
    was full; the publisher's own count is not.
    """

    def __init__(self) -> None:
        self._newest: dict[bytes, int] = {}
        self._last_ns = 0

    def missing_before(self, publisher: bytes, sequence: int) -> int | None:
        """
        Return how many messages of a publisher are missing since its last one.

        :param publisher: its identity; empty where the middleware has none
        :param sequence: its count; 0 where the middleware has none
        :return: 0 for its first message; None for one that was there before
        """
        if not publisher or sequence <= 0:
            return 0
        newest = self._newest.get(publisher)
        if newest is None:
            self._newest[publisher] = sequence
            return 0
        if sequence <= newest:
            return None
        self._newest[publisher] = sequence
        return sequence - newest - 1

    def ordered(self, receive_ns: int, now: Callable[[], int]) -> int:
        """
        Return a time of receipt that is later than that of the message before.

        The middleware stamps a message when it arrives, and holds it back while an earlier one is
        sent again (Fast DDS: up to 3 s); readers sort by this time, so it has to be that of the
        delivery. A clock that was set back is followed.

        :param receive_ns: time of arrival (ns)
        :param now: the clock that the time of arrival is from (ns)
        """
        if receive_ns <= self._last_ns and now() > self._last_ns:
            receive_ns = self._last_ns + 1
        self._last_ns = receive_ns
        return receive_ns
