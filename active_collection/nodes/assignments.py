# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the scheduler's interfaces and the records of the library."""
from __future__ import annotations

import math

from rclpy.time import Time

from active_collection.msg import Assignment
from active_collection.msg import ScenarioStatistics
from active_collection.msg import SchedulerState
from active_collection.msg import ScoreTerm
from active_collection.nodes import conversions
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.collection_loop import Work
from active_collection.scheduling.events import Request
from active_collection.scheduling.events import Steered
from active_collection.scheduling.scheduler import Grant
from active_collection.scheduling.scheduler import State
from active_collection.scheduling.state import TaskState
from active_collection.srv import RequestAssignment
from active_collection.srv import SteerScenario

MODES = {
    'running': SchedulerState.RUNNING,
    'paused': SchedulerState.PAUSED,
    'draining': SchedulerState.DRAINING,
    'finished': SchedulerState.FINISHED,
}
COMMANDS = {
    SteerScenario.Request.PIN: 'pin',
    SteerScenario.Request.BAN: 'ban',
    SteerScenario.Request.BOOST: 'boost',
    SteerScenario.Request.CLEAR: 'clear',
}


def grant_to_msg(grant: Grant, space: ScenarioSpace) -> Assignment:
    """Return a lease as a message, with the units of its factors."""
    assigned = grant.assigned
    task = space.tasks.get(assigned.scenario.task)
    units = {name: factor.unit for name, factor in task.factors.items()} if task else {}
    return Assignment(
        assignment_id=assigned.assignment_id, robot=assigned.request.robot,
        scenario=conversions.scenario_to_msg(assigned.scenario, units),
        collector=assigned.collector, reset_required=assigned.reset_required,
        issued_at=conversions.time_to_msg(grant.issued_ns),
        deadline=conversions.time_to_msg(grant.deadline_ns),
        time_limit=conversions.duration_to_msg(assigned.time_limit_s),
        rule=assigned.rule, score=assigned.score, ensemble_id=assigned.ensemble_id,
        terms=[ScoreTerm(name=t.name, value=t.value, weight=t.weight) for t in assigned.terms])


def work_from_msg(message: Assignment) -> Work:
    """
    Return an assignment that a scheduler sent.

    :raises ActiveCollectionError: where its scenario has an unsafe name or a factor twice
    """
    return Work(
        assignment_id=message.assignment_id,
        scenario=conversions.scenario_from_msg(message.scenario),
        collector=message.collector,
        reset_required=message.reset_required,
        time_limit_s=conversions.duration_to_s(message.time_limit))


def request_from_msg(message: RequestAssignment.Request) -> Request:
    """Return a robot's question."""
    return Request(
        robot=message.robot, environment=message.environment,
        capabilities=tuple(message.capabilities), collectors=tuple(message.collectors))


def order_from_msg(message: SteerScenario.Request, *, now_ns: int) -> Steered | None:
    """Return an operator's order that begins at a time (ns); None for an unknown command."""
    command = COMMANDS.get(message.command)
    if command is None:
        return None
    duration_s = conversions.duration_to_s(message.duration)
    return Steered(
        command=command,  # type: ignore[arg-type]
        task=message.task, environment=message.environment, factor=message.factor,
        until_ns=now_ns + int(duration_s * conversions.NANOSECONDS) if duration_s > 0 else 0,
        author=message.author, reason=message.reason)


def state_to_msg(state: State, space: ScenarioSpace, now: Time) -> SchedulerState:
    """Return the scheduler's state as a message."""
    message = SchedulerState(
        state=MODES[state.mode], message=state.message, rule=state.rule,
        ensemble_id=state.ensemble_id, episodes=state.episodes, leases=len(state.leases),
        revoked=state.revoked,
        assignments=[grant_to_msg(grant, space) for grant in state.leases],
        tasks=[_task_to_msg(task) for task in state.tasks])
    message.header.stamp = now.to_msg()
    return message


def _task_to_msg(task: TaskState) -> ScenarioStatistics:
    return ScenarioStatistics(
        task=task.task, assigned=task.assigned, episodes=task.episodes, successes=task.successes,
        failures=task.failures, aborted=task.aborted, success_rate=task.success_rate,
        success_low=task.success_low, success_high=task.success_high,
        epistemic=math.nan if task.epistemic is None else task.epistemic,
        probability=task.probability, pinned=task.is_pinned, banned=task.is_banned,
        boost=task.boost)
