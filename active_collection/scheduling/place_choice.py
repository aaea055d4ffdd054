# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which place is next: the one with the largest score, and why it was that one."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.acquisition import RULES
from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.acquisition import RuleTerm
from active_collection.scheduling.acquisition import Scores
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.eligibility import Eligible
from active_collection.scheduling.events import MINIMUM_QUOTA
from active_collection.scheduling.events import RunnerUp
from active_collection.scheduling.events import Term
from active_collection.scheduling.settings import SchedulerSettings

RUNNERS_UP = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """
    A choice among candidates.

    :param index: of the candidate that was chosen
    :param total: scores of all, shape (P,)
    :param tie_draw: the random number, 0 to 1, that decided between the best; None where one was
    """

    index: int
    rule: str
    scores: Scores
    total: Floats
    tie_draw: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """
    The place that was chosen, with the explanation of the choice.

    :param index: of the place among the eligible ones
    """

    index: int
    rule: str
    score: float
    terms: tuple[Term, ...]
    runners_up: tuple[RunnerUp, ...]
    draw: float | None


class PlaceChoice:
    """
    Chooses by open minimum quotas, else by the acquisition rule.

    :raises ConfigError: where there is no such rule
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._space = space
        self._name = settings.rule
        self._rule = RULES.get(settings.rule)(settings)
        self._minimum = np.array([t.minimum_episodes for t in space.tasks.values()])

    @property
    def configurations(self) -> Literal['coverage', 'random']:
        """Return how the rule has object configurations chosen."""
        return self._rule.configurations

    def draw(self, candidates: Candidates, random: np.random.Generator) -> Drawn:
        """Choose one of at least one candidate."""
        held = candidates.beliefs.episodes + candidates.pending
        missing = np.maximum(self._minimum - held, 0) / np.maximum(self._minimum, 1)
        deficit = missing[candidates.task]
        if deficit.any():
            rule = MINIMUM_QUOTA
            scores = Scores((RuleTerm('missing_share', deficit, candidates.boost),))
        else:
            rule, scores = self._name, self._rule.score(candidates, random)
        total = scores.total()
        ties = np.flatnonzero(total == total.max())
        tie_draw = float(random.random())
        return Drawn(int(ties[int(tie_draw * len(ties))]), rule, scores, total,
                     tie_draw if len(ties) > 1 else None)

    def explained(self, drawn: Drawn, eligible: Eligible) -> Place:
        """
        Return a choice with its reasons.

        :param eligible: the places that were its candidates
        """
        scores, total, index = drawn.scores, drawn.total, drawn.index
        terms = tuple(Term(t.name, float(t.values[index]), float(t.weights[index]))
                      for t in scores.terms)
        order = np.argsort(-total, kind='stable')[:RUNNERS_UP + 1]
        runners_up = tuple(
            RunnerUp(task, environment, float(total[k]))
            for k in order if k != index
            for task, environment in [self._space.places[eligible.places[k]]])[:RUNNERS_UP]
        return Place(
            index, drawn.rule, float(total[index]), terms, runners_up,
            drawn.tie_draw if scores.draws is None else float(scores.draws[index]))
