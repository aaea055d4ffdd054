# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Count what becomes of a topic's messages before they reach the bag."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from active_collection.episode import TopicStatistics
from active_collection.recording.messages import Message
from active_collection.recording.pace import Pace
from active_collection.recording.pace import Samples
from active_collection.recording.stamps import header_stamp_ns


@dataclass
class TopicCounter:
    """
    Counts of one topic during an episode. Written by the receiving thread only.

    :param has_stamps: whether its messages begin with a std_msgs/Header
    :param lost: messages that were sent and never reached the recorder
    :param latched: its messages may be older than their receipt, whatever the clocks say
    :param least_delay_ns: shortest time from sending to receipt, each by its own clock (ns)
    :param skews_s: receipt minus header.stamp (s)
    """

    topic: str
    type: str
    latched: bool = False
    has_stamps: bool = False
    received: int = 0
    dropped: int = 0
    lost: int = 0
    last_ns: int = 0
    largest_gap_ns: int = 0
    least_delay_ns: int | None = None
    skews_s: Samples = field(default_factory=Samples)
    periods: int = 0
    span_ns: int = 0

    def count(self, message: Message, *, queued: bool) -> None:
        """
        Count a message that reached the recorder.

        :param queued: False where the queue was full
        """
        receive_ns = message.receive_ns
        if not self.latched:
            self._compare_clocks(message)
        if self.last_ns:
            # A clock that jumps back makes no gap.
            period_ns = max(0, receive_ns - self.last_ns)
            self.largest_gap_ns = max(self.largest_gap_ns, period_ns)
            self.span_ns += period_ns
            self.periods += 1
        self.last_ns = receive_ns
        self.received += 1
        if not queued:
            self.dropped += 1

    def interrupt(self) -> None:
        """Make no gap of the time until the next message: what came was not to be kept."""
        self.last_ns = 0

    def statistics(self, *, written: int, size: int, expected_rate: float) -> TopicStatistics:
        """
        Return the counts with what the writer has.

        :param written: messages in the bag
        :param size: their serialized bytes
        :param expected_rate: rate that it should keep (Hz); 0 if not known
        """
        return TopicStatistics(
            topic=self.topic, type=self.type, received=self.received, written=written,
            dropped=self.dropped, lost=self.lost, bytes=size,
            rate=self.periods / self.span_ns * 1e9 if self.span_ns else 0.0,
            expected_rate=expected_rate, largest_gap=self.largest_gap_ns / 1e9,
            clock_skew=self.skews_s.median())

    def _compare_clocks(self, message: Message) -> None:
        if message.publish_ns:
            delay = message.receive_ns - message.publish_ns
            least = self.least_delay_ns
            self.least_delay_ns = delay if least is None else min(least, delay)
        if self.has_stamps and self.skews_s.is_due():
            stamp_ns = header_stamp_ns(message.data)
            if stamp_ns is None:
                self.skews_s.skip()
            else:
                self.skews_s.add((message.receive_ns - stamp_ns) / 1e9)


class Arrivals:
    """
    What arrives on one topic, brought into order: losses, repetitions, times of receipt.

    The middleware's message-lost event is silent where a message was pushed out of a history that
    was full; the publisher's own count is not. What a publisher sent before its first message that
    arrives is not counted: nothing tells whether it was sent while we listened.

    :param configured_rate: rate that it should keep (Hz); 0: learned from the recent messages
    """

    def __init__(self, configured_rate: float = 0.0) -> None:
        self._newest: dict[bytes, int] = {}
        self._last_ns = 0
        self._configured_rate = configured_rate
        self._pace = Pace()

    def expect(self, configured_rate: float) -> None:
        """State which rate it should keep (Hz); 0: learned from the recent messages."""
        self._configured_rate = configured_rate

    def expected_rate(self, *, latched: bool) -> float:
        """
        Return the rate that the topic should keep (Hz); 0 where it is not known.

        :param latched: its last message holds until the next: no silence of it is a loss
        """
        return self._configured_rate or (0.0 if latched else self._pace.rate())

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
        else:
            self._pace.arrived(receive_ns)
        self._last_ns = receive_ns
        return receive_ns
