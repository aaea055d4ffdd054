# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""From what an operator's robot tells and the keys that they press to what is asked of whom."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.console.heard import Heard
from active_collection.collecting.console.heard import Told
from active_collection.collecting.console.keys import Keys
from active_collection.collecting.console.requests import PEERS
from active_collection.collecting.console.requests import Amend
from active_collection.collecting.console.requests import Pause
from active_collection.collecting.console.requests import Repeat
from active_collection.collecting.console.requests import Request
from active_collection.collecting.console.requests import Tell
from active_collection.collecting.console.told import Answer
from active_collection.collecting.console.told import RecorderTold
from active_collection.collecting.console.told import RobotTold
from active_collection.collecting.console.told import SchedulerTold
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome

#: A destructive key counts once it is pressed again within this time (s).
CONFIRM_S = 2.0
#: A key that comes again sooner than this is held down (s).
HELD_S = 0.1
#: What the robot is at must have been shown for so long before a key is about it (s).
SETTLE_S = 0.3
#: An answer that has not come by then is lost (s).
ANSWER_S = 5.0
#: Before the robot acts: what it is at can be left for something else.
BEFORE = frozenset({Phase.SETTING_UP, Phase.WAITING_FOR_READY})


@dataclass(frozen=True, slots=True)
class Question:
    """A destructive key was pressed once: what it is about, and until when it can be again."""

    action: str
    about: tuple[str, str]
    until_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Requests to make one after another, each once the one before was accepted.

    :param done: what is said once all were
    :param undo: what takes it back
    :param starts_s: when it begins, by the clock of the console
    :param is_begun: whether some of it was accepted already
    """

    steps: tuple[Request, ...]
    done: str
    undo: tuple[Request, ...] = ()
    starts_s: float = 0.0
    is_begun: bool = False


class OperatorConsole:
    """
    What is known of the robot, what was asked, and what is said of that.

    :param clock: steady time (s)
    :param silence_s: who was silent for this long is lost (s)
    :ivar heard: what the peers told
    :ivar notice: what became of the last key
    """

    def __init__(self, keys: Keys, *, clock: Callable[[], float], silence_s: float) -> None:
        self.keys = keys
        self.heard = Heard(clock=clock, silence_s=silence_s)
        self.notice = ''
        self._clock = clock
        self._settled_s = 0.0
        self._question: Question | None = None
        self._plan: Plan | None = None
        self._undo: tuple[Request, ...] = ()
        self._asked: tuple[int, float, Request] | None = None
        self._number = 0
        self._last_press = ('', 0.0)

    def hear(self, told: Told) -> None:
        """Take in what a peer tells."""
        now = self._clock()
        if isinstance(told, Answer):
            self._answered(told)
            return
        before = self.heard.last(RobotTold)
        if isinstance(told, RobotTold) and (before is None or before.subject != told.subject):
            self._settled_s = now + SETTLE_S
        self.heard.hear(told)

    def counts(self, action: str) -> bool:
        """Tell whether a key for an action can do something now."""
        robot = self.heard.last(RobotTold)
        if action == 'quit':
            return True
        if robot is None or self.heard.is_lost(RobotTold) or self._plan is not None:
            return False
        if action == 'pause':
            return True
        if action == 'undo':
            return bool(self._undo)
        if self._clock() < self._settled_s:
            return False
        if action == 'redo':
            return self.heard.newest is not None and (not robot.episode_id or _is_judging(robot))
        return action in robot.words

    def press(self, key: str) -> None:
        """Take a key. What follows from it, `due` returns."""
        now = self._clock()
        (last, pressed_s), self._last_press = self._last_press, (key, now)
        action = self.keys.action(key)
        if key == last and now - pressed_s < HELD_S:
            if self._plan is not None and self._plan.starts_s > now:
                self._plan = None
                self.notice = 'the key is held down: nothing was done'
            return
        question, self._question = self._question, None
        if not action:
            self.notice = f'{key or "that key"} does nothing here'
        elif self._plan is not None:
            self.notice = 'still waiting for an answer: nothing was done'
        elif self.heard.is_lost(RobotTold):
            self.notice = 'the agent is not heard: nothing was done'
        else:
            self._act(action, question)

    def _act(self, action: str, question: Question | None) -> None:
        robot = self.heard.last(RobotTold)
        if robot is None:
            return
        if action == 'pause':
            self._begin(Plan((Pause(not robot.is_paused),), done=(
                'goes on' if robot.is_paused else 'asks for no more work after this')))
        elif action == 'undo':
            self._take_back()
        elif self._clock() < self._settled_s:
            self.notice = 'the robot has just gone on to something else: nothing was done'
        elif action == 'redo':
            self._redo(robot, question)
        elif action in robot.words:
            self._say(action, robot, question)
        elif action == 'discard':
            self._discard_last(question)
        else:
            self.notice = f'nothing waits for {action}: nothing was done'

    def _say(self, word: str, robot: RobotTold, question: Question | None) -> None:
        about = robot.assignment_id, robot.episode_id
        if word == 'discard' and not self._is_confirmed(
                question, word, about, f'discard {robot.episode_id or "this set-up"}'):
            return
        self._undo = ()
        self._begin(Plan((Tell(word, *about),), done=word), is_late=word == 'discard')

    def _discard_last(self, question: Question | None) -> None:
        """Discard what is closed already."""
        last = self.heard.newest
        if last is None or last.outcome is Outcome.DISCARDED:
            self.notice = 'there is nothing to discard'
        elif self.heard.is_lost(RecorderTold):
            self.notice = 'the recorder is not heard: nothing was done'
        elif self._is_confirmed(question, 'discard', ('closed', last.episode_id),
                                f'discard {last.episode_id}, over as {last.outcome.value}'):
            self._begin(Plan((Amend(last.episode_id, Outcome.DISCARDED),),
                             done=f'{last.episode_id} is discarded', undo=_restored(last)),
                        is_late=True)

    def _redo(self, robot: RobotTold, question: Question | None) -> None:
        """Discard the last episode and have its scenario given once more."""
        last = self.heard.newest
        is_judging = _is_judging(robot)
        lost = [name for name, kind in (('recorder', RecorderTold), ('scheduler', SchedulerTold))
                if self.heard.is_lost(kind)]
        if robot.episode_id and not is_judging:
            self.notice = (f'{robot.episode_id} is not over: discard it first, then redo it; '
                           'nothing was done')
        elif lost:
            self.notice = f'the {" and the ".join(lost)} is not heard: nothing was done'
        elif last is None or (is_judging and last.episode_id != robot.episode_id):
            self.notice = 'there is no episode to redo'
        elif self._is_confirmed(question, 'redo', ('closed', last.episode_id),
                                f'discard {last.episode_id} and collect it once more'):
            judged = ((Tell('discard', robot.assignment_id, robot.episode_id),) if is_judging
                      else ())
            # The order first: a robot whose episode is judged asks for the next one at once.
            self._begin(Plan(
                (Repeat(last.episode_id), Amend(last.episode_id, Outcome.DISCARDED,
                                                is_redone=True), *judged),
                done=f'{last.episode_id} is discarded and comes again next',
                undo=(Repeat(last.episode_id, is_cancelled=True), *_restored(last))),
                is_late=True)

    def _take_back(self) -> None:
        """Take the last discard or redo back."""
        if not self._undo:
            self.notice = 'there is nothing that can be undone'
        else:
            steps, self._undo = self._undo, ()
            self._begin(Plan(steps, done='undone'))

    def _is_confirmed(self, question: Question | None, action: str, about: tuple[str, str],
                      what: str) -> bool:
        """Tell whether a key was pressed before about the same; ask for it where it was not."""
        now = self._clock()
        if question is not None and question.action == action and now <= question.until_s:
            if question.about == about:
                return True
            self.notice = 'what that was about is over: nothing was done'
            return False
        self._question = Question(action, about, now + CONFIRM_S)
        key = self.keys.by_action[action]
        self.notice = f'{what}? Press {key} again within {CONFIRM_S:g} s'
        return False

    def _begin(self, plan: Plan, *, is_late: bool = False) -> None:
        """
        Let `due` return what a plan asks first.

        :param is_late: whether only once its key is known not to be held down
        """
        self._plan = replace(plan, starts_s=self._clock() + HELD_S * is_late)
        self.notice = '...'

    def due(self) -> tuple[int, Request] | None:
        """
        Return the next request with its number, once, where one is to be made now.

        To be called often: answers that do not come are given up here too.
        """
        now = self._clock()
        if self._asked is not None:
            _, given_up_s, request = self._asked
            if now > given_up_s:
                self._asked = self._plan = None
                self.notice = (f'the {PEERS[type(request)]} does not answer: look at what it '
                               'shows before you press again')
            return None
        if self._question is not None and now > self._question.until_s:
            self._question = None
            self.notice = 'not pressed again: nothing was done'
        if self._plan is None or now < self._plan.starts_s:
            return None
        request = self._plan.steps[0]
        robot = self.heard.last(RobotTold)
        if isinstance(request, Repeat) and not request.is_cancelled and robot is not None:
            request = replace(
                request, instead_of=robot.assignment_id if robot.phase in BEFORE else '')
        self._number += 1
        self._asked = self._number, now + ANSWER_S, request
        return self._number, request

    def _answered(self, answer: Answer) -> None:
        if self._asked is None or self._asked[0] != answer.number or self._plan is None:
            return  # it comes too late
        plan, (_, _, request), self._asked = self._plan, self._asked, None
        if not answer.accepted:
            self._plan = None
            self.notice = f'the {PEERS[type(request)]} refuses: {answer.message}'
            if plan.is_begun:
                self._undo = plan.undo
                self.notice = f'half done, {self.keys.by_action["undo"]} undoes it: {self.notice}'
        elif len(plan.steps) > 1:
            self._plan = replace(plan, steps=plan.steps[1:], is_begun=True)
        else:
            self._plan, self.notice, self._undo = None, plan.done, plan.undo or self._undo


def _is_judging(robot: RobotTold) -> bool:
    """Tell whether an episode that is over waits for the operator's judgement."""
    return robot.phase is Phase.REPORTING and 'discard' in robot.words


def _restored(record: EpisodeRecord) -> tuple[Request, ...]:
    """Return what gives an episode its outcome back; what nobody has judged cannot have it."""
    if record.outcome is Outcome.UNKNOWN or record.outcome is Outcome.DISCARDED:
        return ()
    return (Amend(record.episode_id, record.outcome),)
