# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The uncertainty node as a process of its own, over real DDS."""
from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from datetime import datetime
from datetime import timezone
from pathlib import Path

import numpy as np
import pytest
import torch
from active_collection.msg import Factor
from active_collection.msg import HighUncertainty
from active_collection.msg import RecorderStatus
from active_collection.msg import Scenario
from active_collection.msg import UncertaintyEstimate
from active_collection.srv import LoadEnsemble
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState

from active_collection.bags.encoders import encoder_files
from active_collection.bags.encoders import with_fingerprints
from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_msg
from active_collection.nodes.conversions import time_to_ns
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.ensemble_files import save
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.scoring import score_bag
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.threshold_file import read_recent

DEADLINE_S = 30.0
SPEC = """
format: 1
reference: hand
tolerance_s: 1.0
wait_s: 10.0
observation:
  - {name: hand, field: 'hand.pose.position'}
  - {name: joints, field: 'joints.position[b, a]'}
  - {name: task, field: 'scenario.task', latched: true, one_of: [push, pull]}
action: {field: 'action.position', low: [-1, -1], high: [1, 1]}
"""


PICTURED = """
format: 1
reference: hand
tolerance_s: 1.0
wait_s: 10.0
observation:
  - {name: hand, field: 'hand.pose.position'}
  - {name: front, image: 'front/image'}
  - {name: wrist, image: 'wrist/image', encoder: {kind: torchscript, file: colours.ts, size: 32}}
action: {field: 'action.position', low: [-1, -1], high: [1, 1]}
"""


