# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a scheduler tells each agent alone: answers and leases, nobody else's."""
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Lease
from active_collection.msg import RobotStatus
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RequestAssignment
from diagnostic_msgs.msg import DiagnosticArray
from fleet_peers import SPACE
from fleet_peers import Console
from fleet_peers import Peers
from fleet_peers import Process
from fleet_peers import until
from spinner import Spinner

from active_collection.nodes import qos
from active_collection.nodes.agent.scheduler_watch import GONE_S
from active_collection.nodes.agent.scheduler_watch import SchedulerWatch


@pytest.fixture
def console(ros):
    node = Console()
    spinner = Spinner(node)
    yield node
    spinner.close()


@pytest.fixture
def start(tmp_path):
    """Return a starter of processes."""
    space = tmp_path / 'space.yaml'
    space.write_text(SPACE)
    started = []

    def begin(name='scheduler', namespace='', **parameters):
        if name == 'scheduler':
            parameters = {'space': space, 'ledger': tmp_path / 'ledger.sqlite3', **parameters}
        started.append(Process(name, log=tmp_path / f'{name}.log', namespace=namespace,
                               **parameters))
        return started[-1]

    yield begin
    for process in started:
        process.close()


class Agent:
    """What an agent has of the scheduler."""

    def __init__(self, console, robot):
        self.console, self.robot = console, robot
        self.leases = []
        self.beats = console.create_publisher(
            RobotStatus, f'/{robot}/robot_status', qos.HEARTBEAT)
        console.create_subscription(
            Lease, f'/{robot}/scheduler/lease', self.leases.append, qos.LATCHED)
        self.client = console.create_client(
            RequestAssignment, f'/{robot}/scheduler/request_assignment')

    def ask(self):
        return Console._call(self.client, self.robot, RequestAssignment.Request(
            robot=self.robot, collectors=['scripted', 'policy']), 20.0)

    def lease(self):
        return self.leases[-1].assignment_id if self.leases else None


def test_each_agent_is_answered_and_told_of_its_own_lease_alone(console, start):
    start()
    one, other = Agent(console, 'arm1'), Agent(console, 'arm2')

    held = one.ask().assignment

    assert held.robot == 'arm1' and held.terms
    until(lambda: one.lease() == held.assignment_id)
    until(lambda: other.lease() == '')
    assert {lease.assignment_id for lease in other.leases} == {''}
    assert one.leases[-1].deadline.sec >= held.deadline.sec - 1

    console.call('release_assignment', ReleaseAssignment.Request(
        assignment_id=held.assignment_id, robot='arm1', reason='blocked'))
    until(lambda: one.lease() == '')


def test_a_lease_is_told_again_after_a_restart_of_either(console, start):
    first = start()
    agent = Agent(console, 'arm1')
    held = agent.ask().assignment
    until(lambda: agent.lease() == held.assignment_id)
    first.stop(signal.SIGKILL)
    before = {lease.scheduler_id for lease in agent.leases}

    start()

    until(lambda: agent.leases[-1].scheduler_id not in before)
    assert agent.lease() == held.assignment_id
    late = []
    console.create_subscription(Lease, '/arm1/scheduler/lease', late.append, qos.LATCHED)
    until(lambda: late and late[-1].assignment_id == held.assignment_id)


def test_a_deadline_that_is_renewed_is_told(console, start):
    start(lease_s=4.0)
    agent = Agent(console, 'arm1')
    held = agent.ask().assignment
    console.create_timer(0.3, lambda: agent.beats.publish(
        RobotStatus(robot='arm1', assignment_id=held.assignment_id)))

    until(lambda: agent.leases and agent.leases[-1].deadline.sec >= held.deadline.sec + 3)
    assert agent.lease() == held.assignment_id


def test_robots_of_nested_namespaces_have_theirs(console, start):
    start()
    agent = Agent(console, 'cell_3/arm_1')

    answer = Console._call(agent.client, 'arm', RequestAssignment.Request(
        robot='cell_3.arm_1', collectors=['scripted']), 20.0)

    until(lambda: agent.lease() == answer.assignment.assignment_id)


def test_an_agent_says_that_it_hears_two_schedulers(console, start):
    said = []
    console.create_subscription(DiagnosticArray, '/diagnostics', said.append, qos.DIAGNOSTICS)
    peers = Peers('arm1')
    spinner = Spinner(peers)
    start('agent', namespace='arm1', scheduler='/scheduler')
    topic = '/arm1/scheduler/lease'
    until(lambda: console.count_subscribers(topic) == 1)
    publishers = {name: console.create_publisher(Lease, topic, qos.LATCHED) for name in 'ab'}

    def speak():
        for name, publisher in publishers.items():
            publisher.publish(Lease(scheduler_id=name))

    def level():
        found = [status.level for array in list(said) for status in array.status
                 if status.name == '/arm1/agent: schedulers']
        return ord(found[-1]) if found else None

    timer = console.create_timer(0.5, speak)
    until(lambda: level() == 2)
    console.destroy_timer(timer)

    until(lambda: level() == 0)
    spinner.close()


def test_a_scheduler_that_is_started_again_is_one():
    watch = SchedulerWatch()
    for now_s, name in enumerate('aaabbbccc'):
        watch.hear(name, float(now_s))
        assert not watch.is_two(float(now_s))


def test_two_that_speak_in_turn_are_two_until_one_is_silent():
    watch = SchedulerWatch()
    for now_s, name in enumerate('aba'):
        watch.hear(name, float(now_s))
    assert watch.is_two(3.0)
    watch.hear('a', 10.0)

    assert watch.is_two(1.0 + GONE_S)
    assert not watch.is_two(1.5 + GONE_S)
