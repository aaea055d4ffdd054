# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The frames of a bag that are looked at: a few a second of each camera, decoded."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from active_collection.bags.images import RGB
from active_collection.bags.images import VIDEO
from active_collection.bags.images import stamp_ns
from active_collection.bags.images import to_rgb
from active_collection.bags.reader import Bag
from active_collection.bags.reader import Message
from active_collection.bags.video import VideoStream


@dataclass(frozen=True)
class Frame:
    """
    A decoded frame.

    :param stamp_ns: when it was taken (ns)
    """

    message: Message
    picture: RGB
    stamp_ns: int


class Frames:
    """
    Chooses and decodes the first frame of each period of each camera.

    Periods are counted from the camera's first message, so that jitter does not accumulate. A
    frame that cannot be decoded leaves its period to the next one. Of a video every message is
    read, because a frame needs those before it; only those that are needed are decoded.

    :param cameras: image topics
    :param rate_hz: frames a second of each; 0: all
    :param max_pixels: larger ones are refused
    """

    def __init__(self, bag: Bag, cameras: Collection[str], *, rate_hz: float,
                 max_pixels: int) -> None:
        self._path, self._max_pixels = bag.path, max_pixels
        # A period over all of time is one period, however small the rate.
        self._period_ns = round(1e9 / max(rate_hz, 1e-9)) if rate_hz > 0 else 0
        self._cameras = frozenset(cameras)
        self._videos = {topic: VideoStream(f'{bag.path}: {topic}', max_pixels)
                        for topic in cameras if bag.topics[topic].type == VIDEO}
        self._first: dict[str, int] = {}
        self._taken: dict[str, int] = {}

    def wanted(self, topic: str, receive_ns: int) -> bool:
        """Tell whether a message has to be read: ask for each, in order."""
        return topic not in self._cameras or topic in self._videos or self._is_due(
            topic, receive_ns)

    def take(self, message: Message) -> Frame | None:
        """
        Return the frame of a camera's message; None where it is not the time for one.

        :raises BagError: where it cannot be decoded
        """
        where = f'{self._path}: {message.topic} at {message.receive_ns} ns'
        decoded = message.decode()
        if message.topic in self._videos:
            stream = self._videos[message.topic]
            stream.push(decoded)
            if not self._is_due(message.topic, message.receive_ns):
                return None
            picture = stream.picture()
        else:
            picture = to_rgb(decoded, where=where, max_pixels=self._max_pixels)
        self._taken[message.topic] = self._period(message.topic, message.receive_ns)
        return Frame(message, picture, stamp_ns(decoded, message.receive_ns))

    def _is_due(self, topic: str, receive_ns: int) -> bool:
        return not self._period_ns or self._period(topic, receive_ns) > self._taken.get(topic, -1)

    def _period(self, topic: str, receive_ns: int) -> int:
        if not self._period_ns:
            return 0
        start = self._first.setdefault(topic, receive_ns)
        # A frame that comes up to 5 % of a period early still counts for the next period.
        return (receive_ns - start + self._period_ns // 20) // self._period_ns
