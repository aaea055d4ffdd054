# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is believed of all tasks, as arrays: what rules decide by."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from active_collection.scheduling.beliefs import curves
from active_collection.scheduling.beliefs.doubt import Epochs
from active_collection.scheduling.beliefs.doubt import expected_failure

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TaskArrays:
    """
    The beliefs as arrays over the scenario space's tasks, in its order; each of shape (T,).

    :param episodes: episodes that count: a success or a failure
    :param demonstrations: successes that no policy of the task acted out
    :param learnt: demonstrations that the newest ensemble was trained on
    :param fresh: demonstrations that it was not trained on
    :param trials: episodes of the policy alone, by any ensemble
    :param epistemic: expected epistemic uncertainty under the newest ensemble; the largest known
        one (1 before any) for a task that none has been measured of
    :param epistemic_before: the same under the ensemble before it
    :param fall_of_loss: how far the error on what was not learnt fell from that ensemble to the
        newest; NaN where one of them does not say
    :param is_measured: whether the task's own episodes were scored
    :param seconds: length of all episodes (s)
    :param pace: demonstrations between two retrainings, at least 1
    :param likelihoods: log likelihood of every curve of the grid, shape (T, G)
    :param epochs: what the last ensembles' policies were and did
    :param fit: gives the curves of likelihoods; one that remembers does not fit the same again
    """

    episodes: Integers
    demonstrations: Integers
    learnt: Floats
    fresh: Floats
    trials: Integers
    epistemic: Floats
    epistemic_before: Floats
    fall_of_loss: Floats
    is_measured: npt.NDArray[np.bool_]
    seconds: Floats
    pace: Floats
    likelihoods: Floats
    epochs: Epochs
    fit: Callable[[Floats], curves.Curves] = curves.fit

    @cached_property
    def curves(self) -> curves.Curves:
        """Return what is believed of the tasks' learning curves."""
        return self.fit(self.likelihoods)

    @cached_property
    def success(self) -> Floats:
        """Return the expected success of the newest policy by the learning curves, 0 to 1."""
        return self.curves.mean(self.learnt)

    @cached_property
    def failure(self) -> Floats:
        """Return the expected failure rate: the curves', corrected by the ensemble's doubt."""
        return expected_failure(self.curves, 1 - self.success, self.epochs)
