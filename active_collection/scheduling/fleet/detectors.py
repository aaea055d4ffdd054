# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Success detectors: what says whether an episode was a success of a task, found by name."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from active_collection.episode import JUDGED_BY
from active_collection.episode import SCENE
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.registry import Registry
from active_collection.scenario import ScenarioSpace
from active_collection.task import Task

#: Outcomes that are not a detector's to change: the system or the operator gave the episode up.
GIVEN_UP = frozenset({Outcome.ABORTED, Outcome.DISCARDED})


class SuccessDetector(Protocol):
    """Judges episodes of the tasks whose `success` names it."""

    def judge(self, task: str, entry: Task, record: EpisodeRecord) -> Outcome:
        """
        Return the outcome of an episode seen as an attempt at a task.

        :param task: the task, which need not be the one that the episode was collected for
        :returns: UNKNOWN where it cannot tell
        """
        ...


class RobotSays:
    """What the robot itself reported, of the task that it was collecting; nothing of others."""

    def judge(self, task: str, entry: Task, record: EpisodeRecord) -> Outcome:
        """Return the recorded outcome, for the episode's own task."""
        del entry
        return record.outcome if record.scenario.task == task else Outcome.UNKNOWN


class PersonSays:
    """What a person said, on the spot or by amending it; until then it waits for a label."""

    def judge(self, task: str, entry: Task, record: EpisodeRecord) -> Outcome:
        """Return the outcome of an episode's own task once a person judged it."""
        del entry
        is_judged = JUDGED_BY in record.tags and record.scenario.task == task
        return record.outcome if is_judged else Outcome.UNKNOWN


class EffectsHold:
    """Success where the scene at the end, told in the episode's tags, has the task's effects."""

    def judge(self, task: str, entry: Task, record: EpisodeRecord) -> Outcome:
        """Return SUCCESS or FAILURE where the tags tell of every effect."""
        del task
        scene = scene_of(record.tags)
        if not entry.effects or any(name not in scene for name in entry.effects):
            return Outcome.UNKNOWN
        holds = all(scene[name] == value for name, value in entry.effects.items())
        return Outcome.SUCCESS if holds else Outcome.FAILURE


_HERE = 'active_collection.scheduling.fleet.detectors'
DETECTORS: Registry[SuccessDetector] = Registry(
    'success detector', 'active_collection.success_detectors', {
        'robot': f'{_HERE}:RobotSays',
        'person': f'{_HERE}:PersonSays',
        'effects': f'{_HERE}:EffectsHold',
    })


def scene_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the facts of the scene at an episode's end that its tags tell."""
    return {k.removeprefix(SCENE): v for k, v in tags.items() if k.startswith(SCENE)}


class Judges:
    """
    The detector of every task of a space.

    :raises ConfigError: where a task's `success` names none
    """

    def __init__(self, space: ScenarioSpace) -> None:
        self._space = space
        self._detectors = {
            name: DETECTORS.get(task.success)() for name, task in space.tasks.items()}

    def outcome(self, record: EpisodeRecord) -> Outcome:
        """
        Return the outcome of an episode as its own task's detector sees it.

        What a person said of it goes over what any detector says.
        """
        task = self._space.tasks.get(record.scenario.task)
        is_judged = JUDGED_BY in record.tags and record.outcome is not Outcome.UNKNOWN
        if task is None or is_judged or record.outcome in GIVEN_UP:
            return record.outcome
        return self._detectors[record.scenario.task].judge(record.scenario.task, task, record)

    def impersonated(self, record: EpisodeRecord) -> dict[str, Outcome]:
        """
        Return the outcomes for the other tasks of its skill group whose detectors can tell.

        Task impersonation: an episode of one task is an attempt at each task of its group
        (MT-Opt: Kalashnikov et al. 2021, section 4.2).
        """
        own = self._space.tasks.get(record.scenario.task)
        if own is None or not own.skill_group or record.outcome in GIVEN_UP:
            return {}
        judged = {
            name: self._detectors[name].judge(name, task, record)
            for name, task in self._space.tasks.items()
            if name != record.scenario.task and task.skill_group == own.skill_group}
        return {name: outcome for name, outcome in judged.items()
                if outcome in {Outcome.SUCCESS, Outcome.FAILURE}}
