# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the robot's nodes and the scheduler are there, each once, and answer."""
from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Iterator

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.sighting import NodeSeen
from active_collection.pipeline.doctor.subjects import Robot

#: What is amiss without a node, and whether that is wrong in any case.
WITHOUT = {
    'recorder': ('nothing is recorded', True),
    'uncertainty': ('nothing is scored', False),
    'agent': ('the robot asks for no work', False),
    'scheduler': ('the agent gets no work', False),
}


class Nodes:
    """The robot's recorder, uncertainty and agent, and the fleet's scheduler."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each node that is missing, double or mute, and one for the rest."""
        sighting = subject.sighting
        if sighting.robot not in sighting.namespaces:
            return [_no_robot(subject)]
        findings = [finding for name in WITHOUT
                    for finding in _of_node(subject, name, sighting.node(name))]
        there = [node.name for node in sighting.nodes.values()
                 if node.count == 1 and node.parameters is not None]
        return [*findings, *([ok(f'{", ".join(there)} answer')] if there else [])]


def _no_robot(subject: Robot) -> Finding:
    sighting = subject.sighting
    near = difflib.get_close_matches(sighting.robot, sighting.namespaces, n=1)
    hint = f' (did you mean {near[0]}?)' if near else ''
    others = ', '.join(sighting.namespaces) or 'no node at all'
    return wrong(
        f'no node in {sighting.robot}{hint}', expected=f'its nodes; namespaces seen: {others}',
        remedy=f'{_launch(subject)}; if it runs: same ROS_DOMAIN_ID, discovery range and network?')


def _of_node(subject: Robot, name: str, node: NodeSeen) -> Iterator[Finding]:
    without, is_wrong = WITHOUT[name]
    if node.count > 1:
        yield wrong(f'{node.count} nodes are called {node.name}', expected='one',
                    remedy=f'stop the others: pgrep -af lib/active_collection/{name}, on every '
                    'machine')
    elif not node.count:
        is_wrong |= name == 'scheduler' and subject.sighting.node('agent').count > 0
        yield (wrong if is_wrong else warning)(
            f'no {node.name}: {without}', expected='this node',
            remedy='ros2 launch active_collection fleet.launch.py data:=... space:=...; on '
            'another machine: same ROS_DOMAIN_ID and network?' if name == 'scheduler'
            else _launch(subject))
    elif node.parameters is None:
        yield wrong(f'{node.name} is there and does not answer', expected='its parameters',
                    remedy=f'ros2 param list {node.name}; start it anew, or let its machine '
                    'through the firewall')


def _launch(subject: Robot) -> str:
    return (f'ros2 launch active_collection robot.launch.py '
            f'robot:={subject.sighting.robot.strip("/")} '
            f'data:={subject.recorder.data_directory}')
