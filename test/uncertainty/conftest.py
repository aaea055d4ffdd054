# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a small world: the action points from the hand to the goal, more or less surely."""
from __future__ import annotations

from datetime import datetime
from datetime import timezone
from pathlib import Path

import numpy as np
import pytest
import torch
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore

from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.names import namespace_of
from active_collection.scenario import Scenario
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.settings import TrainingSettings

SPEC = """
format: 1
reference: hand
tolerance_s: 0.05
observation:
  - {name: hand, field: 'hand.pose.position'}
  - {name: goal, field: 'goal.pose.position'}
  - {name: task, field: 'scenario.task', latched: true, one_of: [push, pull]}
action: {field: 'action.position', low: [-1, -1], high: [1, 1]}
"""
ACTOR = Path(__file__).resolve().parents[2] / 'msg' / 'Actor.msg'
START_NS = 1_700_000_000_000_000_000
STEP_NS = 50_000_000
QUICK = TrainingSettings(members=3, hidden=(32, 32), steps=150, check_every=50, batch_size=64)
#: Small networks gain nothing from more threads, and lose much beside other processes.
torch.set_num_threads(1)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture(scope='session')
def spec() -> ObservationSpec:
    return parse(SPEC, ObservationSpec, where='spec.yaml')


@pytest.fixture(scope='session')
def quick() -> TrainingSettings:
    return QUICK


@pytest.fixture(scope='session')
def now() -> datetime:
    return NOW


def steps(seed, count, task):
    """Return observations (count, 8) and actions (count, 2)."""
    random = np.random.default_rng(seed)
    hand, goal = random.uniform(-0.5, 0.5, (2, 3))
    observations, actions = [], []
    for _ in range(count):
        towards = 2 * (goal - hand)[:2] * (1 if task == 'push' else -1)
        action = np.clip(towards + random.normal(0, 0.02, 2), -1, 1)
        observations.append([*hand, *goal, task == 'push', task == 'pull'])
        actions.append(action)
        hand = hand + 0.1 * np.array([*action, 0])
    return np.array(observations, dtype=np.float64), np.array(actions)


@pytest.fixture(scope='session')
def make_dataset(spec):
    def make(episodes=12, length=30):
        decoded = []
        for seed in range(episodes):
            task = ('push', 'pull')[seed % 2]
            observations, actions = steps(seed, length, task)
            decoded.append(DecodedEpisode(
                f'episode-{seed}', task, torch.tensor(observations, dtype=torch.float32),
                torch.tensor(actions, dtype=torch.float32)))
        return Dataset.of(decoded, spec, {'hand': 3, 'goal': 3, 'task': 2})

    return make


@pytest.fixture(scope='session')
def built(make_dataset, spec, quick, now, tmp_path_factory):
    """One trained ensemble on disk, for tests that only read it."""
    return build(make_dataset(), spec, quick, out=tmp_path_factory.mktemp('ensembles'), now=now)


@pytest.fixture
def write_episode(tmp_path):
    """
    Return a function that writes an episode as the recorder would, below tmp_path / 'data'.

    `actors`: step to who acts from it on, which they begin between its observation and action.
    """
    store = get_typestore(Stores.LATEST)
    store.register(get_types_from_msg('string task\n', 'active_collection/msg/Scenario'))
    store.register(get_types_from_msg(ACTOR.read_text(), 'active_collection/msg/Actor'))
    types = store.types

    def stamped(kind, time_ns, **fields):
        stamp = types['builtin_interfaces/msg/Time'](
            sec=time_ns // 10**9, nanosec=time_ns % 10**9)
        header = types['std_msgs/msg/Header'](stamp=stamp, frame_id='base')
        return types[kind](header=header, **fields)

    def pose(time_ns, values):
        point = types['geometry_msgs/msg/Point'](*map(float, values))
        rotation = types['geometry_msgs/msg/Quaternion'](x=0.0, y=0.0, z=0.0, w=1.0)
        return stamped('geometry_msgs/msg/PoseStamped', time_ns, pose=types[
            'geometry_msgs/msg/Pose'](position=point, orientation=rotation))

    def action(time_ns, values):
        return stamped('sensor_msgs/msg/JointState', time_ns, name=['x', 'y'],
                       position=np.array(values, dtype=np.float64), velocity=np.empty(0),
                       effort=np.empty(0))

    def write(seed, *, task='push', length=20, outcome=Outcome.SUCCESS, source=Source.SCRIPTED,
              robot='robot_1', data: Path | None = None, tags=None, actors=None):
        observations, actions = steps(seed, length, task)
        name = f'episode-{seed}'
        path = (data or tmp_path / 'data') / 'episodes' / '2026-01-02' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        record = EpisodeRecord(
            name, Scenario(task, 'table'), robot, source, START_NS,
            finished_ns=START_NS + length * STEP_NS, outcome=outcome, tags=tags or {})
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            writer.set_custom_data(CUSTOM_DATA_KEY, record.to_json())

            namespace = namespace_of(robot)

            def connect(topic, kind):
                return writer.add_connection(f'{namespace}/{topic}', kind, typestore=store)

            connections = {
                'scenario': connect('scenario', 'active_collection/msg/Scenario'),
                'hand': connect('hand', 'geometry_msgs/msg/PoseStamped'),
                'goal': connect('goal', 'geometry_msgs/msg/PoseStamped'),
                'action': connect('action', 'sensor_msgs/msg/JointState')}

            def put(topic, time_ns, message):
                connection = connections[topic]
                writer.write(connection, time_ns,
                             store.serialize_cdr(message, connection.msgtype))

            put('scenario', START_NS, types['active_collection/msg/Scenario'](task=task))
            if actors:
                connections['actor'] = connect('actor', 'active_collection/msg/Actor')
            for step, (seen, done) in enumerate(zip(observations, actions, strict=True)):
                time_ns = START_NS + (step + 1) * STEP_NS
                if step in (actors or {}):
                    put('actor', time_ns, stamped(
                        'active_collection/msg/Actor', time_ns + 500, actor=int(actors[step]),
                        episode_id=name))
                put('hand', time_ns, pose(time_ns, seen[:3]))
                put('goal', time_ns + 1000, pose(time_ns, seen[3:6]))
                put('action', time_ns + 2000, action(time_ns + 1000, done))
        return path

    return write
