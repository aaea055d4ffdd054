# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The uncertainty node tells what is high, wrong or missing, and ends cleanly."""
from __future__ import annotations

import signal

import numpy as np
import pytest
from active_collection.msg import HighUncertainty
from active_collection.msg import RecorderStatus
from active_collection.msg import Scenario
from uncertainty_peers import DEADLINE_S
from uncertainty_peers import wait_for

from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_ns
from active_collection.uncertainty.threshold_file import read_recent


def test_bad_input_is_told_and_does_not_end_it(robot, start, ensembles):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    robot.show(0, [float('nan'), 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: robot.report_with('hand.pose.position: NaN'), 'the report')
    robot.scenario.publish(Scenario(task='sing', environment='table'))
    wait_for(lambda: robot.report_with("found 'sing'"), 'the report')
    robot.show(1, [0.1, 0.2, 0.3], [0.4, 0.5])

    wait_for(lambda: robot.estimates, 'an estimate')
    assert len(robot.estimates) == 1


def test_high_uncertainty_is_an_event_and_the_threshold_outlives_a_restart(
        robot, start, ensembles, tmp_path):
    events = []
    robot.create_subscription(
        HighUncertainty, 'uncertainty/high_uncertainty', events.append, qos.STATE)
    process = start(ensembles=str(ensembles[0]), state_file=str(tmp_path / 'recent.json'),
                    **{'threshold.hold': 1})
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')
    robot.recorder.publish(RecorderStatus(state=RecorderStatus.RECORDING, episode_id='e1'))
    robot.show(0, [0.5, 0.5, 0.5], [0.5, 0.5])
    wait_for(lambda: robot.estimates and robot.estimates[-1].episode.steps, 'the episode')
    for step, scale in enumerate([1.0] * 4 + [1000.0] * 3 + [1.0] * 5, start=1):
        robot.show(step, [0.5 * scale, 0.5, 0.5], [0.5, 0.5])
    wait_for(lambda: len(robot.estimates) == 13, 'estimates')
    wait_for(lambda: len(events) == 2, 'events')
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)

    assert [event.state for event in events] == [HighUncertainty.BEGIN, HighUncertainty.END]
    for event, step in zip(events, (5, 8), strict=True):
        estimate = robot.estimates[step]
        assert event.header == estimate.header
        assert event.episode_id == 'e1'
        assert event.ensemble_id == ensembles[0].name
        assert event.measure == 'epistemic'
        assert (event.value, event.threshold) == (estimate.epistemic, estimate.threshold)
    assert [event.duration for event in events] == [0.0, pytest.approx(0.06)]
    assert time_to_ns(events[0].header.stamp) == 10**9 + 5 * 20_000_000
    assert time_to_ns(events[1].header.stamp) == 10**9 + 8 * 20_000_000
    recent = read_recent(tmp_path / 'recent.json', ensembles[0].name, 'epistemic')
    np.testing.assert_array_equal(
        np.float32([step.value for step in recent.waiting]),
        [e.epistemic for e in robot.estimates])
    assert [step.is_high for step in recent.waiting] == [e.high for e in robot.estimates]


def test_novelty_can_raise_the_event_and_its_end_is_told_when_the_node_ends(
        robot, start, ensembles):
    events = []
    robot.create_subscription(
        HighUncertainty, 'uncertainty/high_uncertainty', events.append, qos.STATE)
    process = start(**{'ensembles': str(ensembles[0]), 'threshold.measure': 'novelty',
                       'threshold.minimum': 10})
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    robot.show(0, [0.5, 0.5, 0.5], [0.5, 0.5])
    robot.show(1, [9.0, 9.0, 9.0], [9.0, 9.0])
    wait_for(lambda: len(robot.estimates) == 2 and events, 'the event')
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)
    wait_for(lambda: len(events) == 2, 'the end')

    assert [event.state for event in events] == [HighUncertainty.BEGIN, HighUncertainty.END]
    assert events[0].measure == 'novelty'
    assert events[0].value == robot.estimates[1].novelty
    assert robot.estimates[1].threshold < events[0].value
    assert robot.estimates[1].novelty_p_value == robot.estimates[1].novelty_p_value_smallest
    assert robot.estimates[1].novelty_p_value == pytest.approx(1 / 3)  # of two held-out episodes


def test_a_lost_robot_stays_high_and_is_told(robot, start, ensembles):
    start(ensembles=str(ensembles[0]), **{'threshold.patience': 20, 'threshold.hold': 1})
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    for step in range(300):
        robot.show(step, [500.0, 0.5, 0.5], [0.5, 0.5])
        wait_for(lambda step=step: len(robot.estimates) > step, 'an estimate')
    wait_for(lambda: robot.report_with('high for most of the last threshold.patience steps'),
             'the report')

    assert all(estimate.high for estimate in robot.estimates)
    assert len({estimate.threshold for estimate in robot.estimates[20:]}) == 1


def test_a_topic_that_falls_silent_is_told(robot, start, ensembles):
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    robot.show(0, [0.1, 0.2, 0.3], [0.4, 0.5])
    wait_for(lambda: robot.estimates, 'an estimate')

    wait_for(lambda: robot.report_with('nothing received of: hand, joints'), 'the report')


def test_an_unknown_parameter_ends_it_with_one_line(start):
    process = start(ensemble='nowhere')

    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 2
    assert "did you mean 'ensembles'" in output
    assert 'Traceback' not in output


def test_a_file_for_a_directory_of_ensembles_ends_it_with_one_line(start, tmp_path):
    (tmp_path / 'file').write_text('')
    process = start(ensembles=str(tmp_path / 'file'))

    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 2
    assert f'parameter ensembles: {tmp_path}/file: found a file' in output
    assert 'Traceback' not in output


def test_it_ends_cleanly_on_an_interrupt(robot, start, ensembles):
    process = start(ensembles=str(ensembles[0]))
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert 'Traceback' not in output
