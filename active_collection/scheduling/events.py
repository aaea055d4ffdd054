# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What happens to a scheduler: everything that it remembers is the fold of these."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from typing import Literal
from typing import get_args

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import SchedulingError
from active_collection.scenario import Scenario
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.encoding import decode_as
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.repeats import Repeat

#: What the scheduler as a whole is doing.
Mode = Literal['running', 'paused', 'draining', 'finished']
#: Outcomes of episodes that count.
COUNTED = frozenset({Outcome.SUCCESS, Outcome.FAILURE})
#: Outcomes that say that a configuration could not be set up or acted out, unless it was but
#: interrupted.
GIVEN_UP = frozenset({Outcome.ABORTED, Outcome.DISCARDED})


@dataclass(frozen=True, slots=True)
class Started:
    """A scheduler opened the ledger, with this scenario space and these settings (JSON)."""

    kind: ClassVar[str] = 'started'
    space: str
    settings: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Robots asked at once and are answered together, in the assignments that follow."""

    kind: ClassVar[str] = 'batch'
    requests: tuple[Request, ...]


#: How a lease ends without an episode.
EndCause = Literal['released', 'revoked', 'preempted', 'drained']


@dataclass(frozen=True, slots=True)
class Ended:
    """
    A lease ended without an episode.

    :param cause: 'released' by its robot, 'revoked' for want of heartbeats or of time, 'preempted'
        for something of a higher priority or to repeat an
        episode, 'drained' at the deadline of a drain
    :param retry: whether the scenario may be assigned again
    :param set_up_failed: whether it could not be set up, which counts against its configuration
    """

    kind: ClassVar[str] = 'ended'
    assignment_id: str
    robot: str
    cause: EndCause
    reason: str
    retry: bool
    set_up_failed: bool = False

    @property
    def subject(self) -> str:
        """Return what the event is about: the assignment."""
        return self.assignment_id


@dataclass(frozen=True, slots=True)
class Result:
    """
    What an episode contributes to the beliefs.

    :param epoch: number of the ensemble that acted or, where none did, of the newest one when it
        was first counted; 0 before the first
    :param scored_epoch: number of the ensemble that scored it; 0 where none did
    :param others: outcomes for other tasks of its skill group, whose successes a policy can learn
        from
    :param epistemic: mean normalised epistemic uncertainty over its steps; None where unscored
    :param novelty: mean novelty over its steps; None where there is none
    :param is_example: whether a policy acted that was not the task's own, or had a person's help
    :param is_interrupted: whether it was aborted by who stopped the agent or took the assignment
        back, or by its recorder, or discarded to be done once more: that says nothing of its
        configuration
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
    is_interrupted: bool = False

    @property
    def tries_own_policy(self) -> bool:
        """Tell whether the policy that is to learn the task acted: a trial, not an example."""
        return self.source is Source.POLICY and not self.is_example

    @property
    def is_demonstration(self) -> bool:
        """Tell whether a policy may imitate it: a success that was not its own alone."""
        return self.outcome is Outcome.SUCCESS and not self.tries_own_policy

    @property
    def covers(self) -> bool:
        """
        Tell whether it covers its object configuration: demonstrated, or perhaps so.

        A failed demonstration teaches nothing; what waits for a judgement may have.
        """
        return (self.outcome in {Outcome.SUCCESS, Outcome.UNKNOWN}
                and not self.tries_own_policy)


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
    """
    An episode was scored by an ensemble that was not known: a retraining has happened.

    :param created_ns: when it was made (ns); 0 where nobody says
    :param trained_on: task and number of demonstrations that it was trained on; None where nobody
        says
    :param held_out_loss: task and error on what its members did not learn of it; empty likewise
    """

    kind: ClassVar[str] = 'ensemble'
    ensemble_id: str
    created_ns: int = 0
    trained_on: tuple[tuple[str, int], ...] | None = None
    held_out_loss: tuple[tuple[str, float], ...] = ()

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


@dataclass(frozen=True, slots=True)
class TaskStopped:
    """A stopping criterion ended a task; it holds until `TaskGoesOn`."""

    kind: ClassVar[str] = 'stopped'
    task: str
    reason: str

    @property
    def subject(self) -> str:
        """Return what the event is about: the task."""
        return self.task


@dataclass(frozen=True, slots=True)
class TaskGoesOn:
    """
    What had stopped a task holds no more.

    :param is_lifted: whether an operator lifted it; else trials contradicted it
    """

    kind: ClassVar[str] = 'goes_on'
    task: str
    reason: str
    is_lifted: bool = False

    @property
    def subject(self) -> str:
        """Return what the event is about: the task."""
        return self.task


Event = (Started | Assignment | Batch | Ended | Finished | EnsembleSeen | ScenarioOrder
         | RobotOrder | Repeat | ModeChanged | TaskStopped | TaskGoesOn)
KINDS: dict[str, type[Event]] = {kind.kind: kind for kind in get_args(Event)}


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


def decode(kind: str, text: str, *, where: str) -> Event:
    """
    Return the event that `encode` wrote.

    :param where: what holds it, for messages: 'scheduler.sqlite3: event 12'
    :raises SchedulingError: where it is not one
    """
    if kind not in KINDS:
        raise SchedulingError(where, found=f'kind {kind!r}', expected=f'one of {", ".join(KINDS)}')
    return decode_as(KINDS[kind], text, where=where)
