# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a simulated robot says, as plain objects with the fields of ROS messages.

A node publishes them as ROS messages of the same name; the offline evaluation reads the policy's
observation from them, by the same code that reads it from a bag.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_collection.scenario import Scenario as ScenarioRecord
from active_collection.simulation.camera import FRAME as CAMERA_FRAME
from active_collection.simulation.observation import ACTION_NAMES
from active_collection.simulation.observation import FRAME
from active_collection.simulation.observation import Array
from active_collection.simulation.observation import Observation

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Time:
    """builtin_interfaces/msg/Time."""

    sec: int
    nanosec: int


@dataclass(frozen=True, slots=True)
class Header:
    """std_msgs/msg/Header."""

    stamp: Time
    frame_id: str


@dataclass(frozen=True, slots=True)
class Point:
    """geometry_msgs/msg/Point (m)."""

    x: float
    y: float
    z: float


@dataclass(frozen=True, slots=True)
class Quaternion:
    """geometry_msgs/msg/Quaternion."""

    x: float
    y: float
    z: float
    w: float


@dataclass(frozen=True, slots=True)
class Pose:
    """geometry_msgs/msg/Pose."""

    position: Point
    orientation: Quaternion


@dataclass(frozen=True, slots=True)
class PoseStamped:
    """geometry_msgs/msg/PoseStamped."""

    header: Header
    pose: Pose


@dataclass(frozen=True, slots=True)
class PoseArray:
    """geometry_msgs/msg/PoseArray."""

    header: Header
    poses: list[Pose]


@dataclass(frozen=True, slots=True)
class JointState:
    """sensor_msgs/msg/JointState."""

    header: Header
    name: list[str]
    position: list[float]
    velocity: list[float]
    effort: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """sensor_msgs/msg/Image; `data` as bytes."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """sensor_msgs/msg/CameraInfo of a camera without distortion."""

    header: Header
    height: int
    width: int
    distortion_model: str
    d: list[float]
    k: list[float]
    r: list[float]
    p: list[float]


@dataclass(frozen=True, slots=True)
class Factor:
    """active_collection/msg/Factor; `kind` is 0 for a label, 1 for a number."""

    name: str
    kind: int
    label: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """active_collection/msg/Scenario."""

    task: str
    environment: str
    configuration: list[Factor]


Message = JointState | PoseStamped | PoseArray | Image | CameraInfo | Scenario

#: Topics of one control step, all with the same stamp, in the order in which they are published.
STATE_TOPICS = {
    'joint_states': JointState,
    'end_effector_pose': PoseStamped,
    'gripper_state': JointState,
    'object_poses': PoseArray,
    'goal_pose': PoseStamped,
}
ACTION_TOPIC = 'action'
IMAGE_TOPIC = 'camera/image_raw'
CAMERA_INFO_TOPIC = 'camera/camera_info'
CAMERA_TOPICS = {IMAGE_TOPIC: Image, CAMERA_INFO_TOPIC: CameraInfo}
SCENARIO_TOPIC = 'scenario'


def state_messages(observation: Observation, stamp_ns: int) -> dict[str, Message]:
    """
    Return topic to message for what the robot senses at one control step.

    :param stamp_ns: ROS time of the control step (ns)
    """
    header = _header(stamp_ns, FRAME)
    hand = Pose(_point(observation.hand_position), _quaternion(observation.hand_orientation))
    return {
        'joint_states': JointState(
            header, list(observation.joint_names), observation.joint_positions.tolist(),
            observation.joint_velocities.tolist(), []),
        'end_effector_pose': PoseStamped(header, hand),
        'gripper_state': JointState(header, ['opening'], [observation.gripper_opening], [], []),
        'object_poses': PoseArray(header, [
            Pose(_point(pose[:3]), _quaternion(pose[3:])) for pose in observation.objects]),
        'goal_pose': PoseStamped(
            header, Pose(_point(observation.goal), Quaternion(0.0, 0.0, 0.0, 1.0))),
    }


def action_message(action: Array, stamp_ns: int) -> JointState:
    """
    Return the command that answers the observation of the same stamp.

    :param action: shape (4,), each in -1 to 1, see ACTION_NAMES
    """
    return JointState(
        _header(stamp_ns, FRAME), list(ACTION_NAMES), [float(value) for value in action], [], [])


def camera_messages(picture: NDArray[np.uint8], focal_length: float,
                    stamp_ns: int) -> dict[str, Message]:
    """
    Return topic to message for one picture.

    :param picture: RGB, shape (height, width, 3)
    :param focal_length: in pixels
    """
    header = _header(stamp_ns, CAMERA_FRAME)
    height, width, channels = picture.shape
    f, x, y = focal_length, width / 2, height / 2
    return {
        IMAGE_TOPIC: Image(
            header, height, width, 'rgb8', 0, width * channels, picture.tobytes()),
        CAMERA_INFO_TOPIC: CameraInfo(
            header, height, width, 'plumb_bob', [0.0] * 5,
            [f, 0.0, x, 0.0, f, y, 0.0, 0.0, 1.0],
            [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            [f, 0.0, x, 0.0, 0.0, f, y, 0.0, 0.0, 0.0, 1.0, 0.0]),
    }


def scenario_message(scenario: ScenarioRecord) -> Scenario:
    """Return the scenario as its topic has it."""
    return Scenario(scenario.task, scenario.environment, [
        Factor(name, 0, value, 0.0, '') if isinstance(value, str)
        else Factor(name, 1, '', float(value), '') for name, value in scenario.configuration])


def _header(stamp_ns: int, frame: str) -> Header:
    return Header(Time(stamp_ns // NANOSECONDS, stamp_ns % NANOSECONDS), frame)


def _point(position: Array) -> Point:
    return Point(*(float(value) for value in position))


def _quaternion(orientation: Array) -> Quaternion:
    return Quaternion(*(float(value) for value in orientation))
