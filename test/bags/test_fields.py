# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import array
from dataclasses import dataclass
from dataclasses import field

import numpy as np
import pytest
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from active_collection.bags.fields import FieldPath
from active_collection.bags.fields import stamp_ns
from active_collection.errors import ConfigError
from active_collection.errors import UncertaintyError

STORE = get_typestore(Stores.LATEST)


@dataclass
class Stamp:
    sec: int = 0
    nanosec: int = 0


@dataclass
class Header:
    stamp: Stamp = field(default_factory=Stamp)
    frame_id: str = 'base'


@dataclass
class JointState:
    header: Header = field(default_factory=Header)
    name: list[str] = field(default_factory=list)
    position: object = ()


def rosbags_pose_array(count):
    types = STORE.types
    return types['geometry_msgs/msg/PoseArray'](
        header=types['std_msgs/msg/Header'](
            stamp=types['builtin_interfaces/msg/Time'](sec=3, nanosec=7), frame_id='base'),
        poses=[types['geometry_msgs/msg/Pose'](
            position=types['geometry_msgs/msg/Point'](x=10 * i + 1, y=10 * i + 2, z=10 * i + 3),
            orientation=types['geometry_msgs/msg/Quaternion'](x=0, y=0, z=0, w=1))
            for i in range(count)])


def test_a_range_of_messages_is_flattened_in_field_order():
    path = FieldPath.parse('object_poses.poses[0:2]')

    numbers = path.numbers(rosbags_pose_array(3))

    assert path.topic == 'object_poses'
    np.testing.assert_array_equal(
        numbers, [1, 2, 3, 0, 0, 0, 1, 11, 12, 13, 0, 0, 0, 1])


def test_fields_after_a_range_are_read_of_each_entry():
    numbers = FieldPath.parse('t.poses[1:].position').numbers(rosbags_pose_array(3))

    np.testing.assert_array_equal(numbers, [11, 12, 13, 21, 22, 23])


@pytest.mark.parametrize('values', [
    [1.0, 2.0, 3.0], (1, 2, 3), np.array([1.0, 2.0, 3.0], dtype=np.float32),
    array.array('d', [1, 2, 3])])
def test_every_kind_of_array_reads_alike(values):
    message = JointState(position=values)

    np.testing.assert_array_equal(FieldPath.parse('j.position').numbers(message), [1, 2, 3])
    np.testing.assert_array_equal(FieldPath.parse('j.position[1]').numbers(message), [2])
    np.testing.assert_array_equal(FieldPath.parse('j.position[1:3]').numbers(message), [2, 3])


def test_names_choose_joints_whatever_their_order():
    message = JointState(name=['b', 'a', 'c'], position=[2.0, 1.0, 3.0])

    numbers = FieldPath.parse('/robot1/joint_states.position[a, c]').numbers(message)

    np.testing.assert_array_equal(numbers, [1, 3])


def test_absolute_topics_keep_their_slashes():
    assert FieldPath.parse('/arm/left/pose.position').topic == '/arm/left/pose'


@pytest.mark.parametrize(('path', 'part'), [
    ('j.velocity', "no field 'velocity'"),
    ('j.position[3]', '3 entries'),
    ('j.position[nose]', "named 'nose'"),
    ('j.header', 'found base'),
    ('j.name', 'found a'),
    ('j.header[0]', 'one value'),
])
def test_a_missing_field_is_named(path, part):
    message = JointState(name=['a', 'b', 'c'], position=[1.0, 2.0, 3.0])

    with pytest.raises(UncertaintyError) as error:
        FieldPath.parse(path).numbers(message)

    assert path in str(error.value)
    assert part in str(error.value)


def test_a_label_is_one_text():
    message = JointState(name=['a'])

    assert FieldPath.parse('j.header.frame_id').label(message) == 'base'
    with pytest.raises(UncertaintyError, match='one text'):
        FieldPath.parse('j.position').label(message)


@pytest.mark.parametrize('text', ['', 'topic', 'topic.', '.field', 'a.b[', 'a.b[1:', 'a.b[2:1]',
                                  'a.b[x,]', 'a.b c', 'a..b'])
def test_what_is_not_a_path_is_refused(text):
    with pytest.raises(ConfigError):
        FieldPath.parse(text)


def test_a_zero_stamp_is_none():
    assert stamp_ns(JointState()) is None
    assert stamp_ns(object()) is None
    assert stamp_ns(rosbags_pose_array(0)) == 3_000_000_007
