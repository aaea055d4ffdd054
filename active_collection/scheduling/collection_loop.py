# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot's collection loop: ask, set up, record, act, report, again. Knows nothing of ROS."""
from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from active_collection.episode import Outcome
from active_collection.scenario import Scenario

#: Pause before a robot asks again whose report is still on its way to the scheduler (s).
SETTLE_S = 0.2
#: How long a report may be on its way before the lease is handed back (s).
REPORT_S = 10.0


class StoppedError(Exception):
    """The loop was asked to end. Raised by a robot in whatever it is waiting for."""


class UnavailableError(Exception):
    """A peer did not answer, refused, or was lost: one line that says which and why."""


class Phase(str, Enum):
    """What the loop is doing; the names are those of RobotStatus's states."""

    IDLE = 'idle'
    REQUESTING = 'requesting'
    SETTING_UP = 'setting_up'
    COLLECTING = 'collecting'
    REPORTING = 'reporting'
    FAULT = 'fault'


@dataclass(frozen=True, slots=True)
class Work:
    """
    An assignment as its robot sees it.

    :param collector: who acts: 'teleoperation', 'scripted' or 'policy'
    :param time_limit_s: longest that the episode may take (s); 0: no limit
    """

    assignment_id: str
    scenario: Scenario
    collector: str
    reset_required: bool
    time_limit_s: float


@dataclass(frozen=True, slots=True)
class NoWork:
    """The scheduler's refusal: one line for a person, and when to ask again (s)."""

    message: str
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class SetUp:
    """What became of a set-up; `message` says why where it is not ready."""

    ready: bool
    message: str = ''


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    What became of an attempt.

    :param message: one line: why
    :param stop_reason: why it stopped: 'finished', 'time_limit', 'operator'
    """

    outcome: Outcome
    message: str = ''
    stop_reason: str = 'finished'


@dataclass(frozen=True, slots=True)
class Activity:
    """What the robot's heartbeat tells: phase, one line, and what is being worked on."""

    phase: Phase
    message: str = ''
    assignment_id: str = ''
    episode_id: str = ''


