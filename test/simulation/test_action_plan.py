# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.errors import SimulationError
from active_collection.simulation.action_plan import ActionPlan
from active_collection.simulation.action_plan import as_chunk


@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 30))
def test_policy_is_asked_again_after_so_many_steps_or_the_whole_chunk(horizon, steps, length):
    asked = []

    def ask():
        asked.append(len(done))
        return np.array([[len(done), row, 0, 0] for row in range(horizon)])

    plan, done = ActionPlan(steps=steps), []
    for _ in range(length):
        action = plan.next(ask)
        done.append(action)

    each = min(steps, horizon)
    assert asked == list(range(0, length, each))
    assert [int(action[1]) for action in done] == [k % each for k in range(length)]
    assert [int(action[0]) for action in done] == [k - k % each for k in range(length)]


@pytest.mark.parametrize(('horizon', 'shape'), [(0, (1, 4)), (1, (1, 4)), (3, (3, 4))])
def test_rows_follow_one_another_and_are_clipped(horizon, shape):
    numbers = np.linspace(-2, 2, shape[0] * 4)

    chunk = as_chunk(numbers, horizon, where='policy')

    assert chunk.shape == shape
    assert chunk.ravel() == pytest.approx(np.clip(numbers, -1, 1))


@pytest.mark.parametrize(('values', 'horizon', 'expected'), [
    ([0.0] * 3, 1, '4 finite numbers'),
    ([0.0] * 8, 1, '4 finite numbers'),
    ([0.0] * 4, 2, 'for each of 2 steps'),
    ([0.0] * 7 + [float('nan')], 2, 'for each of 2 steps'),
    ([], 0, '4 finite numbers'),
])
def test_chunk_of_another_shape_is_refused(values, horizon, expected):
    with pytest.raises(SimulationError, match=expected):
        as_chunk(values, horizon, where='policy')
