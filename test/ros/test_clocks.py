# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes whose ROS time pauses and is set: what ends or repeats goes by a steady clock."""
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import RobotStatus
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from fleet_peers import SPACE
from fleet_peers import Console
from fleet_peers import Process
from fleet_peers import until
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock as ClockMsg
from spinner import Spinner

from active_collection.nodes import conversions
from active_collection.nodes import qos


@pytest.fixture
def console(ros):
    node = Console()
    spinner = Spinner(node)
    yield node
    spinner.close()


@pytest.fixture
def start(tmp_path):
    """Return a starter of processes whose ROS time is, if nothing else is said, /clock."""
    (tmp_path / 'space.yaml').write_text(SPACE)
    started = []

    def begin(name, *, use_sim_time=True, **parameters):
        if name == 'scheduler':
            parameters = {'space': tmp_path / 'space.yaml',
                          'ledger': tmp_path / 'ledger.sqlite3', **parameters}
        started.append(Process(name, log=tmp_path / f'{name}.log', use_sim_time=use_sim_time,
                               **parameters))
        return started[-1]

    yield begin
    for process in started:
        process.close()


@pytest.fixture
def set_time(console):
    """Return what sets ROS time (s), and returns when the scheduler has it."""
    publisher = console.create_publisher(ClockMsg, '/clock', QoSProfile(depth=1))

    def arrived(seconds):
        publisher.publish(ClockMsg(clock=Time(sec=seconds)))
        return console.state and console.state.header.stamp.sec == seconds

    return lambda seconds: until(partial(arrived, seconds), what=f'{seconds} s')


@pytest.fixture
def beat(console):
    """Return what lets a robot say all the time that it works on a lease, whatever ROS time is."""
    timers = []

    def begin(robot, assignment_id):
        publisher = console.create_publisher(
            RobotStatus, f'/{robot}/robot_status', qos.HEARTBEAT)
        timers.append(console.create_timer(
            0.2, lambda: publisher.publish(
                RobotStatus(robot=robot, assignment_id=assignment_id)),
            clock=Clock(clock_type=ClockType.STEADY_TIME)))

    yield begin
    for timer in timers:
        console.destroy_timer(timer)


def holders(console):
    return {lease.robot for lease in console.state.assignments}


@pytest.mark.parametrize('later', [96_400, 103_600])
def test_who_was_heard_keeps_its_lease_and_a_silent_one_loses_it_whatever_the_clock_is_set_to(
        console, start, set_time, beat, later):
    start('scheduler', lease_s=6.0)
    until(lambda: console.state)
    set_time(100_000)
    beat('heard', console.ask('heard').assignment.assignment_id)
    console.ask('silent')
    until(lambda: holders(console) == {'heard', 'silent'})

    set_time(later)

    until(lambda: holders(console) == {'heard'}, 20.0, 'the end of the silent robot')
    assert console.state.revoked == 1
    set_time(100_001)
    deadline = console.state.assignments[0].deadline
    assert 100_001 <= deadline.sec <= 100_009
    console.ask('witness')
    until(lambda: console.state.revoked == 2, 20.0, 'the end of another silent robot')
    assert holders(console) == {'heard'}


def test_a_paused_clock_stops_no_node(console, start, beat):
    reports = []
    console.create_subscription(
        DiagnosticArray, '/diagnostics', lambda array: reports.extend(
            status for status in array.status if status.name == '/uncertainty'), qos.DIAGNOSTICS)
    start('scheduler', lease_s=1.0)
    start('uncertainty', diagnostics_period_s=0.2)
    until(lambda: console.state)
    console.ask('silent')

    until(lambda: console.state.revoked == 1, what='the end of the silent robot')
    until(lambda: len(reports) > 2, what='reports of the uncertainty node')
    assert console.state.header.stamp.sec == 0


def test_robots_whose_clocks_differ_are_named_until_they_are_right(console, start):
    statuses = []
    console.create_subscription(
        DiagnosticArray, '/diagnostics', lambda array: statuses.extend(
            status for status in array.status if status.name == '/scheduler: clocks'),
        qos.DIAGNOSTICS)
    ahead_s = {'right': 0, 'ahead': 30, 'unset': -1_700_000_000}
    publishers = {robot: console.create_publisher(
        RobotStatus, f'/{robot}/robot_status', qos.HEARTBEAT) for robot in ahead_s}

    def say():
        now = console.get_clock().now().nanoseconds
        for robot, publisher in publishers.items():
            message = RobotStatus(robot=robot)
            message.header.stamp = conversions.time_to_msg(now + ahead_s[robot] * 10**9)
            publisher.publish(message)

    timer = console.create_timer(0.1, say)
    start('scheduler', use_sim_time=False)

    until(lambda: statuses and 'ahead is 30.' in statuses[-1].message)
    assert statuses[-1].level == DiagnosticStatus.WARN
    assert 'unset is 17000000' in statuses[-1].message and 'right' not in statuses[-1].message
    until(lambda: statuses[-1].message in console.state.message)
    ahead_s.update(ahead=0, unset=0)
    until(lambda: statuses[-1].level == DiagnosticStatus.OK)
    until(lambda: 'clocks' not in console.state.message)
    console.destroy_timer(timer)
