# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Learning curves are recovered from what the policy achieved."""
import numpy as np
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.scenario import Scenario
from active_collection.scheduling import curves
from active_collection.scheduling.curves import fit
from active_collection.scheduling.design import FactorSpace


class Achieved:
    """The part of the beliefs that a fit reads."""

    def __init__(self, demonstrations, successes, trials):
        self.curve_demonstrations = np.array([demonstrations], float)
        self.curve_successes = np.array([successes], float)
        self.curve_failures = np.array([trials], float) - self.curve_successes


def test_a_curve_is_recovered_from_many_trials():
    n = np.array([0, 10, 30, 100, 300])
    trials = np.full(5, 100_000)
    truth = 1 - 0.9 * (n + 1.0) ** -0.4

    curves = fit(Achieved(n, trials * truth, trials))

    assert np.allclose([curves.a[0], curves.b[0]], [0.9, 0.4], atol=0.01)


def test_without_a_trial_the_prior_holds():
    curves = fit(Achieved([0], [0], [0]))

    assert np.allclose([curves.a[0], curves.b[0]], [1.0, 0.5])


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 50), st.integers(0, 50)),
                min_size=1, max_size=8))
@settings(deadline=None)
def test_success_and_gain_stay_within_bounds(rows):
    demonstrations = np.cumsum([r[0] for r in rows])
    curves = fit(Achieved(
        demonstrations, [r[1] for r in rows], [r[1] + r[2] for r in rows]))
    n = np.array([0.0, 1.0, 10.0, 1000.0])

    success = np.array([curves.success(np.array([k]))[0] for k in n])

    assert ((success >= 0) & (success <= 1)).all()
    assert (np.diff(success) >= 0).all()
    assert (curves.gain(np.array([3.0])) >= 0).all()


def test_one_hot_points_keep_the_distances(space):
    factors = FactorSpace(space.tasks['pick'].factors)
    points = factors.sequence(0, 20)
    hot = factors.one_hot(points)

    for k in range(20):
        expected = factors.distances(points, points[k])
        assert np.allclose(((hot - hot[k]) ** 2).sum(axis=1), expected)
    assert Scenario('pick', 'lab')


def test_the_chances_of_the_tasks_take_one_fit(fleet, monkeypatch):
    """The state's draws are of the same beliefs."""
    one, fits = fleet(rule='slope'), []
    one.collect()
    monkeypatch.setattr(curves, 'fit', lambda beliefs: fits.append(beliefs) or fit(beliefs))

    one.scheduler.state(one.now)

    assert len(fits) == 1
