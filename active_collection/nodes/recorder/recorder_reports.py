# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recorder says of itself, as messages."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue

from active_collection.episode import TopicStatistics
from active_collection.msg import RecorderStatus
from active_collection.nodes import conversions
from active_collection.recording.disk import readable
from active_collection.recording.health import skewed_topics
from active_collection.recording.health import slow_topics
from active_collection.recording.recorder_state import Snapshot
from active_collection.recording.recorder_state import State

STATES = {
    State.IDLE: RecorderStatus.IDLE,
    State.RECORDING: RecorderStatus.RECORDING,
    State.CLOSING: RecorderStatus.CLOSING,
    State.BLOCKED: RecorderStatus.BLOCKED,
    State.INACTIVE: RecorderStatus.BLOCKED,
}


def status_message(snapshot: Snapshot, stamp: Any) -> RecorderStatus:
    """
    Return a recorder's status.

    :param stamp: ROS time, as a message
    """
    topics = snapshot.topics
    message = RecorderStatus(
        state=STATES[snapshot.state], message=snapshot.message, elapsed=snapshot.elapsed_s,
        messages=sum(t.written for t in topics), bytes=sum(t.bytes for t in topics),
        dropped=sum(t.dropped for t in topics), lost=sum(t.lost for t in topics),
        queue_fill=snapshot.queue_fill, disk_free=snapshot.disk_free,
        topics=[conversions.topic_to_msg(topic) for topic in topics])
    message.header.stamp = stamp
    if snapshot.record is not None:
        message.episode_id = snapshot.record.episode_id
        message.scenario = conversions.scenario_to_msg(snapshot.record.scenario)
    return message


def diagnostics_message(
        snapshot: Snapshot, problems: Mapping[str, str], *, expected_rates: Mapping[str, float],
        failure: str, node: str, robot: str, stamp: Any) -> DiagnosticArray:
    """
    Return a recorder's diagnostics: ERROR where it cannot record, WARN where something is amiss.

    A recorder that its lifecycle manager has not activated is amiss.

    :param problems: topic to why it is not recorded as it should be
    :param expected_rates: topic to rate (Hz), as configured
    :param failure: why the last transition failed; empty where it did not
    :param node: fully qualified name
    :param stamp: ROS time, as a message
    """
    losses = [f'{t.topic}: {t.dropped} dropped, {t.lost} lost'
              for t in snapshot.topics if t.dropped or t.lost]
    if snapshot.state is State.RECORDING:
        losses += slow_topics(
            snapshot.topics, expected_rates, snapshot.elapsed_s, snapshot.silences_s)
        losses += skewed_topics(snapshot.topics, snapshot.delays_s)
    amiss = [*losses, *(f'{name}: {problem}' for name, problem in problems.items())]
    level = DiagnosticStatus.OK
    missing = snapshot.record.missing_topics if snapshot.record is not None else ()
    if amiss or missing or snapshot.is_amiss or snapshot.state is State.INACTIVE:
        level = DiagnosticStatus.WARN
    if failure or snapshot.state is State.BLOCKED:
        level = DiagnosticStatus.ERROR
    values = {
        'queue fill': f'{snapshot.queue_fill:.0%}',
        'disk free': readable(snapshot.disk_free),
        **{topic.topic: _counts(topic) for topic in snapshot.topics}}
    array = DiagnosticArray(status=[DiagnosticStatus(
        level=level, name=f'{node}: episodes', hardware_id=robot,
        message='; '.join(filter(None, [
            snapshot.message or snapshot.state.value, failure, *amiss])),
        values=[KeyValue(key=key, value=value) for key, value in values.items()])])
    array.header.stamp = stamp
    return array


def _counts(topic: TopicStatistics) -> str:
    expected = f' of {topic.expected_rate:.1f}' if topic.expected_rate else ''
    skew = '' if math.isnan(topic.clock_skew) else f', clock skew {topic.clock_skew:.3f} s'
    return (f'{topic.rate:.1f}{expected} Hz, {topic.received} received, {topic.written} written, '
            f'{topic.dropped} dropped, {topic.lost} lost, largest gap '
            f'{topic.largest_gap:.3f} s{skew}')