class Robot(Protocol):
    """
    What the loop needs of a robot and its peers. Each call returns when it is done.

    `request`, `set_up`, `collect` and `wait` raise StoppedError as soon as the loop is to end,
    having stopped the robot; the others always run to their end, which they reach within seconds.
    """

    def request(self) -> Work | NoWork:
        """Ask the scheduler for work; UnavailableError where it does not answer."""
        ...

    def set_up(self, work: Work) -> SetUp:
        """Bring robot and scene to the start; UnavailableError where nobody can."""
        ...

    def new_episode_id(self) -> str:
        """Return an id that no episode has."""
        ...

    def start_recording(self, work: Work, episode_id: str) -> None:
        """Start an episode; UnavailableError where the recorder does not say that it did."""
        ...

    def collect(self, work: Work, episode_id: str) -> Attempt:
        """Act out the episode; UnavailableError where who acts or who records is lost."""
        ...

    def finish_recording(self, episode_id: str, attempt: Attempt) -> None:
        """Close the episode; UnavailableError where it cannot be closed."""
        ...

    def release(self, work: Work, reason: str, *, retry: bool) -> None:
        """Hand the lease back; UnavailableError where the scheduler does not answer."""
        ...

    def tell(self, activity: Activity) -> None:
        """Tell, in every heartbeat from here on, what the robot is doing."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...


class CollectionLoop:
    """
    Works off one assignment after another until it is stopped.

    Nothing is left half done: every episode that was started is closed, and every lease that gave
    no episode is handed back. A scheduler that is away costs nothing but time: what is being
    collected is finished, the recorder keeps its report, and the loop goes on asking.

    :param retry_s: pause before anything that failed is tried again (s)
    """

    def __init__(self, robot: Robot, *, retry_s: float) -> None:
        self._robot = robot
        self._retry_s = retry_s
        self._reported = ''
        self._unseen_s = 0.0

    def run(self) -> None:
        """Work until the robot says that it is to stop."""
        try:
            while True:
                self.turn()
        except StoppedError:
            self._robot.tell(Activity(Phase.IDLE, 'stopped'))

    def turn(self) -> None:
        """Ask once, and do what is assigned from its set-up to its report."""
        work = self._ask()
        if work is None or not self._set_up(work):
            return
        episode_id = self._robot.new_episode_id()
        try:
            self._robot.start_recording(work, episode_id)
        except UnavailableError as error:
            self._close_unsure(episode_id, str(error))
            self._give_up(work, str(error))
            return
        self._record(work, episode_id)

    def _ask(self) -> Work | None:
        self._robot.tell(Activity(Phase.REQUESTING))
        try:
            answer = self._robot.request()
        except UnavailableError as error:
            self._robot.tell(Activity(Phase.IDLE, str(error)))
            self._robot.wait(self._retry_s)
            return None
        if isinstance(answer, NoWork):
            self._robot.tell(Activity(Phase.IDLE, answer.message))
            self._robot.wait(answer.retry_after_s)
            return None
        if answer.assignment_id == self._reported:
            self._await_report(answer)
            return None
        self._unseen_s = 0.0
        return answer

    def _await_report(self, work: Work) -> None:
        """Wait for the scheduler to see the report of what it offers again."""
        if self._unseen_s >= REPORT_S:
            self._release(work, 'its episode was closed but the report did not arrive',
                          retry=False)
            self._unseen_s = 0.0
        self._robot.tell(Activity(Phase.REPORTING, 'the report is on its way',
                                  work.assignment_id))
        self._robot.wait(SETTLE_S)
        self._unseen_s += SETTLE_S

    def _set_up(self, work: Work) -> bool:
        self._robot.tell(Activity(Phase.SETTING_UP, str(work.scenario), work.assignment_id))
        try:
            done = self._robot.set_up(work)
        except UnavailableError as error:
            self._give_up(work, str(error))
            return False
        except StoppedError:
            self._release(work, 'the agent was stopped', retry=True)
            raise
        if not done.ready:
            self._give_up(work, f'set-up failed: {done.message or "no reason given"}')
        return done.ready

    def _record(self, work: Work, episode_id: str) -> None:
        self._robot.tell(Activity(
            Phase.COLLECTING, str(work.scenario), work.assignment_id, episode_id))
        try:
            attempt = self._robot.collect(work, episode_id)
        except UnavailableError as error:
            attempt = Attempt(Outcome.ABORTED, str(error))
        except StoppedError:
            self._report(work, episode_id, Attempt(
                Outcome.ABORTED, 'the agent was stopped', 'operator'))
            raise
        self._report(work, episode_id, attempt)
        if attempt.outcome is Outcome.ABORTED:
            self._robot.tell(Activity(Phase.FAULT, attempt.message))
            self._robot.wait(self._retry_s)

    def _report(self, work: Work, episode_id: str, attempt: Attempt) -> None:
        self._robot.tell(Activity(
            Phase.REPORTING, attempt.message, work.assignment_id, episode_id))
        try:
            self._robot.finish_recording(episode_id, attempt)
        except UnavailableError as error:
            self._release(work, f'no episode: {error}', retry=True)
            return
        self._reported = work.assignment_id

    def _close_unsure(self, episode_id: str, reason: str) -> None:
        """Close an episode that may have been started although the recorder did not say so."""
        with suppress(UnavailableError):
            self._robot.finish_recording(episode_id, Attempt(Outcome.ABORTED, reason))

    def _give_up(self, work: Work, reason: str) -> None:
        """Hand the lease back, say what is wrong and pause."""
        self._release(work, reason, retry=True)
        self._robot.tell(Activity(Phase.FAULT, reason))
        self._robot.wait(self._retry_s)

    def _release(self, work: Work, reason: str, *, retry: bool) -> None:
        """Hand the lease back; where that fails too, silence about it does the same in time."""
        try:
            self._robot.release(work, reason, retry=retry)
        except UnavailableError as error:
            self._robot.tell(Activity(Phase.FAULT, f'{reason}; {error}'))
