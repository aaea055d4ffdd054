# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The doctor at two robots of real nodes: one that is well, and one with everything wrong."""
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime
from datetime import timezone
from functools import partial
from pathlib import Path

import pytest
import torch

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import RobotStatus
from active_collection.msg import Scenario
from fleet_peers import Console
from fleet_peers import Process
from fleet_peers import Rig
from fleet_peers import until
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState
from shape_msgs.msg import Plane
from spinner import Spinner
from uncertainty_peers import SPEC

from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_msg
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.settings import TrainingSettings

WELL, ILL = f'well_{os.getpid()}', f'ill_{os.getpid()}'
HERTZ = 20.0
SPACE = """
format: 1
tasks: {push: {collectors: [scripted]}, pull: {collectors: [teleoperation]}}
environments: {cell: {}}
"""


class Driver(Node):
    """Publishes a robot's joints and hand at a steady rate, with a stamp of now and some more."""

    def __init__(self, robot):
        super().__init__('driver', namespace=f'/{robot}')
        self.joints = self.create_publisher(JointState, 'joints', qos.STATE)
        self.hand = self.create_publisher(PoseStamped, 'hand', qos.STATE)
        self.create_timer(1 / HERTZ, self.publish)

    def stamp(self, ahead_s=0.0):
        return time_to_msg(self.get_clock().now().nanoseconds + round(ahead_s * 1e9))

    def publish(self):
        joints = JointState(name=['a', 'b'], position=[0.1, 0.2])
        joints.header.stamp = self.stamp()
        self.joints.publish(joints)
        self.pose(self.hand)

    def pose(self, publisher, stamp=None):
        pose = PoseStamped()
        pose.header.stamp = self.stamp() if stamp is None else stamp
        publisher.publish(pose)


class IllDriver(Driver):
    """Has a clock that is ahead, forgets stamps, and offers too little."""

    def __init__(self, robot):
        super().__init__(robot)
        self.ahead = self.create_publisher(PoseStamped, 'ahead', qos.STATE)
        self.bare = self.create_publisher(PoseStamped, 'bare', qos.STATE)
        self.shape = self.create_publisher(Plane, 'shape', qos.STATE)
        self.scenario = self.create_publisher(Scenario, 'scenario', qos.STATE)
        self.image = self.create_publisher(Image, 'image', qos.SENSOR)
        self.create_subscription(Image, 'image', lambda image: None, qos.STATE)

    def publish(self):
        super().publish()
        self.pose(self.ahead, self.stamp(5.0))
        self.pose(self.bare, time_to_msg(0))


def train(out):
    """Make an ensemble that sees what a driver publishes."""
    torch.set_num_threads(1)
    spec = parse(SPEC, ObservationSpec, where='spec.yaml')
    generator = torch.Generator().manual_seed(0)
    episodes = []
    for number in range(4):
        seen = torch.rand(30, 7, generator=generator)
        episodes.append(DecodedEpisode(str(number), 'push', seen, seen[:, :2] - seen[:, 2:4]))
    build(Dataset.of(episodes, spec, {'hand': 3, 'joints': 2, 'task': 2}), spec,
          TrainingSettings(members=2, hidden=(8,), steps=5), out=out,
          now=datetime(2026, 1, 1, tzinfo=timezone.utc))


def describe(out):
    """Make an ensemble that asks for what no driver publishes."""
    text = SPEC.replace('joints.position[b, a]', 'joints.torque')
    description = EnsembleDescription(
        ensemble_id='e1', created='2026', members=1, sizes={'hand': 3, 'joints': 2, 'task': 2},
        observation=parse(text, ObservationSpec, where='spec.yaml'))
    (out / 'e1').mkdir(parents=True)
    (out / 'e1' / 'description.json').write_text(description.model_dump_json())


@contextmanager
def running(path):
    """Give both robots with their nodes, and take them down again."""
    (path / 'space.yaml').write_text(SPACE)
    train(path / 'well' / 'ensembles')
    describe(path / 'ill' / 'ensembles')
    start = partial(Process, log=path / 'log')
    reserve = {'disk_reserve_bytes': 0}
    processes = [
        start('scheduler', space=path / 'space.yaml', ledger=path / 'ledger.sqlite3'),
        start('recorder', namespace=WELL, data_directory=path / 'well', required_topics='[joints]',
              expected_rates=f"['joints={HERTZ}', 'hand={HERTZ}']", **reserve),
        start('uncertainty', namespace=WELL, ensembles=path / 'well' / 'ensembles'),
        start('agent', namespace=WELL, collectors='[scripted, teleoperation]'),
        start('recorder', namespace=ILL, data_directory=path / 'ill', auto_start='false',
              required_topics="['joints', 'wrist/image']",
              expected_rates=f"['joints={2 * HERTZ}']", **reserve)]
    rig, console = Rig(WELL), Console()
    rig.act.clear()
    statuses = []
    console.create_subscription(
        RobotStatus, f'/{WELL}/robot_status', statuses.append, qos.HEARTBEAT)
    spinner = Spinner(rig, console, Driver(WELL), IllDriver(ILL),
                      *(Node('uncertainty', namespace=f'/{ILL}') for _ in range(2)))
    try:
        until(lambda: any(s.state == RobotStatus.COLLECTING for s in statuses), what='an attempt')
        awaited = {('recorder', f'/{ILL}'), ('uncertainty', f'/{WELL}')}
        until(lambda: awaited <= set(console.get_node_names_and_namespaces()), what='the nodes')
        yield
    finally:
        rig.let_go()
        spinner.close()
        for process in processes:
            process.close()


