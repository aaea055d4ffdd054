# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the ROS interfaces and the records of the library."""
from __future__ import annotations

import math
from dataclasses import fields

from builtin_interfaces.msg import Duration
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import KeyValue

from active_collection.episode import ClockJump
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.episode import TopicStatistics
from active_collection.episode import UncertaintySummary
from active_collection.errors import ConfigError
from active_collection.msg import ClockJump as ClockJumpMsg
from active_collection.msg import Episode as EpisodeMsg
from active_collection.msg import Factor as FactorMsg
from active_collection.msg import Scenario as ScenarioMsg
from active_collection.msg import TopicStatistics as TopicStatisticsMsg
from active_collection.msg import UncertaintySummary as UncertaintySummaryMsg
from active_collection.names import check_name
from active_collection.scenario import Scenario
from active_collection.task import Value

NANOSECONDS = 1_000_000_000
#: Fields of an uncertainty summary that its message spells in another way.
UNLIKE_MESSAGE = frozenset({'ensemble_created_ns', 'trained_on', 'held_out_loss'})

OUTCOME_TO_MSG = {
    Outcome.UNKNOWN: EpisodeMsg.UNKNOWN,
    Outcome.SUCCESS: EpisodeMsg.SUCCESS,
    Outcome.FAILURE: EpisodeMsg.FAILURE,
    Outcome.ABORTED: EpisodeMsg.ABORTED,
    Outcome.DISCARDED: EpisodeMsg.DISCARDED,
}
OUTCOME_FROM_MSG = {number: outcome for outcome, number in OUTCOME_TO_MSG.items()}


