# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""operator_keys on a terminal, against real agent, recorder and scheduler and a simulated rig."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from agent_setting import Setting
from fleet_peers import Process
from fleet_peers import Rig
from fleet_peers import finished
from fleet_peers import until
from operator_terminal import PROGRAM
from operator_terminal import OperatorTerminal

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import REDONE
from active_collection.episode import Outcome
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.repeats import Repeat

SPACE = """
format: 1
tasks:
  pick_mug:
    collectors: [teleoperation]
    minimum_episodes: 2
    maximum_episodes: 50
    factors: {x: {low: -0.5, high: 0.5, unit: m}, mug: {values: [red, blue]}}
environments:
  kitchen_b: {capacity: 9}
"""


class Shift:
    """A robot with everything around it, and an operator's terminal."""

    def __init__(self, path):
        self.path = path
        self.rig = Rig('arm1')
        self.rig.act.clear()
        self.setting = Setting(path, space=SPACE, robot=self.rig)
        self.terminals = []
        self.setting.start_scheduler()
        self.recorder = self.start_recorder()
        self.setting.start_agent(collectors='[teleoperation]', confirm='always')

    def start_recorder(self):
        process = Process('recorder', namespace='arm1', log=self.path / 'recorder.log',
                          data_directory=self.path / 'data', disk_reserve_bytes=0)
        self.setting.processes.append(process)
        return process

    def open(self, *arguments, **size):
        terminal = OperatorTerminal(self.path / f'keys{len(self.terminals)}.log',
                                    '--robot', 'arm1', '--operator', 'ada', *arguments, **size)
        self.terminals.append(terminal)
        return terminal

    def records(self):
        return {record.episode_id: record for record in map(
            read_record, find_episodes(self.path / 'data'))}

    def counted(self):
        return [(event.result.outcome, event.result.scenario)
                for event in finished(self.path / 'ledger.sqlite3')]

    def ledger(self, kind):
        with LedgerReader(self.path / 'ledger.sqlite3') as reader:
            return [entry.event for entry in reader.entries(kinds=(kind.kind,))]

    def close(self):
        for terminal in self.terminals:
            terminal.close()
        self.setting.close()


@pytest.fixture
def shift(ros, tmp_path):
    one = Shift(tmp_path)
    yield one
    one.close()


def test_a_whole_shift_is_worked_with_keys(shift):
    terminal = shift.open()
    terminal.shows('R E A D Y ?')
    terminal.shows('Set up pick_mug in kitchen_b')
    terminal.shows('Why the task has not its least number of episodes yet')
    terminal.shows('pick_mug 0 of at most 50, at least 2; 0 in all')
    terminal.shows('scheduler ● no loss ● disk')

    terminal.press('space', 'ready')
    terminal.shows('G O')
    terminal.press('f', 'failure')
    until(lambda: [outcome for outcome, _ in shift.counted()] == [Outcome.FAILURE])
    terminal.shows('pick_mug 1 of at most 50')

    terminal.shows('R E A D Y ?')
    terminal.press('space', 'ready')
    terminal.shows('G O')
    terminal.press_twice('d', 'discard')
    until(lambda: len(shift.counted()) == 2)
    assert shift.counted()[1][0] is Outcome.DISCARDED

    terminal.shows('R E A D Y ?')
    terminal.press('space', 'ready')
    terminal.shows('G O')
    terminal.press('s', 'success')
    until(lambda: len(shift.counted()) == 3)
    terminal.shows('pick_mug 2 of at most 50')
    done = shift.counted()[2][1]

    terminal.shows('R E A D Y ?')
    before = shift.ledger(Assignment)[-1].assignment_id
    terminal.press_twice('r', 'redo')
    terminal.shows('is discarded and comes again next')
    terminal.shows('Why asked for once more by ada: redone at the robot')
    terminal.shows('pick_mug 1 of at most 50')
    again = shift.ledger(Assignment)[-1]
    assert (again.scenario, again.asked_by) == (done, 'ada: redone at the robot')
    assert again.assignment_id != before
    (order,) = shift.ledger(Repeat)
    assert (order.author, order.robot) == ('ada', 'arm1')
    redone = shift.records()[order.episode_id]
    assert (redone.outcome, redone.tags[REDONE]) == (Outcome.DISCARDED, 'ada')

    terminal.press('p', 'pause')
    terminal.shows('Paused asks for no more work after this')
    terminal.press('space', 'ready')
    terminal.shows('G O')
    terminal.press('s', 'success')
    terminal.shows('P A U S E D')
    until(lambda: shift.counted()[-1] == (Outcome.SUCCESS, done))
    terminal.press('p', 'resume')
    terminal.shows('R E A D Y ?')

    terminal.type('q')
    assert terminal.process.wait(timeout=60) == 0
    assert terminal.is_restored
    assert 'Traceback' not in terminal.log.read_text()


