# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages of the nodes name every topic, service and action of the nodes, and their QoS."""
from __future__ import annotations

import importlib
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.action import get_action_client_names_and_types_by_node
from rclpy.action import get_action_server_names_and_types_by_node

from active_collection.nodes import qos

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / 'docs' / 'reference' / 'nodes'
PROFILES = {'sensor': qos.SENSOR, 'state': qos.STATE, 'latched': qos.LATCHED,
            'episodes': qos.EPISODES, 'heartbeat': qos.HEARTBEAT}
NODES = {
    'recorder': ('recorder:RecorderNode', ['-p', "topics:=['/none']"]),
    'uncertainty': ('uncertainty:UncertaintyNode', []),
    'agent': ('agent:AgentNode', ['-p', 'on_high_uncertainty:=ask_for_help']),
    'scheduler': ('scheduler:SchedulerNode', []),
    'simulated_robot': ('simulated_robot:SimulatedRobotNode', ['-p', 'camera_size:=32']),
}
#: What rclpy gives every node, and every managed one.
OF_RCLPY = re.compile(
    r'/rosout|/parameter_events|/clock|.*/transition_event|.*/_action/.*|'
    r'.*/(get|set|list|describe)_parameter\w*|.*/set_parameters_atomically|'
    r'.*/get_type_description|.*/(change|get)_state|.*/get_available_\w+|.*/get_transition_graph')


def described(page: str) -> set[tuple[str, str, str, str]]:
    """(verb, full name, type, profile) of each row of a page's first table."""
    found = set()
    for line in (PAGES / f'{page}.md').read_text().splitlines():
        row = [cell.strip() for cell in line.strip('|').split(' | ')]
        if len(row) < 4 or row[2] not in {'publishes', 'subscribes', 'serves', 'calls'}:
            continue
        name = row[0].strip('`').replace('<robot>', '/arm_1')
        if not name.startswith('/'):
            name = f'/{name}' if page == 'scheduler' else f'/arm_1/{name}'
        kind = re.sub(r'\[(\w+)\]\(.*', r'active_collection/\1', row[1])
        found.add((row[2], name, kind, row[3]))
    return found


def profile_of(endpoint) -> str:
    seen = endpoint.qos_profile
    for name, profile in PROFILES.items():
        if (seen.reliability, seen.durability, seen.depth) == (
                profile.reliability, profile.durability, profile.depth):
            return name
    return f'{seen.reliability.name}, {seen.durability.name}, {seen.depth}'


def type_of(kind) -> str:
    return f'{kind.__module__.partition(".")[0]}/{kind.__name__}'


def actual(node) -> set[tuple[str, str, str, str]]:
    found = set()
    for endpoint in node.publishers:
        found.add(('publishes', endpoint.topic_name, type_of(endpoint.msg_type),
                   profile_of(endpoint)))
    for endpoint in node.subscriptions:
        found.add(('subscribes', endpoint.topic_name, type_of(endpoint.msg_type),
                   profile_of(endpoint)))
    for endpoint in node.services:
        found.add(('serves', node.resolve_service_name(endpoint.srv_name),
                   type_of(endpoint.srv_type), ''))
    for endpoint in node.clients:
        found.add(('calls', node.resolve_service_name(endpoint.srv_name),
                   type_of(endpoint.srv_type), ''))
    for verb, names in (('serves', get_action_server_names_and_types_by_node),
                        ('calls', get_action_client_names_and_types_by_node)):
        for name, types in names(node, node.get_name(), node.get_namespace()):
            found |= {(verb, name, kind.replace('/action/', '/'), '') for kind in types}
    return {each for each in found if not OF_RCLPY.fullmatch(each[1])}


