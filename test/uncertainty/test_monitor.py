# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.settings import ThresholdSettings
from active_collection.uncertainty.summary import EpisodeSummary
from active_collection.uncertainty.threshold import AdaptiveThreshold
from active_collection.uncertainty.threshold import quantile
from active_collection.uncertainty.threshold_file import read_recent
from active_collection.uncertainty.threshold_file import write_recent


@pytest.fixture
def monitor(built):
    return UncertaintyMonitor(load(built.path))


def test_an_estimate_is_the_ensembles_decomposition(monitor, make_dataset):
    observation = make_dataset().observations[:1]
    prediction = monitor.ensemble.members.predict(observation)

    estimate = monitor.observe(observation[0].double().numpy(), 7)

    expected = prediction.mean.double().numpy()[:, 0, 0]
    np.testing.assert_allclose(estimate.epistemic_per_dimension, expected.var(0), rtol=1e-4)
    assert estimate.epistemic == pytest.approx(expected.var(0).mean(), rel=1e-4)
    assert estimate.total == pytest.approx(estimate.epistemic + estimate.aleatoric)
    np.testing.assert_allclose(estimate.action_mean, np.clip(expected.mean(0), -1, 1), rtol=1e-5)
    assert estimate.stamp_ns == 7


def test_far_from_the_data_members_disagree_more_and_it_is_novel(monitor, make_dataset):
    near = make_dataset().observations.double().numpy()
    far = near + np.array([3.0, -3.0, 3.0, -3.0, 3.0, -3.0, 0.0, 0.0])

    at_home = [monitor.observe(values, 0) for values in near[:100]]
    abroad = [monitor.observe(values, 0) for values in far[:100]]

    assert (np.median([e.epistemic for e in abroad])
            > 10 * np.median([e.epistemic for e in at_home]))
    assert np.median([e.novelty for e in at_home]) < 2
    assert np.median([e.novelty for e in abroad]) > 5
    assert sum(e.high for e in abroad) > 90


def test_an_episode_is_summarised_from_start_to_finish(monitor, make_dataset):
    steps = make_dataset().observations.double().numpy()
    outside = monitor.observe(steps[0], 0)
    monitor.start_episode('e1')

    estimates = [monitor.observe(values, 0) for values in steps[:50]]
    summary = monitor.finish_episode()

    epistemic = [e.epistemic for e in estimates]
    assert outside.episode.steps == 0
    assert outside.episode.episode_id == ''
    assert [e.episode.steps for e in estimates] == list(range(1, 51))
    assert estimates[-1].episode == summary
    assert summary.episode_id == 'e1'
    assert summary.ensemble_id == monitor.ensemble.description.ensemble_id
    assert summary.epistemic_mean == pytest.approx(np.mean(epistemic))
    assert summary.epistemic_max == pytest.approx(np.max(epistemic))
    assert summary.epistemic_p95 == pytest.approx(np.quantile(epistemic, 0.95))
    assert summary.novelty_mean == pytest.approx(np.mean([e.novelty for e in estimates]))
    assert summary.above_threshold == pytest.approx(
        np.mean([e.epistemic > e.threshold for e in estimates]))


def test_another_ensemble_starts_threshold_and_summary_anew(monitor, built, make_dataset):
    steps = make_dataset().observations.double().numpy()
    monitor.start_episode('e1')
    first = monitor.observe(steps[0], 0)
    monitor.observe(steps[1], 0)

    monitor.use(load(built.path))
    again = monitor.observe(steps[0], 0)

    assert again.episode.steps == 1
    assert again.episode.episode_id == 'e1'
    assert again.threshold == first.threshold


def test_bad_observations_are_refused(monitor):
    with pytest.raises(UncertaintyError, match='found 3 values, expected 8'):
        monitor.observe(np.zeros(3), 0)
    with pytest.raises(UncertaintyError, match='NaN'):
        monitor.observe(np.full(8, np.nan), 0)


def test_a_summary_without_aleatoric_values_has_none():
    summary = EpisodeSummary('e', 'x')
    summary.add(epistemic=0.5, aleatoric=math.nan, novelty=math.nan, above=True)

    result = summary.result()

    assert result.aleatoric_mean == 0.0
    assert math.isnan(result.novelty_mean)
    assert result.above_threshold == 1.0


def test_a_monitor_goes_on_from_kept_values(built, make_dataset, tmp_path):
    steps = make_dataset().observations.double().numpy()
    first = UncertaintyMonitor(load(built.path))
    for values in steps[:150]:
        first.observe(values, 0)
    write_recent(
        tmp_path / 'state' / 'recent.json', built.ensemble_id, 'epistemic', first.recent)

    recent = read_recent(
        tmp_path / 'state' / 'recent.json', built.ensemble_id, 'epistemic')
    second = UncertaintyMonitor(load(built.path), recent=recent)

    assert second.observe(steps[150], 0).threshold == first.observe(steps[150], 0).threshold


@pytest.mark.parametrize('text', [
    '', '{', '[]', '{"ensemble_id": "x"}',
    '{"ensemble_id": "other", "measure": "epistemic", "values": [1.0]}',
    '{"ensemble_id": "x", "measure": "novelty", "values": [1.0]}',
    '{"ensemble_id": "x", "measure": "epistemic", "values": [NaN]}',
    '{"ensemble_id": "x", "measure": "epistemic", "values": ["a"]}'])
def test_kept_values_that_cannot_be_used_are_none(tmp_path, text):
    (tmp_path / 'recent.json').write_text(text)

    assert read_recent(tmp_path / 'recent.json', 'x', 'epistemic') == ()
    assert read_recent(tmp_path / 'missing.json', 'x', 'epistemic') == ()


def test_the_threshold_flags_the_budgeted_share():
    settings = ThresholdSettings(budget=0.2, window=1000, minimum=100, release=1.0)
    threshold = AdaptiveThreshold(settings)
    random = np.random.default_rng(0)

    flags = [threshold.flag(value) for value in random.lognormal(0, 1, 20_000)]

    assert np.mean(flags[1000:]) == pytest.approx(0.2, abs=0.02)


def test_the_threshold_follows_values_of_another_scale():
    settings = ThresholdSettings(budget=0.1, window=200, minimum=50, release=1.0)
    threshold = AdaptiveThreshold(settings)
    random = np.random.default_rng(0)
    for value in random.random(500):
        threshold.flag(value)

    for value in 1000 * random.random(500):
        threshold.flag(value)

    assert threshold.value == pytest.approx(900, rel=0.1)


def test_nothing_is_high_before_there_is_a_threshold():
    threshold = AdaptiveThreshold(ThresholdSettings(minimum=10))

    flags = [threshold.flag(value) for value in range(10)]

    assert not any(flags)
    assert threshold.flag(1000.0)


def test_a_flag_is_kept_until_well_below_the_threshold():
    threshold = AdaptiveThreshold(
        ThresholdSettings(budget=0.1, minimum=100, window=10_000, release=0.5), [1.0] * 1000)

    flags = [threshold.flag(value) for value in (0.9, 1.1, 0.9, 0.6, 0.4, 0.9)]

    assert flags == [False, True, True, True, False, False]


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=50), share=st.floats(0, 1))
def test_a_quantile_is_numpys(values, share):
    assert quantile(sorted(values), share) == pytest.approx(np.quantile(values, share), abs=1e-12)
