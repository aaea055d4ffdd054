# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The agent as a process: against a real scheduler, with robot and recorder served here."""
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.msg import RobotStatus
from agent_setting import Setting
from fleet_peers import until

from active_collection.episode import Outcome
from active_collection.nodes import conversions


@pytest.fixture
def setting(ros, tmp_path):
    one = Setting(tmp_path)
    yield one
    one.close()


def test_it_collects_one_episode_after_another(setting):
    setting.start_scheduler()
    setting.start_agent()

    until(lambda: setting.console.state and setting.console.state.episodes >= 3)

    closed = list(setting.peers.closed.values())
    assert all(record.outcome is Outcome.SUCCESS for record in closed)
    assert len({record.assignment_id for record in closed}) == len(closed)
    set_up = [request.scenario for request in setting.peers.set_ups]
    assert all(goal.scenario in set_up for goal in setting.peers.goals)
    assert {s.state for s in setting.peers.statuses} >= {
        RobotStatus.REQUESTING, RobotStatus.SETTING_UP, RobotStatus.COLLECTING,
        RobotStatus.REPORTING}


@pytest.mark.parametrize(('name', 'failing', 'says'), [
    ('ready', False, 'drawer blocked'), ('refuses', True, 'refused the goal')])
def test_a_failed_set_up_hands_the_lease_back(setting, name, failing, says):
    setattr(setting.peers, name, failing)
    setting.start_scheduler()
    setting.start_agent()

    until(lambda: any(s.state == RobotStatus.FAULT and says in s.message
                      for s in setting.peers.statuses))
    setattr(setting.peers, name, not failing)

    until(lambda: setting.console.state and setting.console.state.episodes >= 1)
    assert all(end.set_up_failed and says in end.reason for end in setting.handed_back())
    assert setting.handed_back()


def test_it_finishes_without_a_scheduler_and_goes_on_with_the_next(setting):
    setting.peers.act.clear()
    scheduler = setting.start_scheduler()
    setting.start_agent()
    until(lambda: setting.peers.goals)
    scheduler.stop(signal.SIGKILL)
    setting.peers.act.set()
    until(lambda: setting.peers.closed)
    until(lambda: any(s.state == RobotStatus.IDLE and 'request_assignment' in s.message
                      for s in setting.peers.statuses))

    setting.start_scheduler()

    until(lambda: setting.console.state and setting.console.state.episodes >= 2, 30)
    assert setting.console.state.revoked == 0


def test_a_lost_recorder_aborts_the_attempt_and_frees_the_scenario(setting):
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent()
    until(lambda: setting.peers.goals)
    setting.peers.beats = False
    setting.peers.open = None

    until(lambda: setting.peers.cancelled)
    setting.peers.beats = True
    setting.peers.act.set()

    until(lambda: setting.console.state and setting.console.state.episodes >= 1)
    assert not setting.peers.open or setting.peers.open.episode_id not in setting.peers.cancelled


def test_a_report_that_is_lost_does_not_have_the_episode_done_twice(setting):
    setting.peers.publishes = False
    setting.start_scheduler()
    setting.start_agent()
    until(lambda: setting.peers.closed)
    until(lambda: any(s.state == RobotStatus.REPORTING and 'on its way' in s.message
                      for s in setting.peers.statuses))
    assert len(setting.peers.closed) == 1

    record = next(iter(setting.peers.closed.values()))
    setting.peers.publishes = True
    setting.peers.episodes.publish(conversions.episode_to_msg(record, state=Episode.CLOSED))

    until(lambda: len(setting.peers.closed) >= 2)
    assert len({r.assignment_id for r in setting.peers.closed.values()}) >= 2


@pytest.mark.parametrize('number', [
    signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_stops_the_robot_and_closes_the_episode(setting, number):
    setting.peers.act.clear()
    setting.start_scheduler()
    agent = setting.start_agent()
    until(lambda: setting.peers.goals)

    assert agent.stop(number, seconds=60) == 0

    assert len(setting.peers.cancelled) == 1
    assert [r.outcome for r in setting.peers.closed.values()] == [Outcome.ABORTED]
    assert 'Traceback' not in setting.log('agent')


def test_a_signal_while_nobody_answers_ends_it_at_once(setting):
    agent = setting.start_agent()
    until(lambda: setting.peers.statuses)

    assert agent.stop(signal.SIGTERM, seconds=60) == 0
    assert 'Traceback' not in setting.log('agent')


def test_an_agent_without_a_robot_says_so(setting):
    process = setting.start('agent')

    assert process.process.wait(timeout=60) == 2
    assert len(setting.log('agent').strip().splitlines()) == 1
