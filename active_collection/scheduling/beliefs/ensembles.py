# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ensembles that acted or scored, in the order in which they were made."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

#: Ensembles that are told apart; what older ones did is counted to the oldest of these.
KEPT = 64


@dataclass(frozen=True, slots=True)
class Ensemble:
    """
    A retraining.

    :param number: 1 for the first that was seen, 2 for the next, ...: its name in results
    :param created_ns: when it was made (ns); when it was first seen where nobody says
    :param learnt: demonstrations that it was trained on, by task
    :param known: those of them that the scheduler had counted by then, by task; what was recorded
        elsewhere is in `learnt` alone
    :param losses: its members' error on what they did not learn, by task; empty where nobody says
    """

    number: int
    ensemble_id: str
    created_ns: int
    learnt: Mapping[str, int]
    known: Mapping[str, int]
    losses: Mapping[str, float] = field(default_factory=dict)


class Ensembles:
    """
    The last ensembles by the time of their making: a name says nothing of which is newer.

    A robot that still runs an older one is told by its episodes, whose trials belong to that one.
    """

    def __init__(self) -> None:
        self._ordered: list[Ensemble] = []
        self._seen = 0

    def __len__(self) -> int:
        return len(self._ordered)

    @property
    def newest(self) -> Ensemble | None:
        """Return the one that was made last; None before the first."""
        return self._ordered[-1] if self._ordered else None

    def fall_of_loss(self, task: str) -> float:
        """
        Return how far a task's error on what was not learnt fell at the newest retraining.

        :returns: NaN where the newest ensemble or the one before it does not say
        """
        if len(self._ordered) < 2:
            return math.nan
        before, newest = (e.losses.get(task, math.nan) for e in self._ordered[-2:])
        return before - newest

    @property
    def newest_number(self) -> int:
        """Return its number; 0 before the first."""
        return self._ordered[-1].number if self._ordered else 0

    @property
    def next_number(self) -> int:
        """Return the number that the next one that is seen will have."""
        return self._seen + 1

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of those that are told apart, oldest first."""
        return tuple(each.number for each in self._ordered)

    def number_of(self, ensemble_id: str) -> int:
        """Return the number of an ensemble; 0 for one that is not known."""
        return next((e.number for e in self._ordered if e.ensemble_id == ensemble_id), 0)

    def get(self, number: int) -> Ensemble | None:
        """Return an ensemble; the oldest for one that is no longer told apart, None for 0."""
        if not number or not self._ordered:
            return None
        return next((e for e in self._ordered if e.number == number), self._ordered[0])

    def is_worth_seeing(self, ensemble_id: str, created_ns: int) -> bool:
        """Tell whether an ensemble is unknown, and not older than all that are told apart."""
        if self.number_of(ensemble_id):
            return False
        is_full = len(self._ordered) >= KEPT
        return not (is_full and 0 < created_ns < self._ordered[0].created_ns)

    def age(self, number: int) -> int:
        """Return how many newer ensembles there are; all where it is no longer told apart."""
        for age, ensemble in enumerate(reversed(self._ordered)):
            if ensemble.number == number:
                return age
        return len(self._ordered)

    def see(self, ensemble_id: str, *, created_ns: int, learnt: Mapping[str, int],
            known: Mapping[str, int], losses: Mapping[str, float]) -> tuple[int, int] | None:
        """
        Add an ensemble.

        :returns: where the oldest is no longer told apart for it: that one's number and the
            number that its counts go to
        """
        self._seen += 1
        self._ordered.append(Ensemble(
            self._seen, ensemble_id, created_ns, learnt, known, losses))
        self._ordered.sort(key=lambda e: (e.created_ns, e.number))
        if len(self._ordered) <= KEPT:
            return None
        oldest = self._ordered.pop(0)
        return oldest.number, self._ordered[0].number

    def to_list(self) -> list[Any]:
        """Return what `restore` takes: plain JSON types."""
        return [self._seen, [
            [e.number, e.ensemble_id, e.created_ns, dict(e.learnt), dict(e.known), dict(e.losses)]
            for e in self._ordered]]

    def restore(self, data: list[Any]) -> None:
        """Take over what `to_list` returned."""
        self._seen = int(data[0])
        self._ordered = [Ensemble(*each) for each in data[1]]
