# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from active_collection.bags.fields import FieldPath
from active_collection.bags.fields import stamp_ns
from active_collection.scenario import Scenario
from active_collection.simulation.messages import ACTION_TOPIC
from active_collection.simulation.messages import CAMERA_INFO_TOPIC
from active_collection.simulation.messages import IMAGE_TOPIC
from active_collection.simulation.messages import STATE_TOPICS
from active_collection.simulation.messages import action_message
from active_collection.simulation.messages import camera_messages
from active_collection.simulation.messages import scenario_message
from active_collection.simulation.messages import state_messages
from active_collection.simulation.observation import Observation

STAMP = 1_700_000_000_123_456_789


def observation():
    return Observation(
        hand_position=np.array([0.1, 0.6, 0.2]), hand_orientation=np.array([0.0, 0.0, 0.6, 0.8]),
        gripper_opening=0.05, objects=np.arange(14.0).reshape(2, 7), goal=np.array([1.0, 2, 3]),
        joint_names=('right_j0', 'right_j1'), joint_positions=np.array([0.5, -0.5]),
        joint_velocities=np.array([1.0, 2.0]))


@pytest.mark.parametrize(('path', 'expected'), [
    ('end_effector_pose.pose.position', [0.1, 0.6, 0.2]),
    ('end_effector_pose.pose.orientation', [0.0, 0.0, 0.6, 0.8]),
    ('gripper_state.position', [0.05]),
    ('object_poses.poses[0:2]', list(range(14))),
    ('goal_pose.pose.position', [1, 2, 3]),
    ('joint_states.position[right_j1, right_j0]', [-0.5, 0.5]),
    ('joint_states.velocity', [1, 2]),
])
def test_fields_of_an_observation_are_read_as_from_a_bag(path, expected):
    sent = state_messages(observation(), STAMP)
    assert list(sent) == list(STATE_TOPICS)
    field = FieldPath.parse(path)
    assert field.numbers(sent[field.topic]) == pytest.approx(expected)


def test_everything_of_a_control_step_has_its_stamp():
    sent = {**state_messages(observation(), STAMP),
            ACTION_TOPIC: action_message(np.array([0.1, -0.2, 0.3, 1.0]), STAMP),
            **camera_messages(np.zeros((4, 6, 3), np.uint8), 5.0, STAMP)}
    assert {stamp_ns(message) for message in sent.values()} == {STAMP}
    assert sent[ACTION_TOPIC].name == ['ee_dx', 'ee_dy', 'ee_dz', 'gripper']
    assert sent[ACTION_TOPIC].position == [0.1, -0.2, 0.3, 1.0]


def test_picture_and_its_camera_agree():
    picture = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    sent = camera_messages(picture, 5.0, STAMP)
    image, info = sent[IMAGE_TOPIC], sent[CAMERA_INFO_TOPIC]
    assert (image.height, image.width, image.step, image.encoding) == (4, 6, 18, 'rgb8')
    assert np.array_equal(np.frombuffer(image.data, np.uint8).reshape(4, 6, 3), picture)
    assert (info.height, info.width) == (4, 6)
    assert info.k == [5.0, 0.0, 3.0, 0.0, 5.0, 2.0, 0.0, 0.0, 1.0]


def test_scenario_is_read_as_from_a_bag():
    message = scenario_message(
        Scenario.of('push', 'tabletop', {'object_y': 0.6, 'object_x': 0.1, 'mug': 'red'}))
    assert FieldPath.parse('scenario.task').label(message) == 'push'
    assert FieldPath.parse('scenario.configuration[0].label').label(message) == 'red'
    assert FieldPath.parse('scenario.configuration[1:3].value').numbers(
        message) == pytest.approx([0.1, 0.6])
