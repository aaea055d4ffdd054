# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the scheduler's interfaces and the records of the library."""
from __future__ import annotations

import math
from collections.abc import Iterable
from typing import get_args

from rclpy.time import Time

from active_collection.msg import Assignment as AssignmentMsg
from active_collection.msg import RefusalReason as RefusalReasonMsg
from active_collection.msg import RunnerUp
from active_collection.msg import ScenarioStatistics
from active_collection.msg import SchedulerState
from active_collection.msg import ScoreTerm
from active_collection.nodes import conversions
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.refusal import RefusalReason
from active_collection.scheduling.orders import Command
from active_collection.scheduling.orders import RobotCommand
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.orders import ends_ns
from active_collection.scheduling.status import SchedulerStatus
from active_collection.scheduling.status import TaskStatus
from active_collection.srv import RequestAssignment
from active_collection.srv import SteerRobot
from active_collection.srv import SteerScenario

MODES = {
    'running': SchedulerState.RUNNING,
    'paused': SchedulerState.PAUSED,
    'draining': SchedulerState.DRAINING,
    'finished': SchedulerState.FINISHED,
}
COMMANDS: dict[int, Command] = {
    getattr(SteerScenario.Request, name.upper()): name for name in get_args(Command)}
ROBOT_COMMANDS: dict[int, RobotCommand] = {
    getattr(SteerRobot.Request, name.upper()): name for name in get_args(RobotCommand)}


def assignment_to_msg(assignment: Assignment, space: ScenarioSpace) -> AssignmentMsg:
    """Return a lease as a message, with the reasons for it."""
    message = lease_to_msg(assignment, space)
    message.terms = [ScoreTerm(name=t.name, value=t.value, weight=t.weight)
                     for t in assignment.terms]
    message.runners_up = [
        RunnerUp(scenario=conversions.scenario_to_msg(Scenario(r.task, r.environment)),
                 score=r.score) for r in assignment.runners_up]
    return message


def answer_to_msg(answer: Assignment | Refusal,
                  space: ScenarioSpace) -> RequestAssignment.Response:
    """Return the answer to a robot that asked for work."""
    response = RequestAssignment.Response()
    if isinstance(answer, Assignment):
        response.code = response.GRANTED
        response.assignment = assignment_to_msg(answer, space)
    else:
        response.code = getattr(response, answer.code.name)
        response.message = answer.message
        response.needs_person = answer.needs_person
        response.reasons = [reason_to_msg(reason) for reason in answer.reasons]
        response.retry_after = conversions.duration_to_msg(answer.retry_after_s)
    return response


def reason_to_msg(reason: RefusalReason) -> RefusalReasonMsg:
    """Return what keeps a robot from tasks as a message."""
    return RefusalReasonMsg(
        cause=getattr(RefusalReasonMsg, reason.cause.name), tasks=list(reason.tasks),
        found=reason.found, remedy=reason.remedy)


def lease_to_msg(lease: Assignment, space: ScenarioSpace) -> AssignmentMsg:
    """Return a lease as a message, with the units of its factors."""
    task = space.tasks.get(lease.scenario.task)
    units = {name: factor.unit for name, factor in task.factors.items()} if task else {}
    return AssignmentMsg(
        assignment_id=lease.assignment_id, robot=lease.robot,
        scenario=conversions.scenario_to_msg(lease.scenario, units),
        collector=lease.collector, policy_task=lease.policy_task,
        priority=lease.priority, reset_required=lease.reset_required,
        issued_at=conversions.time_to_msg(lease.issued_ns),
        deadline=conversions.time_to_msg(lease.deadline_ns),
        time_limit=conversions.duration_to_msg(lease.time_limit_s),
        rule=lease.rule, score=lease.score, ensemble_id=lease.ensemble_id,
        draw=math.nan if lease.draw is None else lease.draw,
        repeats=lease.repeats, asked_by=lease.asked_by)


def request_from_msg(message: RequestAssignment.Request) -> Request:
    """Return a robot's question."""
    return Request(
        robot=message.robot, environment=message.environment,
        capabilities=tuple(message.capabilities), collectors=tuple(message.collectors))


def order_from_msg(message: SteerScenario.Request, *, now_ns: int) -> ScenarioOrder | None:
    """Return an operator's order that begins at a time (ns); None for an unknown command."""
    command = COMMANDS.get(message.command)
    if command is None:
        return None
    return ScenarioOrder(
        command=command,
        task=message.task, environment=message.environment, factor=message.factor,
        until_ns=ends_ns(now_ns, conversions.duration_to_s(message.duration)),
        author=message.author, reason=message.reason, limit=message.limit,
        priority=message.priority)


def robot_order_from_msg(message: SteerRobot.Request, *, now_ns: int) -> RobotOrder | None:
    """Return an operator's order on robots, given at a time (ns); None for an unknown command."""
    command = ROBOT_COMMANDS.get(message.command)
    if command is None:
        return None
    return RobotOrder(
        command=command,
        robot=message.robot,
        deadline_ns=ends_ns(now_ns, conversions.duration_to_s(message.deadline)),
        author=message.author, reason=message.reason)


class LeaseMessages:
    """
    The leases that are out as messages, each made once: only its deadline changes.

    :param space: for the units of factors
    """

    def __init__(self, space: ScenarioSpace) -> None:
        self._space = space
        self._made: dict[str, tuple[AssignmentMsg, int]] = {}

    def of(self, leases: Iterable[Assignment]) -> list[AssignmentMsg]:
        """Return the messages of all leases that are out; they change with the next call."""
        self._made = {lease.assignment_id: self._message(lease) for lease in leases}
        return [message for message, _ in self._made.values()]

    def _message(self, lease: Assignment) -> tuple[AssignmentMsg, int]:
        message, deadline_ns = self._made.get(lease.assignment_id, (None, 0))
        if message is None:
            message = lease_to_msg(lease, self._space)
        elif deadline_ns != lease.deadline_ns:
            message.deadline = conversions.time_to_msg(lease.deadline_ns)
        return message, lease.deadline_ns


def status_to_msg(status: SchedulerStatus, leases: LeaseMessages, now: Time, *,
                  remark: str) -> SchedulerState:
    """
    Return the scheduler's status as a message.

    :param leases: keeps those of the last message
    :param remark: one line that the message of the status is to have too; empty for none
    """
    message = SchedulerState(
        state=MODES[status.mode],
        message='; '.join(filter(None, [status.message, remark])), rule=status.rule,
        ensemble_id=status.ensemble_id, episodes=status.episodes, leases=len(status.leases),
        revoked=status.revoked,
        assignments=leases.of(status.leases),
        tasks=[_task_to_msg(task) for task in status.tasks])
    message.header.stamp = now.to_msg()
    return message


def _task_to_msg(task: TaskStatus) -> ScenarioStatistics:
    return ScenarioStatistics(
        task=task.task, assigned=task.assigned, episodes=task.episodes, successes=task.successes,
        failures=task.failures, aborted=task.aborted, success_rate=task.success_rate,
        success_low=task.success_low, success_high=task.success_high,
        epistemic=math.nan if task.epistemic is None else task.epistemic,
        probability=task.probability, minimum=task.minimum, maximum=task.maximum or 0,
        has_maximum=task.maximum is not None, pinned=task.is_pinned, banned=task.is_banned,
        boost=task.boost)