class Colours(torch.nn.Module):
    """Mean of each colour of a picture."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean((2, 3))


@pytest.fixture(scope='module')
def ensembles(tmp_path_factory):
    """Two ensembles of one specification; the second is the newer one."""
    torch.set_num_threads(1)
    spec = parse(SPEC, ObservationSpec, where='spec.yaml')
    generator = torch.Generator().manual_seed(0)
    episodes = []
    for number in range(4):
        seen = torch.rand(30, 7, generator=generator)
        episodes.append(DecodedEpisode(str(number), 'push', seen, seen[:, :2] - seen[:, 2:4]))
    dataset = Dataset.of(episodes, spec, {'hand': 3, 'joints': 2, 'task': 2})
    out = tmp_path_factory.mktemp('ensembles')
    return [build(dataset, spec, TrainingSettings(members=3, hidden=(16,), steps=20, seed=day),
                  out=out, now=datetime(2026, 1, day, tzinfo=timezone.utc)).path
            for day in (1, 2)]


@pytest.fixture(scope='module', params=['laplace', 'members'])
def pictured(request, tmp_path_factory):
    """Ensembles that see a camera through an encoder, and predict chunks of actions."""
    spec = parse(PICTURED, ObservationSpec, where='spec.yaml')
    files = tmp_path_factory.mktemp('files')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.script(Colours()).save(str(files / 'colours.ts'))
    spec = with_fingerprints(spec, files)
    generator = torch.Generator().manual_seed(0)
    sizes = {'hand': 3, 'front': 64, 'wrist': 3}
    episodes = []
    for number in range(4):
        seen = torch.rand(30, sum(sizes.values()), generator=generator)
        task = ('push', 'pull')[number % 2]
        episodes.append(DecodedEpisode(str(number), task, seen, seen[:, :2] - seen[:, 2:4]))
    settings = TrainingSettings(
        kind=request.param, members=3, hidden=(16,), steps=20, horizon=4,
        novelty='relative_mahalanobis',
        measure='mutual_information' if request.param == 'members' else 'variance')
    return build(Dataset.of(episodes, spec, sizes), spec, settings,
                 out=tmp_path_factory.mktemp('pictured'), encoders=encoder_files(spec, files),
                 now=datetime(2026, 1, 3, tzinfo=timezone.utc)).path


@pytest.fixture(scope='module')
def large(ensembles, tmp_path_factory):
    """An ensemble of 8 million parameters that sees the same."""
    description = json.loads((ensembles[0] / 'description.json').read_text())
    network = {'hidden': [1024, 1024], 'variance_floor': 1e-4}
    members = MlpMembers(members=8, inputs=7, actions=2, hidden=(1024, 1024), variance_floor=1e-4)
    members.initialise(torch.Generator().manual_seed(0))
    changed = EnsembleDescription.model_validate({
        **description, 'ensemble_id': 'large', 'members': 8, 'network': network, 'novelty': {}})
    return save(tmp_path_factory.mktemp('large'), changed, members.state_dict(),
                weights='members.safetensors')


@pytest.fixture(scope='module')
def other_topics(ensembles, tmp_path_factory):
    """An ensemble that sees a tool beside the hand."""
    spec = parse(SPEC.replace(
        "  - {name: joints, field: 'joints.position[b, a]'}",
        "  - {name: joints, field: 'tool.pose.position.x'}"), ObservationSpec, where='spec.yaml')
    generator = torch.Generator().manual_seed(0)
    episodes = []
    for number in range(4):
        seen = torch.rand(30, 6, generator=generator)
        episodes.append(DecodedEpisode(str(number), 'push', seen, seen[:, :2]))
    dataset = Dataset.of(episodes, spec, {'hand': 3, 'joints': 1, 'task': 2})
    return build(dataset, spec, TrainingSettings(members=3, hidden=(16,), steps=20),
                 out=tmp_path_factory.mktemp('other'),
                 now=datetime(2026, 1, 9, tzinfo=timezone.utc)).path


class Robot(Node):
    """What surrounds an uncertainty node: sensors, an agent, a recorder, a reader."""

    def __init__(self, namespace):
        super().__init__('robot', namespace=namespace)
        self.hand = self.create_publisher(PoseStamped, 'hand', qos.STATE)
        self.joints = self.create_publisher(JointState, 'joints', qos.SENSOR)
        self.cameras = [self.create_publisher(Image, f'{camera}/image', qos.SENSOR)
                        for camera in ('front', 'wrist')]
        self.scenario = self.create_publisher(Scenario, 'scenario', qos.LATCHED)
        self.recorder = self.create_publisher(RecorderStatus, 'recorder/status', qos.LATCHED)
        self.loading = self.create_client(LoadEnsemble, 'uncertainty/load_ensemble')
        self.estimates, self.reports, self.shown = [], [], []
        self.create_subscription(
            UncertaintyEstimate, 'uncertainty/estimate', self.estimates.append, qos.STATE)
        self.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)

    def _on_diagnostics(self, array):
        self.reports += [s for s in array.status if s.name.startswith(self.get_namespace())]

    def report_with(self, text):
        return next((s for s in reversed(self.reports) if text in s.message), None)

    def show(self, step, position, joints):
        """Publish one observation, joints in another order than the specification has."""
        stamp = time_to_msg(10**9 + step * 20_000_000)
        state = _stamped(JointState(name=['a', 'b'], position=[joints[1], joints[0]],
                                    velocity=[0.0, 0.0], effort=[0.0, 0.0]), stamp)
        self.joints.publish(state)
        pose = _stamped(PoseStamped(), stamp)
        pose.header.frame_id = 'base_link'
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = position
        self.hand.publish(pose)
        self.shown += [('joints', state), ('hand', pose)]

    def show_pictures(self, step):
        """Publish a picture of each camera."""
        random = np.random.default_rng(step)
        for camera, publisher in zip(('front', 'wrist'), self.cameras, strict=True):
            pixels = random.integers(0, 255, (48, 64, 3), np.uint8)
            picture = _stamped(
                Image(height=48, width=64, encoding='bgr8', step=192, data=pixels.tobytes()),
                time_to_msg(10**9 + step * 20_000_000))
            publisher.publish(picture)
            self.shown.append((f'{camera}/image', picture))

    def is_heard(self):
        return self.hand.get_subscription_count() and self.joints.get_subscription_count()

    def load(self, path):
        assert self.loading.wait_for_service(DEADLINE_S)
        done = threading.Event()
        future = self.loading.call_async(LoadEnsemble.Request(path=str(path)))
        future.add_done_callback(lambda _: done.set())
        assert done.wait(DEADLINE_S)
        return future.result()


def _stamped(message, stamp):
    message.header.stamp = stamp
    return message


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f'waited in vain for {what}'
        time.sleep(0.01)


@pytest.fixture
def robot(ros, request):
    node = Robot(f'/u{abs(hash(request.node.name)) % 10**8}')
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    node.scenario.publish(Scenario(task='pull', environment='table'))
    yield node
    executor.shutdown()
    thread.join(5)
    node.destroy_node()


@pytest.fixture
def start(robot):
    """Start uncertainty nodes; whatever still runs at the end is ended."""
    processes = []

    def start_node(**parameters):
        executable = Path(get_package_prefix('active_collection'),
                          'lib', 'active_collection', 'uncertainty')
        values = {'reload_period_s': 0.1, 'diagnostics_period_s': 0.2, **parameters}
        command = [sys.executable, str(executable), '--ros-args',
                   '-r', f'__ns:={robot.get_namespace()}']
        for name, value in values.items():
            command += ['-p', f'{name}:={value}']
        processes.append(subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ))
        return processes[-1]

    yield start_node
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def steps(count):
    random = np.random.default_rng(1)
    return random.random((count, 3)), random.random((count, 2))


def test_each_observation_gets_the_numbers_that_the_library_gives(robot, start, ensembles):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    positions, joints = steps(40)
    robot.recorder.publish(RecorderStatus(state=RecorderStatus.RECORDING, episode_id='e1'))
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    for step in range(40):
        robot.show(step, positions[step], joints[step])
    wait_for(lambda: len(robot.estimates) == 40, 'estimates')

    monitor = UncertaintyMonitor(load(ensembles[0]))
    monitor.start_episode('e1')
    for step, message in enumerate(robot.estimates):
        stamp = 10**9 + step * 20_000_000
        values = np.concatenate([positions[step], joints[step], [0.0, 1.0]])
        expected = monitor.observe(values, stamp)
        assert time_to_ns(message.header.stamp) == stamp
        assert message.header.frame_id == 'base_link'
        assert message.ensemble_id == ensembles[0].name
        assert message.epistemic == np.float32(expected.epistemic)
        assert message.aleatoric == np.float32(expected.aleatoric)
        assert message.total == np.float32(expected.total)
        assert message.novelty == np.float32(expected.novelty)
        assert message.threshold == np.float32(expected.threshold)
        assert message.high == expected.high
        np.testing.assert_array_equal(
            message.action_mean, expected.action_chunk.astype(np.float32).ravel())
        np.testing.assert_array_equal(
            message.member_disagreement, expected.member_disagreement.astype(np.float32))
        np.testing.assert_array_equal(
            message.epistemic_per_step, expected.epistemic_per_step.astype(np.float32))
        assert message.novelty_p_value == np.float32(expected.novelty_p_value)
        assert (message.horizon, message.measure) == (1, 'variance')
        assert message.episode.steps == step + 1
        assert message.episode.epistemic_mean == np.float32(expected.episode.epistemic_mean)
    assert robot.estimates[-1].episode.episode_id == 'e1'


def write_bag(path, messages, definitions):
    """Write (topic, message) pairs as a recorder would, 1 ms apart."""
    store = get_typestore(Stores.LATEST)
    for name in ('Factor', 'Scenario'):
        text = (definitions / f'{name}.msg').read_text()
        store.register(get_types_from_msg(text, f'active_collection/msg/{name}'))
    types = {'scenario': 'active_collection/msg/Scenario', 'joints': 'sensor_msgs/msg/JointState',
             'hand': 'geometry_msgs/msg/PoseStamped', 'front/image': 'sensor_msgs/msg/Image',
             'wrist/image': 'sensor_msgs/msg/Image'}
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {topic: writer.add_connection(f'/robot/{topic}', kind, typestore=store)
                       for topic, kind in types.items()}
        for number, (topic, message) in enumerate(messages):
            writer.write(connections[topic], 10**18 + number * 10**6, serialize_message(message))


def test_scoring_a_bag_gives_exactly_the_numbers_that_the_node_gave(
        robot, start, ensembles, tmp_path, pytestconfig):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    robot.recorder.publish(RecorderStatus(state=RecorderStatus.RECORDING, episode_id='bag'))
    for step, (position, joints) in enumerate(zip(*steps(150), strict=True)):
        robot.show(step, position, joints)
        wait_for(lambda sent=step: len(robot.estimates) > sent, 'the estimate')
    # serialize_message leaves rubbish behind an empty array at the end
    scenario = Scenario(task='pull', environment='table', configuration=[Factor(name='x')])
    write_bag(tmp_path / 'bag', [('scenario', scenario), *robot.shown],
              pytestconfig.rootpath / 'msg')

    scored = score_bag(tmp_path / 'bag', load(ensembles[0]))

    assert len(scored.estimates) == len(robot.estimates) == 150
    assert_same(scored.estimates, robot.estimates)


def assert_same(estimates, messages):
    """Compare every number of the node's with those of a bag."""
    for offline, online in zip(estimates, messages, strict=True):
        assert offline.stamp_ns == time_to_ns(online.header.stamp)
        assert (offline.ensemble_id, offline.measure, offline.high) == (
            online.ensemble_id, online.measure, online.high)
        for name in ('epistemic', 'aleatoric', 'total', 'novelty', 'novelty_p_value',
                     'threshold'):
            np.testing.assert_array_equal(
                np.float32(getattr(offline, name)), np.float32(getattr(online, name)), name)
        for name in ('epistemic_per_dimension', 'epistemic_per_step', 'member_disagreement'):
            np.testing.assert_array_equal(
                getattr(offline, name).astype(np.float32), getattr(online, name), name)
        np.testing.assert_array_equal(
            offline.action_chunk.astype(np.float32).ravel(), online.action_mean)
        assert offline.action_chunk.shape[0] == online.horizon
        for name in ('epistemic_mean', 'epistemic_max', 'epistemic_p95', 'aleatoric_mean',
                     'novelty_mean', 'above_threshold', 'steps'):
            assert np.float32(getattr(offline.episode, name)) == np.float32(
                getattr(online.episode, name))


