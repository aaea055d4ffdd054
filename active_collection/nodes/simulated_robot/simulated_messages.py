# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulation's plain messages as rclpy publishes them."""
from __future__ import annotations

import array
from dataclasses import fields
from dataclasses import is_dataclass
from typing import Any

import builtin_interfaces.msg
import geometry_msgs.msg
import sensor_msgs.msg
import std_msgs.msg

from active_collection.simulation import messages

ROS_TYPES: dict[type[Any], type[Any]] = {
    messages.Time: builtin_interfaces.msg.Time,
    messages.Header: std_msgs.msg.Header,
    messages.Point: geometry_msgs.msg.Point,
    messages.Quaternion: geometry_msgs.msg.Quaternion,
    messages.Pose: geometry_msgs.msg.Pose,
    messages.PoseStamped: geometry_msgs.msg.PoseStamped,
    messages.PoseArray: geometry_msgs.msg.PoseArray,
    messages.JointState: sensor_msgs.msg.JointState,
    messages.Image: sensor_msgs.msg.Image,
    messages.CameraInfo: sensor_msgs.msg.CameraInfo,
}


def to_ros(value: Any) -> Any:
    """Return a plain message, or a part of one, as rclpy publishes it."""
    if isinstance(value, list):
        return [to_ros(entry) for entry in value]
    if isinstance(value, bytes):
        return array.array('B', value)
    if is_dataclass(value) and not isinstance(value, type):
        return ROS_TYPES[type(value)](
            **{field.name: to_ros(getattr(value, field.name)) for field in fields(value)})
    return value
