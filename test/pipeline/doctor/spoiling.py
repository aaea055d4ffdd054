# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What tests of the doctor's checks share: what is heard of a topic, and how to spoil."""
from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

from active_collection.cli.main import parser
from active_collection.pipeline.doctor.finding import Verdict
from active_collection.pipeline.doctor.sighting import Endpoint
from active_collection.pipeline.doctor.sighting import Heard
from active_collection.recording.qos import Qos

ROOT = Path(__file__).parents[3]
#: In 2030, and when the first episode is recorded, in 2027.
NOW_S, EPISODE_NS = 1_900_000_000.0, 1_800_000_000 * 10**9
SMALL_SPACE = """
format: 1
tasks:
  push: {collectors: [scripted, policy]}
  wipe: {collectors: [teleoperation], capabilities: [sponge]}
environments:
  cell: {robots: [arm_1]}
"""
JOINTS = Heard(topic='/arm_1/joints', type='sensor_msgs/msg/JointState', received=200,
               size=40_000, rate=50.0, largest_gap_s=0.03, silence_s=0.01, skew_s=0.002,
               delay_s=0.0005)


def the_wrong(findings):
    """Return the one finding that is wrong or a warning, and see that it says what to do."""
    bad = [f for f in findings if f.verdict in {Verdict.WRONG, Verdict.WARNING}]
    assert len(bad) == 1, [str(finding) for finding in findings]
    assert bad[0].expected and bad[0].remedy
    for command in re.findall(r'active-collection ([^;,]+)', bad[0].remedy):
        parser().parse_args(shlex.split(command))
    return bad[0]


def in_shell(machine, **variables):
    """Return the machine with other environment variables; None takes one away."""
    environment = {**machine.environment, **variables}
    return replace(machine, environment={
        name: value for name, value in environment.items() if value is not None})


def endpoint(node, **qos):
    return Endpoint(node=node, type='sensor_msgs/msg/JointState', qos=Qos(**qos))


def seen(robot, **changes):
    """Return the robot as it would be if it had been seen otherwise."""
    return replace(robot, sighting=robot.sighting.model_copy(update=changes))


def without(robot, *nodes):
    """Return the robot without some of its nodes."""
    return seen(robot, nodes={
        key: node.model_copy(update={'count': 0, 'parameters': None}) if key in nodes else node
        for key, node in robot.sighting.nodes.items()})
