# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler as a process, asked over DDS."""
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RequestAssignment
from active_collection.srv import SteerScenario
from fleet_peers import SPACE
from fleet_peers import Console
from fleet_peers import Peers
from fleet_peers import Process
from fleet_peers import until
from spinner import Spinner

from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.scheduling.ledger.ledger import LedgerReader


@pytest.fixture
def console(ros):
    node = Console()
    spinner = Spinner(node)
    yield node
    spinner.close()


@pytest.fixture
def start(tmp_path):
    """Return a starter of scheduler processes on one ledger."""
    space = tmp_path / 'space.yaml'
    space.write_text(SPACE)
    started = []

    def begin(**parameters):
        log = tmp_path / 'scheduler.log'
        started.append(Process(
            'scheduler', log=log, **{'space': space, 'ledger': tmp_path / 'ledger.sqlite3',
                                     **parameters}))
        return started[-1]

    yield begin
    for process in started:
        process.close()


def publish_episode(node, assignment, outcome=Episode.SUCCESS):
    """Publish what a recorder publishes when an assignment's episode is closed."""
    message = Episode(
        episode_id=f'e-{assignment.assignment_id}', state=Episode.CLOSED, revision=1,
        robot=assignment.robot, source=assignment.collector, scenario=assignment.scenario,
        assignment_id=assignment.assignment_id, outcome=outcome,
        started_at=conversions.time_to_msg(10**18),
        finished_at=conversions.time_to_msg(10**18 + 10**9))
    publisher = node.create_publisher(Episode, f'/{assignment.robot}/episodes', qos.EPISODES)
    publisher.publish(message)


def test_a_lease_goes_out_and_its_episode_comes_in_once(console, start):
    start()
    answer = console.ask()
    assert answer.code == answer.GRANTED
    assert answer.assignment.terms and answer.assignment.rule
    assert console.ask().assignment.assignment_id == answer.assignment.assignment_id

    publish_episode(console, answer.assignment)
    publish_episode(console, answer.assignment)

    until(lambda: console.state and console.state.episodes == 1)
    again = console.ask()
    assert again.assignment.assignment_id != answer.assignment.assignment_id
    until(lambda: console.state.leases == 1)
    assert console.state.episodes == 1
    assert [t.task for t in console.state.tasks] == ['push', 'pick']


def test_a_killed_scheduler_resumes_its_leases(console, start, tmp_path):
    first = start()
    answer = console.ask()
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL

    start()

    until(lambda: console.state and console.state.leases == 1)
    assert console.ask().assignment.assignment_id == answer.assignment.assignment_id
    with LedgerReader(tmp_path / 'ledger.sqlite3') as reader:
        assert len(list(reader.assignments())) == 1


def test_an_episode_finished_while_the_scheduler_was_away_is_counted(console, start):
    first = start()
    answer = console.ask()
    first.stop(signal.SIGKILL)
    publish_episode(console, answer.assignment)

    start()

    until(lambda: console.state and console.state.episodes == 1)


def test_a_silent_robot_loses_its_lease_and_a_beating_one_keeps_it(console, start):
    start(lease_s=3.0)
    silent, beating = console.ask('silent').assignment, console.ask('beating').assignment
    publisher = console.create_publisher(RobotStatus, '/beating/robot_status', qos.HEARTBEAT)
    timer = console.create_timer(0.3, lambda: publisher.publish(
        RobotStatus(robot='beating', assignment_id=beating.assignment_id)))

    until(lambda: console.state and console.state.revoked == 1)

    assert [a.assignment_id for a in console.state.assignments] == [beating.assignment_id]
    assert silent.assignment_id != beating.assignment_id
    console.destroy_timer(timer)


def test_operators_steer_pause_and_resume(console, start):
    start()
    pin = SteerScenario.Request(command=SteerScenario.Request.PIN, task='pick', author='ann',
                                reason='demo')
    assert console.call('steer_scenario', pin).accepted
    pin.task = 'pik'
    refused = console.call('steer_scenario', pin)
    assert not refused.accepted and "did you mean 'pick'" in refused.message
    assert {console.ask(f'arm{k}').assignment.scenario.task for k in range(4)} == {'pick'}

    assert console.call('pause').success
    assert console.ask('late').code == console.ask('late').PAUSED
    until(lambda: console.state.state == SchedulerState.PAUSED)
    assert console.call('resume').success
    assert console.ask('late').code == console.ask('late').GRANTED


def test_a_lease_can_be_handed_back(console, start):
    start()
    held = console.ask('arm1').assignment
    request = ReleaseAssignment.Request(
        assignment_id=held.assignment_id, robot='arm1', reason='drawer blocked', retry=True)

    answer = console.call('release_assignment', request)

    assert answer.code == answer.RELEASED
    assert console.call('release_assignment', request).code == answer.ENDED
    assert console.ask('arm2').assignment.rule == 'retry'


@pytest.mark.parametrize(('parameters', 'says'), [
    ({'space': 'missing.yaml'}, 'missing.yaml'),
    pytest.param({'rule': 'valeu'}, "did you mean 'value'", marks=pytest.mark.slow),
    pytest.param({'confidence': 2.0}, 'confidence', marks=pytest.mark.slow),
    ({'epsilom': 0.2}, "'epsilom'"),
    pytest.param({'ledger': '/proc/nowhere/l.sqlite3'}, '/proc/nowhere',
                 marks=pytest.mark.slow),
])
def test_a_scheduler_that_cannot_start_says_why_in_one_line(start, tmp_path, parameters, says):
    process = start(**parameters)

    assert process.process.wait(timeout=60) == 2
    lines = (tmp_path / 'scheduler.log').read_text().strip().splitlines()
    assert len(lines) == 1 and says in lines[0]


@pytest.mark.parametrize('number', [
    pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_it_ends_cleanly(console, start, number, tmp_path):
    process = start()
    console.ask()

    assert process.stop(number) == 0
    assert 'Traceback' not in (tmp_path / 'scheduler.log').read_text()


def test_it_ends_cleanly_under_load(console, start, tmp_path):
    process = start()
    console.ask()
    client = console._by_name['request_assignment']
    answered = []

    def ask(number):
        client.call_async(RequestAssignment.Request(
            robot=f'arm{number}', collectors=['scripted'])).add_done_callback(
                lambda future: (answered.append(future.result()), ask(number)))

    for number in range(9):
        ask(number)
    until(lambda: len(answered) > 30)

    assert process.stop(signal.SIGTERM) == 0
    assert 'Traceback' not in (tmp_path / 'scheduler.log').read_text()


def test_peers_and_scheduler_agree_on_the_robots_name(console, start):
    start()
    peers = Peers('arm7')
    spinner = Spinner(peers)
    held = console.ask('arm1').assignment
    message = Episode(
        episode_id='e-liar', state=Episode.CLOSED, robot='arm1', source='scripted',
        scenario=held.scenario, assignment_id=held.assignment_id, outcome=Episode.SUCCESS,
        started_at=conversions.time_to_msg(10**18),
        finished_at=conversions.time_to_msg(2 * 10**18))
    peers.episodes.publish(message)

    until(lambda: console.state and console.state.episodes == 1)
    assert console.ask('arm1').assignment.assignment_id == held.assignment_id
    spinner.close()
