# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The agent's and the scheduler's parameters, set as `ros2 param set` does while they run."""
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import RobotStatus
from agent_setting import Setting
from fleet_peers import until
from parameter_peers import Parameters

from active_collection.scheduling.choosing.explain import explain
from active_collection.scheduling.ledger.ledger import LedgerReader


@pytest.fixture
def make(ros, tmp_path):
    made = []

    def make(**more):
        made.append(Setting(tmp_path, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_who_demonstrates_and_where_the_robot_is_counts_at_once(make):
    setting = make()
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent(operator_name='ada', heartbeat_s=0.1)
    until(lambda: setting.peers.goals)
    parameters = Parameters(setting.peers, 'agent')

    assert parameters.set_together({'operator_name': 'bob', 'environment': 'workshop'}) == ''
    until(lambda: setting.peers.statuses[-1].environment == 'workshop')
    setting.peers.hold_next()
    until(lambda: setting.peers.statuses[-1].environment == 'cell')
    assert [record.operator for record in setting.records()] == ['ada']
    assert setting.peers.open.operator == 'bob'

    # It was carried back: the parameter is what it was, and the robot elsewhere.
    assert parameters.set('environment', 'workshop') == ''
    until(lambda: setting.peers.statuses[-1].environment == 'workshop')

    assert parameters.set('confirm', 'always') == ''
    setting.peers.act.set()
    until(lambda: setting.peers.said(RobotStatus.WAITING_FOR_READY))


def test_what_does_not_fit_together_or_was_wired_at_the_start_is_refused(make):
    setting = make()
    setting.start_agent()
    parameters = Parameters(setting.peers, 'agent')

    assert 'is read when the node starts' in parameters.set('recorder', 'other_recorder')
    assert 'teleoperation among them' in parameters.set('on_high_uncertainty', 'hand_over')
    assert 'each teleoperation, scripted or policy' in parameters.set('collectors', 'scripted')
    assert parameters.set_together({
        'collectors': ['policy', 'teleoperation'], 'on_high_uncertainty': 'hand_over'}) == ''
    assert 'teleoperation among them' in parameters.set('collectors', ['policy'])


def test_the_scheduler_decides_by_what_was_set_and_the_ledger_knows(make):
    setting = make()
    setting.start_scheduler()
    parameters = Parameters(setting.peers, '/scheduler')
    console = setting.console
    before = console.ask('arm1').assignment

    assert parameters.set_together({'rule': 'uniform', 'budget_episodes': 100}) == ''
    until(lambda: console.state.rule == 'uniform')
    assert console.ask('arm1').assignment.assignment_id == before.assignment_id
    after = console.ask('arm2').assignment
    refusals = [parameters.set(*change) for change in (
        ('rule', 'unifrom'), ('confidence', 1.5), ('seed', 4), ('space', '/tmp/other.yaml'))]

    for refusal, words in zip(refusals, (
            "did you mean 'uniform'?", 'less than 1', 'is read when the node starts',
            'is read when the node starts'), strict=True):
        assert words in refusal
    assert parameters.get('rule') == 'uniform'
    until(lambda: console.state.leases == 2)
    with LedgerReader(setting.path / 'ledger.sqlite3') as reader:
        for assignment in (before, after):
            assert explain(reader, assignment.assignment_id).differences == ()
