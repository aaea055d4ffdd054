# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Estimates, their crossings and the node's reports as messages."""
from __future__ import annotations

from array import array

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from rclpy.node import Node

from active_collection.bags.fields import Vector
from active_collection.msg import HighUncertainty
from active_collection.msg import UncertaintyEstimate
from active_collection.names import robot_of
from active_collection.nodes.conversions import duration_to_msg
from active_collection.nodes.conversions import summary_to_msg
from active_collection.nodes.conversions import time_to_msg
from active_collection.uncertainty.crossings import Crossing
from active_collection.uncertainty.estimate import Estimate
from active_collection.uncertainty.health import Report


def estimate_to_msg(estimate: Estimate, frame_id: str, latency_s: float) -> UncertaintyEstimate:
    """
    Return an estimate as a message.

    :param frame_id: of the observation's reference topic
    :param latency_s: from receipt of the observation's last message (s)
    """
    message = UncertaintyEstimate(
        ensemble_id=estimate.ensemble_id, measure=estimate.measure, epistemic=estimate.epistemic,
        aleatoric=estimate.aleatoric, total=estimate.total, novelty=estimate.novelty,
        novelty_p_value=estimate.novelty_p_value,
        novelty_p_value_smallest=estimate.novelty_p_value_smallest,
        epistemic_per_dimension=_floats(estimate.epistemic_per_dimension),
        epistemic_per_step=_floats(estimate.epistemic_per_step),
        member_disagreement=_floats(estimate.member_disagreement),
        horizon=len(estimate.action_chunk), action_mean=_floats(estimate.action_chunk),
        threshold=estimate.threshold, high=estimate.high,
        latency=duration_to_msg(latency_s), episode=summary_to_msg(estimate.episode))
    message.header.stamp = time_to_msg(estimate.stamp_ns)
    message.header.frame_id = frame_id
    return message


def crossing_to_msg(crossing: Crossing, *, frame_id: str, episode_id: str,
                    measure: str) -> HighUncertainty:
    """
    Return a crossing as a message.

    :param measure: the value that the threshold is on: 'epistemic' or 'novelty'
    """
    message = HighUncertainty(
        state=HighUncertainty.BEGIN if crossing.begins else HighUncertainty.END,
        episode_id=episode_id, ensemble_id=crossing.ensemble_id, measure=measure,
        value=crossing.value, threshold=crossing.threshold, duration=crossing.duration_s)
    message.header.stamp = time_to_msg(crossing.stamp_ns)
    message.header.frame_id = frame_id
    return message


def report_to_msg(report: Report, node: Node) -> DiagnosticArray:
    """Return a node's report as a message of now."""
    status = DiagnosticStatus(
        level=bytes([report.level.value]), name=node.get_fully_qualified_name(),
        hardware_id=robot_of(node.get_namespace()), message=report.message,
        values=[KeyValue(key=key, value=value) for key, value in report.values])
    message = DiagnosticArray(status=[status])
    message.header.stamp = node.get_clock().now().to_msg()
    return message


def _floats(values: Vector) -> array[float]:
    """Return values as rclpy takes them over in one copy; of a list it would check each entry."""
    return array('f', values.astype(np.float32).tobytes())
