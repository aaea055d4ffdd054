# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files start, what they refuse, and how often they start it again."""
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from active_collection.errors import ActiveCollectionError
from active_collection.nodes.launching.description import NodeProcess
from active_collection.nodes.launching.description import fleet_processes
from active_collection.nodes.launching.description import robot_processes
from active_collection.nodes.launching.description import simulated_processes
from active_collection.nodes.launching.restarts import Restarts
from active_collection.nodes.launching.restarts import Verdict

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'config')


def robot(**changes):
    return robot_processes(**{
        'robot': 'arm_1', 'data': '/data', 'ensembles': '/data/ensembles',
        'scheduler': '/scheduler', 'config': CONFIG, **changes})


def test_a_robot_is_its_recorder_its_uncertainty_and_its_agent():
    assert {node.executable: node.parameters for node in robot()} == {
        'recorder': {'data_directory': '/data'}, 'uncertainty': {'ensembles': '/data/ensembles'},
        'agent': {'scheduler': '/scheduler'}}
    assert {node.namespace for node in robot()} == {'arm_1'}
    scheduler, = fleet_processes(data='/data', space='/data/space.yaml', config=CONFIG)
    assert (scheduler.executable, scheduler.namespace) == ('scheduler', '')
    assert scheduler.parameters['ledger'] == '/data/scheduler.sqlite3'
    assert scheduler.parameters['space'] == '/data/space.yaml'


@pytest.mark.parametrize('name', [node.executable for node in (
    *robot(), *fleet_processes(data='d', space='s', config=CONFIG),
    *simulated_processes(robot='arm_1', config=CONFIG))])
def test_every_launched_node_has_a_module_an_executable_and_a_configuration(name):
    assert (ROOT / 'active_collection' / 'nodes' / name / f'{name}.py').is_file()
    assert (ROOT / 'config' / f'{name}.yaml').is_file()
    assert f' {name}' in (ROOT / 'CMakeLists.txt').read_text()


@pytest.mark.parametrize(('told', 'namespace'), [
    ('arm_1', 'arm_1'), ('/arm_1', 'arm_1'), ('cell_3/arm_1', 'cell_3/arm_1'),
    ('cell_3.arm_1', 'cell_3/arm_1'), ('/a/b/c/', 'a/b/c')])
def test_a_robot_is_told_by_its_namespace_or_by_its_name(told, namespace):
    assert {node.namespace for node in robot(robot=told)} == {namespace}


@pytest.mark.parametrize(('changes', 'says'), [
    ({'robot': 'arm-1'}, "argument robot: found 'arm-1', expected a ROS namespace"),
    ({'robot': '1arm'}, 'argument robot'),
    ({'robot': 'cell//arm'}, 'argument robot'),
    ({'robot': ' '}, 'argument robot: found nothing'),
    ({'robot': '/'}, 'argument robot'),
    ({'robot': '../arm'}, 'argument robot'),
    ({'robot': 'x' * 65}, 'expected 1 to 64'),
    ({'data': ''}, 'argument data: found nothing'),
    ({'scheduler': ''}, 'argument scheduler: found nothing'),
    ({'config': '/no/such'}, 'argument config: /no/such: found no such directory, expected a '
                             'directory with recorder.yaml, uncertainty.yaml, agent.yaml'),
    ({'config': str(ROOT)}, 'found no recorder.yaml, no uncertainty.yaml, no agent.yaml'),
    ({'config': f'{CONFIG}/agent.yaml'}, 'found no such directory'),
    ({'config': '~nobody_of_this_name/config'}, 'expected a path; of ~user, a user that there is'),
    ({'use_sim_time': 'yes'}, "argument use_sim_time: found 'yes', expected true or false"),
    ({'log_level': 'wran'}, "argument log_level: found 'wran' (did you mean 'warn'?)"),
])
def test_a_mistake_in_an_argument_is_one_line_that_names_it(changes, says):
    with pytest.raises(ActiveCollectionError) as raised:
        robot(**changes)

    assert says in str(raised.value)
    assert '\n' not in str(raised.value)


def test_simulated_time_and_the_log_level_reach_every_node(tmp_path):
    for node in (*robot(use_sim_time='True', log_level='debug'),
                 *fleet_processes(data='/d', space='/s', config=CONFIG, use_sim_time='true',
                                  log_level='debug'),
                 *simulated_processes(robot='a', config=CONFIG, use_sim_time='true',
                                      log_level='debug')):
        command = node.command(tmp_path)
        assert 'use_sim_time:=true' in command
        assert command[command.index('--log-level') + 1] == 'debug'


@pytest.mark.parametrize('value', [
    '2026', 'true', '~', '/a b/c', "it's", 'x' * 300, '/a b' * 90, Path('/data'), True, 0.5,
    'a: b', '[]'])
def test_a_value_reaches_the_node_as_it_is(tmp_path, value):
    node = NodeProcess('recorder', 'arm_1', tmp_path / 'recorder.yaml').given(one=1, it=value)

    command = node.command(tmp_path)

    written = {part.partition(':=')[0]: part.partition(':=')[2]
               for flag, part in pairwise(command) if flag == '-p'}
    assert yaml.safe_load(written['it']) == (str(value) if isinstance(value, Path) else value)
    assert written['one'] == '1'


def verdicts(statuses, every_s=1.0, **bound):
    restarts = Restarts(**bound)
    return [restarts.after(status, every_s * k) for k, status in enumerate(statuses)]


@pytest.mark.parametrize(('statuses', 'last'), [
    ([1], Verdict.AGAIN), ([-9], Verdict.AGAIN), ([-11, 1, -9], Verdict.AGAIN),
    ([0], Verdict.LEFT), ([1, 0], Verdict.LEFT),
    ([2], Verdict.GIVEN_UP), ([-9, 2], Verdict.GIVEN_UP),
])
def test_a_node_is_started_again_unless_it_was_asked_to_end_or_a_mistake_stops_it(statuses, last):
    assert verdicts(statuses)[-1] is last


def test_a_node_that_dies_again_and_again_is_given_up():
    assert verdicts([1] * 4, most=3) == [Verdict.AGAIN] * 3 + [Verdict.GIVEN_UP]


def test_one_that_dies_now_and_then_is_started_again_for_ever():
    assert set(verdicts([1] * 100, every_s=31.0, most=3, within_s=90.0)) == {Verdict.AGAIN}
    assert set(verdicts([1] * 100, every_s=30.0, most=3, within_s=90.0)) == {Verdict.AGAIN}
    assert Verdict.GIVEN_UP in verdicts([1] * 100, every_s=29.0, most=3, within_s=90.0)
