# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The example of a user's own robot: its files fit this package and one another."""
import ast
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from active_collection.bags.observation import ObservationSpec
from active_collection.collecting.agent_settings import AgentSettings
from active_collection.config import load
from active_collection.config import validate
from active_collection.recording.settings import RecorderSettings
from active_collection.scenario import ScenarioSpace
from active_collection.uncertainty.settings import UncertaintySettings

EXAMPLE = Path(__file__).parents[1] / 'examples' / 'own_robot'
CONFIG = EXAMPLE / 'point_robot' / 'config'
MANIFESTS = {path.parent.name: ElementTree.parse(path).getroot()
             for path in EXAMPLE.glob('*/package.xml')}


def parameters(name):
    return yaml.safe_load((CONFIG / f'{name}.yaml').read_text())['/**']['ros__parameters']


def depends(package):
    return {element.text for kind in ('depend', 'exec_depend', 'build_depend')
            for element in MANIFESTS[package].findall(kind)}


@pytest.mark.parametrize(('node', 'settings'), [
    ('agent', AgentSettings), ('recorder', RecorderSettings),
    ('uncertainty', UncertaintySettings)])
def test_every_parameter_is_one_of_its_node(node, settings):
    validate(parameters(node), settings, where=node)


def test_the_agent_offers_who_the_tasks_ask_for_and_is_where_they_are_done():
    space = load(CONFIG / 'scenario_space.yaml', ScenarioSpace)
    agent = AgentSettings(**parameters('agent'))

    for task in space.tasks.values():
        assert set(task.collectors) & set(agent.collectors)
    assert agent.environment in space.environments


def test_the_recorder_insists_on_what_a_policy_is_trained_on():
    specification = load(CONFIG / 'observation.yaml', ObservationSpec)

    asked = {*specification.observation_topics, specification.action.path.topic}
    assert asked <= set(parameters('recorder')['required_topics'])


def test_fields_of_the_specification_are_in_the_messages():
    specification = load(CONFIG / 'observation.yaml', ObservationSpec)
    messages = {'point_state': 'PointState', 'point_command': 'PointCommand'}

    for path in (*(item.path for item in specification.observation), specification.action.path):
        text = (EXAMPLE / 'point_interfaces' / 'msg' / f'{messages[path.topic]}.msg').read_text()
        declared = [line.split()[1] for line in text.splitlines() if not line.startswith('#')
                    and line]
        assert path.steps[0].field in declared


@pytest.mark.parametrize('package', sorted(MANIFESTS))
def test_a_package_names_itself_as_its_folder(package):
    assert MANIFESTS[package].findtext('name') == package


def test_the_driver_depends_on_what_it_imports():
    imported = set()
    for file in (EXAMPLE / 'point_robot').rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition('.')[0])

    ros = imported & {'active_collection', 'diagnostic_msgs', 'launch', 'launch_ros',
                      'point_interfaces', 'rclpy'}
    assert ros == depends('point_robot')


def test_the_program_in_cpp_depends_on_what_it_finds():
    text = (EXAMPLE / 'point_lights' / 'CMakeLists.txt').read_text()
    found = {line.split('(')[1].split()[0] for line in text.splitlines()
             if line.strip().startswith('find_package(')}

    assert found - {'ament_cmake'} == depends('point_lights')
