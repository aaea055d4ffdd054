# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
A workspace of a user's own, built with colcon on top of ours and beside it, and its robot.

It holds what depends on us in every way there is: a message package whose messages are recorded, a
program in C++ and a driver in Python.
"""
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
from ament_index_python.packages import get_package_prefix
from rclpy.serialization import serialize_message

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.bags.reader import open_bag
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.uncertainty.ensemble_directory import newest
from active_collection.uncertainty.ensemble_directory import read_description

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / 'examples' / 'own_robot'
EPISODES = 4
DEADLINE_S = 90.0
TRAINING = 'members: 2\nhidden: [8]\nsteps: 20\ncheck_every: 10\nheld_out: 0.3\n'

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.skipif(
    not shutil.which('colcon'), reason='colcon is not installed')]


@pytest.fixture(scope='module', params=['on top of ours', 'beside ours'])
def environment(request, tmp_path_factory):
    """Build the example, and return the environment variables of its workspace."""
    workspace = tmp_path_factory.mktemp('workspace')
    sources = shutil.copytree(EXAMPLE, workspace / 'src' / 'own_robot')
    if request.param == 'beside ours':
        built = subprocess.run([ROOT / 'environment' / 'build', workspace], env=without_ours(),
                               capture_output=True, text=True)
    else:
        built = subprocess.run(
            ['colcon', 'build', '--base-paths', sources, '--cmake-args', '-DBUILD_TESTING=OFF',
             f'-DPython3_EXECUTABLE={sys.executable}'],
            cwd=workspace, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-8000:] + built.stderr[-8000:]
    return sourced(workspace, without_ours() if request.param == 'beside ours' else os.environ)


def without_ours():
    """Return the environment variables without the workspace that the tests run in."""
    ours = get_package_prefix('active_collection')
    return {name: ':'.join(part for part in value.split(':') if not part.startswith(ours))
            for name, value in os.environ.items()}


def sourced(workspace, environment):
    """Return the environment variables after a workspace was sourced."""
    listed = subprocess.run(
        ['bash', '-c', '. install/setup.bash && env -0'], cwd=workspace, env=environment,
        capture_output=True, text=True, check=True).stdout
    return dict(entry.split('=', 1) for entry in listed.split('\0') if entry)


def prefix_of(package, environment):
    """Return the prefix that a package is installed in."""
    places = [Path(place) for place in environment['AMENT_PREFIX_PATH'].split(':')]
    return next(place for place in places if (place / 'share' / package / 'package.xml').is_file())


class Fleet:
    """A scheduler, and one robot's recorder, agent and driver, as processes."""

    def __init__(self, environment, data):
        self.data = data
        self.config = prefix_of('point_robot', environment) / 'share' / 'point_robot' / 'config'
        self._environment = environment
        self._processes = {}
        data.mkdir()
        robot = ['-r', '__ns:=/point_1']
        self._start('active_collection', 'scheduler',
                    '-p', f'space:={self.config}/scenario_space.yaml',
                    '-p', f'ledger:={data}/scheduler.sqlite3')
        self._start('point_robot', 'point_robot', *robot)
        self._start('active_collection', 'recorder', *robot, '-p', f'data_directory:={data}',
                    '--params-file', self.config / 'recorder.yaml')
        self._start('active_collection', 'agent', *robot,
                    '--params-file', self.config / 'agent.yaml')

    def _start(self, package, executable, *arguments):
        path = prefix_of(package, self._environment) / 'lib' / package / executable
        with (self.data / f'{executable}.log').open('wb') as log:
            self._processes[executable] = subprocess.Popen(
                [sys.executable, path, '--ros-args', *arguments], env=self._environment,
                stdout=log, stderr=subprocess.STDOUT)

    def await_episodes(self, count):
        """Wait until so many episodes are closed."""
        self.await_true(lambda: len(find_episodes(self.data)) >= count)

    def await_true(self, condition):
        """Wait for something, while every process lives."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, self._logs()
            assert all(p.poll() is None for p in self._processes.values()), self._logs()
            time.sleep(0.1)

    def end(self, name, number=signal.SIGINT):
        """End one by a signal; return its exit status."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            return process.wait(20)
        finally:
            process.kill()

    def stop(self):
        """End each in turn, the agent first; return their exit statuses."""
        return {name: self.end(name) for name in reversed(list(self._processes))}

    def log(self, name):
        """Return what one has said."""
        return (self.data / f'{name}.log').read_text()

    def _logs(self):
        return '\n'.join(f'{name}: {self.log(name)}' for name in self._processes)


