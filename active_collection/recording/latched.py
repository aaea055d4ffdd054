# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The messages of latched topics that a reader who comes later must have."""
from __future__ import annotations

from collections import OrderedDict
from collections import deque
from collections.abc import Collection

from active_collection.recording.messages import Message

#: Each broadcaster's transforms may be spread over several messages.
STATIC_TRANSFORMS = '/tf_static'
STATIC_TRANSFORMS_DEPTH = 100


class LatchedMessages:
    """
    The newest messages of every publisher of latched topics, bounded in bytes.

    :param depth: messages kept a publisher
    :param max_bytes: bound over all topics; the topic that was silent longest yields first
    """

    def __init__(self, *, depth: int, max_bytes: int) -> None:
        self._depth = depth
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, bytes], deque[Message]] = OrderedDict()

    def remember(self, message: Message) -> None:
        """Keep a message in place of its publisher's oldest."""
        key = (message.topic, message.publisher)
        kept = self._kept.setdefault(key, deque())
        depth = self._depth
        if message.topic.endswith(STATIC_TRANSFORMS):
            depth = max(depth, STATIC_TRANSFORMS_DEPTH)
        kept.append(message)
        self._bytes += len(message.data)
        while len(kept) > depth:
            self._bytes -= len(kept.popleft().data)
        self._kept.move_to_end(key)
        while self._bytes > self._max_bytes and len(self._kept) > 1:
            _, evicted = self._kept.popitem(last=False)
            self._bytes -= sum(len(m.data) for m in evicted)

    def keep_only(self, topic: str, publishers: Collection[bytes]) -> None:
        """
        Forget what publishers that are gone have left on a topic that has others.

        The last word of a topic whose publishers are all gone is kept: a description that a
        program published before it ended still holds.
        """
        known = [key for key in self._kept if key[0] == topic and key[1]]
        if not any(publisher in publishers for _, publisher in known):
            return
        for key in known:
            if key[1] not in publishers:
                self._bytes -= sum(len(m.data) for m in self._kept.pop(key))

    def forget(self, topic: str) -> None:
        """Forget a topic."""
        for key in [key for key in self._kept if key[0] == topic]:
            self._bytes -= sum(len(m.data) for m in self._kept.pop(key))

    def messages(self) -> list[Message]:
        """Return all of them by time of receipt."""
        return sorted((m for kept in self._kept.values() for m in kept),
                      key=lambda message: message.receive_ns)
