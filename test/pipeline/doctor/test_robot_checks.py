# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Each thing that may be wrong with a robot, in what was seen of it."""
from dataclasses import replace

import pytest
from spoiling import JOINTS
from spoiling import endpoint
from spoiling import seen
from spoiling import the_wrong
from spoiling import without

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.pipeline.doctor.checks import ROBOT_CHECKS
from active_collection.pipeline.doctor.finding import Verdict
from active_collection.pipeline.doctor.robot.actions import Actions
from active_collection.pipeline.doctor.robot.diagnostics import Diagnostics
from active_collection.pipeline.doctor.robot.nodes import Nodes
from active_collection.pipeline.doctor.robot.offers import Offers
from active_collection.pipeline.doctor.robot.rates import Rates
from active_collection.pipeline.doctor.robot.recorder import Recorder
from active_collection.pipeline.doctor.robot.scenarios import Scenarios
from active_collection.pipeline.doctor.robot.scheduler import Scheduler
from active_collection.pipeline.doctor.robot.simulated_time import SimulatedTime
from active_collection.pipeline.doctor.robot.specification import Specification
from active_collection.pipeline.doctor.robot.stamps import Stamps
from active_collection.pipeline.doctor.robot.topics import Topics
from active_collection.pipeline.doctor.sighting import Diagnostic
from active_collection.pipeline.doctor.sighting import Level
from active_collection.pipeline.doctor.sighting import SchedulerSeen
from active_collection.pipeline.doctor.sighting import Sighting
from active_collection.pipeline.doctor.sighting import TopicSeen

OK, WARNING, WRONG, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.WRONG, Verdict.SKIPPED


@pytest.mark.parametrize('name', ROBOT_CHECKS.names())
def test_nothing_is_wrong_with_a_robot_that_is_well(robot, name):
    assert {f.verdict for f in ROBOT_CHECKS.get(name)().look(robot)} == {OK}


@pytest.mark.parametrize('name', ROBOT_CHECKS.names())
def test_of_a_robot_that_is_not_there_its_nodes_are_wrong_and_nothing_else(robot, name):
    nowhere = replace(robot, sighting=Sighting(robot='/arm_1', namespaces=('/arm_2',)), space=None)
    expected = {WRONG} if name == 'nodes' else {SKIPPED}
    assert {f.verdict for f in ROBOT_CHECKS.get(name)().look(nowhere)} == expected


def test_a_sighting_survives_its_way_between_processes(robot):
    text = robot.sighting.model_dump_json()
    assert Sighting.model_validate_json(text) == robot.sighting


def test_a_robot_in_another_namespace_is_named(robot):
    finding = the_wrong(Nodes().look(seen(robot, namespaces=('/', '/arm_l'))))
    assert 'did you mean /arm_l?' in finding.found
    assert 'robot.launch.py robot:=arm_1' in finding.remedy


@pytest.mark.parametrize(('node', 'verdict'), [
    ('recorder', WRONG), ('uncertainty', WARNING), ('agent', WARNING), ('scheduler', WRONG)])
def test_a_node_that_is_missing_is_told_of(robot, node, verdict):
    finding = the_wrong(Nodes().look(without(robot, node)))
    assert finding.verdict is verdict and f'/{node}: ' in finding.found


def test_a_scheduler_is_not_missed_where_there_is_no_agent(robot):
    findings = Nodes().look(without(robot, 'scheduler', 'agent'))
    assert [f.verdict for f in findings] == [WARNING, WARNING, OK]


@pytest.mark.parametrize(('change', 'said'), [
    ({'count': 2}, '2 nodes are called /arm_1/recorder'),
    ({'parameters': None}, '/arm_1/recorder is there and does not answer')])
def test_a_node_that_is_double_or_mute_is_wrong(robot, change, said):
    nodes = dict(robot.sighting.nodes)
    nodes['recorder'] = nodes['recorder'].model_copy(update=change)
    finding = the_wrong(Nodes().look(seen(robot, nodes=nodes)))
    assert finding.verdict is WRONG and finding.found.startswith(said)


@pytest.mark.parametrize(('state', 'remedy'), [
    ('unconfigured', 'ros2 lifecycle set /arm_1/recorder configure'),
    ('inactive', 'ros2 lifecycle set /arm_1/recorder activate')])
def test_a_recorder_that_is_not_active_is_wrong(robot, state, remedy):
    nodes = dict(robot.sighting.nodes)
    nodes['recorder'] = nodes['recorder'].model_copy(update={'lifecycle': state})
    finding = the_wrong(Recorder().look(seen(robot, nodes=nodes)))
    assert finding.verdict is WRONG and remedy in finding.remedy


