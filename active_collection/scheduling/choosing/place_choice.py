# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which place is next: the one with the largest score, and why it was that one."""
from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import MINIMUM_QUOTA
from active_collection.scheduling.assignment import TRIAL
from active_collection.scheduling.assignment import Term
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.choosing.acquisition import RULES
from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.acquisition import Configurations
from active_collection.scheduling.choosing.acquisition import Merits
from active_collection.scheduling.settings import SchedulerSettings

RUNNERS_UP = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """
    A choice among candidates, with what explains it.

    :param index: of the candidate that was chosen
    :param worth: of all, shape (P,)
    :param score: merit times worth of all, shape (P,)
    :param draw: the random number, 0 to 1, that decided; None where none did
    """

    index: int
    rule: str
    merits: Merits
    worth: Floats
    score: Floats
    draw: float | None

    def terms(self) -> tuple[Term, ...]:
        """Return the terms of the score that was chosen."""
        merits, index = self.merits, self.index
        return (Term(merits.name, float(merits.values[index]), float(self.worth[index])),
                *(Term(term.name, float(term.values[index]), 0.0) for term in merits.informs),
                Term('worth', float(self.worth[index]), 0.0))

    def runners_up(self) -> list[int]:
        """Return the candidates that were nearly chosen, the best first."""
        order = np.argsort(-self.score, kind='stable')[:RUNNERS_UP + 1]
        return [int(k) for k in order if k != self.index][:RUNNERS_UP]


class PlaceChoice:
    """
    Chooses by open minimum quotas, else by the acquisition rule.

    Importance, boosts and cost act here and nowhere else, on all of it alike: where a place is
    drawn at random, they multiply its chance.

    :raises ConfigError: where there is no such rule
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._name = settings.rule
        self._rule = RULES.get(settings.rule)(settings)
        self._minimum = np.array([t.minimum_episodes for t in space.tasks.values()])
        self.spreads_trials = self._rule.spreads_trials
        self.configurations: Configurations = (
            self._rule.configurations if settings.configuration == 'rule'
            else settings.configuration)

    def deficit(self, candidates: Candidates) -> Floats:
        """Return the share of its minimum that each place's task has not got, shape (P,)."""
        held = candidates.beliefs.episodes + candidates.pending
        missing = np.maximum(self._minimum - held, 0) / np.maximum(self._minimum, 1)
        return np.asarray(missing[candidates.task])

    def draw(self, candidates: Candidates, random: np.random.Generator) -> Drawn:
        """Choose one of at least one candidate."""
        deficit = self.deficit(candidates)
        if deficit.any():
            owed = replace(candidates, worth=np.maximum(
                candidates.worth, np.finfo(np.float64).tiny))  # of a task without importance too
            return _drawn(MINIMUM_QUOTA, Merits('missing_share', deficit), owed, random)
        return _drawn(self._name, self._rule.merits(candidates, random), candidates, random)

    @staticmethod
    def trial(candidates: Candidates, random: np.random.Generator) -> Drawn:
        """
        Choose where the policy is to be tried: where least is known of its success.

        What is known is the standard deviation of the belief, less by what is out.
        """
        beliefs = candidates.beliefs
        unknown = beliefs.curves.deviation(beliefs.learnt)
        out = candidates.pending - candidates.pending_demonstrations
        merit = unknown / np.sqrt(1.0 + out)
        return _drawn(TRIAL, Merits('unknown', merit[candidates.task]), candidates, random)


def _drawn(rule: str, merits: Merits, candidates: Candidates,
           random: np.random.Generator) -> Drawn:
    score = merits.values * candidates.worth
    draw = float(random.random())
    if merits.is_chance and score.sum() > 0:
        return Drawn(_at(score, draw), rule, merits, candidates.worth, score, draw)
    is_best = score == score.max()
    places = np.bincount(candidates.task[is_best], minlength=len(candidates.pending))
    chance = is_best / np.maximum(places, 1)[candidates.task]
    return Drawn(_at(chance, draw), rule, merits, candidates.worth, score,
                 draw if is_best.sum() > 1 else None)


def _at(chances: Floats, draw: float) -> int:
    """Return the index that a number from 0 to 1 draws, by chances that need not sum to 1."""
    cumulative = np.cumsum(chances)
    index = int(np.searchsorted(cumulative, draw * cumulative[-1], side='right'))
    return min(index, int(np.flatnonzero(chances)[-1]))
