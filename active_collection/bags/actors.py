# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Who acted when in an episode: the policy, a person or a script."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from active_collection.bags.alignment import LAST_STAMP
from active_collection.bags.alignment import newest_until
from active_collection.bags.fields import stamp_ns
from active_collection.bags.reader import Bag
from active_collection.bags.reader import Message
from active_collection.episode import Actor
from active_collection.errors import BagError

ACTOR_TYPE = 'active_collection/msg/Actor'
DEMONSTRATORS = (Actor.PERSON, Actor.SCRIPT)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time, from `start_ns` to `stop_ns` (ns), in which one of them acted."""

    start_ns: int
    stop_ns: int
    actor: Actor


@dataclass(frozen=True, eq=False)
class Actors:
    """
    Who acted in an episode.

    :param stamps: when somebody else went on (ns), ascending, shape (n,); the first lies before
        everything, for who began
    :param actors: who acts from each of them on, numbers of `Actor`, shape (n,)
    """

    stamps: NDArray[np.int64]
    actors: NDArray[np.uint8]

    def at(self, instants: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return who acted at each instant (ns), as numbers of `Actor`."""
        return self.actors[newest_until(self.stamps, instants)]

    def demonstrated(self, instants: NDArray[np.int64]) -> NDArray[np.bool_]:
        """
        Tell which of the actions given at these instants (ns) are to be imitated.

        Where both the policy and a person or a script acted, those of the latter; elsewhere all.
        """
        among = set(self.actors.tolist())
        if Actor.POLICY not in among or among.isdisjoint(DEMONSTRATORS):
            return np.ones(len(instants), bool)
        return np.isin(self.at(instants), DEMONSTRATORS)

    def took_over(self, instants: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell at which instants (ns) a person or a script acted in the policy's episode."""
        if self.actors[0] != Actor.POLICY:
            return np.zeros(len(instants), bool)
        return np.isin(self.at(instants), DEMONSTRATORS)

    def stretches(self, start_ns: int, stop_ns: int) -> Iterator[Stretch]:
        """Yield who acted between two times (ns), without those in which nobody did."""
        ends = [*self.stamps.tolist(), LAST_STAMP]
        for (began, ended), actor in zip(pairwise(ends), self.actors.tolist(), strict=True):
            first, last = max(began, start_ns), min(ended, stop_ns)
            if first < last and actor != Actor.NOBODY:
                yield Stretch(first, last, Actor(actor))


def read_actors(bag: Bag) -> Actors | None:
    """
    Return who acted in a bag; None where it was not recorded as an episode.

    Until the first message of its own, and throughout where it has none, it is who its record
    says began.

    :raises BagError: where a message is corrupt or tells of an unknown actor
    """
    if bag.episode is None:
        return None
    topics = [topic for topic, info in bag.topics.items()
              if info.type == ACTOR_TYPE and topic.startswith(f'{bag.namespace}/')]
    found = [(np.iinfo(np.int64).min, bag.episode.source.actor)]
    if topics:
        told = (_change(message) for message in bag.messages(topics))
        found += sorted(((when, actor) for when, actor, episode_id in told
                         if episode_id in {'', bag.episode.episode_id}), key=itemgetter(0))
    changes = found[:1] + [new for old, new in pairwise(found) if new[1] != old[1]]
    return Actors(np.array([when for when, _ in changes], np.int64),
                  np.array([actor for _, actor in changes], np.uint8))


def _change(message: Message) -> tuple[int, Actor, str]:
    """Return from when on (ns) who acts, and in which episode."""
    decoded = message.decode()
    try:
        return (stamp_ns(decoded) or message.receive_ns, Actor(decoded.actor),
                str(decoded.episode_id))
    except (AttributeError, ValueError) as error:
        raise BagError(f'{message.topic} at {message.receive_ns} ns', found=error,
                       expected=f'actor, one of {", ".join(f"{a} ({a.name})" for a in Actor)}, '
                       'and episode_id') from error
