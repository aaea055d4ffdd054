# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between rclpy's QoS profiles and those of the recorder."""
from __future__ import annotations

from typing import Any

from rclpy.qos import DurabilityPolicy
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy

from active_collection.recording.qos import INFINITE_NS
from active_collection.recording.qos import Qos


def to_profile(request: Qos) -> QoSProfile:
    """Return a request as rclpy takes it."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=request.depth,
        reliability=ReliabilityPolicy[request.reliability.upper()],
        durability=DurabilityPolicy[request.durability.upper()])


def from_profile(profile: QoSProfile) -> Qos:
    """Return what a publisher offers."""
    return Qos(
        reliability=profile.reliability.name.lower(), durability=profile.durability.name.lower(),
        history=profile.history.name.lower(), depth=profile.depth,
        deadline_ns=_nanoseconds(profile.deadline), lifespan_ns=_nanoseconds(profile.lifespan),
        liveliness=profile.liveliness.name.lower(),
        liveliness_lease_ns=_nanoseconds(profile.liveliness_lease_duration))


def _nanoseconds(duration: Any) -> int:
    return min(int(duration.nanoseconds), INFINITE_NS)
