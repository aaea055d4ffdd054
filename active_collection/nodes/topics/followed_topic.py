# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One topic as its publishers offer it: subscriptions that change with them, and its losses."""
from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription

from active_collection.nodes.rclpy_internals import taken
from active_collection.nodes.topics.aside import Aside
from active_collection.nodes.topics.middleware_events import NO_CALLBACKS
from active_collection.nodes.topics.middleware_events import MiddlewareEvents
from active_collection.nodes.topics.offered_qos import to_profile
from active_collection.recording.qos import RELIABLE
from active_collection.recording.qos import Qos
from active_collection.recording.statistics import Arrivals

#: A subscription that another one follows is kept for so long, until publishers know of that (s).
OVERLAP_S = 0.5
#: Bytes of a publisher's identity; discovery fills up what is longer.
IDENTITY_BYTES = 16


@dataclass(frozen=True)
class _Subscribed:
    """A subscription, and what the middleware says of it."""

    subscription: Subscription
    events: MiddlewareEvents


class FollowedTopic:
    """
    The subscriptions of one topic.

    :param name: as the node resolves it
    :param kind: message class
    :param raw: whether messages are taken as serialized bytes
    :param on_message: called by the executor with each message and what the middleware says of
        it; None: messages wait until they are taken from `subscriptions` or with `take`
    """

    def __init__(self, node: Node, name: str, kind: Any, *, raw: bool = False,
                 on_message: Callable[[Any, dict[str, Any]], None] | None = None) -> None:
        self.name = name
        self.kind = kind
        self._node = node
        self._raw = raw
        self._on_message = on_message
        self._group = Aside() if on_message is None else None
        self._subscribed: dict[Qos, _Subscribed] = {}
        self._superfluous: dict[Qos, float] = {}
        self._there_first: frozenset[bytes] | None = None
        self._heard: set[bytes] = set()
        self._arrivals = Arrivals()
        self._counts_itself = True
        self._lost = 0

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Return what messages are to be taken from."""
        return tuple(subscribed.subscription for subscribed in self._now())

    @property
    def is_reliable(self) -> bool:
        """Tell whether lost messages are sent again."""
        return any(request.reliability == RELIABLE for request in list(self._subscribed))

    @property
    def publishers(self) -> int:
        """
        Return how many publishers give it anything.

        The subscription knows at once; to count a topic's the middleware goes through its whole
        graph, which takes 0.3 ms for each topic where there are 1,000 robots.
        """
        return max((int(subscribed.subscription.get_publisher_count())
                    for subscribed in self._now()), default=0)

    @property
    def is_matched(self) -> bool:
        """Tell whether a publisher gives it anything."""
        return self.publishers > 0

    @property
    def _is_latched(self) -> bool:
        return any(request.is_latched for request in list(self._subscribed))

    @property
    def lost(self) -> int:
        """Return how many messages were lost of those that `is_next` has seen or missed."""
        return self._lost

    def want(self, requests: Sequence[Qos], publishers: Collection[bytes] = ()) -> None:
        """
        Subscribe as is asked; what is asked no longer goes when publishers know of the others.

        A publisher knows of a new subscription a moment later than the subscription of it. What
        arrives twice meanwhile is told by the publisher's count.

        :param publishers: identities of the publishers that are there
        """
        if self._there_first is None:
            self._there_first = frozenset(publishers)
        for request in requests:
            if request not in self._subscribed:
                self._subscribed[request] = self._subscribe(request)
        now = time.monotonic()
        self._superfluous = {
            request: self._superfluous.get(request, now)
            for request in self._subscribed if request not in requests}

    def prune(self) -> None:
        """Let go of what is neither asked for nor needed any longer."""
        now = time.monotonic()
        for request, since in list(self._superfluous.items()):
            if now - since >= OVERLAP_S:
                del self._superfluous[request]
                self._release(self._subscribed.pop(request))

    def take(self) -> list[Any]:
        """Return the messages that wait, each once."""
        return [message for subscription in self.subscriptions
                for message, info in taken(subscription, self.kind, raw=self._raw)
                if self.is_next(info)]

    def is_next(self, info: dict[str, Any]) -> bool:
        """
        Tell whether a message is another one than those before it, and count what is missing.

        What a publisher that came later has sent before its first message that arrives is lost;
        of one that was there first, nobody knows whether it was sent while we listened.

        :param info: what the middleware says of the message
        """
        identity, sequence = identity_of(info)
        self._counts_itself = bool(sequence and identity)
        missing = self._arrivals.missing_before(identity, sequence)
        if missing is None:
            return False
        if identity and identity not in self._heard:
            self._heard.add(identity)
            if identity not in (self._there_first or ()):
                missing = max(0, sequence - 1)
        # Where publishers latch, a message that another one has replaced is not lost.
        self._lost += 0 if self._is_latched else missing
        return True

    def hear(self) -> tuple[int, str]:
        """
        Return what the middleware says since the last call.

        :return: how many messages were lost, and the policy for which a publisher gives nothing,
            or ''
        """
        lost, refused = 0, ''
        for subscribed in self._now():
            lost += subscribed.events.lost()
            refused = subscribed.events.refused() or refused
        if not self._counts_itself:
            self._lost += lost
        return lost, refused

    def close(self) -> None:
        """Take every subscription back."""
        self._superfluous.clear()
        while self._subscribed:
            self._release(self._subscribed.popitem()[1])

    def _now(self) -> list[_Subscribed]:
        return list(self._subscribed.copy().values())

    def _subscribe(self, request: Qos) -> _Subscribed:
        subscription = self._node.create_subscription(
            self.kind, self.name, self._receive if self._on_message is not None else _never,
            to_profile(request), raw=self._raw, callback_group=self._group,
            event_callbacks=NO_CALLBACKS)
        return _Subscribed(subscription, MiddlewareEvents(subscription))

    def _receive(self, message: Any, info: dict[str, Any]) -> None:
        if self._on_message is not None and self.is_next(info):
            self._on_message(message, info)

    def _release(self, subscribed: _Subscribed) -> None:
        subscribed.events.destroy()
        self._node.destroy_subscription(subscribed.subscription)


def identity_of(info: dict[str, Any]) -> tuple[bytes, int]:
    """Return a message's publisher and its count of it; empty and 0 where nobody tells."""
    publisher = info.get('publisher_gid')
    identity = bytes(publisher['data'])[:IDENTITY_BYTES] if publisher else b''
    return identity, info.get('publication_sequence_number') or 0


def publisher_identity(endpoint: Any) -> bytes:
    """Return the identity of a publisher that the graph tells of, as its messages have it."""
    return bytes(endpoint.endpoint_gid)[:IDENTITY_BYTES]


def _never(message: Any) -> None:
    """Stand in for the callback that the executor never calls."""
