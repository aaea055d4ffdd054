# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the demo is told, and the scenario space that follows from it."""
from pathlib import Path

import pytest
import yaml

from active_collection.config import parse as parse_yaml
from active_collection.errors import ConfigError
from active_collection.scenario import ScenarioSpace
from active_collection.simulation.demo_options import parse
from active_collection.simulation.demo_options import scenario_space

CATALOGUE = Path(__file__).parents[2] / 'config' / 'metaworld_mt10.yaml'


def space_of(*arguments):
    data = scenario_space(CATALOGUE, parse(list(arguments)))
    return parse_yaml(yaml.safe_dump(data, sort_keys=False), ScenarioSpace, where='demo')


def test_the_defaults_are_all_ten_tasks_and_two_robots():
    space = space_of()

    assert len(space.tasks) == 10
    assert list(space.robots) == ['robot_1', 'robot_2']
    assert {task.minimum_episodes for task in space.tasks.values()} == {3}


def test_tasks_are_chosen_by_number_or_by_name():
    names = list(space_of().tasks)

    assert list(space_of('--tasks', '2').tasks) == names[:2]
    assert list(space_of('--tasks', f'{names[4]}, {names[1]}').tasks) == [names[4], names[1]]


def test_every_robot_can_work_at_once():
    space = space_of('--robots', '5', '--demonstrations', '7')

    assert len(space.robots) == 5
    assert all(entry.capacity >= 5 for entry in space.environments.values())
    assert {task.minimum_episodes for task in space.tasks.values()} == {7}


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--tasks', 'juggle'], ["'juggle'"]),
    (['--tasks', '0'], ['tasks']),
    (['--robots', '0'], ['robots', "'0'", 'greater than or equal to 1']),
    (['--budget', 'many'], ['budget', "'many'"]),
])
def test_a_bad_option_is_refused_in_one_line(arguments, words):
    with pytest.raises(ConfigError) as raised:
        space_of(*arguments)

    for word in words:
        assert word in str(raised.value)