@pytest.fixture(scope='module')
def reports(ros, tmp_path_factory):
    """Give what the doctor says of each robot: exit status, and check to its findings."""
    path = tmp_path_factory.mktemp('doctor')
    stub = path / 'stub' / 'shape_msgs'  # a machine that lacks a message package
    stub.mkdir(parents=True)
    (stub / '__init__.py').write_text('')
    paths = f'{stub.parent}:{os.environ.get("PYTHONPATH", "")}'
    with running(path):
        commands = {robot: subprocess.Popen(
            [sys.executable, '-m', 'active_collection.cli.main', 'doctor', '--robot', robot,
             '--json', '--limit', '90', '--seconds', '3', *more], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd='/', env={**os.environ, 'PYTHONPATH': paths})
            for robot, more in ((WELL, []), (ILL, ['--data', str(path / 'ill')]))}
        told = {}
        for robot, process in commands.items():
            output, errors = process.communicate(timeout=100)
            assert errors == ''
            found = {}
            for line in map(json.loads, output.splitlines()):
                found.setdefault(line['check'], []).append(line)
            told[robot] = (process.returncode, found)
        yield told


def of(reports, robot, check):
    """Return verdict and text of each finding of a check."""
    return [(line['verdict'], f'{line["found"]}; {line["remedy"]}')
            for line in reports[robot][1][check]]


def test_a_robot_that_is_well_ends_with_status_0(reports):
    status, found = reports[WELL]
    wrong = [line for lines in found.values() for line in lines if line['verdict'] == 'wrong']
    assert (status, wrong) == (0, [])


@pytest.mark.parametrize('check', [
    'nodes', 'recorder', 'simulated time', 'topics', 'rates', 'stamps', 'QoS', 'actions',
    'specification', 'scheduler', 'scenarios', 'data directory', 'ensembles'])
def test_every_check_of_a_robot_that_is_well_was_made(reports, check):
    assert [verdict for verdict, _ in of(reports, WELL, check)] == ['ok']


def test_what_is_configured_is_read_from_the_nodes_themselves(reports):
    data = of(reports, WELL, 'data directory')[0][1]
    assert '/well, of uid' in data
    assert '2 of 2 tasks are for it: pull, push' in of(reports, WELL, 'scenarios')[0][1]
    assert f'/{WELL}/joints' in of(reports, WELL, 'topics')[0][1]
    assert any(f'/{WELL}/recorder (process' in text for _, text in of(reports, WELL, 'processes'))


@pytest.mark.parametrize(('check', 'verdict', 'said'), [
    ('topics', 'wrong', f'/{ILL}/wrist/image is required and has no publisher'),
    ('topics', 'wrong', f'/{ILL}/shape: not recorded: its type shape_msgs/msg/Plane is not inst'),
    ('rates', 'wrong', f'/{ILL}/joints: '),
    ('stamps', 'wrong', f'/{ILL}/ahead: its stamps are '),
    ('stamps', 'wrong', f'/{ILL}/bare: '),
    ('QoS', 'wrong', f'/{ILL}/image: /{ILL}/driver offers reliability best_effort'),
    ('QoS', 'wrong', f'/{ILL}/scenario: /{ILL}/driver offers durability volatile'),
    ('nodes', 'wrong', f'2 nodes are called /{ILL}/uncertainty'),
    ('nodes', 'warning', f'no /{ILL}/agent'),
    ('recorder', 'wrong', f'/{ILL}/recorder is unconfigured'),
    ('specification', 'wrong', "joints.torque: found no field 'torque' in JointState"),
    ('ensembles', 'wrong', '/ill/ensembles/e1: ')])
def test_each_fault_of_the_other_robot_is_found(reports, check, verdict, said):
    found = of(reports, ILL, check)
    assert any(each == verdict and said in text for each, text in found), found


def test_a_robot_with_faults_ends_with_status_1(reports):
    assert reports[ILL][0] == 1


def test_every_fault_says_what_to_do(reports):
    for _, found in reports.values():
        for line in (line for lines in found.values() for line in lines):
            is_bad = line['verdict'] in {'wrong', 'warning'}
            assert bool(line['remedy'] and line['expected']) or not is_bad, line
