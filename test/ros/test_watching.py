# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is shipped for watching a robot names what its nodes really publish."""
import json
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from fleet_peers import Process
from fleet_peers import until
from spinner import Spinner

from active_collection.nodes import qos

ROOT = Path(__file__).parents[2]
LAYOUT = ROOT / 'deploy' / 'foxglove' / 'robot.json'
AGGREGATOR = ROOT / 'config' / 'diagnostic_aggregator.yaml'
ROBOT = 'arm_1'
SPACE = 'format: 1\ntasks:\n  push: {}\nenvironments:\n  cell: {}\n'


class Watched:
    """A robot and a fleet as they are launched, and a node that sees what they publish."""

    def __init__(self, rclpy, directory):
        from diagnostic_msgs.msg import DiagnosticArray

        (directory / 'space.yaml').write_text(SPACE)
        self.node = rclpy.create_node('watcher')
        self.statuses = {}
        self.node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)
        self._spinner = Spinner(self.node)
        settings = {
            'simulated_robot': {'camera_size': 16}, 'agent': {},
            'recorder': {'data_directory': str(directory / 'data')}, 'uncertainty': {}}
        self._processes = [
            Process(name, namespace=ROBOT, log=directory / f'{name}.log', **parameters)
            for name, parameters in settings.items()]
        self._processes.append(Process(
            'scheduler', log=directory / 'scheduler.log', space=str(directory / 'space.yaml'),
            ledger=str(directory / 'ledger.sqlite3')))

    def topics(self):
        """Return topic to type of what is published."""
        return {name: types[0] for name, types in self.node.get_topic_names_and_types()
                if self.node.count_publishers(name)}

    def close(self):
        for process in self._processes:
            process.process.terminate()
        for process in self._processes:
            process.process.wait(timeout=60)
        self._spinner.close()

    def _on_diagnostics(self, array):
        self.statuses.update((status.name, status) for status in array.status)


@pytest.fixture(scope='module')
def watched(ros, tmp_path_factory):
    started = Watched(ros, tmp_path_factory.mktemp('watched'))
    yield started
    started.close()


def message_paths(value):
    """Yield every topic or message path that a layout names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {'imageTopic', 'topicToRender', 'topicPath', 'value'}:
                yield inner
            else:
                yield from message_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from message_paths(inner)


def kind_of(path, topics):
    """Return the type at a message path: that of its topic, or of the field in it."""
    topic, *fields = path.split('.')
    kind = topics[topic]
    for field in fields:
        package, _, name = kind.split('/')
        kind = getattr(import_module(f'{package}.msg'), name).get_fields_and_field_types()[field]
    return kind


def test_the_foxglove_layout_shows_what_a_robot_publishes(watched):
    paths = sorted(set(message_paths(json.loads(LAYOUT.read_text()))))

    assert len(paths) >= 9
    until(lambda: {path.split('.')[0] for path in paths} <= set(watched.topics()),
          what=f'topics {paths} among {sorted(watched.topics())}')
    kinds = {path: kind_of(path, watched.topics()) for path in paths}
    assert kinds[f'/{ROBOT}/camera/image_raw'] == 'sensor_msgs/msg/Image'
    assert {kinds[path] for path in paths if '.' in path} <= {'float', 'uint8', 'boolean'}


def test_diagnostics_carry_the_robot_that_the_layout_shows_alone(watched):
    filters = [panel['hardwareIdFilter']
               for panel in json.loads(LAYOUT.read_text())['configById'].values()
               if 'hardwareIdFilter' in panel]

    assert filters == [ROBOT]
    until(lambda: len(watched.statuses) >= 2, what='two statuses')
    assert {status.hardware_id for status in watched.statuses.values()} == {ROBOT}


def analyzers():
    """Return the aggregator's analyzers by name."""
    parameters = yaml.safe_load(AGGREGATOR.read_text())['analyzers']['ros__parameters']
    return {name: value for name, value in parameters.items() if isinstance(value, dict)}


def takes(analyzer, name):
    """Tell whether a diagnostic_aggregator/GenericAnalyzer takes a status, as its `match` does."""
    return (any(re.fullmatch(pattern, name) for pattern in analyzer.get('regex', []))
            or any(name.startswith(text) for text in analyzer.get('startswith', []))
            or any(text in name for text in analyzer.get('contains', [])))


def test_each_status_has_one_analyzer_and_each_analyzer_a_status(watched):
    found = analyzers()
    until(lambda: len(watched.statuses) >= len(found), what='a status for each analyzer')

    taken = {name: [each for each, analyzer in found.items() if takes(analyzer, name)]
             for name in watched.statuses}

    assert all(len(each) == 1 for each in taken.values()), taken
    assert {each[0] for each in taken.values()} == set(found)


def test_analyzers_take_robots_of_nested_namespaces_and_no_other_node():
    found = analyzers()
    assert takes(found['recorders'], '/cell_3/arm_1/recorder: episodes')
    assert takes(found['uncertainty'], '/cell_3/arm_1/uncertainty')
    for other in ('/arm_1/recorder: disk', '/arm_1/uncertainty: x', '/arm_1/my_uncertainty'):
        assert not any(takes(analyzer, other) for analyzer in found.values())


def test_analyzers_are_of_the_kind_and_have_the_keys_that_the_aggregator_knows():
    for analyzer in analyzers().values():
        assert analyzer['type'] == 'diagnostic_aggregator/GenericAnalyzer'
        assert set(analyzer) <= {'type', 'path', 'regex', 'startswith', 'contains', 'timeout'}
        assert isinstance(analyzer['timeout'], float)  # as the aggregator reads it
