# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How much is flagged, and how often, on values as they come: dependent, drifting, of any kind."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from active_collection.uncertainty import threshold as threshold_module
from active_collection.uncertainty.ranked_window import RankedWindow
from active_collection.uncertainty.ranked_window import quantile
from active_collection.uncertainty.settings import ThresholdSettings
from active_collection.uncertainty.threshold import AdaptiveThreshold
from active_collection.uncertainty.threshold import Recent

STEPS = 20_000
HOUR = 36_000  # steps of an hour at 10 Hz


def following(steps, correlation, seed):
    """Return normal values each of which is correlated so with the one before."""
    noise = np.random.default_rng(seed).standard_normal(steps)
    noise[1:] *= math.sqrt(1 - correlation ** 2)
    return lfilter([1.0], [1.0, -correlation], noise)


def flags_of(values, threshold=None):
    threshold = threshold or AdaptiveThreshold(ThresholdSettings())
    return np.array([threshold.flag(value) for value in values])


def new_flags(flags):
    """Return how many flags are raised, a step."""
    return (flags[1:] & ~flags[:-1]).mean()


STREAMS = {
    'independent': lambda s: following(STEPS, 0.0, s),
    'dependent': lambda s: following(STEPS, 0.9, s),
    'narrow': lambda s: np.random.default_rng(s).uniform(0.9, 1.1, STEPS),
    'negative': lambda s: following(STEPS, 0.9, s) - 50,
    'heavy-tailed': lambda s: np.abs(np.random.default_rng(s).standard_cauchy(STEPS)),
    'log-normal': lambda s: np.exp(2 * following(STEPS, 0.9, s)),
    'of few levels': lambda s: np.round(following(STEPS, 0.9, s)),
    'ten times as large in the end': lambda s: (
        following(STEPS, 0.9, s) * np.geomspace(1, 10, STEPS)),
    'swinging': lambda s: (
        following(STEPS, 0.9, s) + 2 * np.sin(np.arange(STEPS) * 2 * math.pi / 5000)),
    'of two kinds of episodes': lambda s: following(STEPS, 0.9, s) + 3 * np.repeat(
        np.random.default_rng(s).random(STEPS // 200) < 0.3, 200),
}


@pytest.mark.parametrize('kind', STREAMS)
def test_the_time_flagged_and_the_rate_of_new_flags_are_as_asked(kind):
    flags = np.array([flags_of(STREAMS[kind](seed)) for seed in range(2)])[:, 1000:]

    assert flags.mean() == pytest.approx(0.1, abs=0.03)
    assert new_flags(flags.ravel()) <= 0.013  # 0.1 / hold


def test_values_that_stay_high_for_long_are_flagged_for_the_budgeted_time():
    flags = np.array([flags_of(following(STEPS, 0.99, seed)) for seed in range(6)])[:, 1000:]

    assert flags.mean() == pytest.approx(0.1, abs=0.025)
    assert new_flags(flags.ravel()) < 0.005


def test_values_that_climb_for_good_are_flagged_little_more_than_budgeted():
    climb = np.arange(2 * STEPS) * 3e-4  # three spreads in 10,000 steps
    flags = np.array([flags_of(following(2 * STEPS, 0.9, seed) + climb) for seed in range(2)])

    assert 0.08 < flags[:, 1000:].mean() < 0.15
    assert flags[:, STEPS:].mean() == pytest.approx(0.1, abs=0.035)


@pytest.mark.parametrize(('reference', 'count'), [
    ('of episodes, in order', 300), ('of episodes, in order', 2000), ('of quantiles', 201),
    ('none', 0)])
def test_a_few_hundred_steps_are_flagged_about_as_budgeted(reference, count):
    shares = []
    for seed in range(20):
        usual = following(3000, 0.9, 1000 + seed)
        known = (np.quantile(usual, np.linspace(0, 1, count)) if reference == 'of quantiles'
                 else usual[:count])
        threshold = AdaptiveThreshold(ThresholdSettings(), known.tolist())
        shares.append(flags_of(following(600, 0.9, seed), threshold)[100:].mean())

    assert 0.02 < np.mean(shares) < 0.15
    assert np.max(shares) < 0.4


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), correlation=st.sampled_from([0.0, 0.5, 0.9]),
       scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3))
def test_neither_unit_nor_sign_matters(seed, correlation, scale, shift):
    values = np.round(following(1500, correlation, seed), 6)
    known = np.round(following(500, correlation, seed + 1), 6)

    flags = [
        flags_of(f(values), AdaptiveThreshold(ThresholdSettings(patience=300), f(known).tolist()))
        for f in (lambda x: x, lambda x: scale * (x + shift))]

    assert (flags[0] != flags[1]).mean() < 0.01  # but for rounding


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400),
       hold=st.integers(1, 20), budget=st.floats(0.01, 0.99), patience=st.integers(1, 50))
def test_a_flag_lasts_its_time_whatever_comes(values, hold, budget, patience):
    threshold = AdaptiveThreshold(ThresholdSettings(
        budget=budget, hold=hold, minimum=10, window=100, patience=patience))

    flags = flags_of(values, threshold)

    edges = np.flatnonzero(np.diff([0, *flags.astype(int), 0]))
    lengths = edges[1::2] - edges[::2]
    assert all(lengths[:-1] >= hold)  # the last may go on
    assert not flags[:10].any()
    assert len(threshold.recent.values) <= 100


def test_what_never_changes_is_never_high():
    assert not flags_of(np.ones(3000)).any()


