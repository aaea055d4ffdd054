# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What was demonstrated, in memory and on disk."""
from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from _metaworld import Acted

FILE = 'episodes.npz'


@dataclass(frozen=True)
class Lesson:
    """A successful demonstration, as it is learnt from and as the scheduler is told of it."""

    episode_id: str
    task: str
    configuration: dict[str, float]
    acted: Acted

    def decoded(self):
        """Return it as the trainer takes it."""
        return self.acted.decoded(self.episode_id, self.task)


def write(directory, lessons):
    """Write lessons into a directory; `read` returns them."""
    told = [[each.episode_id, each.task, each.configuration] for each in lessons]
    np.savez(directory / FILE, told=np.array(json.dumps(told)),
             **{f'{k}.observations': each.acted.observations for k, each in enumerate(lessons)},
             **{f'{k}.actions': each.acted.actions for k, each in enumerate(lessons)})


def read(directory):
    """Return the lessons of a directory, in order."""
    with np.load(directory / FILE) as arrays:
        return [Lesson(*told, Acted(True, arrays[f'{k}.observations'], arrays[f'{k}.actions']))
                for k, told in enumerate(json.loads(str(arrays['told'])))]
