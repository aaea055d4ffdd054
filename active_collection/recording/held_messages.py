# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages that wait until the definition of their type is known."""
from __future__ import annotations

from active_collection.recording.message_queue import OVERHEAD
from active_collection.recording.messages import Message

#: Bound on what waits (bytes).
MOST_BYTES = 16 * 1024 * 1024
#: Bound on how long it waits (s): a little more than a publisher's node may take to answer.
LONGEST_S = 3.0


class HeldMessages:
    """
    Messages of topics whose publisher is still being asked what its type is.

    An MCAP channel has its schema from its first message on, or never. So a message that would be
    the first before the answer waits; where that takes too much time or memory, it is written
    without a schema, for a message is worth more than its definition.
    """

    def __init__(self) -> None:
        self._kept: dict[str, list[Message]] = {}
        self._awaited: set[str] = set()
        self._bytes = 0
        self._since: float | None = None

    def expect(self, topic: str) -> None:
        """Hold back a topic's messages from here on."""
        self._awaited.add(topic)

    def hold(self, message: Message, now: float) -> bool:
        """
        Keep a message, or return False where its topic's definition is not awaited.

        :param now: monotonic time (s)
        """
        if message.topic not in self._awaited:
            return False
        self._kept.setdefault(message.topic, []).append(message)
        self._bytes += len(message.data) + OVERHEAD
        self._since = now if self._since is None else self._since
        return True

    def is_over(self, now: float) -> bool:
        """Tell whether what is held is too much or too old (s)."""
        return self._bytes > MOST_BYTES or (
            self._since is not None and now - self._since > LONGEST_S)

    def release(self, topic: str) -> list[Message]:
        """Return, and forget, what was held back of a topic; nothing more of it is."""
        self._awaited.discard(topic)
        released = self._kept.pop(topic, [])
        self._bytes -= sum(len(message.data) + OVERHEAD for message in released)
        if not self._kept:
            self._since = None
        return released

    def release_all(self) -> list[Message]:
        """Return, and forget, all that was held back; nothing is any longer."""
        return [message for topic in list(self._awaited) for message in self.release(topic)]
