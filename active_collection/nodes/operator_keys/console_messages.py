# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of a robot's peers and what its operator's console works with."""
from __future__ import annotations

from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.console.told import AssignmentTold
from active_collection.collecting.console.told import RecorderTold
from active_collection.collecting.console.told import RobotTold
from active_collection.collecting.console.told import SchedulerTold
from active_collection.collecting.console.told import TaskCount
from active_collection.collecting.console.why import why
from active_collection.msg import Assignment
from active_collection.msg import Factor
from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.nodes import conversions

PHASES = {getattr(RobotStatus, phase.name): phase for phase in Phase}
RECORDER_STATES = {
    RecorderStatus.IDLE: 'idle', RecorderStatus.RECORDING: 'recording',
    RecorderStatus.CLOSING: 'closing', RecorderStatus.BLOCKED: 'blocked'}
MODES = {
    SchedulerState.RUNNING: 'running', SchedulerState.PAUSED: 'paused',
    SchedulerState.DRAINING: 'draining', SchedulerState.FINISHED: 'finished'}


def robot_from_msg(message: RobotStatus) -> RobotTold:
    """Return what a robot's agent tells; a state that is not known is a fault."""
    return RobotTold(
        PHASES.get(message.state, Phase.FAULT), message.message, message.assignment_id,
        message.episode_id, tuple(message.words), message.paused)


def assignment_from_msg(message: Assignment) -> AssignmentTold:
    """Return what the scheduler gave a robot, with the reasons in words."""
    scenario = message.scenario
    runner_up = next((f'{each.scenario.task} in {each.scenario.environment}'
                      for each in message.runners_up), '')
    return AssignmentTold(
        message.assignment_id, scenario.task, scenario.environment,
        {factor.name: _value(factor) for factor in scenario.configuration}, message.collector,
        message.reset_required, conversions.duration_to_s(message.time_limit),
        why(message.rule, terms=[(t.name, t.value, t.weight) for t in message.terms],
            asked_by=message.asked_by, runner_up=runner_up))


def recorder_from_msg(message: RecorderStatus) -> RecorderTold:
    """Return what a recorder tells."""
    return RecorderTold(
        RECORDER_STATES.get(message.state, 'blocked'), message.message, message.elapsed,
        message.dropped, message.lost, message.disk_free, message.bytes)


def scheduler_from_msg(message: SchedulerState) -> SchedulerTold:
    """Return what the scheduler tells."""
    return SchedulerTold(
        MODES.get(message.state, 'paused'), message.message, message.episodes,
        {task.task: TaskCount(task.episodes, task.minimum,
                              task.maximum if task.has_maximum else None)
         for task in message.tasks})


def _value(factor: Factor) -> str:
    if factor.kind == Factor.DISCRETE:
        return str(factor.label)
    return f'{factor.value:.3g} {factor.unit}'.rstrip()