@pytest.fixture(scope='module')
def collected(environment, tmp_path_factory):
    """Return a fleet that has collected some episodes and was stopped, and how its nodes ended."""
    fleet = Fleet(environment, tmp_path_factory.mktemp('fleet') / 'data')
    try:
        fleet.await_episodes(EPISODES)
    finally:
        statuses = fleet.stop()
    return fleet, statuses


def succeeded(fleet):
    """Return the successful episodes, oldest first, each with its record."""
    records = [(path, read_record(path)) for path in find_episodes(fleet.data)]
    return sorted((pair for pair in records if pair[1].outcome is Outcome.SUCCESS),
                  key=lambda pair: pair[1].started_ns)


def test_the_driver_collects_what_the_scheduler_asks_for(collected):
    fleet, statuses = collected

    episodes = succeeded(fleet)

    assert len(episodes) >= EPISODES - 1  # the last one may have been cut short
    assert len({str(record.scenario) for _, record in episodes}) == len(episodes)
    for _, record in episodes:
        assert (record.scenario.task, record.scenario.environment) == ('reach', 'plane')
        assert (record.robot, record.source) == ('point_1', Source.SCRIPTED)
        assert float(record.tags['distance_m']) <= 0.01
    assert set(statuses.values()) == {0}, statuses


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_stopped_ends_its_attempt(environment, tmp_path, number):
    fleet = Fleet(environment, tmp_path / 'data')
    try:
        fleet.await_true(lambda: list(fleet.data.glob('episodes/*/*.recording')))
        status = fleet.end('point_robot', number)
        fleet.await_true(lambda: find_episodes(fleet.data))
    finally:
        fleet.stop()

    assert status == 0
    assert 'Traceback' not in fleet.log('point_robot')
    assert read_record(find_episodes(fleet.data)[0]).outcome is Outcome.ABORTED


def test_the_users_own_messages_are_in_the_bag_with_their_definitions(collected):
    path, record = succeeded(collected[0])[-1]
    goal = record.scenario.values

    with open_bag(path) as bag:
        states = [m.decode() for m in bag.messages(topics=['/point_1/point_state'])]
        commands = [m.decode() for m in bag.messages(topics=['/point_1/point_command'])]

    assert all(goal == {'goal_x': s.goal_x, 'goal_y': s.goal_y} for s in states)
    assert len(commands) > 3
    # Each command answers the state of its step, and moves the point by a period of it.
    at = {(s.header.stamp.sec, s.header.stamp.nanosec): s for s in states}
    before = at[commands[0].header.stamp.sec, commands[0].header.stamp.nanosec]
    after = at[commands[1].header.stamp.sec, commands[1].header.stamp.nanosec]
    assert after.x - before.x == pytest.approx(commands[0].velocity[0] / 20.0)
    assert after.y - before.y == pytest.approx(commands[0].velocity[1] / 20.0)


def test_a_policy_is_trained_on_the_users_own_messages(collected, environment, tmp_path):
    fleet, _ = collected
    (tmp_path / 'training.yaml').write_text(TRAINING)

    trained = subprocess.run(
        ['active-collection', 'train', '--data', fleet.data, '--out', tmp_path / 'ensembles',
         '--spec', fleet.config / 'observation.yaml', '--config', tmp_path / 'training.yaml'],
        env=environment, capture_output=True, text=True)

    assert trained.returncode == 0, trained.stderr
    assert read_description(newest(tmp_path / 'ensembles')).sizes == {
        'x': 1, 'y': 1, 'goal_x': 1, 'goal_y': 1}


@pytest.mark.parametrize(('state', 'light'), [
    ('IDLE', 'off'), ('COLLECTING', 'green'), ('PAUSED', 'yellow'), ('NEEDS_HELP', 'red')])
def test_the_program_in_cpp_understands_our_messages(environment, state, light):
    from active_collection.msg import RobotStatus

    program = prefix_of('point_lights', environment) / 'lib' / 'point_lights' / 'light_of'
    status = RobotStatus(robot='point_1', state=getattr(RobotStatus, state))

    said = subprocess.run([program], input=serialize_message(status), env=environment,
                          capture_output=True)

    assert (said.returncode, said.stdout.decode()) == (0, f'point_1: {light}\n')


def test_the_program_in_cpp_refuses_what_is_no_message_of_ours(environment):
    program = prefix_of('point_lights', environment) / 'lib' / 'point_lights' / 'light_of'

    said = subprocess.run([program], input=b'no message', env=environment, capture_output=True)

    assert said.returncode == 2
    assert b'found 10 bytes, expected a serialized' in said.stderr
