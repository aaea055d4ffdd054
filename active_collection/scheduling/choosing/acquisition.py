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
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.beliefs.task_arrays import Integers
from active_collection.scheduling.beliefs.task_arrays import TaskArrays
from active_collection.scheduling.beliefs.task_field import Want
from active_collection.scheduling.settings import SchedulerSettings

#: How a rule has object configurations chosen: to cover something best, or at random.
Configurations = Want | Literal['random']


@dataclass(frozen=True)
class Candidates:
    """
    The places (task, environment) among which a rule decides, P of them, of T tasks.

    :param task: task index of each place, shape (P,)
    :param environment: environment index of each place, shape (P,)
    :param worth: what multiplies the merit of each place, whatever the rule: the task's importance
        and operators' boosts over the cost of an episode there, shape (P,)
    :param is_chained: whether the task can follow without a reset, shape (P,)
    :param beliefs: of the tasks, arrays of shape (T,)
    :param pending: what is out, episodes that wait for a judgement included, shape (T,)
    :param pending_demonstrations: those of them that no policy acts out, shape (T,)
    :param cover: returns what one demonstration at each place covers of the arrangements where
        the policy fails, where the ensemble is in doubt, or of all, shape (P,)
    """

    task: Integers
    environment: Integers
    worth: Floats
    is_chained: npt.NDArray[np.bool_]
    beliefs: TaskArrays
    pending: Integers
    pending_demonstrations: Integers
    cover: Callable[[Want], Floats]

    def demonstrations(self) -> Floats:
        """Return what a policy could learn from once what is out is back, shape (T,)."""
        return np.asarray(
            self.beliefs.learnt + self.beliefs.fresh + self.pending_demonstrations)


@dataclass(frozen=True)
class RuleTerm:
    """
    A number behind the merits of all places, for the explanation.

    :param values: shape (P,)
    """

    name: str
    values: Floats


@dataclass(frozen=True)
class Merits:
    """
    How much a rule thinks of each place: the place with the largest merit times worth is next.

    :param values: 0 or more, shape (P,)
    :param is_chance: whether the next place is drawn instead, in proportion to merit times worth
    :param informs: what they were made of
    """

    name: str
    values: Floats
    is_chance: bool = False
    informs: tuple[RuleTerm, ...] = ()


class AcquisitionRule(Protocol):
    """
    Says how much it thinks of places. Importance, boosts, cost and ties are not its business.

    A rule keeps nothing between calls and takes all its randomness from `random`.

    :cvar configurations: how object configurations are chosen within a task
    :cvar spreads_trials: whether the policy is tried where least is known of it, and the rule
        decides on demonstrations alone; else who acts is drawn once the rule has decided
    """

    configurations: ClassVar[Configurations]
    spreads_trials: ClassVar[bool]

    def __init__(self, settings: SchedulerSettings) -> None: ...

    def merits(self, candidates: Candidates, random: np.random.Generator) -> Merits:
        """Return the merits of at least one place."""
        ...


_HERE = 'active_collection.scheduling.choosing.rules'
RULES: Registry[AcquisitionRule] = Registry(
    'acquisition rule', 'active_collection.acquisition_rules', {
        'value': f'{_HERE}.value:Value',
        'uniform': f'{_HERE}.uniform:Uniform',
        'round_robin': f'{_HERE}.round_robin:RoundRobin',
        'mt_opt': f'{_HERE}.mt_opt:MtOpt',
        'ensemble': f'{_HERE}.ensemble:EnsembleUncertainty',
        'failure_thompson': f'{_HERE}.failure_thompson:FailureThompson',
        'slope': f'{_HERE}.slope:Slope',
        'need_gain': f'{_HERE}.need_gain:NeedGain',
    })
