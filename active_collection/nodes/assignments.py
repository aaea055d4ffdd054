# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the scheduler's interfaces and the records of the library."""
from __future__ import annotations

import math
from collections.abc import Iterable

from rclpy.time import Time

from active_collection.msg import Assignment
from active_collection.msg import RunnerUp
from active_collection.msg import ScenarioStatistics
from active_collection.msg import SchedulerState
from active_collection.msg import ScoreTerm
from active_collection.nodes import conversions
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.answers import Grant
from active_collection.scheduling.answers import Refusal
from active_collection.scheduling.answers import State
from active_collection.scheduling.events import Request
from active_collection.scheduling.orders import RobotSteered
from active_collection.scheduling.orders import Steered
from active_collection.scheduling.state import TaskState
from active_collection.srv import RequestAssignment
from active_collection.srv import SteerRobot
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
    SteerScenario.Request.CAP: 'cap',
    SteerScenario.Request.PREEMPT: 'preempt',
}
ROBOT_COMMANDS = {
    SteerRobot.Request.PAUSE: 'pause',
    SteerRobot.Request.RESUME: 'resume',
    SteerRobot.Request.DRAIN: 'drain',
}


def grant_to_msg(grant: Grant, space: ScenarioSpace) -> Assignment:
    """Return a lease as a message, with the reasons for it."""
    assigned, message = grant.assigned, lease_to_msg(grant, space)
    message.terms = [ScoreTerm(name=t.name, value=t.value, weight=t.weight)
                     for t in assigned.terms]
    message.runners_up = [
        RunnerUp(scenario=conversions.scenario_to_msg(Scenario(r.task, r.environment)),
                 score=r.score) for r in assigned.runners_up]
    return message


def answer_to_msg(answer: Grant | Refusal, space: ScenarioSpace) -> RequestAssignment.Response:
    """Return the answer to a robot that asked for work."""
    response = RequestAssignment.Response()
    if isinstance(answer, Grant):
        response.code = response.GRANTED
        response.assignment = grant_to_msg(answer, space)
    else:
        response.code = getattr(response, answer.code.name)
        response.message = answer.message
        response.retry_after = conversions.duration_to_msg(answer.retry_after_s)
    return response


def lease_to_msg(grant: Grant, space: ScenarioSpace) -> Assignment:
    """Return a lease as a message, with the units of its factors."""
    assigned = grant.assigned
    task = space.tasks.get(assigned.scenario.task)
    units = {name: factor.unit for name, factor in task.factors.items()} if task else {}
    return Assignment(
        assignment_id=assigned.assignment_id, robot=assigned.request.robot,
        scenario=conversions.scenario_to_msg(assigned.scenario, units),
        collector=assigned.collector, policy_task=assigned.policy_task,
        priority=assigned.priority, reset_required=assigned.reset_required,
        issued_at=conversions.time_to_msg(grant.issued_ns),
        deadline=conversions.time_to_msg(grant.deadline_ns),
        time_limit=conversions.duration_to_msg(assigned.time_limit_s),
        rule=assigned.rule, score=assigned.score, ensemble_id=assigned.ensemble_id,
        draw=math.nan if assigned.draw is None else assigned.draw)


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
        author=message.author, reason=message.reason, limit=message.limit,
        priority=message.priority)


def robot_order_from_msg(message: SteerRobot.Request, *, now_ns: int) -> RobotSteered | None:
    """Return an operator's order on robots, given at a time (ns); None for an unknown command."""
    command = ROBOT_COMMANDS.get(message.command)
    if command is None:
        return None
    deadline_s = conversions.duration_to_s(message.deadline)
    return RobotSteered(
        command=command,  # type: ignore[arg-type]
        robot=message.robot,
        deadline_ns=now_ns + int(deadline_s * conversions.NANOSECONDS) if deadline_s > 0 else 0,
        author=message.author, reason=message.reason)


class LeaseMessages:
    """
    The leases that are out as messages, each made once: only its deadline changes.

    :param space: for the units of factors
    """

    def __init__(self, space: ScenarioSpace) -> None:
        self._space = space
        self._made: dict[str, tuple[Assignment, int]] = {}

    def of(self, grants: Iterable[Grant]) -> list[Assignment]:
        """Return the messages of all leases that are out; they change with the next call."""
        self._made = {grant.assigned.assignment_id: self._message(grant) for grant in grants}
        return [message for message, _ in self._made.values()]

    def _message(self, grant: Grant) -> tuple[Assignment, int]:
        message, deadline_ns = self._made.get(grant.assigned.assignment_id, (None, 0))
        if message is None:
            message = lease_to_msg(grant, self._space)
        elif deadline_ns != grant.deadline_ns:
            message.deadline = conversions.time_to_msg(grant.deadline_ns)
        return message, grant.deadline_ns


def state_to_msg(state: State, leases: LeaseMessages, now: Time) -> SchedulerState:
    """
    Return the scheduler's state as a message.

    :param leases: keeps those of the last message
    """
    message = SchedulerState(
        state=MODES[state.mode], message=state.message, rule=state.rule,
        ensemble_id=state.ensemble_id, episodes=state.episodes, leases=len(state.leases),
        revoked=state.revoked,
        assignments=leases.of(state.leases),
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