def test_a_recorder_that_is_blocked_mute_or_misconfigured_is_told_of(robot):
    told = robot.sighting.told
    blocked = told.model_copy(update={'recorder': ('BLOCKED', 'disk full')})
    assert 'is blocked: disk full' in the_wrong(Recorder().look(seen(robot, told=blocked))).found
    mute = told.model_copy(update={'recorder': None})
    assert the_wrong(Recorder().look(seen(robot, told=mute))).verdict is WARNING
    odd = seen(robot, settings_problem='compression: found 3')
    assert 'compression: found 3' in the_wrong(Recorder().look(odd)).found


@pytest.mark.parametrize(('level', 'verdict'), [
    (Level.WARN, WARNING), (Level.ERROR, WRONG), (Level.STALE, WARNING)])
def test_what_nodes_complain_of_is_handed_on(robot, level, verdict):
    complaint = Diagnostic(name='/arm_1/recorder: episodes', level=level, message='3 dropped')
    finding = the_wrong(Diagnostics().look(seen(robot, diagnostics=(
        complaint, robot.sighting.diagnostics[1]))))
    assert finding.verdict is verdict and '3 dropped' in finding.found


def test_a_node_that_says_nothing_on_diagnostics_is_told_of(robot):
    finding = the_wrong(Diagnostics().look(seen(
        robot, diagnostics=robot.sighting.diagnostics[:1])))
    assert '/arm_1/uncertainty said nothing' in finding.found


def test_an_agent_with_a_fault_is_wrong(robot):
    told = robot.sighting.told.model_copy(update={'agent': ('FAULT', 'recorder is not there')})
    assert 'recorder is not there' in the_wrong(Diagnostics().look(seen(robot, told=told))).found


def use_sim_time(robot, *names):
    return seen(robot, nodes={
        key: node.model_copy(update={'parameters': {'use_sim_time': key in names}})
        for key, node in robot.sighting.nodes.items()})


def test_two_clocks_or_a_clock_that_nobody_publishes_are_wrong(robot):
    mixed = the_wrong(SimulatedTime().look(use_sim_time(robot, 'agent')))
    assert 'true of /arm_1/agent, false of' in mixed.found
    everybody = use_sim_time(robot, *robot.sighting.nodes)
    assert 'nobody publishes /clock' in the_wrong(SimulatedTime().look(everybody)).found
    clock = TopicSeen(name='/clock', publishers=(endpoint('/gazebo'),))
    assert SimulatedTime().look(seen(everybody, topics=(clock,)))[0].verdict is OK


CAMERA = TopicSeen(name='/camera/image', publishers=(endpoint('/camera/driver'),))


def test_a_required_topic_without_a_publisher_is_wrong(robot):
    finding = the_wrong(Topics().look(seen(
        robot, unmatched=('/arm_1/camera/image',), topics=(CAMERA,),
        listed=('/arm_1/camera/image',))))
    assert finding.verdict is WRONG
    assert '/arm_1/camera/image is required' in finding.found
    assert '(/camera/image has one)' in finding.found


def test_a_topic_that_is_only_named_is_a_warning(robot):
    finding = the_wrong(Topics().look(seen(robot, listed=('/arm_1/joints', '/arm_1/jaw'))))
    assert finding.verdict is WARNING and '/arm_1/jaw is to be recorded' in finding.found


def test_a_type_that_is_not_installed_is_wrong_and_its_package_named(robot):
    jaw = TopicSeen(name='/arm_1/jaw', publishers=(endpoint('/arm_1/driver').model_copy(
        update={'type': 'control_msgs/msg/GripperCommand'}),))
    finding = the_wrong(Topics().look(seen(robot, topics=(*robot.sighting.topics, jaw), problems={
        '/arm_1/jaw': 'not recorded: its type control_msgs/msg/GripperCommand is not installed'})))
    assert finding.verdict is WRONG
    assert 'sudo apt install ros-kilted-control-msgs' in finding.remedy


def test_where_nothing_would_be_recorded_that_is_wrong(robot):
    assert 'no topic would be recorded' in the_wrong(Topics().look(seen(
        robot, heard=(), required=(), listed=()))).found


def heard(robot, **changes):
    return seen(robot, heard=(JOINTS.model_copy(update=changes),))


@pytest.mark.parametrize(('changes', 'verdict', 'said'), [
    ({'received': 100, 'rate': 25.0}, WRONG, '/arm_1/joints: 25.0 Hz, 50 Hz expected'),
    ({'received': 0, 'rate': 0.0, 'silence_s': 4.0}, WRONG, 'no message, 50 Hz expected'),
    ({'received': 190, 'silence_s': 0.9}, WRONG, 'silent for 0.900 s'),
    ({'largest_gap_s': 0.4}, WARNING, 'a gap of 0.400 s'),
    ({'lost': 7}, WARNING, '7 of 207 messages were lost')])
