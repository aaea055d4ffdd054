# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch files in launch itself, where it is installed."""
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytest.importorskip('launch', reason='launch is not installed')
pytest.importorskip('launch_ros')
pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from ament_index_python.packages import get_package_share_directory
from fleet_peers import until

LAUNCH = Path(get_package_share_directory('active_collection')) / 'launch'
CONFIG = LAUNCH.parent / 'config'

#: What `ros2 launch` does, without ros2cli: a file and its arguments, after what is around it.
PROGRAM = textwrap.dedent("""
    import sys
    from launch import LaunchDescription, LaunchService
    from launch.actions import GroupAction, IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    from launch_ros.actions import PushRosNamespace

    around, path, *arguments = sys.argv[1:]
    included = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path),
        launch_arguments=[tuple(a.split(':=', 1)) for a in arguments])
    if around:
        included = GroupAction([PushRosNamespace(around), included])
    service = LaunchService(noninteractive=not sys.stdin.isatty())
    service.include_launch_description(LaunchDescription([included]))
    sys.exit(service.run())
""")


class Launch:
    """A launch file at work, with what it prints."""

    def __init__(self, path, name, *, around='', **arguments):
        self._log = path / f'{name}.log'
        with self._log.open('wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-c', PROGRAM, around, str(LAUNCH / name),
                 *(f'{key}:={value}' for key, value in arguments.items())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, 'ROS_LOG_DIR': str(path / 'log')})

    @property
    def said(self):
        return self._log.read_text()

    def nodes(self):
        """Return the running nodes by name."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess, IndexError):  # gone, or not yet what it will be
                found[Path(child.cmdline()[1]).name] = child
        return found

    def ended(self, *signals, everybody=False):
        """Send signals, wait until launch and its nodes have ended, and return its status."""
        nodes = list(self.nodes().values())
        for number in signals:
            send = os.killpg if everybody else os.kill
            send(self.process.pid, number)
        status = self.process.wait(timeout=60)
        _, alive = psutil.wait_procs(nodes, timeout=60)
        assert not alive
        return status

    def close(self):
        for child in psutil.Process(self.process.pid).children() if self.running else ():
            child.kill()
        self.process.kill()
        self.process.wait()

    @property
    def running(self):
        return self.process.poll() is None


@pytest.fixture
def start(tmp_path):
    started = []

    def one(name, **arguments):
        started.append(Launch(tmp_path, name, **arguments))
        return started[-1]

    yield one
    for launched in started:
        launched.close()


@pytest.fixture
def robot(start, tmp_path):
    """Give a starter of a robot whose three nodes are at work when it returns."""
    config = shutil.copytree(CONFIG, tmp_path / 'config')
    agent = config / 'agent.yaml'
    agent.write_text(agent.read_text().replace('answer_s: 5.0', 'answer_s: 0.2'))

    def at_work(**arguments):
        one = start('robot.launch.py', **{'robot': 'arm_1', 'data': tmp_path / 'data',
                                          'config': config, **arguments})
        until(lambda: 'is not there; start the' in one.said, what='the agent to ask')
        until(lambda: list((tmp_path / 'data').glob('episodes')))
        return one

    return at_work


@pytest.mark.parametrize('path', sorted(LAUNCH.glob('*.launch.py')), ids=lambda path: path.name)
def test_a_launch_file_explains_each_of_its_arguments(path):
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    description = get_launch_description_from_python_launch_file(str(path))

    arguments = {a.name: a.description for a in description.get_launch_arguments()}
    assert {'data', 'config', 'use_sim_time', 'log_level'} <= set(arguments)
    assert all(len(text) > 20 for text in arguments.values())


@pytest.mark.parametrize(('arguments', 'says'), [
    ({'config': '/no/such'}, 'argument config: /no/such: found no such directory'),
    ({'robot': 'arm-1'}, "argument robot: found 'arm-1', expected a ROS namespace"),
    ({'log_level': 'loud'}, "argument log_level: found 'loud'"),
])
def test_a_mistake_in_an_argument_ends_the_launch_with_one_line(start, tmp_path, arguments, says):
    one = start('robot.launch.py', **{'robot': 'arm_1', 'data': tmp_path, **arguments})

    assert one.process.wait(timeout=60) == 1
    (line,) = (text for text in one.said.splitlines() if 'ERROR' in text)
    assert says in line
    assert 'process started' not in one.said


@pytest.mark.parametrize('signals', [
    ((signal.SIGINT,), True), ((signal.SIGINT, signal.SIGINT), True), ((signal.SIGINT,), False),
], ids=['ctrl-c', 'ctrl-c twice', 'to launch alone'])
def test_an_interrupted_robot_ends_in_order(robot, signals):
    one = robot()

    assert one.ended(*signals[0], everybody=signals[1]) == 0

    assert one.said.count('process has finished cleanly') == 3
    assert not re.search('Traceback|never retrieved|has died', one.said)


@pytest.mark.parametrize(('number', 'everybody'), [
    (signal.SIGTERM, True), (signal.SIGTERM, False), (signal.SIGKILL, False),
    (signal.SIGHUP, True)], ids=['kill group', 'kill launch', 'kill -9 launch', 'hang up'])
def test_no_node_outlives_a_launch_that_is_ended_otherwise(robot, number, everybody):
    one = robot()

    one.ended(number, everybody=everybody)

    assert not re.search('Traceback|never retrieved', one.said)


def test_a_node_that_dies_is_started_again_and_one_that_is_asked_to_end_is_not(robot):
    one = robot()
    before = one.nodes()
    before['recorder'].kill()
    before['uncertainty'].terminate()

    # Launch itself leaves a process alone that is being started when it is told to end.
    until(lambda: re.search(r'\[recorder-4\]: process started', one.said))
    until(lambda: set(one.nodes()) == {'recorder', 'agent'})

    assert 'started again in 2 s (1 of at most 5 within 120 s)' in one.said
    assert one.nodes()['recorder'].pid != before['recorder'].pid
    assert one.ended(signal.SIGINT, everybody=True) == 0


def test_a_node_that_a_mistake_stops_is_not_started_again_and_decides_launchs_status(
        start, tmp_path):
    one = start('fleet.launch.py', data=tmp_path, space=tmp_path / 'no_such.yaml')

    assert one.process.wait(timeout=60) == 1
    assert 'no_such.yaml: found no such file' in one.said
    assert 'scheduler-1 is not started again: its line above says what is wrong' in one.said
    assert one.said.count('process started') == 1


def test_a_nested_robot_of_a_larger_launch_has_its_whole_name(robot, tmp_path):
    one = robot(robot='arm_1', around='cell_3')

    assert '[cell_3.arm_1.agent]' in one.said
    assert one.ended(signal.SIGINT, everybody=True) == 0


def test_values_that_look_like_numbers_reach_the_nodes_as_they_are(robot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / '2026').mkdir()
    (tmp_path / 'data').symlink_to('2026')

    one = robot(data='2026', use_sim_time='true', log_level='debug')

    assert (tmp_path / '2026' / 'episodes').is_dir()
    assert one.ended(signal.SIGINT, everybody=True) == 0
