# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the collection loop needs of a robot, and what the two tell each other."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import Enum
from typing import Protocol

from active_collection.episode import Outcome
from active_collection.scenario import Scenario


class StoppedError(Exception):
    """The loop was asked to end. Raised by a robot in whatever it is waiting for."""


class UnavailableError(Exception):
    """A peer did not answer, refused, or was lost: one line that says which and why."""


class RefusedError(UnavailableError):
    """A peer that is there refused, or was not done in its time."""


class TakenError(Exception):
    """The scheduler took the assignment back: one line for a person. The robot stands still."""


class HelpNeededError(Exception):
    """The policy does not know what to do: one line that says why. The robot stands still."""


class Phase(str, Enum):
    """What the loop is doing; the names are those of RobotStatus's states."""

    IDLE = 'idle'
    REQUESTING = 'requesting'
    SETTING_UP = 'setting_up'
    WAITING_FOR_READY = 'waiting_for_ready'
    COLLECTING = 'collecting'
    NEEDS_HELP = 'needs_help'
    REPORTING = 'reporting'
    PAUSED = 'paused'
    FAULT = 'fault'


@dataclass(frozen=True, slots=True)
class Work:
    """
    An assignment as its robot sees it.

    :param collector: who acts: 'teleoperation', 'scripted' or 'policy'
    :param time_limit_s: longest that the episode may take (s); 0: no limit
    :param policy_task: proxy task that the policy is conditioned on; empty: the scenario's own
    :param issued_ns: when it was leased, by the scheduler's clock (ns)
    :param deadline_ns: when the lease ends unless it is renewed, by the same clock (ns)
    """

    assignment_id: str
    scenario: Scenario
    collector: str
    reset_required: bool
    time_limit_s: float
    policy_task: str = ''
    issued_ns: int = 0
    deadline_ns: int = 0


@dataclass(frozen=True, slots=True)
class NoWork:
    """
    The scheduler's refusal.

    :param message: one line for a person
    :param retry_after_s: when to ask again (s)
    :param is_paused: whether an operator paused the robot or the fleet
    :param needs_person: whether it lasts until a person changes something
    :param gist: what does not change while only its numbers do; empty: the message
    """

    message: str
    retry_after_s: float
    is_paused: bool = False
    needs_person: bool = False
    gist: str = ''


@dataclass(frozen=True, slots=True)
class SetUp:
    """What became of a set-up; `message` says why where it is not ready."""

    ready: bool
    message: str = ''


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    What became of an attempt.

    :param outcome: UNKNOWN where nobody judged yet
    :param message: one line: why
    :param stop_reason: why it stopped: 'finished', 'time_limit', 'operator'
    :param tags: for the episode's record
    """

    outcome: Outcome
    message: str = ''
    stop_reason: str = 'finished'
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Activity:
    """
    What the robot's heartbeat tells: phase, one line, and what is being worked on.

    :param needs_person: whether a person may have to do something about it
    :param gist: what does not change while only the message's numbers do; empty: the message
    """

    phase: Phase
    message: str = ''
    assignment_id: str = ''
    episode_id: str = ''
    needs_person: bool = False
    gist: str = ''


class Robot(Protocol):
    """
    What the loop needs of a robot, its peers and its operator. Each call returns when it is done.

    Calls that wait (`await_...`, `request`, `set_up`, `collect`, `take_over`, `judge`, `wait`)
    raise StoppedError as soon as the loop is to end, having stopped the robot; the others always
    run to their end, which they reach within seconds. `set_up`, `await_ready`, `collect`,
    `await_help` while it still records, and `take_over` raise TakenError where the scheduler
    takes the assignment back.
    """

    def await_resume(self) -> None:
        """
        Return at once unless an operator paused this robot; else when they resume it.

        :raises StoppedError: where no turn may begin any more, paused or not
        """
        ...

    def await_peers(self) -> None:
        """
        Return once all that an attempt needs is there; no lease is worth taking before.

        :raises UnavailableError: naming what is missing
        """
        ...

    def free_recorder(self) -> str:
        """
        Close as aborted an episode of this robot that nobody acts out any more.

        Its agent was killed, or the recorder did not answer when it was to be closed. Called
        between episodes.

        :returns: the assignment of the episode that was closed; empty where none was open
        :raises UnavailableError: where the recorder records for somebody else
        """
        ...

    def request(self) -> Work | NoWork:
        """Ask the scheduler for work; UnavailableError where it does not answer."""
        ...

    def set_up(self, work: Work) -> SetUp:
        """
        Bring robot and scene to the start.

        :raises UnavailableError: where who sets up is lost; a scene that cannot be brought there
            is not ready
        """
        ...

    def must_confirm(self, work: Work) -> bool:
        """Tell whether somebody has to say "ready" between set-up and attempt."""
        ...

    def await_ready(self) -> SetUp:
        """Wait for "ready", or that it cannot be; UnavailableError where nobody says either."""
        ...

    def new_episode_id(self) -> str:
        """Return an id that no episode has."""
        ...

    def start_recording(self, work: Work, episode_id: str) -> None:
        """Start an episode; UnavailableError where the recorder does not say that it did."""
        ...

    def collect(self, work: Work, episode_id: str) -> Attempt:
        """
        Act out the episode.

        UnavailableError where who acts or who records is lost; HelpNeededError where the policy
        asks for help.
        """
        ...

    @property
    def hands_over(self) -> bool:
        """Tell whether a person goes on with the episode in which the policy asked for help."""
        ...

    def await_help(self, episode_id: str) -> Attempt | None:
        """
        Wait for a person.

        :param episode_id: the episode that is still being recorded; empty where none is
        :returns: None once they take over, else how the episode ends without
        """
        ...

    def take_over(self, work: Work, episode_id: str) -> Attempt:
        """Let the person act out the rest; UnavailableError as in `collect`."""
        ...

    def finish_recording(self, episode_id: str, attempt: Attempt) -> None:
        """Close the episode, or judge a closed one; UnavailableError where it cannot be closed."""
        ...

    def judge(self, work: Work, attempt: Attempt) -> Attempt | None:
        """Return what the operator says of an attempt that the robot did not judge, if they do."""
        ...

    def release(self, work: Work, reason: str, *, retry: bool, set_up_failed: bool) -> None:
        """
        Hand the lease back; UnavailableError where the scheduler does not answer.

        :param retry: whether the scenario may be assigned again
        :param set_up_failed: whether that its scene could not be brought to the start is why
        """
        ...

    def tell(self, activity: Activity) -> None:
        """Tell, in every heartbeat from here on, what the robot is doing, and log what is new."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...
