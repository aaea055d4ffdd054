# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the recorder would record."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Robot

#: What brings a managed node on from each of its states.
NEXT = {'unconfigured': 'configure', 'inactive': 'activate'}


class Recorder:
    """The recorder's lifecycle, and what it says of itself."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return one finding."""
        sighting = subject.sighting
        node, told = sighting.node('recorder'), sighting.told.recorder
        if not node.count:
            return [skipped(f'no {node.name}')]
        if sighting.settings_problem:
            return [wrong(f'its parameters cannot be used: {sighting.settings_problem}',
                          expected='parameters of this release',
                          remedy='start it anew, of the same version as this doctor')]
        if node.lifecycle in NEXT:
            return [wrong(
                f'{node.name} is {node.lifecycle}: no episode starts', expected='active',
                remedy=f'ros2 lifecycle set {node.name} {NEXT[node.lifecycle]}, or auto_start: '
                'true')]
        if told is None:
            return [warning(f'{node.name} told no status', expected='one each second',
                            remedy=f'ros2 topic echo {node.name}/status')]
        state, message = told
        if state == 'BLOCKED':
            return [wrong(f'{node.name} is blocked: {message}', expected='idle or recording',
                          remedy='mend what it says: the disk, or its directory')]
        said = f', {state.lower()}' + (f': {message}' if message else '')
        return [ok(f'{node.name} is {node.lifecycle or "there"}{said}')]
