# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an operator's keys ask, and what they do not: without ROS and without a terminal."""
import pytest

from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.console.keys import keys
from active_collection.collecting.console.operator_console import CONFIRM_S
from active_collection.collecting.console.operator_console import OperatorConsole
from active_collection.collecting.console.requests import Amend
from active_collection.collecting.console.requests import Pause
from active_collection.collecting.console.requests import Repeat
from active_collection.collecting.console.requests import Tell
from active_collection.collecting.console.told import Answer
from active_collection.collecting.console.told import RecorderTold
from active_collection.collecting.console.told import RobotTold
from active_collection.collecting.console.told import SchedulerTold
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.scenario import Scenario

JUDGING = ('success', 'failure', 'discard')
ACTING = RobotTold(Phase.COLLECTING, 'push @ cell', 'a1', 'e1', JUDGING)
SETTING_UP = RobotTold(Phase.SETTING_UP, 'push @ cell', 'a2')


def closed(episode_id='e1', outcome=Outcome.SUCCESS, finished_ns=10):
    return EpisodeRecord(episode_id, Scenario('push', 'cell'), 'arm1', Source.TELEOPERATION, 1,
                         finished_ns=finished_ns, outcome=outcome, assignment_id='a1')


class Shift:
    """A console with a clock of its own and peers that are heard."""

    def __init__(self, *told):
        self.now = 100.0
        self.console = OperatorConsole(keys(''), clock=lambda: self.now, silence_s=3.0)
        self.asked = []
        self.hear(RecorderTold('idle'), SchedulerTold('running'), *told)
        self.wait(1.0)

    def hear(self, *told):
        for each in told:
            self.console.hear(each)

    def wait(self, seconds):
        self.now += seconds
        self.look()

    def look(self):
        due = self.console.due()
        if due is not None:
            self.asked.append(due[1])

    def press(self, *pressed, apart=0.5):
        for key in pressed:
            self.console.press(key)
            self.wait(apart)

    def answer(self, *, accepted=True, message=''):
        self.hear(Answer(len(self.asked), accepted, message))
        self.look()


def test_a_word_that_the_robot_waits_for_is_said_about_what_it_shows():
    shift = Shift(ACTING)
    shift.press('s')

    assert shift.asked == [Tell('success', 'a1', 'e1')]
    shift.answer()
    assert shift.console.notice == 'success'


@pytest.mark.parametrize(('key', 'words'), [
    (' ', 'does nothing here'), ('space', 'nothing waits for ready'), ('', 'does nothing here'),
    ('u', 'nothing that can be undone')])
def test_a_key_that_means_nothing_now_does_nothing_and_says_so(key, words):
    shift = Shift(ACTING)
    shift.press(key)

    assert not shift.asked
    assert words in shift.console.notice


def test_a_discard_counts_once_it_is_pressed_again_in_time():
    shift = Shift(ACTING)
    shift.press('d')
    assert not shift.asked and 'Press d again' in shift.console.notice
    shift.wait(CONFIRM_S)
    assert shift.console.notice == 'not pressed again: nothing was done'
    shift.hear(ACTING)
    shift.press('d', 'd')

    assert shift.asked == [Tell('discard', 'a1', 'e1')]


def test_another_key_in_between_takes_the_question_back():
    shift = Shift(ACTING, closed())
    shift.press('d', 'x', 'd')

    assert not shift.asked


def test_the_second_press_for_an_episode_that_is_over_does_nothing_and_says_so():
    shift = Shift(ACTING)
    shift.press('d')
    shift.hear(RobotTold(Phase.COLLECTING, '', 'a2', 'e2', JUDGING))
    shift.wait(0.5)
    shift.press('d')

    assert not shift.asked
    assert shift.console.notice == 'what that was about is over: nothing was done'


def test_a_key_as_the_robot_goes_on_to_the_next_does_nothing_and_says_so():
    """The person has seen the one before."""
    shift = Shift(ACTING)
    shift.hear(RobotTold(Phase.COLLECTING, '', 'a2', 'e2', JUDGING))
    shift.press('f')

    assert not shift.asked
    assert 'just gone on' in shift.console.notice


def test_a_key_that_is_held_down_is_no_second_press():
    shift = Shift(ACTING)
    shift.press('d')
    for _ in range(20):  # as terminals repeat it
        shift.press('d', apart=0.03)
    shift.wait(1.0)

    assert not shift.asked
    assert shift.console.notice == 'the key is held down: nothing was done'


