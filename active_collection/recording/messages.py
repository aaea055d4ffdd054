# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What passes from the receiving thread to the bag."""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from active_collection.recording.definitions import Definition
from active_collection.recording.qos import Qos


@dataclass(frozen=True, slots=True)
class Topic:
    """
    A recorded topic.

    :param name: fully qualified
    :param qos: what its publishers offer
    :param is_awaited: whether the definition is not known yet, and its publisher is being asked
    """

    name: str
    definition: Definition
    qos: tuple[Qos, ...] = ()
    is_awaited: bool = False

    @property
    def is_latched(self) -> bool:
        """Tell whether a publisher keeps messages for readers that come later."""
        return any(profile.is_latched for profile in self.qos)


class Message(NamedTuple):
    """
    One serialized message.

    :param topic: name of its topic
    :param receive_ns: time of receipt (ns)
    :param publish_ns: time of publication as the middleware tells it (ns)
    :param sequence: the publisher's count; 0 where the middleware has none
    :param publisher: the publisher's identity; empty where the middleware has none
    :param data: CDR bytes
    """

    topic: str
    receive_ns: int
    publish_ns: int
    sequence: int
    publisher: bytes
    data: bytes
