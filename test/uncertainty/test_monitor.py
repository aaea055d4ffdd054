# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.settings import ThresholdSettings
from active_collection.uncertainty.summary import EpisodeSummary
from active_collection.uncertainty.threshold import Recent
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

    assert second.recent == first.recent
    assert second.observe(steps[150], 0).threshold == first.observe(steps[150], 0).threshold


def test_kept_values_of_the_first_format_are_read(tmp_path):
    (tmp_path / 'recent.json').write_text(
        '{"ensemble_id": "x", "measure": "epistemic", "values": [0.5, 0.25]}')

    assert read_recent(tmp_path / 'recent.json', 'x', 'epistemic') == Recent((0.5, 0.25))


@pytest.mark.parametrize('text', [
    '', '{', '[]', '{"ensemble_id": "x"}',
    '{"ensemble_id": "other", "measure": "epistemic", "values": [1.0]}',
    '{"ensemble_id": "x", "measure": "novelty", "values": [1.0]}',
    '{"ensemble_id": "x", "measure": "epistemic", "values": [NaN]}',
    '{"ensemble_id": "x", "measure": "epistemic", "values": ["a"]}',
    '{"format": 2, "ensemble_id": "x", "measure": "epistemic", "values": [1.0]}',
    '{"format": 2, "ensemble_id": "x", "measure": "epistemic", "values": [1.0], "odds": "a", '
    '"waiting": []}',
    '{"format": 2, "ensemble_id": "x", "measure": "epistemic", "values": [1.0], "odds": null, '
    '"waiting": [[1.0, true]]}',
    '{"format": 9, "ensemble_id": "x", "measure": "epistemic", "values": [1.0]}'])
def test_kept_values_that_cannot_be_used_are_none(tmp_path, text):
    (tmp_path / 'recent.json').write_text(text)

    assert read_recent(tmp_path / 'recent.json', 'x', 'epistemic') is None
    assert read_recent(tmp_path / 'missing.json', 'x', 'epistemic') is None


def test_where_episodes_are_known_only_their_steps_are_learnt(monitor, make_dataset):
    steps = make_dataset().observations.double().numpy()
    before = monitor.recent
    monitor.follow_episodes()

    monitor.observe(steps[0], 0)
    outside = monitor.recent
    monitor.start_episode('e1')
    monitor.observe(steps[0], 0)

    assert outside == before
    assert monitor.recent != before


def test_another_budget_flags_more_of_the_same_steps(monitor, make_dataset):
    steps = make_dataset().observations.double().numpy()[:200]
    few = sum(monitor.observe(values, 0).high for values in steps)

    monitor.change(ThresholdSettings(budget=0.6))

    assert sum(monitor.observe(values, 0).high for values in steps) > few + 40


def test_a_threshold_on_another_measure_begins_anew(monitor, built, make_dataset):
    values = make_dataset().observations[0].double().numpy()
    monitor.start_episode('e1')
    monitor.observe(values, 0)

    monitor.change(ThresholdSettings(measure='novelty', minimum=10))
    estimate = monitor.observe(values, 0)

    fresh = UncertaintyMonitor(load(built.path), ThresholdSettings(measure='novelty', minimum=10))
    assert estimate.threshold == fresh.observe(values, 0).threshold
    assert estimate.value == estimate.novelty
    assert estimate.episode.steps == 2  # the episode goes on