def test_an_attempt_that_the_robot_does_not_judge_asks_for_it_and_can_be_redone(shift):
    shift.rig.outcome = Episode.UNKNOWN
    shift.rig.act.set()
    terminal = shift.open()
    terminal.shows('R E A D Y ?')
    terminal.press('space', 'ready')
    terminal.shows('S U C C E S S O R F A I L U R E ?')

    terminal.press_twice('r', 'redo')

    terminal.shows('Why asked for once more by ada')
    until(lambda: [r.outcome for r in shift.records().values()] == [Outcome.DISCARDED])


def test_a_lost_recorder_and_a_lost_agent_are_shown_and_no_key_acts_on_what_is_stale(shift):
    terminal = shift.open()
    terminal.shows('R E A D Y ?')
    terminal.press('space', 'ready')
    terminal.shows('G O')
    terminal.press('s', 'success')
    until(shift.counted)
    terminal.shows('R E A D Y ?')
    shift.recorder.stop(signal.SIGKILL)
    terminal.shows('no recorder for')
    terminal.type('r')
    terminal.shows('the recorder is not heard: nothing was done')
    shift.setting.processes[-1].stop(signal.SIGKILL)

    terminal.shows('A G E N T L O S T')
    terminal.type(' ')
    terminal.shows('the agent is not heard: nothing was done')
    shift.setting.processes[0].stop(signal.SIGKILL)
    terminal.shows('no scheduler for')
    assert not shift.ledger(Repeat)


@pytest.mark.parametrize(('columns', 'rows'), [(80, 24), (40, 24), (40, 10)])
def test_every_size_of_terminal_shows_state_task_and_keys(shift, columns, rows):
    terminal = shift.open(columns=100, rows=40)
    terminal.shows('R E A D Y ?')

    terminal.resize(columns, rows)

    until(lambda: len(terminal.screen) == rows)
    terminal.shows('pick_mug in kitchen_b')
    terminal.shows('R E A D Y ?')
    terminal.shows('[space] ready')
    terminal.shows('[q] quit')
    assert max(map(len, terminal.screen)) <= columns


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_with_the_terminal_as_it_was(ros, tmp_path, number):
    terminal = OperatorTerminal(tmp_path / 'keys.log', '--robot', 'arm1')
    try:
        terminal.shows('N O A G E N T')
        assert not terminal.is_restored
        if number == signal.SIGINT:
            terminal.type('\x03')
            assert terminal.process.wait(timeout=60) == 0
        else:
            assert terminal.stop(number) == 0
        until(lambda: terminal.is_restored)
    finally:
        terminal.close()


def test_it_ends_when_its_terminal_is_gone(ros, tmp_path):
    terminal = OperatorTerminal(tmp_path / 'keys.log', '--robot', 'arm1')
    try:
        terminal.shows('N O A G E N T')
        os.close(terminal.slave)
        os.close(terminal.master)
        assert terminal.process.wait(timeout=60) == 0
        assert 'Traceback' not in terminal.log.read_text()
    finally:
        terminal.close()


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--robot', 'arm1'], 'standard input: found no terminal'),
    (['--robot', 'a/../b'], '--robot'),
    (['--robot', 'arm1', '--keys', 'ready=s'], 'ready and success')])
def test_what_cannot_start_says_why_in_one_line(arguments, words):
    result = subprocess.run([sys.executable, str(PROGRAM), *arguments], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=60)

    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert words in line


def test_a_pedal_that_types_another_key_is_named_in_the_options(shift):
    terminal = shift.open('--keys', 'ready=pagedown,success=b')
    terminal.press('pagedown', 'ready')
    terminal.shows('G O')
    terminal.press('b', 'success')
    until(lambda: [outcome for outcome, _ in shift.counted()] == [Outcome.SUCCESS])
