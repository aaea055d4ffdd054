"""Count what becomes of a topic's messages before they reach the bag."""
from __future__ import annotations

from dataclasses import dataclass

from active_collection.episode import TopicStatistics


@dataclass
class TopicCounter:
    """
    Counts of one topic during an episode. Written by the receiving thread only.

    :param lost: messages that were sent and never reached the recorder
    """

    topic: str
    type: str
    received: int = 0
    dropped: int = 0
    lost: int = 0
    first_ns: int = 0
    last_ns: int = 0
    largest_gap_ns: int = 0

    def count(self, receive_ns: int, *, queued: bool) -> None:
        """
        Count a message that reached the recorder.

        :param receive_ns: when (ns)
        :param queued: False where the queue was full
        """
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


class SequenceGaps:
    """
    Losses of one topic, told by the gaps in each publisher's own count.

    The middleware's message-lost event is silent where a message was pushed out of a history that
    was full; the count is not.
    """

    def __init__(self) -> None:
        self._newest: dict[bytes, int] = {}

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
