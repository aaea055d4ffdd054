# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The QoS profiles of every topic, each with the reason for it."""
from __future__ import annotations

from rclpy.qos import DurabilityPolicy
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy


def _profile(reliability: ReliabilityPolicy, durability: DurabilityPolicy,
             depth: int) -> QoSProfile:
    return QoSProfile(
        reliability=reliability, durability=durability, history=HistoryPolicy.KEEP_LAST,
        depth=depth)


#: Large streams (cameras): a late frame is worth less than the next one, so nothing is sent twice.
SENSOR = _profile(ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, 10)

#: Small streams that a policy acts on or learns from (joint states, poses, actions, estimates):
#: each counts, and at 100 messages a reader may stall for a second at 100 Hz without losing one.
STATE = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 100)

#: A state that those who join later must know (scenario, recorder, scheduler): the newest.
LATCHED = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 1)

#: Finished episodes: a scheduler that was away for a moment gets those that it missed at once; of
#: more than 100, or of a recorder that was away too, it asks the recorder.
EPISODES = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 100)

#: Heartbeats: an old one must never stand for a robot that has died, so none is kept.
HEARTBEAT = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10)

#: /diagnostics as diagnostic_aggregator and rqt_robot_monitor subscribe to it.
DIAGNOSTICS = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10)
