# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What every acquisition rule sees and returns, and how rules are found by name."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar
from typing import Literal
from typing import Protocol

import numpy as np
import numpy.typing as npt

from active_collection.registry import Registry
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.beliefs import Integers
from active_collection.scheduling.beliefs import TaskArrays
from active_collection.scheduling.curves import Curves
from active_collection.scheduling.settings import SchedulerSettings


@dataclass(frozen=True)
class Candidates:
    """
    The places (task, environment) among which a rule decides, P of them, of T tasks.

    :param task: task index of each place, shape (P,)
    :param environment: environment index of each place, shape (P,)
    :param cost: cost of one episode there with travel and reset, above 0, shape (P,)
    :param boost: product of what operators asked for, shape (P,)
    :param is_chained: whether the task can follow without a reset, shape (P,)
    :param importance: of the tasks, shape (T,)
    :param beliefs: of the tasks, arrays of shape (T,)
    :param pending: assignments that are out, shape (T,)
    :param pending_demonstrations: those of them that no policy acts out, shape (T,)
    :param share: share of the recent assignments, 0 to 1, shape (T,)
    :param curves: returns the tasks' learning curves, fitted to the beliefs
    :param gap: returns for a task index how far its object configurations are from covered: the
        largest distance of one to the nearest collected one, infinite before the first
    :param points: returns for a task index and a number p the object configurations that were
        collected or are out, shape (n, d), and p that fill the space, shape (p, d), such that
        the distance of two is that of `FactorSpace.distances`
    """

    task: Integers
    environment: Integers
    cost: Floats
    boost: Floats
    is_chained: npt.NDArray[np.bool_]
    importance: Floats
    beliefs: TaskArrays
    pending: Integers
    pending_demonstrations: Integers
    share: Floats
    curves: Callable[[], Curves]
    gap: Callable[[int], float]
    points: Callable[[int, int], tuple[Floats, Floats]]

    def worth(self, cost_weight: float) -> Floats:
        """Return importance times boost over cost ** cost_weight, shape (P,)."""
        return self.importance[self.task] * self.boost / self.cost ** cost_weight

    def epistemic_left(self) -> Floats:
        """
        Return the tasks' expected epistemic uncertainty once what is out and fresh is learnt.

        The disagreement of members trained on n demonstrations falls as 1 / n, so u measured after
        n becomes u (n + 1) / (n + 1 + k) with k more. Shape (T,).
        """
        return np.asarray(self.beliefs.epistemic * self.still_unlearnt())

    def still_unlearnt(self) -> Floats:
        """Return (n + 1) / (n + 1 + k), n demonstrations learnt, k fresh or out, shape (T,)."""
        more = self.beliefs.fresh + self.pending_demonstrations
        learnt = self.beliefs.demonstrations - self.beliefs.fresh + 1
        return np.asarray(learnt / (learnt + more))


@dataclass(frozen=True)
class RuleTerm:
    """
    One term of the scores of all places.

    :param values: raw values, shape (P,)
    :param weights: factors they enter the score with, shape (P,); 0 where they only inform
    """

    name: str
    values: Floats
    weights: Floats


@dataclass(frozen=True)
class Scores:
    """
    The scores of all places: the sum over the terms of value times weight, none below 0.

    :param draws: the random number, 0 to 1, behind each place's score, shape (P,); None where
        chance has no part in it
    """

    terms: tuple[RuleTerm, ...]
    draws: Floats | None = None

    def total(self) -> Floats:
        """Return the scores, shape (P,)."""
        total = np.zeros_like(self.terms[0].values)
        for term in self.terms:
            total = total + term.values * term.weights
        return total


class AcquisitionRule(Protocol):
    """
    Scores places; the place with the largest score is assigned, ties broken at random.

    A rule keeps nothing between calls and takes all its randomness from `random`.

    :cvar configurations: how object configurations are chosen within a task
    """

    configurations: ClassVar[Literal['coverage', 'random']]

    def __init__(self, settings: SchedulerSettings) -> None: ...

    def score(self, candidates: Candidates, random: np.random.Generator) -> Scores:
        """Return the scores of at least one place."""
        ...


_HERE = 'active_collection.scheduling.rules'
RULES: Registry[AcquisitionRule] = Registry(
    'acquisition rule', 'active_collection.acquisition_rules', {
        'uniform': f'{_HERE}.uniform:Uniform',
        'round_robin': f'{_HERE}.round_robin:RoundRobin',
        'mt_opt': f'{_HERE}.mt_opt:MtOpt',
        'ensemble': f'{_HERE}.ensemble:EnsembleUncertainty',
        'failure_thompson': f'{_HERE}.failure_thompson:FailureThompson',
        'slope': f'{_HERE}.slope:Slope',
        'information_gain': f'{_HERE}.information_gain:InformationGain',
        'coverage': f'{_HERE}.coverage:CoverageGap',
        'novelty': f'{_HERE}.novelty:Novelty',
        'hybrid': f'{_HERE}.hybrid:Hybrid',
    })
