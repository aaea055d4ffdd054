# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The uncertainty node gives the numbers that the library and a bag give."""
from __future__ import annotations

import warnings
from datetime import datetime
from datetime import timezone

import numpy as np
import pytest
import torch
from active_collection.msg import Factor
from active_collection.msg import RecorderStatus
from active_collection.msg import Scenario
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore
from uncertainty_peers import SPEC
from uncertainty_peers import steps
from uncertainty_peers import wait_for

from active_collection.bags.encoders import encoder_files
from active_collection.bags.encoders import with_fingerprints
from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.nodes.conversions import time_to_ns
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.scoring import score_bag
from active_collection.uncertainty.settings import TrainingSettings

PICTURED = SPEC.replace("""\
  - {name: joints, field: 'joints.position[b, a]'}
  - {name: task, field: 'scenario.task', latched: true, one_of: [push, pull]}
""", """\
  - {name: front, image: 'front/image'}
  - {name: wrist, image: 'wrist/image', encoder: {kind: torchscript, file: colours.ts, size: 32}}
""")


class Colours(torch.nn.Module):
    """Mean of each colour of a picture."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean((2, 3))


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