@contextmanager
def running(name: str, directory: Path):
    """A node, in this process, and beside it the topics of a robot that a scheduler finds."""
    module, _, kind = NODES[name][0].partition(':')
    given = {'recorder': {'data_directory': directory / 'data'},
             'scheduler': {'space': ROOT / 'config' / 'metaworld_mt10.yaml',
                           'ledger': directory / 'scheduler.sqlite3'}}.get(name, {})
    arguments = ['--ros-args', *NODES[name][1]]
    if name != 'scheduler':
        arguments += ['-r', f'{name}:__ns:=/arm_1']
    for key, value in given.items():
        arguments += ['-p', f'{key}:={value}']
    rclpy.init(args=arguments)
    peer = rclpy.create_node('peer', namespace='/arm_1', use_global_arguments=False)
    try:
        from active_collection.msg import Episode
        from active_collection.msg import RobotStatus

        if name == 'scheduler':
            peer.create_publisher(Episode, 'episodes', qos.EPISODES)
            peer.create_publisher(RobotStatus, 'robot_status', qos.HEARTBEAT)
        found = importlib.import_module(f'active_collection.nodes.{module}.{module}')
        node = getattr(found, kind)()
        try:
            yield node
        finally:
            close = getattr(node, 'close', None)
            if close is not None:
                close()
            node.destroy_node()
    finally:
        peer.destroy_node()
        rclpy.try_shutdown()


@pytest.mark.parametrize('name', NODES)
def test_a_page_names_every_interface_of_its_node(name, tmp_path):
    if name == 'simulated_robot':
        pytest.importorskip('metaworld')
    expected = described(name)
    with running(name, tmp_path) as node:
        published = {publisher.topic_name for publisher in node.publishers}
        if '/arm_1/camera/image_raw' not in published:  # of a machine that cannot render
            expected = {each for each in expected if '/camera/' not in each[1]}
        deadline = time.monotonic() + 15
        while (found := actual(node)) != expected and time.monotonic() < deadline:
            rclpy.spin_once(node, timeout_sec=0.1)

    assert sorted(found - expected) == [], 'not on the page'
    assert sorted(expected - found) == [], 'not of the node'


@pytest.mark.parametrize(('name', 'level'), [
    ('recorder', DiagnosticStatus.OK), ('uncertainty', DiagnosticStatus.WARN)])
def test_the_page_of_diagnostics_names_each_status(name, level, tmp_path):
    """A recorder that is idle is well, an uncertainty node without an ensemble is not."""
    page = (ROOT / 'docs' / 'reference' / 'diagnostics.md').read_text()
    row = re.search(rf'^\| \[{name}\]\(.*?\) \| `(.*?)` \|', page, re.MULTILINE)
    received = []
    with running(name, tmp_path) as node:
        node.create_subscription(
            DiagnosticArray, '/diagnostics', received.append, qos.DIAGNOSTICS)
        deadline = time.monotonic() + 15
        while not received and time.monotonic() < deadline:
            rclpy.spin_once(node, timeout_sec=0.1)

    assert [(status.name, status.hardware_id, status.level) for status in received[0].status] == [
        (row[1].replace('<node>', f'/arm_1/{name}'), 'arm_1', level)]


@pytest.mark.parametrize('path', [path for kind in ('msg', 'srv', 'action') for path in sorted(
    (ROOT / kind).iterdir())], ids=lambda path: path.name)
def test_an_interface_is_read_as_rosidl_reads_it(path):
    sys.path.insert(0, str(ROOT / 'docs'))
    from generator import interfaces

    module = importlib.import_module(f'active_collection.{path.parent.name}')
    generated = getattr(module, path.stem)
    for name, entries in interfaces.read(path).parts.items():
        kind = getattr(generated, name) if name else generated
        fields = kind.get_fields_and_field_types()
        assert [entry.name for entry in entries if not entry.value] == list(fields)
        for constant in [entry for entry in entries if entry.value]:
            assert getattr(kind, constant.name) == int(constant.value)


def test_the_profiles_are_those_of_the_page():
    rows = re.findall(r'^\| (\w+) \| (best effort|reliable) \| ([\w ]+) \| (\d+) \|$',
                      (PAGES / 'README.md').read_text(), re.MULTILINE)

    assert {name: (reliability, durability, int(depth))
            for name, reliability, durability, depth in rows} == {
        name: (profile.reliability.name.lower().replace('_', ' '),
               profile.durability.name.lower().replace('_', ' '), profile.depth)
        for name, profile in PROFILES.items()}