def test_a_topic_that_is_slow_silent_or_has_gaps_is_told_of(robot, changes, verdict, said):
    finding = the_wrong(Rates().look(heard(robot, **changes)))
    assert finding.verdict is verdict and said in finding.found


def test_a_topic_of_which_a_rate_is_expected_and_that_is_not_there_is_wrong(robot):
    finding = the_wrong(Rates().look(seen(robot, rates={
        '/arm_1/joints': 50.0, '/arm_1/jaw': 10.0})))
    assert '/arm_1/jaw: no message, 10 Hz expected' in finding.found


def test_where_no_rate_is_expected_those_that_were_measured_are_proposed(robot):
    finding = the_wrong(Rates().look(seen(robot, rates={})))
    assert finding.verdict is WARNING
    assert finding.remedy == 'in recorder.yaml: expected_rates: [/arm_1/joints=50]'


@pytest.mark.parametrize(('changes', 'verdict', 'said', 'remedy'), [
    ({'skew_s': -0.02}, WARNING, '0.020 s ahead of their receipt', 'chrony'),
    ({'skew_s': -0.5}, WRONG, '0.500 s ahead of their receipt', 'chrony'),
    ({'skew_s': 3.0}, WRONG, '3.000 s behind their receipt', 'chrony'),
    ({'skew_s': 1.7e9}, WRONG, 'behind their receipt', 'a clock of its own'),
    ({'delay_s': -2.0}, WRONG, "its publisher's clock is 2.000 s ahead", 'chrony'),
    ({'unstamped': 200, 'skew_s': None}, WRONG, '200 of 200 messages have no stamp', 'now()')])
def test_stamps_that_are_off_are_told_of(robot, changes, verdict, said, remedy):
    finding = the_wrong(Stamps().look(heard(robot, **changes)))
    assert finding.verdict is verdict and said in finding.found and remedy in finding.remedy


@pytest.mark.parametrize(('offered', 'requested', 'policy'), [
    ({'reliability': 'best_effort'}, {}, 'reliability best_effort'),
    ({}, {'durability': 'transient_local'}, 'durability volatile'),
    ({}, {'deadline_ns': 5}, 'deadline 9223372036854775807'),
    ({'deadline_ns': 9}, {'deadline_ns': 5}, 'deadline 9'),
    ({}, {'liveliness': 'manual_by_topic'}, 'liveliness automatic'),
    ({}, {'liveliness_lease_ns': 5}, 'liveliness lease 9223372036854775807')])
def test_an_offer_that_is_less_than_what_is_requested_is_wrong(robot, offered, requested, policy):
    topic = TopicSeen(name='/arm_1/image', publishers=(endpoint('/arm_1/camera', **offered),),
                      subscriptions=(endpoint('/arm_1/viewer', **requested),))
    finding = the_wrong(Offers().look(seen(robot, topics=(topic,))))
    assert finding.verdict is WRONG and '/arm_1/camera offers ' + policy in finding.found


@pytest.mark.parametrize(('offered', 'requested'), [
    ({}, {'reliability': 'best_effort'}), ({'durability': 'transient_local'}, {}),
    ({'deadline_ns': 5}, {'deadline_ns': 9}), ({'deadline_ns': 5}, {}),
    ({'reliability': 'unknown'}, {}), ({'liveliness': 'manual_by_topic'}, {})])
def test_an_offer_that_is_enough_is_well(robot, offered, requested):
    topic = TopicSeen(name='/arm_1/image', publishers=(endpoint('/arm_1/camera', **offered),),
                      subscriptions=(endpoint('/arm_1/viewer', **requested),))
    assert Offers().look(seen(robot, topics=(topic,)))[0].verdict is OK


def test_other_robots_topics_are_not_this_ones(robot):
    topic = TopicSeen(
        name='/arm_2/image', publishers=(endpoint('/arm_2/camera', reliability='best_effort'),),
        subscriptions=(endpoint('/arm_2/viewer'),))
    assert {f.verdict for f in Offers().look(seen(robot, topics=(topic,)))} == {SKIPPED}
    seen_by_us = topic.model_copy(update={'subscriptions': (endpoint('/arm_1/viewer'),)})
    assert the_wrong(Offers().look(seen(robot, topics=(seen_by_us,)))).verdict is WRONG


def test_a_latched_topic_whose_publisher_is_volatile_is_wrong(robot):
    topic = TopicSeen(name='/arm_1/scenario', publishers=(endpoint('/arm_1/agent'),))
    assert 'who starts later' in the_wrong(Offers().look(seen(robot, topics=(topic,)))).found


