# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether somebody serves the actions that the agent calls: the robot's own part."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Robot

SET_UP = 'active_collection/action/SetUpScenario'
COLLECT = 'active_collection/action/CollectEpisode'


class Actions:
    """The action servers that bring a scenario about and act it out."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each that is missing or of another type, or one for all."""
        sighting, agent = subject.sighting, subject.agent
        if not sighting.node('agent').count:
            return [skipped(f'no {sighting.node("agent").name}')]
        wanted = {agent.set_up_action: SET_UP, agent.collect_action: COLLECT}
        if agent.policy_action:
            wanted[agent.policy_action] = COLLECT
        findings = []
        for action, kind in wanted.items():
            name = action if action.startswith('/') else f'{sighting.robot.rstrip("/")}/{action}'
            found = sighting.actions.get(name)
            if found != kind:
                findings.append(wrong(
                    f'{name} is served as {found}' if found else f'nobody serves {name}',
                    expected=f'an action server of {kind}',
                    remedy="start the robot's driver (docs/how-to/bring-your-own-robot.md), or "
                    'name its action in agent.yaml'))
        return findings or [ok(f'{", ".join(wanted)} are served')]
