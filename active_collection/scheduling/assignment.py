# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A scenario for a robot, from the question to the lease, with the reasons."""
from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import ClassVar

from active_collection.scenario import Scenario

#: What stands in the place of a rule's name where no rule chose.
MINIMUM_QUOTA = 'minimum_quota'
RETRY = 'retry'
REPEAT = 'repeat'
#: The same where the policy is tried to learn of its success.
TRIAL = 'trial'


@dataclass(frozen=True, slots=True)
class Term:
    """
    One term of the score that chose an assignment.

    :param value: raw value, in its own unit
    :param weight: factor it entered the score with; 0 where it only informs
    """

    name: str
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """A place that was nearly chosen, and its score in the same decision."""

    task: str
    environment: str
    score: float


@dataclass(frozen=True, slots=True)
class Request:
    """
    A robot's question for work.

    :param environment: where it is; empty if not known
    :param capabilities: what it says that it can do; the scenario space's entry is added
    :param collectors: who can act there: 'teleoperation', 'scripted', 'policy'
    """

    robot: str
    environment: str = ''
    capabilities: tuple[str, ...] = ()
    collectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """
    A scenario was leased to a robot. Before, it is what was decided; then, the robot's answer.

    :param assignment_id: of its lease; empty before there is one
    :param deadline_ns: ROS time at which the lease ends unless it is renewed (ns); 0 before
    :param time_limit_s: longest that the episode itself may take (s)
    :param rule: acquisition rule that chose it, or 'minimum_quota', 'retry' or 'repeat'
    :param score: the sum of value times weight over the terms
    :param attempt: 1 for a new scenario, more for one that was handed back
    :param policy_task: task whose policy acts; empty where no policy does
    :param priority: a lease of a higher one may take the robot from it
    :param draw: random number, 0 to 1, that decided; None where none was drawn
    :param batch: number of the event of the questions that were answered together with this one;
        0 where it was answered alone
    :param chosen_for: robot of that batch for which the rule chose it, where it is another
    :param issued_ns: ROS time when the lease began (ns)
    :param repeats: episode whose scenario an operator has collected once more; else empty
    :param asked_by: that operator's name and reason
    """

    kind: ClassVar[str] = 'assigned'
    assignment_id: str
    request: Request
    scenario: Scenario
    collector: str
    reset_required: bool
    deadline_ns: int
    time_limit_s: float
    rule: str
    score: float
    terms: tuple[Term, ...]
    runners_up: tuple[RunnerUp, ...]
    ensemble_id: str
    attempt: int = 1
    policy_task: str = ''
    priority: int = 0
    draw: float | None = None
    batch: int = 0
    chosen_for: str = ''
    issued_ns: int = 0
    repeats: str = ''
    asked_by: str = ''

    @property
    def subject(self) -> str:
        """Return what the event is about: the assignment."""
        return self.assignment_id

    @property
    def robot(self) -> str:
        """Return who is to collect it."""
        return self.request.robot

    def leased(self, assignment_id: str, *, now_ns: int, deadline_ns: int,
               batch: int) -> Assignment:
        """Return it as the lease that begins at a ROS time (ns)."""
        return replace(self, assignment_id=assignment_id, issued_ns=now_ns,
                       deadline_ns=deadline_ns, batch=batch)

    @property
    def acts_own_policy(self) -> bool:
        """Tell whether it tries the policy that is to learn the task, and so is no example."""
        return self.collector == 'policy' and self.policy_task in {'', self.scenario.task}
