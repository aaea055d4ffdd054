# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The last seconds before an episode is started."""
from __future__ import annotations

from collections import deque

from active_collection.recording.message_queue import OVERHEAD
from active_collection.recording.messages import Message


class PreRoll:
    """
    A ring of the newest messages, bounded in time and bytes.

    :param duration_s: how far back it reaches (s); 0: not at all
    :param max_bytes: bound on serialized bytes and overhead

    `has_dropped` tells whether a message was too old, or too much, since the last `take`.
    """

    def __init__(self, *, duration_s: float, max_bytes: int) -> None:
        self._duration_ns = round(duration_s * 1e9)
        self._max_bytes = max_bytes
        self._kept: deque[tuple[Message, int]] = deque()
        self._bytes = 0
        self.has_dropped = False

    def change(self, *, duration_s: float, max_bytes: int) -> None:
        """Reach back otherwise from here on; what is too old by that goes with the next one."""
        self._duration_ns = round(duration_s * 1e9)
        self._max_bytes = max_bytes
        if not self._duration_ns:
            self.forget(None)

    def forget(self, topic: str | None) -> None:
        """Forget the messages of a topic, or of all topics where it is None."""
        self._kept = deque(
            entry for entry in self._kept if topic is not None and entry[0].topic != topic)
        self._bytes = sum(len(message.data) + OVERHEAD for message, _ in self._kept)

    def add(self, message: Message, *, lost_before: int) -> None:
        """
        Keep a message in place of those that are too old.

        :param lost_before: messages of its publisher that are missing in front of it
        """
        if not self._duration_ns:
            self.has_dropped = True
            return
        self._kept.append((message, lost_before))
        self._bytes += len(message.data) + OVERHEAD
        self._drop_before(message.receive_ns - self._duration_ns)

    def take(self, now_ns: int) -> list[tuple[Message, int]]:
        """
        Return, and forget, the messages of the last seconds, each with what is lost before it.

        :param now_ns: time at which the episode starts (ns)
        """
        self._drop_before(now_ns - self._duration_ns)
        self.has_dropped = False
        # A clock that was set back leaves messages of a time to come.
        taken = [entry for entry in self._kept if entry[0].receive_ns <= now_ns]
        self._kept.clear()
        self._bytes = 0
        return taken

    def _drop_before(self, oldest_ns: int) -> None:
        while self._kept and (
                self._bytes > self._max_bytes or self._kept[0][0].receive_ns < oldest_ns):
            message, _ = self._kept.popleft()
            self.has_dropped = True
            self._bytes -= len(message.data) + OVERHEAD
