# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The agent and the people around its robot: ready, judgement, pause, help."""
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Assignment
from active_collection.msg import Episode
from active_collection.msg import HighUncertainty
from active_collection.msg import RobotStatus
from active_collection.srv import RepeatEpisode
from agent_setting import Setting
from fleet_peers import SPACE
from fleet_peers import until
from parameter_peers import Parameters

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.nodes import conversions
from active_collection.nodes import qos

BY_HAND = SPACE.replace('[scripted, policy]', '[teleoperation]')
BY_POLICY = """
format: 1
tasks:
  push: {collectors: [scripted, policy]}
environments:
  cell: {}
"""


@pytest.fixture
def make(ros, tmp_path):
    made = []

    def make(**more):
        made.append(Setting(tmp_path, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def autonomous(make, *, held=True, **agent):
    """Return a setting in which the policy acts, held in its first attempt."""
    setting = make(space=BY_POLICY)
    setting.uncertain = setting.peers.create_publisher(
        HighUncertainty, 'uncertainty/high_uncertainty', qos.STATE)
    setting.peers.ensemble = 'e1'
    setting.start_scheduler(policy_share=1.0)
    setting.start_agent(collectors='[scripted, policy, teleoperation]', **agent)
    until(setting.records)
    if held:
        setting.peers.act.clear()
    until(lambda: any(goal.collector == 'policy' for goal in setting.peers.goals[-1:]))
    until(lambda: setting.peers.said(RobotStatus.COLLECTING))
    return setting


def warn(setting, episode_id, state=HighUncertainty.BEGIN):
    setting.uncertain.publish(HighUncertainty(
        state=state, episode_id=episode_id, measure='epistemic', value=0.4, threshold=0.25))


def test_an_attempt_begins_once_somebody_says_ready(make):
    setting = make(space=BY_HAND)
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]', confirm='teleoperation')
    until(lambda: setting.peers.said(RobotStatus.WAITING_FOR_READY))
    assert not setting.peers.goals and setting.peers.open is None

    assert setting.console.tell('arm1', 'ready').success

    until(lambda: setting.state.episodes == 1)
    until(lambda: setting.peers.statuses[-1].state == RobotStatus.WAITING_FOR_READY)
    assert len(setting.peers.goals) == 1


def test_what_the_operator_refuses_to_begin_is_handed_back(make):
    setting = make(space=BY_HAND)
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]', confirm='always')
    until(lambda: setting.peers.said(RobotStatus.WAITING_FOR_READY))

    assert setting.console.tell('arm1', 'discard').success

    until(lambda: any('cannot be' in said for said in setting.peers.said(RobotStatus.FAULT)))
    until(lambda: len(setting.peers.set_ups) > 1)
    assert not setting.peers.goals
    assert setting.handed_back()[0].set_up_failed


def test_a_set_up_that_nobody_confirms_in_time_is_handed_back(make):
    setting = make(space=BY_HAND)
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]', confirm='always', ready_s=0.4)

    until(lambda: any('nobody said ready' in said
                      for said in setting.peers.said(RobotStatus.FAULT)))
    assert not setting.peers.goals
    assert not setting.handed_back()[0].set_up_failed


def test_the_operators_word_ends_the_attempt_and_is_its_outcome(make):
    setting = make(space=BY_HAND)
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]', operator_name='ada')
    until(lambda: setting.peers.goals)
    answer = setting.console.tell('arm1', 'ready')
    assert not answer.success
    assert answer.message == "nothing waits for 'ready', only for success or failure or discard"

    assert setting.console.tell('arm1', 'failure').success

    record = until(setting.records)[0]
    assert (record.outcome, record.tags) == (Outcome.FAILURE, {'judged_by': 'ada'})
    assert record.stop_reason.value == 'operator'
    assert setting.peers.cancelled == [record.episode_id]


def test_a_word_about_an_attempt_that_is_over_does_nothing(make):
    setting = make(space=BY_HAND)
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]')

    def waiting(for_episode=None):
        return until(lambda: next((
            status for status in setting.peers.statuses[-1:]
            if status.words == ['success', 'failure', 'discard']
            and status.episode_id != for_episode), None))

    first = waiting()
    assert setting.console.tell_about(first, 'success').accepted
    second = waiting(first.episode_id)

    late = setting.console.tell_about(first, 'discard')
    assert not late.accepted
    assert late.message == f'the robot is no longer at {first.episode_id}'
    assert not setting.peers.cancelled[1:] and setting.peers.open.episode_id == second.episode_id
    assert setting.console.tell_about(second, 'retire').message == (
        "nothing waits for 'retire', only for success or failure or discard")
    assert setting.console.tell_about(second, 'failure').accepted
    until(lambda: len(setting.peers.closed) >= 2)
    assert [record.outcome for record in setting.records()[:2]] == [
        Outcome.SUCCESS, Outcome.FAILURE]


def test_a_robot_shows_its_assignment_with_the_reasons_and_that_it_is_paused(make):
    setting = make()
    shown = []
    setting.peers.create_subscription(Assignment, 'assignment', shown.append, qos.LATCHED)
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent()
    until(lambda: setting.peers.goals and shown)

    assert shown[-1].scenario.task == setting.peers.goals[0].scenario.task
    assert shown[-1].assignment_id == setting.peers.open.assignment_id
    assert shown[-1].terms and shown[-1].rule
    assert not setting.peers.statuses[-1].paused
    assert setting.console.tell('arm1', 'pause').success
    until(lambda: setting.peers.statuses[-1].paused)
    assert setting.peers.statuses[-1].state == RobotStatus.COLLECTING


