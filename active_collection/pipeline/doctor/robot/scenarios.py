# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the scenario space has anything for this robot."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Robot
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.choosing.eligibility import Eligibility
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.fleet.refusal import listed
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.places import Places
from active_collection.scheduling.settings import SchedulerSettings

EXPLAINED = 'config/scenario_space.yaml explains every key'


class Scenarios:
    """Places that the scheduler may send the robot to, by its own conditions."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each cause for which the robot gets nothing, or one."""
        agent, space = subject.agent, subject.space
        if subject.space_problem:
            return [wrong(subject.space_problem, expected='a scenario space',
                          remedy=f'mend the file; {EXPLAINED}')]
        if space is None:
            return [skipped('no scenario space is known', remedy='give --space FILE')]
        if agent.environment and agent.environment not in space.environments:
            return [wrong(f'the agent is in environment {agent.environment!r}',
                          expected=f'one of {", ".join(space.environments)}',
                          remedy='set the parameter environment of the agent')]
        told = subject.sighting.told.scheduler
        fleet = FleetState(space, SchedulerSettings())
        if told is not None and told.ensemble_id:
            fleet.beliefs.see_ensemble(EnsembleSeen(told.ensemble_id), time_ns=0)
        found = Eligibility(space, Places(space), where=subject.space_file).find(fleet, Request(
            subject.name, agent.environment, agent.capabilities, agent.collectors), now_ns=0)
        if found.reasons:
            return [wrong(
                f'no scenario for {subject.name}, {listed(reason.tasks)}: {reason.found}',
                expected='a task that it can do, where it can go, with who can act there',
                remedy=reason.remedy or EXPLAINED) for reason in found.reasons]
        return [ok(_of_tasks(space, sorted({space.places[k][0] for k in found.places})))]


def _of_tasks(space: ScenarioSpace, tasks: list[str]) -> str:
    return f'{len(tasks)} of {len(space.tasks)} tasks are for it: {", ".join(tasks)}'
