# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What uncertainty says of failure: learnt from trials, and never across ensembles."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from active_collection.scheduling.beliefs import curves
from active_collection.scheduling.beliefs.doubt import EPOCHS
from active_collection.scheduling.beliefs.doubt import Epochs
from active_collection.scheduling.beliefs.doubt import expected_failure

CURVES = curves.fit(np.zeros((4, len(curves.SCALE))))
HALF = np.full(4, 0.5)


def epochs(*columns, trials=None, failures=None, learnt=5.0):
    """Return the last ensembles from their columns of doubts, newest first."""
    shape = (4, EPOCHS)
    epistemic, tried, failed = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
    for age, column in enumerate(columns):
        epistemic[:, age] = column
    if trials is not None:
        tried[:, 0], failed[:, 0] = trials, failures
    return Epochs(epistemic, failed, tried, np.full(shape, learnt))


def logit(p):
    return np.log(p / (1 - p))


def test_without_a_measurement_the_curves_stand():
    curve = np.array([0.1, 0.2, 0.3, 0.4])

    assert expected_failure(CURVES, curve, epochs()) == pytest.approx(curve)


def test_a_task_that_was_not_measured_is_as_doubtful_as_the_most_doubtful():
    failure = expected_failure(CURVES, HALF, epochs([0.1, 0.4, 0.2, np.nan]))

    assert failure[3] == failure[1] > failure[2] > failure[0]


def test_doubt_that_fell_on_the_whole_does_not_make_what_was_measured_before_doubtful():
    """Measured once since a retraining that made all of it a tenth, tasks seemed to be solved."""
    was = np.array([0.1, 0.1, 0.1, 0.1])
    failure = expected_failure(CURVES, HALF, epochs([0.01, 0.01, 0.01, np.nan], was))

    assert logit(failure) == pytest.approx(np.zeros(4), abs=0.5)  # before: more than 2


def test_the_doubts_of_one_ensemble_count_though_another_measured_first():
    failure = expected_failure(CURVES, HALF, epochs(
        [0.01, 0.002, np.nan, np.nan], [0.1, 0.1, 0.5, 0.1]))

    assert failure[2] > failure[0] > failure[1]


def test_trials_of_some_tasks_teach_what_doubt_says_of_the_others():
    doubts = [0.1, 0.1, 0.4, 0.4]
    untried = expected_failure(CURVES, HALF, epochs(doubts))
    steep = expected_failure(CURVES, HALF, epochs(
        doubts, trials=[20, 0, 20, 0], failures=[0, 0, 20, 0]))
    inverse = expected_failure(CURVES, HALF, epochs(
        doubts, trials=[20, 0, 20, 0], failures=[20, 0, 0, 0]))

    assert steep[3] > untried[3] and steep[1] < untried[1]
    assert inverse[3] < 0.5 < inverse[1]


@pytest.mark.parametrize('seed', range(5))
def test_it_is_the_most_probable_fit(seed):
    random = np.random.default_rng(seed)
    doubts, trials = random.lognormal(-3, 2, 4), random.integers(1, 40, 4)
    failures, curve = random.integers(0, trials + 1), random.uniform(0.05, 0.95, 4)
    x = np.log(doubts) - np.log(doubts).mean()
    offset = logit(1 - CURVES.mean(np.full(4, 5.0)))

    def cost(ab):
        p = 1 / (1 + np.exp(-(offset + ab[0] + ab[1] * x)))
        return (-(failures * np.log(p) + (trials - failures) * np.log1p(-p)).sum()
                + ab[0] ** 2 / 2 + (ab[1] - 1) ** 2 / 2)

    a, b = minimize(cost, [0, 1], method='Nelder-Mead', options={'xatol': 1e-9, 'fatol': 1e-12}).x

    assert logit(expected_failure(CURVES, curve, epochs(
        doubts, trials=trials, failures=failures))) == pytest.approx(
            logit(curve) + a + b * x, abs=1e-4)
