# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an operator sees, on terminals of every size."""
import pytest

from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.console.keys import keys
from active_collection.collecting.console.operator_console import OperatorConsole
from active_collection.collecting.console.screen import render
from active_collection.collecting.console.screen import to_ansi
from active_collection.collecting.console.told import AssignmentTold
from active_collection.collecting.console.told import RecorderTold
from active_collection.collecting.console.told import RobotTold
from active_collection.collecting.console.told import SchedulerTold
from active_collection.collecting.console.told import TaskCount
from active_collection.collecting.console.why import why

WORK = AssignmentTold('a1', 'pick_mug', 'kitchen_b', {'mug': 'red', 'x': '0.31 m'},
                      'teleoperation', True, 60.0, 'rule value: failure 0.4')
GIB = 1024 ** 3


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def console(clock):
    made = OperatorConsole(keys(''), clock=clock, silence_s=3.0)
    for told in (RobotTold(Phase.WAITING_FOR_READY, '', 'a1', words=('ready', 'discard')), WORK,
                 RecorderTold('recording', elapsed_s=10.0, size=GIB, disk_free=200 * GIB),
                 SchedulerTold('running', '', 143, {'pick_mug': TaskCount(12, 20, 50)})):
        made.hear(told)
    clock.now += 1.0
    return made


def rows(console, columns=80, rows=24):
    return [line.plain.rstrip() for line in render(
        console, robot='arm_1', operator='ada', columns=columns, rows=rows)]


def text(console, **size):
    return ' '.join(' '.join(rows(console, **size)).split())


def test_the_screen_says_what_to_set_up_why_and_how_far_it_is(console):
    shown = text(console)

    for words in ('arm_1 ada', 'R E A D Y ?', 'Set up pick_mug in kitchen_b mug red x 0.31 m',
                  'reset the scene first; by teleoperation, at most 60 s',
                  'Why rule value: failure 0.4',
                  'pick_mug 12 of at most 50, at least 20; 143 in all',
                  '● scheduler ● no loss ● disk 200.0 GiB, 33 min', '[space] ready', '[q] quit'):
        assert words in shown


@pytest.mark.parametrize('columns', [80, 40, 20])
@pytest.mark.parametrize('height', [50, 24, 12, 6, 1])
def test_no_screen_is_larger_than_its_terminal(console, columns, height):
    console.notice = 'e' * 300

    made = rows(console, columns=columns, rows=height)

    assert len(made) <= height
    assert max(map(len, made)) <= columns


def test_a_small_screen_keeps_state_task_and_keys(console):
    shown = text(console, columns=40, rows=10)

    for words in ('R E A D Y ?', 'pick_mug in kitchen_b', '[space] ready', '[q] quit'):
        assert words in shown
    assert 'Why' not in shown


@pytest.mark.parametrize(('told', 'words'), [
    (RecorderTold('recording', dropped=3, lost=1), 'loss: 3 dropped, 1 lost'),
    (RecorderTold('blocked', 'no space'), 'recorder blocked: no space'),
    (SchedulerTold('paused', 'ada: lunch'), 'scheduler paused: ada: lunch'),
    (RobotTold(Phase.NEEDS_HELP, 'epistemic 0.4 above 0.25'), 'H E L P W A N T E D'),
    (RobotTold(Phase.NEEDS_HELP, 'epistemic 0.4 above 0.25'), 'Says epistemic 0.4 above 0.25'),
    (RobotTold(Phase.REPORTING, words=('success',)), 'S U C C E S S O R F A I L U R E ?'),
    (RobotTold(Phase.COLLECTING, is_paused=True), 'asks for no more work after this'),
])
def test_what_is_amiss_or_wanted_is_shown(console, told, words):
    console.hear(told)

    assert words in text(console)


def test_who_is_silent_is_shown_with_since_when(console, clock):
    clock.now += 200.0

    shown = text(console)
    for words in ('A G E N T L O S T 3 m i n', 'no recorder for 3 min', 'no scheduler for 3 min'):
        assert words in shown
    assert '[space]' not in shown


def test_nothing_from_the_network_steers_the_terminal(console):
    console.hear(RobotTold(Phase.FAULT, 'bad \x1b[2J\x07\r\n\x9b31m words', 'a1'))
    console.notice = 'the recorder refuses: \x1b]0;title\x07'

    lines = to_ansi(render(console, robot='arm_1', operator='ada', columns=80, rows=24),
                    columns=80, is_coloured=False)

    shown = ''.join(lines)
    assert not any(sign in shown for sign in (
        '\x1b[2J', '\x07', '\r', '\n', '\x9b', '\x1b]'))


@pytest.mark.parametrize(('given', 'words'), [
    ({'rule': 'value', 'terms': [('covered_failure', 0.41, 2.0), ('worth', 1.0, 0.0),
                                 ('failure', 0.5, 0.0), ('epistemic', float('nan'), 0.0)],
      'runner_up': 'pour in lab'},
     'rule value: expected failure that it covers 0.41, expected failure 0.5; '
     'rather than pour in lab'),
    ({'rule': 'repeat', 'asked_by': 'ada: it slipped'}, 'asked for once more by ada: it slipped'),
    ({'rule': 'retry', 'terms': [('attempt', 2.0, 1.0)]},
     'it was handed back before: attempt 2'),
])
def test_why_is_told_in_words(given, words):
    assert why(**{'terms': [], 'asked_by': '', 'runner_up': '', **given}) == words
