# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The uncertainty node's parameters, set as `ros2 param set` does while it runs."""
from __future__ import annotations

import math
import shutil

from active_collection.msg import HighUncertainty
from parameter_peers import Parameters
from uncertainty_peers import wait_for

from active_collection.nodes import qos


def test_threshold_and_looks_for_ensembles_change_between_two_observations(
        robot, start, ensembles, tmp_path):
    shutil.copytree(ensembles[0], tmp_path / 'e' / ensembles[0].name)
    events = []
    robot.create_subscription(
        HighUncertainty, 'uncertainty/high_uncertainty', events.append, qos.STATE)
    start(ensembles=str(tmp_path / 'e'), reload_period_s=0, diagnostics_period_s=1000.0,
          **{'threshold.minimum': 100_000})
    wait_for(robot.is_heard, 'subscriptions')
    parameters = Parameters(robot, 'uncertainty')
    shown = 0

    def observe(position=0.2):
        nonlocal shown
        robot.show(shown, [position] * 3, [0.4, 0.5])
        shown += 1
        wait_for(lambda: len(robot.estimates) == shown, 'an estimate')
        return robot.estimates[-1]

    assert math.isnan(observe().threshold)
    assert not robot.reports
    assert parameters.set_together({
        'threshold.minimum': 1, 'threshold.budget': 0.5, 'diagnostics_period_s': 0.1}) == ''
    by_epistemic = observe().threshold
    assert math.isfinite(by_epistemic)
    wait_for(lambda: robot.report_with('scoring with'), 'a report')

    assert parameters.set('threshold.measure', 'novelty') == ''
    assert observe(position=50.0).threshold != by_epistemic
    wait_for(lambda: events and events[-1].state == HighUncertainty.BEGIN, 'an event')
    assert events[-1].measure == 'novelty'
    assert parameters.set('threshold.measure', 'epistemic') == ''
    wait_for(lambda: events[-1].state == HighUncertainty.END, 'the end of what novelty began')
    assert events[-1].measure == 'novelty'

    assert 'less than 1' in parameters.set('threshold.budget', 1.0)
    assert 'is read when the node starts' in parameters.set('ensembles', str(tmp_path))
    shutil.copytree(ensembles[1], tmp_path / 'copy')
    (tmp_path / 'copy').rename(tmp_path / 'e' / ensembles[1].name)
    assert parameters.set('reload_period_s', 0.05) == ''
    wait_for(lambda: observe().ensemble_id == ensembles[1].name, 'the newer ensemble')
