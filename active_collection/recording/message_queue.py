# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The one queue between the thread that receives and the thread that writes."""
from __future__ import annotations

import threading
from collections import deque

from active_collection.recording.messages import Message

#: What a message costs beside its bytes: objects, queue slot, record header (bytes).
OVERHEAD = 300
#: At most this much is taken at once, so that the bound on bytes holds for what is being written.
BATCH_BYTES = 4 * 1024 * 1024


class MessageQueue:
    """
    A queue bounded in bytes and messages that never blocks the side that receives.

    :param max_bytes: bound on serialized bytes and overhead, one message larger than it included
    :param max_messages: bound on messages
    """

    def __init__(self, *, max_bytes: int, max_messages: int) -> None:
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._taken_bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def closed(self) -> bool:
        """Tell whether it takes no more messages."""
        return self._closed

    @property
    def fill(self) -> float:
        """Return the share of the byte bound in use, 0 to 1."""
        return min(1.0, (self._bytes + self._taken_bytes) / self._max_bytes)

    def put(self, message: Message) -> bool:
        """Append a message; False if it is closed or full."""
        size = len(message.data) + OVERHEAD
        with self._changed:
            used = self._bytes + self._taken_bytes
            if (self._closed or len(self._messages) >= self._max_messages
                    or (used and used + size > self._max_bytes)):
                return False
            self._messages.append(message)
            self._bytes += size
            if len(self._messages) == 1:
                self._changed.notify()
        return True

    def take(self, timeout_s: float) -> list[Message]:
        """
        Return the oldest messages and count them as in use until the next call.

        :param timeout_s: longest wait while it is empty and open (s)
        :return: nothing after the wait, or where it is closed and empty
        """
        with self._changed:
            self._taken_bytes = 0
            if not self._messages and not self._closed:
                self._changed.wait(timeout_s)
            taken: list[Message] = []
            while self._messages and self._taken_bytes < BATCH_BYTES:
                message = self._messages.popleft()
                taken.append(message)
                size = len(message.data) + OVERHEAD
                self._bytes -= size
                self._taken_bytes += size
            return taken

    def close(self) -> None:
        """Take no more messages; what is in it can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._messages)