def test_an_action_that_nobody_serves_or_as_another_type_is_wrong(robot):
    actions = dict(robot.sighting.actions)
    del actions['/arm_1/set_up_scenario']
    assert 'nobody serves /arm_1/set_up_scenario' in the_wrong(
        Actions().look(seen(robot, actions=actions))).found
    actions['/arm_1/set_up_scenario'] = 'nav2_msgs/action/Spin'
    assert 'is served as nav2_msgs/action/Spin' in the_wrong(
        Actions().look(seen(robot, actions=actions))).found
    other = replace(robot, agent=AgentSettings(policy_action='/policy/act'))
    assert 'nobody serves /policy/act' in the_wrong(Actions().look(other)).found


def observed(robot, **changes):
    return seen(robot, observations=robot.sighting.observations.model_copy(update=changes))


@pytest.mark.parametrize(('changes', 'verdict', 'said'), [
    ({'problem': 'description.json: found nothing'}, WRONG, 'description.json'),
    ({'missing': ('/arm_1/hand',)}, WRONG, 'nobody publishes it'),
    ({'silent': ('/arm_1/hand',)}, WRONG, 'nothing of it came'),
    ({'unusable': ('joints.elbow: found no field',)}, WRONG, 'joints.elbow: found no field'),
    ({'unrecorded': ('/arm_1/action',)}, WRONG, '/arm_1/action is part of what the policy sees'),
    ({'dropped': 3, 'dropped_problem': 'joints.position: NaN or infinite'}, WRONG, 'NaN'),
    ({'made': 0, 'dropped': 9, 'dropped_problem': 'hand: 0.300 s old'}, WRONG, '0.300 s old'),
    ({'made': 0}, WRONG, 'its reference does not come'),
    ({'dropped': 60, 'dropped_problem': 'hand: 0.3 s old'}, WARNING, '60 of 260 observations'),
    ({'made': 0, 'dropped': 9, 'silent': ('/arm_1/scenario',)}, WARNING, '/arm_1/scenario')])
def test_a_specification_that_does_not_fit_the_topics_is_told_of(robot, changes, verdict, said):
    finding = the_wrong(Specification().look(observed(robot, **changes)))
    assert finding.verdict is verdict and said in finding.found


def test_few_dropped_observations_are_well(robot):
    assert Specification().look(observed(robot, dropped=20))[0].verdict is OK


@pytest.mark.parametrize(('state', 'remedy'), [
    ('PAUSED', '/scheduler/resume'), ('DRAINING', '/scheduler/resume'), ('FINISHED', 'budget')])
def test_a_scheduler_that_hands_out_nothing_is_told_of(robot, state, remedy):
    told = robot.sighting.told.model_copy(
        update={'scheduler': SchedulerSeen(state=state, message='by ada')})
    finding = the_wrong(Scheduler().look(seen(robot, told=told)))
    assert f'{state.lower()}: by ada' in finding.found and remedy in finding.remedy


def test_a_scheduler_that_tells_no_state_is_told_of(robot):
    told = robot.sighting.told.model_copy(update={'scheduler': None})
    assert the_wrong(Scheduler().look(seen(robot, told=told))).verdict is WARNING


def test_a_robot_for_which_there_is_no_scenario_is_wrong(robot):
    idle = replace(robot, agent=AgentSettings(collectors=('teleoperation',)))
    findings = Scenarios().look(idle)
    assert [f.verdict for f in findings] == [WRONG, WRONG]
    assert any(f.found.startswith('no scenario for arm_1, push: ') and f.remedy for f in findings)
    assert any(f.found.startswith('no scenario for arm_1, wipe: ') and f.remedy for f in findings)
    stranger = replace(robot, sighting=robot.sighting.model_copy(update={'robot': '/arm_9'}))
    assert 'arm_9' in the_wrong(Scenarios().look(stranger)).found


def test_a_policy_collects_only_once_there_is_an_ensemble(robot):
    only_policy = replace(robot, agent=AgentSettings(collectors=('policy',)))
    assert {f.verdict for f in Scenarios().look(only_policy)} == {WRONG}
    told = robot.sighting.told.model_copy(
        update={'scheduler': SchedulerSeen(state='RUNNING', ensemble_id='e1')})
    (finding,) = Scenarios().look(seen(only_policy, told=told))
    assert finding.found == '1 of 2 tasks are for it: push'


def test_an_environment_that_the_space_does_not_know_is_wrong(robot):
    lost = replace(robot, agent=AgentSettings(environment='attic'))
    assert "'attic'" in the_wrong(Scenarios().look(lost)).found
    unreadable = replace(robot, space=None, space_problem='space.yaml:3: found nothing')
    assert 'space.yaml:3' in the_wrong(Scenarios().look(unreadable)).found
