# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A success detector: a success that took too long is none."""
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.task import Task


class Quick:
    """What the robot said, but a success within half of the task's time limit only."""

    def judge(self, task: str, entry: Task, record: EpisodeRecord) -> Outcome:
        """Return the outcome; UNKNOWN of an episode that was collected for another task."""
        if record.scenario.task != task:
            return Outcome.UNKNOWN
        if record.outcome is Outcome.SUCCESS and record.duration_s > entry.time_limit_s / 2:
            return Outcome.FAILURE
        return record.outcome
