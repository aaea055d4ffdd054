# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the agent's peers and what its collection loop works with."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import KeyValue

from active_collection.collecting.collection_robot import Attempt
from active_collection.collecting.collection_robot import NoWork
from active_collection.collecting.collection_robot import Work
from active_collection.episode import Outcome
from active_collection.msg import Assignment
from active_collection.nodes import conversions
from active_collection.srv import RequestAssignment

#: What an episode's record takes over of a robot's tags: more is garbage.
MOST_TAGS = 64
LONGEST_TAG = 1000


def work_from_msg(message: Assignment) -> Work:
    """
    Return an assignment that a scheduler sent.

    :raises ActiveCollectionError: where its scenario has an unsafe name or a factor twice
    """
    scenario = conversions.scenario_from_msg(message.scenario)
    return Work(
        assignment_id=message.assignment_id, scenario=scenario, collector=message.collector,
        reset_required=message.reset_required,
        time_limit_s=conversions.duration_to_s(message.time_limit),
        policy_task='' if message.policy_task == scenario.task else message.policy_task,
        issued_ns=conversions.time_to_ns(message.issued_at),
        deadline_ns=conversions.time_to_ns(message.deadline))


def refusal_from_msg(answer: RequestAssignment.Response, *, retry_s: float) -> NoWork:
    """
    Return a scheduler's refusal.

    :param retry_s: when to ask again at the earliest (s)
    """
    causes = ', '.join(str(reason.cause) for reason in answer.reasons)
    return NoWork(
        answer.message, max(conversions.duration_to_s(answer.retry_after), retry_s),
        is_paused=answer.code == answer.PAUSED, needs_person=answer.needs_person,
        gist=f'{answer.code}: {causes}' if causes and not answer.needs_person else '')


def attempt_from_end(name: str, end: Any) -> Attempt:
    """
    Return the end of a CollectEpisode action as an attempt, whatever its server made of it.

    :param name: the action, for messages
    :param end: its `status` and `result`
    """
    outcome = conversions.OUTCOME_FROM_MSG.get(end.result.outcome)
    tags = {tag.key: tag.value[:LONGEST_TAG] for tag in end.result.tags[:MOST_TAGS]
            if tag.key and len(tag.key) <= LONGEST_TAG}
    if outcome is None:
        return Attempt(Outcome.ABORTED, f'{name}: found outcome {end.result.outcome}, expected '
                       "one of Episode's", tags=tags)
    if outcome is Outcome.UNKNOWN and end.status != GoalStatus.STATUS_SUCCEEDED:
        return Attempt(Outcome.ABORTED, f'{name}: no outcome: {end.result.message}', tags=tags)
    return Attempt(outcome, end.result.message, tags=tags)


def tags_to_msg(tags: Mapping[str, str]) -> list[KeyValue]:
    """Return tags as messages, sorted by key."""
    return [KeyValue(key=key, value=value) for key, value in sorted(tags.items())]
