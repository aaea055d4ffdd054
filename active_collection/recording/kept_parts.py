# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep only the parts of an episode in which the policy's uncertainty was high, with margins."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from active_collection.recording.messages import Message
from active_collection.recording.pre_roll import PreRoll

#: Key of a record's tag that says that not all of the episode was kept, and its value.
TAG = 'kept'
HIGH_UNCERTAINTY = 'high_uncertainty'
Entry = tuple[Message, int]


@dataclass(frozen=True)
class Passed:
    """
    What of an episode is recorded next.

    :param messages: each with the number that are missing in front of it
    :param after_hole: whether messages before them were not kept
    """

    messages: Sequence[Entry] = ()
    after_hole: bool = False


class KeptParts:
    """
    Holds messages back until uncertainty is high, and lets pass what is near.

    :param before_s: margin in front of the beginning of high uncertainty (s)
    :param after_s: margin behind its end (s)
    :param max_bytes: bound on what is held back for the margin in front (bytes)
    :param high: whether uncertainty is high already
    """

    def __init__(self, *, before_s: float, after_s: float, max_bytes: int, high: bool) -> None:
        self._after_ns = round(after_s * 1e9)
        self._held = PreRoll(duration_s=before_s, max_bytes=max_bytes)
        self._high = high
        self._until_ns = 0
        self._holes = True
        self._count = 0
        self._first_ns = 0
        self._last_ns = 0
        self._kept_ns = 0

    def mark(self, *, high: bool, now_ns: int) -> Passed:
        """
        Take note that uncertainty has become high, or is so no longer.

        :param now_ns: ROS time (ns)
        :return: what was held back and is to be recorded
        """
        if self._high and not high:
            self._until_ns = now_ns + self._after_ns
        self._high = high
        return self._pass(self._held.take(now_ns)) if high else Passed()

    def take(self, message: Message, lost_before: int) -> Passed:
        """Return what is to be recorded: this message after those held back, or nothing."""
        if self._high or message.receive_ns <= self._until_ns:
            return self._pass([*self._held.take(message.receive_ns), (message, lost_before)])
        self._held.add(message, lost_before=lost_before)
        self._holes |= self._held.has_dropped
        return Passed()

    def tags(self) -> dict[str, str]:
        """Return what the record says of it."""
        kept_ns = self._kept_ns + self._last_ns - self._first_ns
        return {TAG: HIGH_UNCERTAINTY, 'kept_parts': str(self._count),
                'kept_s': f'{kept_ns / 1e9:.3f}'}

    def _pass(self, messages: list[Entry]) -> Passed:
        if not messages:
            return Passed()
        after_hole, self._holes = self._holes, False
        if after_hole:
            self._kept_ns += self._last_ns - self._first_ns
            self._first_ns = messages[0][0].receive_ns
            self._count += 1
        self._last_ns = max(self._first_ns, messages[-1][0].receive_ns)
        return Passed(messages, after_hole)
