# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What happens to a scheduler: everything that it remembers is the fold of these."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from typing import ClassVar
from typing import Literal

from pydantic import TypeAdapter
from pydantic import ValidationError

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import SchedulingError
from active_collection.scenario import Scenario
from active_collection.scheduling.orders import RobotSteered
from active_collection.scheduling.orders import Steered

#: What the scheduler as a whole is doing.
Mode = Literal['running', 'paused', 'draining', 'finished']
#: What stands in the place of a rule's name where no rule chose.
MINIMUM_QUOTA = 'minimum_quota'
RETRY = 'retry'


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
class Started:
    """A scheduler opened the ledger, with this scenario space and these settings (JSON)."""

    kind: ClassVar[str] = 'started'
    space: str
    settings: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """
    A scenario was leased to a robot.

    :param deadline_ns: ROS time at which the lease ends unless it is renewed (ns)
    :param time_limit_s: longest that the episode itself may take (s)
    :param rule: acquisition rule that chose it, or 'minimum_quota' or 'retry'
    :param score: the sum of value times weight over the terms
    :param attempt: 1 for a new scenario, more for one that was handed back
    :param policy_task: task whose policy acts; empty where no policy does
    :param priority: a lease of a higher one may take the robot from it
    :param draw: random number, 0 to 1, that decided; None where none was drawn
    :param batch: number of the event of the questions that were answered together with this one;
        0 where it was answered alone
    :param chosen_for: robot of that batch for which the rule chose it, where it is another
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

    @property
    def subject(self) -> str:
        """Return what the event is about: the assignment."""
        return self.assignment_id

    @property
    def acts_own_policy(self) -> bool:
        """Tell whether it tries the policy that is to learn the task, and so is no example."""
        return self.collector == 'policy' and self.policy_task in {'', self.scenario.task}


@dataclass(frozen=True, slots=True)
class Batch:
    """Robots asked at once and are answered together, in the assignments that follow."""

    kind: ClassVar[str] = 'batch'
    requests: tuple[Request, ...]


#: How a lease ends without an episode.
Cause = Literal['released', 'revoked', 'preempted', 'drained']


@dataclass(frozen=True, slots=True)
class Ended:
    """
    A lease ended without an episode.

    :param cause: 'released' by its robot, 'revoked' for want of heartbeats or of time, 'preempted'
        for something of a higher priority, 'drained' at the deadline of a drain
    :param retry: whether the scenario may be assigned again
    """

    kind: ClassVar[str] = 'ended'
    assignment_id: str
    robot: str
    cause: Cause
    reason: str
    retry: bool

    @property
    def subject(self) -> str:
        """Return what the event is about: the assignment."""
        return self.assignment_id


@dataclass(frozen=True, slots=True)
class Result:
    """
    What an episode contributes to the beliefs.

    :param epoch: number of ensembles seen when it was first counted
    :param scored_epoch: number of the ensemble that scored it; 0 where none did
    :param others: outcomes for other tasks of its skill group, which it counts for too
    :param epistemic: mean normalised epistemic uncertainty over its steps; None where unscored
    :param novelty: mean novelty over its steps; None where there is none
    :param is_example: whether a policy acted that was not the task's own, or had a person's help
    """

    scenario: Scenario
    source: Source
    outcome: Outcome
    epoch: int
    scored_epoch: int = 0
    epistemic: float | None = None
    novelty: float | None = None
    duration_s: float = 0.0
    others: tuple[tuple[str, Outcome], ...] = ()
    is_example: bool = False

    @property
    def tries_own_policy(self) -> bool:
        """Tell whether the policy that is to learn the task acted: a trial, not an example."""
        return self.source is Source.POLICY and not self.is_example


@dataclass(frozen=True, slots=True)
class Finished:
    """
    An episode was counted, or counted anew after an amendment.

    :param previous: what its earlier revision contributed, which is taken back; None at first
    :param fulfils: whether it ended the lease that it names
    :param remark: what is odd about it: 'late', 'not the holder', 'unknown assignment'; else empty
    """

    kind: ClassVar[str] = 'finished'
    episode_id: str
    revision: int
    robot: str
    assignment_id: str
    result: Result
    previous: Result | None
    fulfils: bool
    remark: str = ''

    @property
    def subject(self) -> str:
        """Return what the event is about: the episode."""
        return self.episode_id


@dataclass(frozen=True, slots=True)
class EnsembleSeen:
    """An episode was scored by an ensemble newer than all before: a retraining has happened."""

    kind: ClassVar[str] = 'ensemble'
    ensemble_id: str

    @property
    def subject(self) -> str:
        """Return what the event is about: the ensemble."""
        return self.ensemble_id


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """
    The scheduler as a whole was paused, resumed or drained, or a stopping criterion fired.

    :param author: who asked for it; empty where nobody did
    :param deadline_ns: ROS time at which a drain revokes what is still out (ns); 0: never
    """

    kind: ClassVar[str] = 'mode'
    mode: Mode
    reason: str
    author: str = ''
    deadline_ns: int = 0


Event = (Started | Assigned | Batch | Ended | Finished | EnsembleSeen | Steered | RobotSteered
         | ModeChanged)
KINDS: dict[str, type[Event]] = {
    kind.kind: kind
    for kind in (Started, Assigned, Batch, Ended, Finished, EnsembleSeen, Steered, RobotSteered,
                 ModeChanged)}


@dataclass(frozen=True, slots=True)
class Entry:
    """
    An event in its place in history.

    :param sequence: number in the ledger, from 1, without gaps
    :param time_ns: ROS time at which it happened (ns)
    """

    sequence: int
    time_ns: int
    event: Event


def subject_of(event: Event) -> str:
    """Return the id that an event is about; empty where it is about the whole."""
    return getattr(event, 'subject', '')


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])


def encode(event: Event) -> str:
    """Return an event as one line of JSON, which `decode` takes."""
    return _adapter(event.kind).dump_json(event).decode()


def decode(kind: str, text: str, *, where: str) -> Event:
    """
    Return the event that `encode` wrote.

    :param where: what holds it, for messages: 'scheduler.sqlite3: event 12'
    :raises SchedulingError: where it is not one
    """
    if kind not in KINDS:
        raise SchedulingError(where, found=f'kind {kind!r}', expected=f'one of {", ".join(KINDS)}')
    try:
        event: Event = _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SchedulingError(
            where, found=f'{".".join(map(str, first["loc"]))}: {first["msg"]}',
            expected=f'an event of kind {kind!r}') from error
    return event
