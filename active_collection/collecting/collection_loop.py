# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot's collection loop: ask, set up, record, act, judge, report, again. Knows no ROS."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from active_collection.collecting.collection_robot import Activity
from active_collection.collecting.collection_robot import Attempt
from active_collection.collecting.collection_robot import HelpNeededError
from active_collection.collecting.collection_robot import NoWork
from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.collection_robot import Robot
from active_collection.collecting.collection_robot import StoppedError
from active_collection.collecting.collection_robot import TakenError
from active_collection.collecting.collection_robot import UnavailableError
from active_collection.collecting.collection_robot import Work
from active_collection.episode import HELP_GIVEN
from active_collection.episode import HELP_REQUESTED
from active_collection.episode import Outcome

#: Pause before a robot asks again whose report is still on its way to the scheduler (s).
SETTLE_S = 0.2
#: How long a report may be on its way before the lease is handed back (s).
REPORT_S = 10.0
STOPPED = 'the agent was stopped'
JUDGING = "waiting for the operator's judgement"


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
        self._robot.await_resume()
        work = self._ask()
        if work is None or not self._prepare(work):
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
        try:
            self._robot.await_peers()
        except UnavailableError as error:
            self._robot.tell(Activity(Phase.FAULT, str(error)))
            self._robot.wait(self._retry_s)
            return None
        try:
            self._reported = self._robot.free_recorder() or self._reported
        except UnavailableError as error:
            self._robot.tell(Activity(Phase.IDLE, str(error), needs_person=True))
            self._robot.wait(self._retry_s)
            return None
        self._robot.tell(Activity(Phase.REQUESTING))
        try:
            answer = self._robot.request()
        except UnavailableError as error:
            self._robot.tell(Activity(Phase.IDLE, str(error), needs_person=True))
            self._robot.wait(self._retry_s)
            return None
        if isinstance(answer, NoWork):
            phase = Phase.PAUSED if answer.is_paused else Phase.IDLE
            self._robot.tell(Activity(phase, answer.message, gist=answer.gist,
                                      needs_person=answer.needs_person))
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

    def _prepare(self, work: Work) -> bool:
        """Set the scene up, and tell whether the attempt may begin."""
        self._robot.tell(Activity(Phase.SETTING_UP, str(work.scenario), work.assignment_id))
        try:
            done = self._robot.set_up(work)
            if done.ready and self._robot.must_confirm(work):
                self._robot.tell(Activity(
                    Phase.WAITING_FOR_READY, str(work.scenario), work.assignment_id))
                done = self._robot.await_ready()
        except UnavailableError as error:
            self._give_up(work, str(error))
            return False
        except TakenError as error:
            self._robot.tell(Activity(Phase.IDLE, str(error)))
            return False
        except StoppedError:
            self._release(work, STOPPED, retry=True)
            raise
        if not done.ready:
            self._give_up(work, f'set-up failed: {done.message or "no reason given"}',
                          set_up_failed=True)
        return done.ready

    def _record(self, work: Work, episode_id: str) -> None:
        self._robot.tell(Activity(
            Phase.COLLECTING, str(work.scenario), work.assignment_id, episode_id))
        try:
            attempt = _ended(lambda: self._robot.collect(work, episode_id))
        except HelpNeededError as needed:
            self._get_help(work, episode_id, str(needed))
            return
        self._report(work, episode_id, attempt)

    def _get_help(self, work: Work, episode_id: str, reason: str) -> None:
        """Have a person finish the episode, or close it and wait for one to put things right."""
        tags = {HELP_REQUESTED: reason}
        needs_help = Activity(Phase.NEEDS_HELP, reason, work.assignment_id, episode_id)
        if not self._robot.hands_over:
            self._report(work, episode_id, Attempt(
                Outcome.FAILURE, f'asked for help: {reason}', tags=tags))
            self._robot.tell(replace(needs_help, assignment_id='', episode_id=''))
            self._robot.await_help('')
            return
        self._robot.tell(needs_help)
        given: dict[str, str] = {}

        def helped() -> Attempt:
            instead = self._robot.await_help(episode_id)
            if instead is not None:
                return instead
            given[HELP_GIVEN] = 'teleoperation'
            self._robot.tell(replace(needs_help, phase=Phase.COLLECTING))
            return self._robot.take_over(work, episode_id)

        attempt = _ended(helped)
        self._report(work, episode_id, replace(
            attempt, tags={**attempt.tags, **tags, **given}))

    def _report(self, work: Work, episode_id: str, attempt: Attempt) -> None:
        reporting = Activity(Phase.REPORTING, attempt.message, work.assignment_id, episode_id)
        self._robot.tell(reporting)
        try:
            self._robot.finish_recording(episode_id, attempt)
        except UnavailableError as error:
            self._release(work, f'no episode: {error}', retry=True)
        else:
            self._reported = work.assignment_id
            if attempt.outcome is Outcome.UNKNOWN:
                self._robot.tell(replace(reporting, message=JUDGING))
                self._judge(work, episode_id, attempt)
        if attempt.outcome is Outcome.ABORTED and attempt.stop_reason != 'operator':
            self._robot.tell(Activity(Phase.FAULT, attempt.message))
            self._robot.wait(self._retry_s)

    def _judge(self, work: Work, episode_id: str, attempt: Attempt) -> None:
        """Ask the operator; an episode that they say nothing of waits for a label."""
        judged = self._robot.judge(work, attempt)
        if judged is not None:
            with suppress(UnavailableError):
                self._robot.finish_recording(episode_id, judged)

    def _close_unsure(self, episode_id: str, reason: str) -> None:
        """Close an episode that may have been started although the recorder did not say so."""
        with suppress(UnavailableError):
            self._robot.finish_recording(episode_id, Attempt(Outcome.ABORTED, reason))

    def _give_up(self, work: Work, reason: str, *, set_up_failed: bool = False) -> None:
        """Hand the lease back, say what is wrong and pause."""
        self._release(work, reason, retry=True, set_up_failed=set_up_failed)
        self._robot.tell(Activity(Phase.FAULT, reason))
        self._robot.wait(self._retry_s)

    def _release(self, work: Work, reason: str, *, retry: bool,
                 set_up_failed: bool = False) -> None:
        """Hand the lease back; where that fails too, silence about it does the same in time."""
        try:
            self._robot.release(work, reason, retry=retry, set_up_failed=set_up_failed)
        except UnavailableError as error:
            self._robot.tell(Activity(Phase.FAULT, f'{reason}; {error}'))


def _ended(act: Callable[[], Attempt]) -> Attempt:
    """Return how an attempt ended, whatever ended it. A stop also ends the loop's next turn."""
    try:
        return act()
    except UnavailableError as error:
        return Attempt(Outcome.ABORTED, str(error))
    except TakenError as error:
        return Attempt(Outcome.ABORTED, str(error), 'operator')
    except StoppedError:
        return Attempt(Outcome.ABORTED, STOPPED, 'operator')
