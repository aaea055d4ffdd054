# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A scheduler as a process whose ledger cannot be used for a while."""
import resource
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / 'scheduling'))
from active_collection.srv import ReleaseAssignment
from active_collection.srv import SteerScenario
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from fleet_peers import SPACE
from fleet_peers import Console
from fleet_peers import Process
from fleet_peers import finished
from fleet_peers import until
from outages import locked_by_another
from outages import overwritten_header
from outages import replaced_by_directory
from outages import vanished_directory
from spinner import Spinner

from active_collection.names import robot_of
from active_collection.nodes import qos
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.verification import problems


@contextmanager
def full_disk(path, process):
    """Let a process write nothing beyond the end of the ledger's log."""
    size = path.with_name(f'{path.name}-wal').stat().st_size
    limits = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
    yield
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def console(ros):
    node = Console()
    spinner = Spinner(node)
    yield node
    spinner.close()


@pytest.fixture
def said(console):
    """Return what the scheduler has said of its ledger on /diagnostics."""
    statuses = []
    console.create_subscription(
        DiagnosticArray, '/diagnostics', lambda array: statuses.extend(
            status for status in array.status if status.name == '/scheduler: ledger'),
        qos.DIAGNOSTICS)
    return statuses


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / 'fleet' / 'ledger.sqlite3'


@pytest.fixture
def scheduler(tmp_path, ledger):
    """Return a starter of scheduler processes on one ledger."""
    (tmp_path / 'space.yaml').write_text(SPACE)
    started = []

    def start():
        started.append(Process('scheduler', log=tmp_path / 'scheduler.log',
                               space=tmp_path / 'space.yaml', ledger=ledger))
        return started[-1]

    yield start
    for process in started:
        process.close()
    print((tmp_path / 'scheduler.log').read_text())


def collect(peer, lease):
    """Let a robot's recorder record the episode of a lease, from its start to its end."""
    name = f'e-{lease.assignment_id}'
    peer.start(name, scenario=lease.scenario, assignment_id=lease.assignment_id)
    peer.finish(name)
    return name


@pytest.mark.parametrize('outage', [
    replaced_by_directory, overwritten_header, full_disk,
    pytest.param(vanished_directory, marks=pytest.mark.slow),
    pytest.param(locked_by_another, marks=pytest.mark.slow)])
def test_requests_are_refused_with_the_reason_and_episodes_counted_once_it_is_back(
        console, said, peer, recorder, scheduler, ledger, outage):
    recorder()
    process, robot = scheduler(), robot_of(peer.get_namespace())
    before = collect(peer, console.ask(robot, seconds=60).assignment)
    until(lambda: [e.episode_id for e in finished(ledger)] == [before])
    lease, other = console.ask(robot).assignment, console.ask('other').assignment
    peer.start('free')

    with outage(ledger, process) if outage is full_disk else outage(ledger):
        refused = console.ask('late', seconds=60)
        assert refused.code == refused.UNAVAILABLE and str(ledger) in refused.message
        peer.finish('free')
        during = collect(peer, lease)
        answer = console.call('release_assignment', ReleaseAssignment.Request(
            assignment_id=other.assignment_id, robot='other', reason='x' * 9000), seconds=60)
        assert answer.code == answer.UNAVAILABLE
        order = console.call('steer_scenario', SteerScenario.Request(
            command=SteerScenario.Request.BAN, task='pick', author='ann', reason='x'), seconds=60)
        assert not order.accepted and str(ledger) in order.message
        assert not console.call('pause', seconds=60).success
        for name in (robot, 'other'):
            assert console.ask(name, seconds=60).code == refused.UNAVAILABLE
        until(lambda: said and said[-1].level == DiagnosticStatus.ERROR
              and said[-1].values[1].value == '2', what='two episodes that wait')
        assert str(ledger) in said[-1].message and str(ledger) in console.state.message
        assert process.process.poll() is None

    until(lambda: said[-1].level == DiagnosticStatus.OK, 30, 'the ledger in use')
    assert said[-1].values[1].value == '0', 'nothing comes before what waited'
    until(lambda: console.ask('late').code == refused.GRANTED)
    assert console.ask('other').assignment.assignment_id == other.assignment_id
    assert console.ask(robot).assignment.assignment_id != lease.assignment_id
    until(lambda: len(finished(ledger)) == 3)
    assert process.stop(signal.SIGTERM) == 0
    scheduler()
    after = collect(peer, console.ask(robot, seconds=60).assignment)
    until(lambda: len(finished(ledger)) > 3)
    counted = {e.episode_id: e.fulfils for e in finished(ledger)}
    assert counted == {before: True, 'free': False, during: True, after: True}
    with LedgerReader(ledger) as reader:
        assert problems(reader) == []


def test_what_there_is_no_room_for_is_fetched_from_the_recorder(
        console, said, peer, recorder, tmp_path, ledger):
    recorder()
    (tmp_path / 'space.yaml').write_text(SPACE)
    program = tmp_path / 'small.py'
    program.write_text(
        'from active_collection.nodes.scheduler import scheduler, waiting_episodes\n'
        'waiting_episodes.WaitingEpisodes.__init__.__defaults__ = (3,)\n'
        'raise SystemExit(scheduler.main())\n')
    process = Process(program, log=tmp_path / 'scheduler.log', space=tmp_path / 'space.yaml',
                      ledger=ledger)
    try:
        until(lambda: said and ledger.exists())
        with replaced_by_directory(ledger):
            for k in range(8):
                peer.start(f'e{k}')
                peer.finish(f'e{k}')
            until(lambda: said[-1].values[1].value == '3', what='as many as there is room for')
        until(lambda: len(finished(ledger)) >= 8, what='all of them')
        assert sorted(e.episode_id for e in finished(ledger)) == [f'e{k}' for k in range(8)]
    finally:
        process.close()
