# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The symbolic state of a robot's scene: which tasks may follow one another without a reset."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from active_collection.task import Task


@dataclass(frozen=True, slots=True)
class Scene:
    """
    What is known of the scene in front of a robot.

    :param environment: where the robot last worked; empty if not known
    :param facts: 'drawer': 'open'; None where the scene must be reset before anything is known
    """

    environment: str = ''
    facts: Mapping[str, str] | None = field(default=None)

    def allows(self, task: Task) -> bool:
        """Tell whether a task can follow here without a reset: its preconditions hold."""
        return (self.facts is not None and bool(task.preconditions)
                and all(self.facts.get(k) == v for k, v in task.preconditions.items()))

    def after(self, task: Task, environment: str, *, was_reset: bool, success: bool) -> Scene:
        """
        Return the scene after an episode: the task's effects hold where it succeeded.

        A failure leaves a scene that nobody knows, hence one that has to be reset (MT-Opt:
        Kalashnikov et al. 2021 choose between next task and reset after each episode).
        """
        if not success:
            return Scene(environment)
        before = {} if was_reset or self.facts is None else dict(self.facts)
        return Scene(environment, {**before, **task.preconditions, **task.effects})
