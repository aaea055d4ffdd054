# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""From the topics that an ensemble asks for to its observations."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from rclpy.node import Node

from active_collection.bags.alignment import AlignmentStatistics
from active_collection.bags.alignment import Observation
from active_collection.errors import ActiveCollectionError
from active_collection.nodes.uncertainty.observation_subscriptions import ObservationSubscriptions
from active_collection.nodes.unexpected import unexpected_of

if TYPE_CHECKING:
    from active_collection.bags.alignment import ObservationAligner
    from active_collection.uncertainty.ensemble import EnsembleDescription
    from active_collection.uncertainty.ensemble_files import Ensemble

#: Called with (observation, receive time of the message that completed it as the middleware gives
#: it (ns of the system clock; 0 where it gives none, or where no message did)).
OnObservation = Callable[[Observation, int], None]


class ObservationStream:
    """
    Subscriptions and alignment of one ensemble's specification.

    :param description: the ensemble's
    :param aligner: its own, with nothing received so far
    :param on_observation: called for each observation, in order
    :param on_problem: called with why a message could not be used
    """

    def __init__(self, node: Node, description: EnsembleDescription, aligner: ObservationAligner,
                 on_observation: OnObservation, on_problem: Callable[[str], None]) -> None:
        self._node = node
        self._on_observation = on_observation
        self._on_problem = on_problem
        self._aligner = aligner
        self._seen = (description.observation, description.sizes)
        self._retired = False
        self._subscriptions = ObservationSubscriptions(
            node, description.observation, self._on_message)
        self._subscriptions.discover()

    def serves(self, ensemble: Ensemble) -> bool:
        """Tell whether another ensemble sees the very same."""
        description = ensemble.description
        return (description.observation, description.sizes) == self._seen

    @property
    def statistics(self) -> AlignmentStatistics:
        """Return what became of the reference messages so far."""
        return self._aligner.statistics

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the topics that nobody publishes."""
        return self._subscriptions.missing

    @property
    def problems(self) -> dict[str, str]:
        """Return topic to why it cannot be received as it should."""
        return self._subscriptions.problems

    @property
    def lost(self) -> dict[str, int]:
        """Return how many messages were lost of each topic."""
        return self._subscriptions.lost

    def silent_for(self, seconds: float) -> tuple[str, ...]:
        """Return the topics that are published and of which nothing has come for a time (s)."""
        silent = self._aligner.silent_since(self._now() - round(seconds * 1e9))
        return tuple(topic for topic in silent if topic not in self.missing)

    def poll(self) -> None:
        """Subscribe to what is published by now; give observations whose wait is over."""
        self._subscriptions.discover()
        try:
            observations = self._aligner.advance(self._now())
        except ActiveCollectionError as error:
            self._on_problem(str(error))
            return
        for observation in observations:
            self._on_observation(observation, 0)

    def retire(self) -> None:
        """Give no observation any more; `close` takes longer and may follow later."""
        self._retired = True

    def close(self) -> None:
        """Take every subscription back."""
        self._subscriptions.close()

    def _on_message(self, topic: str, message: Any, received_ns: int) -> None:
        if self._retired:
            return
        try:
            observations = self._aligner.add(topic, message, self._now())
        except ActiveCollectionError as error:
            self._on_problem(str(error))
            return
        except Exception as error:  # an encoder may be a third party's
            self._on_problem(unexpected_of(self._node).note(topic, error))
            return
        for observation in observations:
            self._on_observation(observation, received_ns)

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)