def test_pictures_and_chunks_are_scored_alike_by_the_node_and_from_a_bag(
        robot, start, pictured, tmp_path, pytestconfig):
    start(ensembles=str(pictured))
    wait_for(lambda: robot.hand.get_subscription_count()
             and all(camera.get_subscription_count() for camera in robot.cameras),
             'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    robot.recorder.publish(RecorderStatus(state=RecorderStatus.RECORDING, episode_id='bag'))
    wait_for(robot.recorder.get_subscription_count, 'the recorder to be heard')
    for step, (position, joints) in enumerate(zip(*steps(40), strict=True)):
        robot.show_pictures(step)
        robot.show(step, position, joints)
        wait_for(lambda sent=step: len(robot.estimates) > sent, 'the estimate')
    scenario = Scenario(task='pull', environment='table', configuration=[Factor(name='x')])
    write_bag(tmp_path / 'bag', [('scenario', scenario), *robot.shown],
              pytestconfig.rootpath / 'msg')

    scored = score_bag(tmp_path / 'bag', load(pictured))

    assert len(scored.estimates) == len(robot.estimates) == 40
    assert {e.horizon for e in robot.estimates} == {4}
    assert len({e.novelty for e in robot.estimates}) == 40  # each picture was seen
    assert_same(scored.estimates, robot.estimates)


def test_without_an_ensemble_it_says_so_and_takes_the_first_that_comes(
        robot, start, ensembles, tmp_path):
    start(ensembles=str(tmp_path / 'ensembles'))
    wait_for(lambda: robot.report_with('no ensemble yet'), 'the report')

    (tmp_path / 'ensembles').mkdir()
    shutil.copytree(ensembles[0], tmp_path / 'ensembles' / ensembles[0].name)
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    robot.show(0, [0.1, 0.2, 0.3], [0.4, 0.5])

    wait_for(lambda: robot.estimates, 'an estimate')
    assert robot.estimates[0].episode.steps == 0


def test_a_newer_ensemble_is_taken_without_missing_an_observation(
        robot, start, ensembles, tmp_path):
    shutil.copytree(ensembles[0], tmp_path / ensembles[0].name)
    start(ensembles=str(tmp_path))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    positions, joints = steps(2000)

    step = 0
    while not (robot.estimates and robot.estimates[-1].ensemble_id == ensembles[1].name):
        robot.show(step, positions[step], joints[step])
        wait_for(lambda sent=step: len(robot.estimates) > sent, 'the estimate')
        if step == 20:
            shutil.copytree(ensembles[1], tmp_path / '.copy')
            (tmp_path / '.copy').rename(tmp_path / ensembles[1].name)
        step += 1
        assert step < 2000

    ids = [e.ensemble_id for e in robot.estimates]
    assert len(ids) == step
    assert ids == sorted(ids)


def test_a_bad_ensemble_is_refused_and_the_old_one_goes_on(robot, start, ensembles, tmp_path):
    shutil.copytree(ensembles[0], tmp_path / ensembles[0].name)
    start(ensembles=str(tmp_path))
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    bad = tmp_path / '20990101T000000-ffffff'
    shutil.copytree(ensembles[1], bad)
    (bad / 'members.safetensors').write_bytes(b'nonsense')

    wait_for(lambda: robot.report_with('refused'), 'the refusal')
    answer = robot.load(bad)
    wait_for(robot.is_heard, 'subscriptions')
    robot.show(0, [0.1, 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: robot.estimates, 'an estimate')

    assert 'members.safetensors' in robot.report_with('refused').message
    assert not answer.loaded
    assert 'members.safetensors' in answer.message
    assert answer.ensemble_id == ensembles[0].name
    assert robot.estimates[0].ensemble_id == ensembles[0].name


def test_the_service_loads_an_ensemble(robot, start, ensembles):
    start()

    answer = robot.load(ensembles[1].parent)

    assert answer.loaded
    assert answer.ensemble_id == ensembles[1].name


def test_bad_input_is_told_and_does_not_end_it(robot, start, ensembles):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    robot.show(0, [float('nan'), 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: robot.report_with('hand.pose.position: NaN'), 'the report')
    robot.scenario.publish(Scenario(task='sing', environment='table'))
    wait_for(lambda: robot.report_with("found 'sing'"), 'the report')
    robot.show(1, [0.1, 0.2, 0.3], [0.4, 0.5])

    wait_for(lambda: robot.estimates, 'an estimate')
    assert len(robot.estimates) == 1


def test_high_uncertainty_is_an_event_and_the_threshold_outlives_a_restart(
        robot, start, ensembles, tmp_path):
    events = []
    robot.create_subscription(
        HighUncertainty, 'uncertainty/high_uncertainty', events.append, qos.STATE)
    process = start(ensembles=str(ensembles[0]), state_file=str(tmp_path / 'recent.json'))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    robot.recorder.publish(RecorderStatus(state=RecorderStatus.RECORDING, episode_id='e1'))
    robot.show(0, [0.5, 0.5, 0.5], [0.5, 0.5])
    wait_for(lambda: robot.estimates and robot.estimates[-1].episode.steps, 'the episode')
    for step, scale in enumerate([1.0] * 4 + [1000.0] * 3 + [1.0] * 5, start=1):
        robot.show(step, [0.5 * scale, 0.5, 0.5], [0.5, 0.5])
    wait_for(lambda: len(robot.estimates) == 13, 'estimates')
    wait_for(lambda: len(events) == 2, 'events')
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)

    assert [event.state for event in events] == [HighUncertainty.BEGIN, HighUncertainty.END]
    for event, step in zip(events, (5, 8), strict=True):
        estimate = robot.estimates[step]
        assert event.header == estimate.header
        assert event.episode_id == 'e1'
        assert event.ensemble_id == ensembles[0].name
        assert event.measure == 'epistemic'
        assert (event.value, event.threshold) == (estimate.epistemic, estimate.threshold)
    assert [event.duration for event in events] == [0.0, pytest.approx(0.06)]
    assert time_to_ns(events[0].header.stamp) == 10**9 + 5 * 20_000_000
    assert time_to_ns(events[1].header.stamp) == 10**9 + 8 * 20_000_000
    recent = read_recent(tmp_path / 'recent.json', ensembles[0].name, 'epistemic')
    np.testing.assert_array_equal(
        np.float32(recent[-13:]), [e.epistemic for e in robot.estimates])


def test_novelty_can_raise_the_event_and_its_end_is_told_when_the_node_ends(
        robot, start, ensembles):
    events = []
    robot.create_subscription(
        HighUncertainty, 'uncertainty/high_uncertainty', events.append, qos.STATE)
    process = start(**{'ensembles': str(ensembles[0]), 'threshold.measure': 'novelty',
                       'threshold.minimum': 10})
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    robot.show(0, [0.5, 0.5, 0.5], [0.5, 0.5])
    robot.show(1, [9.0, 9.0, 9.0], [9.0, 9.0])
    wait_for(lambda: len(robot.estimates) == 2 and events, 'the event')
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)
    wait_for(lambda: len(events) == 2, 'the end')

    assert [event.state for event in events] == [HighUncertainty.BEGIN, HighUncertainty.END]
    assert events[0].measure == 'novelty'
    assert events[0].value == robot.estimates[1].novelty
    assert robot.estimates[1].threshold < events[0].value
    assert robot.estimates[1].novelty_p_value < 0.1


def test_no_observation_of_50_hz_is_missed_while_ensembles_are_loaded(
        robot, start, ensembles, large):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    assert robot.loading.wait_for_service(DEADLINE_S)
    positions, joints = steps(50)
    answers = []

    due = time.monotonic()
    for step in range(250):
        robot.show(step, positions[step % 50], joints[step % 50])
        if step in {50, 100, 150}:
            future = robot.loading.call_async(LoadEnsemble.Request(
                path=str(large if step != 100 else ensembles[1])))
            future.add_done_callback(lambda f: answers.append(f.result()))
        due += 0.02
        time.sleep(max(0.0, due - time.monotonic()))  # what a sensor at 50 Hz does
    wait_for(lambda: len(answers) == 3, 'the answers')
    wait_for(lambda: len(robot.estimates) == 250, 'every estimate')

    assert all(answer.loaded for answer in answers)
    assert [a.ensemble_id for a in answers] == [large.name, ensembles[1].name, large.name]
    stamps = [time_to_ns(e.header.stamp) for e in robot.estimates]
    assert stamps == [10**9 + step * 20_000_000 for step in range(250)]
    ids = [e.ensemble_id for e in robot.estimates]
    changes = [ids[0], *(b for a, b in itertools.pairwise(ids) if a != b)]
    assert changes == [ensembles[0].name, large.name, ensembles[1].name, large.name]
    waits = [e.latency.sec + e.latency.nanosec / 1e9 for e in robot.estimates]
    assert np.median(waits) < 0.05


def test_an_ensemble_that_sees_other_topics_takes_over_with_its_first_observation(
        robot, start, ensembles, other_topics):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    tool = robot.create_publisher(PoseStamped, 'tool', qos.STATE)
    positions, joints = steps(40)

    assert robot.load(other_topics).loaded
    for step in range(20):  # nothing of the tool yet: the old one goes on
        robot.show(step, positions[step], joints[step])
        wait_for(lambda sent=step: len(robot.estimates) > sent, 'the estimate')
    wait_for(tool.get_subscription_count, 'the subscription to the tool')
    for step in range(20, 40):
        pose = _stamped(PoseStamped(), time_to_msg(10**9 + step * 20_000_000))
        pose.pose.position.x = positions[step][0]
        tool.publish(pose)
        robot.show(step, positions[step], joints[step])
        wait_for(lambda sent=step: len(robot.estimates) > sent, 'the estimate')

    ids = [e.ensemble_id for e in robot.estimates]
    assert set(ids[:20]) == {ensembles[0].name}
    assert ids[-1] == other_topics.name
    assert ids == sorted(ids, key=[ensembles[0].name, other_topics.name].index)
    assert [time_to_ns(e.header.stamp) for e in robot.estimates] == [
        10**9 + step * 20_000_000 for step in range(40)]


def test_a_topic_that_falls_silent_is_told(robot, start, ensembles):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    robot.show(0, [0.1, 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: robot.estimates, 'an estimate')

    wait_for(lambda: robot.report_with('nothing received of: hand, joints'), 'the report')


def test_an_unknown_parameter_ends_it_with_one_line(start):
    process = start(ensemble='nowhere')

    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 2
    assert "did you mean 'ensembles'" in output
    assert 'Traceback' not in output


def test_a_file_for_a_directory_of_ensembles_ends_it_with_one_line(start, tmp_path):
    (tmp_path / 'file').write_text('')
    process = start(ensembles=str(tmp_path / 'file'))

    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 2
    assert f'parameter ensembles: {tmp_path}/file: found a file' in output
    assert 'Traceback' not in output


def test_it_ends_cleanly_on_an_interrupt(robot, start, ensembles):
    process = start(ensembles=str(ensembles[0]))
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert 'Traceback' not in output