def test_a_robot_leaves_what_it_sets_up_to_repeat_an_episode(make):
    setting = make(space=BY_HAND)
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]', confirm='always')

    def waiting():
        return until(lambda: next((
            status for status in setting.peers.statuses[-1:] if status.words), None))

    assert setting.console.tell_about(waiting(), 'ready').accepted
    done = until(setting.records)[0]
    until(lambda: setting.state.episodes == 1)
    held = waiting()

    assert setting.console.call('repeat_episode', RepeatEpisode.Request(
        robot='arm1', episode_id=done.episode_id, assignment_id=held.assignment_id, author='ada',
        reason='it slipped')).accepted

    until(lambda: setting.peers.set_ups[-1].scenario
          == conversions.scenario_to_msg(done.scenario, {'x': 'm'}) and len(
              setting.peers.set_ups) == 3)
    until(lambda: waiting().assignment_id != held.assignment_id)
    assert not setting.peers.said(RobotStatus.FAULT)
    refused = setting.console.call('repeat_episode', RepeatEpisode.Request(
        robot='arm1', episode_id='never', author='ada', reason='it slipped'))
    assert not refused.accepted and 'found never' in refused.message


@pytest.mark.parametrize('word', ['success', ''])
def test_an_attempt_that_the_robot_did_not_judge_waits_for_the_operator_then_for_a_label(
        make, word):
    setting = make(space=BY_HAND)
    setting.peers.outcome = Episode.UNKNOWN
    setting.start_scheduler()
    setting.start_agent(collectors='[teleoperation]', judgement_s=60.0 if word else 0.3)
    first = until(setting.records)[0]
    assert first.outcome is Outcome.UNKNOWN

    if word:
        until(lambda: setting.console.tell('arm1', word).success)
        until(lambda: setting.peers.closed[first.episode_id].outcome is Outcome.SUCCESS)
        until(lambda: sum(task.successes for task in setting.state.tasks) == 1)
    else:
        until(lambda: len(setting.peers.closed) > 1)
        assert setting.peers.closed[first.episode_id].outcome is Outcome.UNKNOWN
        assert setting.state.episodes == 0


def test_a_paused_robot_finishes_what_it_has_and_asks_for_no_more(make):
    setting = make()
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent()
    until(lambda: setting.peers.goals)

    assert setting.console.tell('arm1', 'pause').success
    setting.peers.act.set()

    until(lambda: 'paused at the robot' in setting.peers.said(RobotStatus.PAUSED))
    until(lambda: setting.state.episodes == 1 and not setting.state.leases)
    assert len(setting.peers.goals) == 1
    assert setting.console.tell('arm1', 'resume').success
    until(lambda: setting.state.episodes >= 2)


def test_an_unsure_policy_stops_and_waits_for_a_person(make):
    setting = autonomous(make, on_high_uncertainty='ask_for_help')
    episode_id = setting.peers.goals[-1].episode_id

    warn(setting, 'another')
    warn(setting, episode_id, HighUncertainty.END)
    warn(setting, episode_id)

    until(lambda: setting.peers.said(RobotStatus.NEEDS_HELP))
    record = setting.peers.closed[episode_id]
    assert setting.peers.cancelled == [episode_id]
    assert (record.outcome, record.tags) == (
        Outcome.FAILURE, {'help_requested': 'epistemic 0.4 above 0.25'})
    before = len(setting.peers.goals)
    setting.peers.act.set()
    assert len(setting.peers.goals) == before
    assert setting.console.tell('arm1', 'ready').success
    until(lambda: len(setting.peers.goals) > before)


def test_an_unsure_policy_is_ignored_where_nobody_asked_for_more(make):
    setting = autonomous(make)
    warn(setting, setting.peers.goals[-1].episode_id)
    setting.peers.act.set()

    until(lambda: len(setting.peers.closed) >= 3)
    assert not setting.peers.cancelled
    assert not setting.peers.said(RobotStatus.NEEDS_HELP)


def test_asking_for_help_begins_with_the_episode_after_it_was_set(make):
    setting = autonomous(make)
    first = setting.peers.goals[-1]

    assert Parameters(setting.peers, 'agent').set('on_high_uncertainty', 'ask_for_help') == ''
    warn(setting, first.episode_id)
    second = setting.peers.hold_next()
    until(lambda: setting.peers.statuses[-1].episode_id == second.episode_id
          and setting.peers.statuses[-1].state == RobotStatus.COLLECTING)
    assert setting.peers.cancelled == []
    warn(setting, second.episode_id)

    until(lambda: setting.peers.said(RobotStatus.NEEDS_HELP))
    assert setting.peers.cancelled == [second.episode_id]


def test_a_person_goes_on_with_the_episode_of_an_unsure_policy(make):
    setting = autonomous(make, on_high_uncertainty='hand_over')
    episode_id = setting.peers.goals[-1].episode_id
    warn(setting, episode_id)
    until(lambda: setting.peers.said(RobotStatus.NEEDS_HELP))
    assert setting.peers.open.episode_id == episode_id

    setting.peers.act.set()
    assert setting.console.tell('arm1', 'ready').success

    until(lambda: episode_id in setting.peers.closed)
    goals = [goal for goal in setting.peers.goals if goal.episode_id == episode_id]
    assert [goal.collector for goal in goals] == ['policy', 'teleoperation']
    record = setting.peers.closed[episode_id]
    assert (record.source, record.outcome) == (Source.POLICY, Outcome.SUCCESS)
    assert record.tags == {'help_requested': 'epistemic 0.4 above 0.25',
                           'help_given': 'teleoperation'}
    assert record.is_demonstration and not record.acts_own_policy
