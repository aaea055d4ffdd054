# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""High uncertainty begins and ends with the episodes that it is in."""
from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from active_collection.msg import HighUncertainty
from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import Scenario
from uncertainty_peers import Robot
from uncertainty_peers import wait_for

from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_ns

sys.path.insert(0, str(Path(__file__).parents[1]))
from agent_setting import Setting
from fleet_peers import until

BY_POLICY = """
format: 1
tasks:
  push: {collectors: [scripted, policy]}
environments:
  cell: {}
"""
BEGIN, END = HighUncertainty.BEGIN, HighUncertainty.END
FAMILIAR, LOST = [0.5, 0.5, 0.5], [500.0, 0.5, 0.5]


def test_what_is_high_ends_and_begins_at_the_borders_of_episodes(robot, start, ensembles):
    events = []
    robot.create_subscription(
        HighUncertainty, 'uncertainty/high_uncertainty', events.append, qos.STATE)
    start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a good report')

    def show(position):
        step = len(robot.estimates)
        robot.show(step, position, [0.5, 0.5])
        wait_for(lambda: len(robot.estimates) == step + 1, 'an estimate')

    def record(episode_id):
        state = RecorderStatus.RECORDING if episode_id else RecorderStatus.IDLE
        robot.recorder.publish(RecorderStatus(state=state, episode_id=episode_id))

    show(FAMILIAR)
    show(LOST)
    for episode_id in ('e1', 'e2', ''):
        before = len(events)
        record(episode_id)
        wait_for(lambda before=before: len(events) > before, 'the end at the border')
        show(LOST)
    record('e3')
    wait_for(lambda: len(events) == 8, 'the end at the border')
    show(FAMILIAR)

    assert [(event.state, event.episode_id) for event in events] == [
        (BEGIN, ''), (END, ''), (BEGIN, 'e1'), (END, 'e1'), (BEGIN, 'e2'), (END, 'e2'),
        (BEGIN, ''), (END, '')]
    assert [time_to_ns(event.header.stamp) for event in events] == [
        10**9 + step * 20_000_000 for step in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert [estimate.high for estimate in robot.estimates] == [False, *[True] * 4, False]


@pytest.fixture
def arm1(ros, tmp_path):
    """Give a fleet of one robot, and the sensors that its policy sees."""
    setting = Setting(tmp_path, space=BY_POLICY)
    sensors = Robot('/arm1')
    setting.spinner.add(sensors)
    sensors.scenario.publish(Scenario(task='push', environment='cell'))
    yield setting, sensors
    setting.close()


@pytest.mark.parametrize('before', ['familiar', 'lost'])
def test_a_policy_that_is_lost_from_its_first_step_asks_for_help(arm1, ensembles, before):
    setting, sensors = arm1
    shown = threading.Event()
    is_lost = threading.Event()
    setting.start('uncertainty', namespace='arm1', ensembles=str(ensembles[0]))
    wait_for(sensors.is_heard, 'subscriptions')
    wait_for(lambda: sensors.report_with('scoring with'), 'a good report')

    def see():
        steps = 0
        while not shown.wait(0.02):
            sensors.show(steps, LOST if is_lost.is_set() else FAMILIAR, [0.5, 0.5])
            steps += 1

    def act():
        if setting.peers.goals[-1].collector == 'policy':
            is_lost.set()
            setting.peers.act.clear()

    eyes = threading.Thread(target=see)
    eyes.start()
    try:
        if before == 'lost':
            is_lost.set()
            wait_for(lambda: any(e.high for e in sensors.estimates), 'high uncertainty')
        setting.peers.ensemble = ensembles[0].name
        setting.peers.acting = act
        setting.start_scheduler(policy_share=1.0)
        setting.start_agent(
            collectors='[scripted, policy]', on_high_uncertainty='ask_for_help')

        until(lambda: setting.peers.said(RobotStatus.NEEDS_HELP), what='help asked for')
    finally:
        shown.set()
        eyes.join()
    episode_id = setting.peers.goals[-1].episode_id
    record = setting.peers.closed[episode_id]
    assert record.tags['help_requested'].startswith('epistemic ')
    assert setting.peers.cancelled == [episode_id]