@pytest.mark.parametrize('key', ['space', 's', 'f', 'd', 'r', 'u', 'p'])
def test_no_key_acts_on_a_robot_that_is_not_heard(key):
    shift = Shift(ACTING, closed())
    shift.wait(3.5)
    shift.hear(RecorderTold('idle'), SchedulerTold('running'))
    shift.press(key, key)

    assert not shift.asked
    assert shift.console.notice == 'the agent is not heard: nothing was done'
    assert shift.console.heard.is_lost(RobotTold)


@pytest.mark.parametrize('lost', [RecorderTold, SchedulerTold])
def test_nothing_is_redone_without_recorder_and_scheduler(lost):
    shift = Shift(SETTING_UP, closed())
    shift.wait(6.0)
    shift.hear(SETTING_UP, *(told for told in (RecorderTold('idle'), SchedulerTold('running'))
                             if not isinstance(told, lost)))
    shift.press('r', 'r')

    assert not shift.asked
    assert 'is not heard: nothing was done' in shift.console.notice


def test_a_redo_discards_the_last_and_asks_for_it_instead_of_what_is_set_up():
    shift = Shift(SETTING_UP, closed('e0', finished_ns=5), closed('e1'))
    shift.press('r', 'r')
    shift.answer()
    shift.answer()

    assert shift.asked == [
        Repeat('e1', 'a2'), Amend('e1', Outcome.DISCARDED, is_redone=True)]
    assert shift.console.notice == 'e1 is discarded and comes again next'
    shift.press('u')
    shift.answer()
    shift.answer()
    assert shift.asked[2:] == [Repeat('e1', is_cancelled=True), Amend('e1', Outcome.SUCCESS)]
    assert shift.console.notice == 'undone'


def test_a_redo_of_what_waits_for_its_judgement_judges_it_last():
    shift = Shift(RobotTold(Phase.REPORTING, 'waiting', 'a1', 'e1', JUDGING),
                  closed(outcome=Outcome.UNKNOWN))
    shift.press('r', 'r')
    for _ in range(3):
        shift.answer()

    assert shift.asked == [Repeat('e1'), Amend('e1', Outcome.DISCARDED, is_redone=True),
                           Tell('discard', 'a1', 'e1')]


def test_what_is_recorded_is_discarded_before_it_is_redone():
    shift = Shift(ACTING, closed('e0'))
    shift.press('r', 'r')

    assert not shift.asked
    assert 'discard it first' in shift.console.notice


def test_a_refusal_ends_a_redo_and_says_whose_it_is():
    shift = Shift(SETTING_UP, closed())
    shift.press('r', 'r')
    shift.answer(accepted=False, message='no such episode')

    assert len(shift.asked) == 1
    assert shift.console.notice == 'the scheduler refuses: no such episode'
    shift.press('p')
    assert shift.asked[1:] == [Pause(True)]


def test_a_redo_that_is_refused_half_way_can_be_undone():
    shift = Shift(SETTING_UP, closed())
    shift.press('r', 'r')
    shift.answer()
    shift.answer(accepted=False, message='the disk is gone')

    assert shift.console.notice == (
        'half done, u undoes it: the recorder refuses: the disk is gone')
    shift.press('u')
    assert shift.asked[2:] == [Repeat('e1', is_cancelled=True)]


def test_the_last_episode_can_be_discarded_when_it_is_over_and_that_undone():
    shift = Shift(SETTING_UP, closed())
    shift.press('d', 'd')
    shift.answer()
    assert shift.asked == [Amend('e1', Outcome.DISCARDED)]
    shift.hear(closed(outcome=Outcome.DISCARDED))
    shift.press('d')
    assert shift.console.notice == 'there is nothing to discard'
    shift.press('u')
    shift.answer()
    assert shift.asked[1:] == [Amend('e1', Outcome.SUCCESS)]


def test_pause_is_resume_where_it_is_paused():
    shift = Shift(RobotTold(Phase.PAUSED, 'paused at the robot', is_paused=True))
    shift.press('p')

    assert shift.asked == [Pause(False)]


def test_an_answer_that_does_not_come_is_given_up_and_a_late_one_means_nothing():
    shift = Shift(ACTING)
    shift.press('s', 'f')
    assert shift.console.notice == 'still waiting for an answer: nothing was done'
    shift.wait(5.5)
    assert shift.console.notice.startswith('the agent does not answer')
    said = shift.console.notice
    shift.answer()
    assert shift.console.notice == said
