# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The episodes that a round chose from, for what is exported whole."""
from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from active_collection.annotation.items import Item
from active_collection.errors import AnnotationError


@dataclass(frozen=True)
class ChosenEpisode:
    """
    An episode that holds at least one chosen unit.

    :param bag: path of its bag
    :param items: its chosen units, in the order in which they were chosen
    :param difficulty: how hard it is, low first; NaN where not known
    """

    bag: str
    items: tuple[Item, ...]
    difficulty: float = math.nan

    @property
    def episode_id(self) -> str:
        """Return its id; empty where the bag is no episode."""
        return self.items[0].episode_id

    @property
    def task(self) -> str:
        """Return its task; empty where the bag is no episode."""
        return self.items[0].task


def episodes_of(items: Sequence[Item], difficulty: Mapping[str, float] | None = None
                ) -> list[ChosenEpisode]:
    """
    Return the episodes of items, in the order of their first one.

    :param difficulty: unit id to the difficulty of its episode
    """
    by_bag: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda i: i.order):
        by_bag.setdefault(item.bag, []).append(item)
    known = difficulty or {}
    return [ChosenEpisode(bag, tuple(own), known.get(own[0].unit_id, math.nan))
            for bag, own in by_bag.items()]


def easy_to_hard(episodes: Sequence[ChosenEpisode]) -> list[ChosenEpisode]:
    """
    Return episodes by rising difficulty; those of equal difficulty in the order given.

    :raises AnnotationError: where the difficulty of one is not known
    """
    unknown = [episode for episode in episodes if math.isnan(episode.difficulty)]
    if unknown:
        raise AnnotationError(
            f'curriculum: {unknown[0].bag}', found='neither uncertainty nor novelty, as in '
            f'{len(unknown)} of {len(episodes)} bags', expected='bags recorded with an '
            'uncertainty node, or scored: active-collection score --pool')
    return sorted(episodes, key=lambda episode: episode.difficulty)
