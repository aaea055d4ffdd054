# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot that gets nothing: scheduler and agent log why, and what to change, once."""
import sys
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import RefusalReason
from active_collection.msg import RobotStatus
from active_collection.srv import RequestAssignment
from active_collection.srv import SteerScenario
from agent_setting import Setting
from fleet_peers import until

from active_collection.nodes.news import MOST_SUBJECTS
from active_collection.nodes.news import News
from active_collection.scheduling.fleet.refusal import Cause

TELEOPERATED = """
format: 1
tasks:
  push: {collectors: [teleoperation]}
  pick: {collectors: [teleoperation]}
environments: {cell: {}}
robots: {arm1: {}}
"""


@pytest.fixture
def setting(ros, tmp_path):
    one = Setting(tmp_path, space=TELEOPERATED)
    yield one
    one.close()


def refused(setting, times, says):
    """Wait until the agent was refused so often."""
    def count():
        states = [(s.state, says in s.message) for s in setting.peers.statuses]
        return sum(before[0] == RobotStatus.REQUESTING and after == (RobotStatus.IDLE, True)
                   for before, after in pairwise(states))

    until(lambda: count() >= times)


def lines(setting, name, words):
    return [line for line in setting.log(name).splitlines() if words in line]


def test_a_refusal_that_lasts_is_one_warning_of_scheduler_and_agent(setting):
    says = '2 tasks (push, pick): arm1 offers the collectors scripted, policy'

    setting.start_scheduler()
    setting.start_agent()
    refused(setting, 4, says)

    for name in ('scheduler', 'agent'):
        (line,) = lines(setting, name, says)
        assert 'WARN' in line and "agent's parameter collectors" in line
        assert str(setting.space) in line


def test_a_refusal_that_comes_again_after_work_is_news_again(setting):
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]')

    def steer(command):
        assert setting.console.call('steer_scenario', SteerScenario.Request(
            command=command, author='ada', reason='cleans up')).accepted

    for times in (1, 2):
        before = len(setting.peers.closed)
        until(lambda: len(setting.peers.closed) > before)  # noqa: B023
        steer(SteerScenario.Request.BAN)
        until(lambda: len(lines(setting, 'agent', 'ada: cleans up')) == times)  # noqa: B023
        refused(setting, 2 * times, 'ada: cleans up')
        assert len(lines(setting, 'agent', 'ada: cleans up')) == times
        steer(SteerScenario.Request.CLEAR)


def test_a_refusal_tells_a_program_cause_tasks_and_remedy(setting):
    setting.start_scheduler()

    answer = setting.console.ask()

    (reason,) = answer.reasons
    assert answer.code == RequestAssignment.Response.NOTHING_ELIGIBLE
    assert answer.needs_person
    assert (reason.cause, reason.tasks) == (RefusalReason.COLLECTORS, ['push', 'pick'])
    assert reason.found in answer.message and reason.remedy in answer.message
    for _ in range(3):
        assert setting.console.ask(robot='arm_1').needs_person
    (line,) = lines(setting, 'scheduler', "found 'arm_1' (did you mean 'arm1'?)")
    assert 'WARN' in line and 'add it there' in line
    assert not setting.console.ask(collectors=('teleoperation',)).needs_person


def test_a_scheduler_that_is_not_there_is_logged_once_with_what_to_do(setting):
    setting.start_agent(answer_s=0.3)
    refused(setting, 3, 'request_assignment')

    (line,) = lines(setting, 'agent', '/scheduler/request_assignment is not there')
    assert 'WARN' in line and 'ROS_DOMAIN_ID' in line and 'parameter scheduler' in line


def test_every_cause_has_its_number():
    numbers = {cause: getattr(RefusalReason, cause.name) for cause in Cause}

    assert sorted(numbers.values()) == list(range(len(Cause)))


def test_news_is_what_was_not_said_last_of_a_subject():
    news = News()

    assert [news.is_new(who, what) for who, what in (
        ('a', 'full'), ('a', 'full'), ('b', 'full'), ('a', 'banned'), ('a', 'full'))] == [
        True, False, True, True, True]
    news.forget('a')
    assert news.is_new('a', 'full')
    assert not news.is_new('b', 'full')


def test_news_of_made_up_names_takes_no_more_memory_than_of_real_ones():
    news = News()
    news.is_new('robot', 'full')

    for k in range(MOST_SUBJECTS - 1):
        assert news.is_new(f'made up {k}', 'full')
        assert not news.is_new('robot', 'full')  # who asks again is kept
    news.is_new('one too many', 'full')

    assert not news.is_new('robot', 'full')
    assert news.is_new('made up 0', 'full')
