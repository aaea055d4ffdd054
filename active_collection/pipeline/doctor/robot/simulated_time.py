# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether all nodes go by one clock."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Robot

NAME = 'use_sim_time'


class SimulatedTime:
    """The parameter use_sim_time of each node, and who publishes /clock."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return one finding."""
        sighting = subject.sighting
        uses = {node.name: bool(node.parameters.get(NAME)) for node in sighting.nodes.values()
                if node.parameters is not None}
        if not uses:
            return [skipped('no node answers')]
        simulated = [name for name, uses_it in uses.items() if uses_it]
        others = [name for name, uses_it in uses.items() if not uses_it]
        if simulated and others:
            return [wrong(f'{NAME} is true of {", ".join(simulated)}, false of '
                          f'{", ".join(others)}', expected='the same of all',
                          remedy=f'start all with -p {NAME}:=true, or none')]
        if simulated and not sighting.topic('/clock').publishers:
            return [wrong(f'{NAME} is true and nobody publishes /clock: time stands still',
                          expected='a simulator', remedy=f'start it, or the nodes without {NAME}')]
        return [ok('simulated time, by /clock' if simulated else "the system's time")]
