# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Two of a node of which there is to be one: the second steps back, or both say so."""
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from diagnostic_msgs.msg import DiagnosticArray
from fleet_peers import SPACE
from fleet_peers import Console
from fleet_peers import Process
from fleet_peers import until
from spinner import Spinner

from active_collection.nodes import qos
from active_collection.nodes.rivals import BEAT_S
from active_collection.nodes.rivals import SETTLED_BEATS

SECOND = 'another one, which was there first: on'
NODES = ['scheduler', 'recorder', 'agent', 'uncertainty']


class Twins:
    """Starts processes of one node, each with a log and data of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.space = folder / 'space.yaml'
        self.space.write_text(SPACE)
        self.started = []

    def start(self, name):
        number = len(self.started)
        own = {'scheduler': {'space': self.space, 'ledger': self.folder / f'{number}.sqlite3'},
               'recorder': {'data_directory': self.folder / f'data{number}'}}.get(name, {})
        process = Process(name, namespace='' if name == 'scheduler' else 'arm_1',
                          log=self.folder / f'{number}.log', **own)
        self.started.append(process)
        return process

    def log(self, process):
        return (self.folder / f'{self.started.index(process)}.log').read_text()

    def lines(self, process):
        return self.log(process).strip().splitlines()

    def running(self):
        return [process for process in self.started if process.process.poll() is None]


@pytest.fixture
def twins(tmp_path):
    twins = Twins(tmp_path)
    yield twins
    for process in twins.started:
        process.close()


@pytest.fixture
def console(ros):
    """Give a console that hears /diagnostics and whether nodes are in the graph."""
    node = Console()
    node.said = []
    node.create_subscription(DiagnosticArray, '/diagnostics', node.said.append, qos.DIAGNOSTICS)
    spinner = Spinner(node)
    yield node
    spinner.close()


def is_there(console, name):
    """Tell whether a node listens for others of its name."""
    topic = f'/{"" if name == "scheduler" else "arm_1/"}{name}/_instance'
    return console.count_subscribers(topic) > 0


def levels(console, name):
    """Return the levels of what was said on two of a node, in order."""
    return [ord(status.level) if isinstance(status.level, bytes) else status.level
            for array in list(console.said) for status in array.status
            if status.name.endswith(f'{name}: one of its name')]


@pytest.mark.parametrize('name', NODES)
def test_the_second_ends_with_status_2_and_one_line(twins, console, name):
    first = twins.start(name)
    until(lambda: is_there(console, name))

    second = twins.start(name)

    assert second.process.wait(timeout=60) == 2
    # One that heard of the first only when it had begun may have logged more before.
    line, = [line for line in twins.lines(second) if SECOND in line]
    assert line.startswith(f'/{"" if name == "scheduler" else "arm_1/"}{name}: found {SECOND} ')
    assert f'process {first.process.pid}, expected one: end that one, or give' in line
    assert first.process.poll() is None


@pytest.mark.parametrize('name', NODES)
def test_of_two_that_start_in_the_same_instant_one_stays(twins, name):
    one, other = twins.start(name), twins.start(name)

    until(lambda: len(twins.running()) < 2)

    stays, = twins.running()
    ended = other if stays is one else one
    assert ended.process.wait() == 2
    assert SECOND in twins.log(ended)
    assert SECOND not in twins.log(stays)


@pytest.mark.parametrize('name', ['scheduler', 'agent'])
def test_one_that_was_killed_does_not_keep_out_the_next(twins, console, name):
    first = twins.start(name)
    until(lambda: is_there(console, name))
    first.stop(signal.SIGKILL)

    again = twins.start(name)

    third = twins.start(name)  # comes later, or at the same instant: one of the two goes
    until(lambda: len(twins.running()) < 2)
    stays, = twins.running()
    assert {again, third} - {stays} and first is not stays
    assert f'process {first.process.pid}' not in twins.log(again) + twins.log(third)


def test_a_second_scheduler_leases_nothing_and_leaves_no_ledger(twins, console, tmp_path):
    twins.start('scheduler')
    held = console.ask().assignment

    assert twins.start('scheduler').process.wait(timeout=60) == 2

    assert not (tmp_path / '1.sqlite3').exists()
    assert console.ask().assignment.assignment_id == held.assignment_id


@pytest.mark.parametrize('name', ['scheduler', *(
    pytest.param(other, marks=pytest.mark.slow) for other in NODES[1:])])
def test_two_that_were_parted_for_long_both_say_so_until_they_are_one(twins, console, name):
    frozen = twins.start(name)
    settle_s = BEAT_S * SETTLED_BEATS
    until(lambda: is_there(console, name))
    claims = claims_of(console, name)
    until(lambda: [c for c in claims if c.beats == SETTLED_BEATS], settle_s + 20)
    frozen.process.send_signal(signal.SIGSTOP)
    other = twins.start(name)
    until(lambda: [c for c in claims if c.beats == SETTLED_BEATS
                   and c.process == other.process.pid], settle_s + 40)

    frozen.process.send_signal(signal.SIGCONT)

    until(lambda: all('is there more than once' in twins.log(p) for p in twins.started))
    until(lambda: levels(console, name)[-1:] == [2])
    assert len(twins.running()) == 2
    if name == 'agent':  # one of the two, which says so, and not what both have said
        until(lambda: [p for p in twins.started if 'rests: the other agent' in twins.log(p)])
    if name == 'scheduler':
        assert console.ask().code == 0
        rests, = [p for p in twins.started if 'leases nothing' in twins.log(p)]
        {frozen, other}.difference({rests}).pop().stop(signal.SIGKILL)
    else:
        frozen.stop(signal.SIGKILL)
    until(lambda: levels(console, name)[-1:] == [0])
    assert max(len([line for line in twins.lines(p) if 'more than once' in line
                    and 'over' not in line]) for p in twins.started) == 1
    if name == 'scheduler':
        until(lambda: console.ask().code == 0)


def claims_of(console, name):
    """Return the list that all claims on a node's name go into."""
    from active_collection.msg import NodeInstance

    claims = []
    topic = f'/{"" if name == "scheduler" else "arm_1/"}{name}/_instance'
    console.create_subscription(NodeInstance, topic, claims.append, qos.LATCHED)
    return claims
