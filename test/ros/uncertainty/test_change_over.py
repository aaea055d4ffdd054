# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The uncertainty node takes another ensemble without missing an observation."""
from __future__ import annotations

import itertools
import json
import shutil
import time
from datetime import datetime
from datetime import timezone

import numpy as np
import pytest
import torch
from active_collection.srv import LoadEnsemble
from geometry_msgs.msg import PoseStamped
from uncertainty_peers import DEADLINE_S
from uncertainty_peers import SPEC
from uncertainty_peers import stamped
from uncertainty_peers import steps
from uncertainty_peers import wait_for

from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_msg
from active_collection.nodes.conversions import time_to_ns
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_files import save
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.settings import TrainingSettings


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


def test_a_path_of_nobodys_is_refused_and_the_node_lives(robot, start, ensembles):
    start()

    refused = robot.load('~nobody_of_this_name/ensembles')

    assert not refused.loaded and 'expected a path; of ~user' in refused.message
    assert robot.load(ensembles[1].parent).loaded


def test_the_service_loads_an_ensemble(robot, start, ensembles):
    start()

    answer = robot.load(ensembles[1].parent)

    assert answer.loaded
    assert answer.ensemble_id == ensembles[1].name


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
    ordinary = np.median(waits[:50])  # nothing is loaded yet; long where the machine is busy
    assert np.median(waits[50:]) < max(0.05, 5 * ordinary)


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
        pose = stamped(PoseStamped(), time_to_msg(10**9 + step * 20_000_000))
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
