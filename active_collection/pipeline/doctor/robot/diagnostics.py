# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the robot's nodes complain of themselves."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.sighting import Level
from active_collection.pipeline.doctor.subjects import Robot

#: Nodes that say how they are once a second.
EXPECTED = ('recorder', 'uncertainty')


class Diagnostics:
    """The newest status of each name of this robot on /diagnostics."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each status that is not OK, and for each node that is silent."""
        sighting = subject.sighting
        remedy = 'ros2 topic echo /diagnostics; docs/reference/diagnostics.md says what it means'
        findings = []
        for each in sighting.diagnostics:
            if each.level is not Level.OK:
                say = wrong if each.level is Level.ERROR else warning
                findings.append(say(f'{each.name}: {each.level.name}: {each.message}',
                                    expected='OK', remedy=remedy))
        for name in EXPECTED:
            node = sighting.node(name)
            if node.count == 1 and not any(
                    _is_of(each.name, node.name) for each in sighting.diagnostics):
                findings.append(warning(
                    f'{node.name} said nothing within {sighting.listened_s:g} s',
                    expected='a status each second', remedy='ros2 topic hz /diagnostics'))
        told = sighting.told.agent
        if told is not None and told[0] == 'FAULT':
            findings.append(wrong(
                f'{sighting.node("agent").name} cannot collect: {told[1]}', expected='no fault',
                remedy=f'mend what it says; ros2 topic echo {sighting.robot}/robot_status'))
        if not sighting.diagnostics and not findings:
            return [skipped('no node of the robot says anything')]
        return findings or [ok(f'{len(sighting.diagnostics)} statuses, all OK')]


def _is_of(status: str, node: str) -> bool:
    """Tell whether a status is a node's: its name is the node's, or begins with it."""
    return status == node or status.startswith(f'{node}:')