@pytest.mark.parametrize('lost', ['far', 'at the usual end', 'in most of each episode'])
def test_an_hour_of_being_lost_does_not_make_it_the_norm(lost):
    before, after = np.exp(0.5 * following(10_000, 0.9, 1)), np.exp(0.5 * following(9000, 0.9, 2))
    hour = np.exp(0.5 * following(HOUR, 0.9, 3))
    if lost == 'far':
        hour *= 10
    elif lost == 'at the usual end':  # where one in a hundred usual values is
        hour = math.exp(0.5 * 2.33) + 0.1 * hour
    else:
        hour[np.arange(HOUR) % 300 >= 60] *= 10
    expected = 0.8 if lost == 'in most of each episode' else 1.0
    threshold = AdaptiveThreshold(ThresholdSettings())
    flags_of(before, threshold)
    level = threshold.value

    flags = flags_of(hour, threshold)

    assert threshold.is_lost
    assert flags[:5000].mean() > expected - 0.02
    assert flags[-5000:].mean() > expected - 0.02
    assert threshold.value == pytest.approx(level, rel=0.3)
    assert flags_of(after, threshold).mean() == pytest.approx(0.1, abs=0.06)
    assert not threshold.is_lost


def test_a_robot_that_is_lost_from_its_first_step_does_not_become_the_norm():
    threshold = AdaptiveThreshold(ThresholdSettings(), following(300, 0.9, 0).tolist())

    assert flags_of(following(HOUR, 0.9, 1) + 10, threshold).all()
    assert threshold.is_lost


def test_what_is_otherwise_for_good_becomes_the_norm_at_last(monkeypatch):
    monkeypatch.setattr(threshold_module, 'FILL', 200_000)
    threshold = AdaptiveThreshold(ThresholdSettings(), following(1000, 0.0, 0).tolist())

    flags = flags_of(following(60_000, 0.9, 1) + 10, threshold)

    assert flags[:2000].all()
    assert flags[-10_000:].mean() == pytest.approx(0.1, abs=0.04)


def test_without_a_reference_nothing_is_high_before_there_are_values_enough():
    threshold = AdaptiveThreshold(ThresholdSettings(minimum=10))

    flags = flags_of(range(10), threshold)

    assert not any(flags)
    assert threshold.flag(1000.0)


def test_a_flag_is_taken_back_after_its_time_below_the_threshold():
    threshold = AdaptiveThreshold(ThresholdSettings(hold=3), [*range(1000)] * 2)

    flags = [threshold.flag(value) for value in (0, 2000, 0, 2000, 0, 0, 0, 0)]

    assert flags == [False, True, True, True, True, True, False, False]


def test_a_border_takes_the_flag_back():
    threshold = AdaptiveThreshold(ThresholdSettings(hold=5), [*range(1000)] * 2)

    assert threshold.flag(2000)
    threshold.cross_border()

    assert not threshold.flag(0)
    assert threshold.flag(2000)


def test_steps_that_are_no_measure_are_judged_and_not_learnt():
    threshold = AdaptiveThreshold(ThresholdSettings(), [*range(1000)] * 2)
    before = threshold.recent

    assert threshold.flag(2000, learn=False)
    assert threshold.recent == before


def test_a_changed_threshold_goes_on_with_the_values_and_the_flag_that_it_has():
    threshold = AdaptiveThreshold(
        ThresholdSettings(budget=0.1, hold=1), np.random.default_rng(0).random(1000).tolist())
    assert threshold.value == pytest.approx(0.9, abs=0.03)
    assert threshold.flag(0.99)

    threshold.change(ThresholdSettings(budget=0.5, hold=1))
    assert threshold.value == pytest.approx(0.5, abs=0.05)

    threshold.change(ThresholdSettings(budget=0.5, hold=9))
    assert threshold.value > 0.9
    assert threshold.flag(1.0)
    threshold.change(ThresholdSettings(budget=0.5, hold=9, patience=20))
    assert threshold.flag(0.0)

    threshold.change(ThresholdSettings(budget=0.5, minimum=5, window=10))
    assert len(threshold.recent.values) == 10


def test_it_goes_on_as_if_it_had_not_been_stopped():
    values = following(4000, 0.9, 0)
    whole = AdaptiveThreshold(ThresholdSettings())
    flags_of(values[:2500], whole)

    again = AdaptiveThreshold(ThresholdSettings(), whole.recent)
    whole.cross_border()

    np.testing.assert_array_equal(flags_of(values[2500:], again), flags_of(values[2500:], whole))


def test_a_reference_that_was_kept_by_the_first_format_is_fitted_to_its_values():
    values = following(2000, 0.9, 0)

    share = flags_of(following(5000, 0.9, 1), AdaptiveThreshold(
        ThresholdSettings(), Recent(tuple(values)))).mean()

    assert share == pytest.approx(0.1, abs=0.04)


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=50), share=st.floats(0, 1))
def test_a_quantile_is_numpys(values, share):
    assert quantile(sorted(values), share) == pytest.approx(np.quantile(values, share), abs=1e-12)


@given(values=st.lists(st.integers(0, 5), max_size=60), size=st.integers(1, 20))
def test_a_window_holds_the_newest_in_both_orders(values, size):
    window = RankedWindow((), size)
    for value in values:
        window.add(value)

    assert window.values == tuple(values[-size:])
    if values:
        assert window.quantile(0) == min(values[-size:])
        assert window.quantile(1) == max(values[-size:])
    else:
        assert math.isnan(window.quantile(0.5))