def time_to_msg(nanoseconds: int) -> Time:
    """Return a time stamp (ns since the epoch of its clock, not negative) as a message."""
    return Time(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def time_to_ns(message: Time) -> int:
    """Return a time message as ns."""
    return int(message.sec) * NANOSECONDS + int(message.nanosec)


def duration_to_msg(seconds: float) -> Duration:
    """Return a duration (s) as a message."""
    nanoseconds = round(seconds * NANOSECONDS)
    return Duration(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def duration_to_s(message: Duration) -> float:
    """Return a duration message in s."""
    return float(message.sec) + float(message.nanosec) / NANOSECONDS


def scenario_to_msg(scenario: Scenario, units: dict[str, str] | None = None) -> ScenarioMsg:
    """
    Return a scenario as a message.

    :param units: factor name to unit, where the scenario space is at hand
    """
    factors = []
    for name, value in scenario.configuration:
        if isinstance(value, str):
            factors.append(FactorMsg(name=name, kind=FactorMsg.DISCRETE, label=value))
        else:
            factors.append(FactorMsg(
                name=name, kind=FactorMsg.CONTINUOUS, value=float(value),
                unit=(units or {}).get(name, '')))
    return ScenarioMsg(
        task=scenario.task, environment=scenario.environment, configuration=factors)


def scenario_from_msg(message: ScenarioMsg) -> Scenario:
    """
    Return a scenario that a peer sent.

    :raises ActiveCollectionError: where a name is unsafe, a factor stands twice or is not finite
    """
    values: dict[str, Value] = {}
    for factor in message.configuration:
        if not factor.name or factor.name in values:
            raise ConfigError('scenario: configuration', found=repr(factor.name),
                              expected='factor names, each once')
        if factor.kind == FactorMsg.CONTINUOUS and not math.isfinite(factor.value):
            raise ConfigError(f'scenario: configuration.{factor.name}', found=factor.value,
                              expected='a finite number')
        values[factor.name] = (
            factor.label if factor.kind == FactorMsg.DISCRETE else float(factor.value))
    check_name(message.task, 'scenario: task')
    check_name(message.environment, 'scenario: environment')
    return Scenario.of(message.task, message.environment, values)


def summary_to_msg(summary: UncertaintySummary) -> UncertaintySummaryMsg:
    """Return an uncertainty summary as a message."""
    alike = {f.name: getattr(summary, f.name) for f in fields(summary)
             if f.name not in UNLIKE_MESSAGE}
    return UncertaintySummaryMsg(
        **alike, ensemble_created=time_to_msg(summary.ensemble_created_ns),
        trained_tasks=list(summary.trained_on),
        trained_demonstrations=list(summary.trained_on.values()),
        held_out_losses=[summary.held_out_loss.get(task, math.nan) for task in summary.trained_on]
        if summary.held_out_loss else [])


def summary_from_msg(message: UncertaintySummaryMsg) -> UncertaintySummary:
    """Return an uncertainty summary that a peer sent."""
    alike = {f.name: getattr(message, f.name) for f in fields(UncertaintySummary)
             if f.name not in UNLIKE_MESSAGE}
    return UncertaintySummary(
        **alike, ensemble_created_ns=time_to_ns(message.ensemble_created),
        trained_on=dict(zip(message.trained_tasks, map(int, message.trained_demonstrations),
                            strict=False)),
        held_out_loss={
            task: loss for task, loss in zip(message.trained_tasks, message.held_out_losses,
                                             strict=False) if math.isfinite(loss)})


def topic_to_msg(topic: TopicStatistics) -> TopicStatisticsMsg:
    """Return a topic's statistics as a message."""
    return TopicStatisticsMsg(**{f.name: getattr(topic, f.name) for f in fields(topic)})


def topic_from_msg(message: TopicStatisticsMsg) -> TopicStatistics:
    """Return a topic's statistics that a peer sent."""
    return TopicStatistics(**{f.name: getattr(message, f.name) for f in fields(TopicStatistics)})


def episode_to_msg(record: EpisodeRecord, *, state: int, path: str = '',
                   size: int = 0) -> EpisodeMsg:
    """
    Return an episode as a message.

    :param state: EpisodeMsg.RECORDING or EpisodeMsg.CLOSED
    :param path: bag directory below the recorder's data directory
    :param size: its size on disk (bytes)
    """
    return EpisodeMsg(
        episode_id=record.episode_id, state=state, revision=record.revision, robot=record.robot,
        operator_name=record.operator, source=record.source.value,
        scenario=scenario_to_msg(record.scenario), assignment_id=record.assignment_id,
        notes=record.notes,
        tags=[KeyValue(key=key, value=value) for key, value in sorted(record.tags.items())],
        outcome=OUTCOME_TO_MSG[record.outcome],
        stop_reason=record.stop_reason.value if record.stop_reason else '',
        started_at=time_to_msg(record.started_ns), finished_at=time_to_msg(record.finished_ns),
        duration=record.lasted_s,
        clock_jumps=[ClockJumpMsg(after=j.after_s, by=j.by_s) for j in record.clock_jumps],
        path=path, size=size, has_losses=record.has_losses,
        topics=[topic_to_msg(topic) for topic in record.topics],
        uncertainty=summary_to_msg(record.uncertainty))


def episode_from_msg(message: EpisodeMsg) -> EpisodeRecord:
    """
    Return the record that a peer published; its versions are left out.

    :raises ActiveCollectionError: where an id, a name, the outcome or the source is not valid
    """
    where = f'episode {message.episode_id!r}'
    try:
        outcome = OUTCOME_FROM_MSG[message.outcome]
        source = Source(message.source)
        stop_reason = StopReason(message.stop_reason) if message.stop_reason else None
    except (KeyError, ValueError) as error:
        raise ConfigError(where, found=str(error),
                          expected='a known outcome, source and stop_reason') from error
    return EpisodeRecord(
        episode_id=check_name(message.episode_id, 'episode: episode_id'),
        scenario=scenario_from_msg(message.scenario),
        robot=message.robot, source=source, started_ns=time_to_ns(message.started_at),
        finished_ns=time_to_ns(message.finished_at), outcome=outcome, stop_reason=stop_reason,
        assignment_id=message.assignment_id, operator=message.operator_name,
        notes=message.notes, tags={tag.key: tag.value for tag in message.tags},
        revision=message.revision, topics=tuple(topic_from_msg(t) for t in message.topics),
        uncertainty=summary_from_msg(message.uncertainty), lasted_s=message.duration,
        clock_jumps=tuple(ClockJump(j.after, j.by) for j in message.clock_jumps))
