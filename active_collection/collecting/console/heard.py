# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's peers told its operator last, and how long ago."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from active_collection.collecting.console.told import Answer
from active_collection.collecting.console.told import AssignmentTold
from active_collection.collecting.console.told import RecorderTold
from active_collection.collecting.console.told import RobotTold
from active_collection.collecting.console.told import SchedulerTold
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome

Told = RobotTold | AssignmentTold | RecorderTold | SchedulerTold | EpisodeRecord | Answer
T = TypeVar('T', RobotTold, AssignmentTold, RecorderTold, SchedulerTold)
#: Episodes that are remembered.
MOST_EPISODES = 1000
#: The scheduler of a large fleet takes its time to tell of itself (s).
SCHEDULER_EXTRA_S = 3.0


class Heard:
    """
    The newest word of each peer, and the episodes that are closed.

    :param clock: steady time (s)
    :param silence_s: who was silent for this long is lost (s)
    """

    def __init__(self, *, clock: Callable[[], float], silence_s: float) -> None:
        self._clock = clock
        self._silence_s = silence_s
        self._told: dict[type, tuple[Told, float]] = {}
        self._episodes: dict[str, EpisodeRecord] = {}
        self._began_s = clock()

    def hear(self, told: Told) -> None:
        """Take in what a peer tells."""
        if isinstance(told, EpisodeRecord):
            if told.finished_ns:
                self._episodes[told.episode_id] = told
                while len(self._episodes) > MOST_EPISODES:
                    self._episodes.pop(next(iter(self._episodes)))
            return
        self._told[type(told)] = told, self._clock()

    def last(self, kind: type[T]) -> T | None:
        """Return what was told last of a kind, however old; None for nothing."""
        found = self._told.get(kind)
        return found[0] if found is not None and isinstance(found[0], kind) else None

    def age_s(self, kind: type[Told]) -> float:
        """Return how long ago a peer was heard, or how long it was waited for (s)."""
        found = self._told.get(kind)
        return self._clock() - (found[1] if found else self._began_s)

    def is_lost(self, kind: type[Told]) -> bool:
        """Tell whether a peer was not heard, or not for long."""
        extra_s = SCHEDULER_EXTRA_S if kind is SchedulerTold else 0.0
        return kind not in self._told or self.age_s(kind) > self._silence_s + extra_s

    @property
    def assignment(self) -> AssignmentTold | None:
        """Return what the robot works on; None where nobody has told."""
        robot, told = self.last(RobotTold), self.last(AssignmentTold)
        if robot is None or told is None or told.assignment_id != robot.assignment_id:
            return None
        return told

    @property
    def newest(self) -> EpisodeRecord | None:
        """Return the episode that was closed last."""
        return max(self._episodes.values(), key=lambda e: e.finished_ns, default=None)

    @property
    def tally(self) -> Counter[Outcome]:
        """Return the outcomes of the episodes that are remembered."""
        return Counter(episode.outcome for episode in self._episodes.values())
