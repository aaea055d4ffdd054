# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Learning curves: exact on their grid, near the truth at the counts that a fleet has."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.scheduling.beliefs import curves
from active_collection.scheduling.beliefs.curves import PRIORS
from active_collection.scheduling.beliefs.curves import failures
from active_collection.scheduling.beliefs.curves import fit
from active_collection.scheduling.beliefs.curves import log_likelihood


def believed(*tasks):
    """Return what is believed from (demonstrations, successes, trials) rows of each task."""
    rows = [np.array(rows, float).reshape(-1, 3) for rows in tasks]
    return fit(np.array([log_likelihood(*row.T, np.ones(len(row))) for row in rows]))


def at(n, tasks=1):
    return np.full(tasks, float(n))


def test_the_posterior_is_the_sum_over_all_that_tasks_may_have_in_common():
    """Against the same sum written as loops over what is common and over the tasks."""
    data = ([(5, 1, 4), (12, 3, 4)], [(5, 4, 4)])
    likelihood = []
    for rows in data:
        product = np.ones(PRIORS.shape[1])
        for n, good, tried in rows:
            product *= (1 - failures(n)) ** good * failures(n) ** (tried - good)
        likelihood.append(product)
    joint = np.zeros((2, PRIORS.shape[1]))
    for prior in PRIORS:
        evidence = [(prior * each).sum() for each in likelihood]
        for k in range(2):
            joint[k] += prior * likelihood[k] * evidence[1 - k]

    weights = believed(*data).weights

    assert np.allclose(weights, joint / joint.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(('trials', 'success'), [(40, 0.97), (40, 0.6), (10, 0.9)])
def test_a_policy_is_believed_what_it_achieved(trials, success):
    """A policy at .97 was fitted at .45."""
    n = [5, 10, 20, 40]
    rows = [(k, round(trials * success * min(1, 0.5 + 0.5 * k / 20)), trials) for k in n]

    assert abs(believed(rows).mean(at(40))[0] - success) < 0.07


def test_a_plateau_is_known_for_one():
    rows = [(n, 11, 20) for n in (5, 10, 20, 40, 80, 160)]
    curve = believed(rows)

    assert abs(curve.mean(at(160))[0] - 0.55) < 0.07
    assert curve.gain(at(160), at(160))[0] < 0.03
    assert curve.removable(at(160), at(160))[0] < 0.1


def test_more_trials_make_it_surer():
    few, many = believed([(20, 3, 4)]), believed([(20, 75, 100)])

    width = [c.quantile(at(20), 0.95)[0] - c.quantile(at(20), 0.05)[0] for c in (few, many)]

    assert width[1] < width[0] / 2
    assert many.deviation(at(20))[0] < few.deviation(at(20))[0] / 2


def test_tasks_tell_of_one_another():
    """What is known of a task of one trial depends on whether its like learn fast or slowly."""
    fast, slow = [(3, 9, 10), (6, 10, 10)], [(3, 0, 10), (50, 1, 10)]

    assert (believed([(3, 1, 1)], fast, fast).mean(at(10, 3))[0]
            > believed([(3, 1, 1)], slow, slow).mean(at(10, 3))[0] + 0.1)


def test_probabilities_agree_with_draws_of_curves():
    curve, random = believed([(10, 3, 5), (20, 4, 5)]), np.random.default_rng(0)
    drawn = np.array([curve.drawn(at(20), random)[0] for _ in range(4000)])

    assert abs(drawn.mean() - curve.mean(at(20))[0]) < 0.02
    assert abs(drawn.std() - curve.deviation(at(20))[0]) < 0.02
    assert abs((drawn >= 0.7).mean() - curve.reaches(at(20), 0.7)[0]) < 0.03
    assert abs((drawn <= curve.quantile(at(20), 0.3)[0]).mean() - 0.3) < 0.05


def test_gains_agree_with_the_grid():
    curve = believed([(10, 3, 5), (20, 4, 5)])
    gain = failures(20.0) - failures(30.0)

    assert np.isclose(curve.gain(at(20), at(10))[0], (curve.weights[0] * gain).sum())
    assert np.isclose(curve.gains_less(at(20), at(10), 0.05)[0],
                      curve.weights[0][gain < 0.05].sum())
    assert np.isclose(curve.removable(at(20), at(10))[0],
                      (curve.weights[0] * gain / failures(20.0)).sum())


@pytest.mark.parametrize('name', ['power', 'logistic', 'exponential'])
def test_other_families_are_followed_to_the_stated_error(name):
    random = np.random.default_rng(7)
    n, errors, within = [1, 5, 10, 20, 40], [], []

    def truth(k, scale, floor):
        success = {'power': 1 - (1 + k / scale) ** -0.9,
                   'logistic': 1 / (1 + (scale / (k + 1)) ** 2),
                   'exponential': 1 - np.exp(-k / scale)}[name]
        return (1 - floor) * success

    for _ in range(12):
        shapes = [(np.exp(random.uniform(0.7, 4)), random.choice([0, 0, 0.4])) for _ in range(8)]
        curve = believed(*[
            [(k, random.binomial(10, truth(k, *shape)), 10) for k in n] for shape in shapes])
        true = np.array([truth(40, *shape) for shape in shapes])
        errors += list(abs(curve.mean(at(40, 8)) - true))
        within += list((curve.quantile(at(40, 8), 0.05) - 0.02 <= true)
                       & (true <= curve.quantile(at(40, 8), 0.95) + 0.02))

    assert np.mean(errors) < 0.1
    assert np.mean(within) > 0.65


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 50), st.integers(0, 50)),
                min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_success_and_gain_stay_within_bounds(rows):
    curve = believed([(n, good, good + bad) for n, good, bad in rows])
    success = [curve.mean(at(k))[0] for k in (0, 1, 10, 1000)]

    assert np.all(np.array(success) >= 0) and np.all(np.array(success) <= 1)
    assert (np.diff(success) >= -1e-12).all()
    assert np.isclose(curve.weights.sum(), 1)


def test_what_a_trial_says_fades():
    old = log_likelihood(np.array([5.0]), np.array([4.0]), np.array([4.0]), np.array([0.5]))
    new = log_likelihood(np.array([5.0]), np.array([4.0]), np.array([4.0]), np.array([1.0]))

    assert np.allclose(old, new / 2) and curves.FADING < 1
