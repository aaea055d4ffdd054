# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a policy that answers with action chunks has the robot do at each control step."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from active_collection.errors import SimulationError
from active_collection.simulation.observation import ACTION_NAMES
from active_collection.simulation.observation import Array


class ActionPlan:
    """
    The actions of the last chunk that are still to be done.

    :param steps: how many actions of a chunk are done before the policy is asked again (receding
        horizon: Chi et al., "Diffusion policy", 2023); a shorter chunk is done as a whole
    """

    def __init__(self, *, steps: int) -> None:
        self._steps = steps
        self._left: deque[Array] = deque()

    def next(self, ask: Callable[[], Array]) -> Array:
        """
        Return the action of this control step, shape (4,), each in -1 to 1.

        :param ask: returns a chunk, shape (H, 4); called only where nothing is left to do
        """
        if not self._left:
            self._left.extend(ask()[:self._steps])
        return self._left.popleft()


def as_chunk(values: npt.ArrayLike, horizon: int, *, where: str) -> Array:
    """
    Return an action chunk, shape (H, 4), each in -1 to 1.

    :param values: H x 4 numbers, row by row
    :param horizon: H; 0 as 1, for a policy that knows no chunks
    :param where: what holds them, for messages
    :raises SimulationError: where they are others, or not finite
    """
    actions = np.asarray(values, dtype=np.float64)
    rows, columns = max(1, horizon), len(ACTION_NAMES)
    if actions.size != rows * columns or not np.isfinite(actions).all():
        chunk = f' for each of {rows} steps' if rows > 1 else ''
        raise SimulationError(where, found=actions.ravel()[:8].tolist(),
                              expected=f'{columns} finite numbers{chunk}')
    return np.asarray(np.clip(actions.reshape(rows, columns), -1.0, 1.0))
