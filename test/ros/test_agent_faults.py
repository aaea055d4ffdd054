# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The agent when its peers fail, vanish, talk nonsense, or take the work back."""
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import RobotStatus
from active_collection.srv import SteerRobot
from active_collection.srv import SteerScenario
from agent_setting import Setting
from fleet_peers import Process
from fleet_peers import Rig
from fleet_peers import until

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import Outcome
from active_collection.nodes import conversions

PROXY = """
format: 1
tasks:
  push: {collectors: [scripted, policy]}
  slide: {collectors: [proxy], proxy_task: push}
environments:
  cell: {}
"""


@pytest.fixture
def setting(ros, tmp_path):
    one = Setting(tmp_path)
    yield one
    one.close()


def held(setting, **agent):
    """Hold the first attempt, and return the id of its episode."""
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent(**agent)
    until(lambda: setting.peers.goals)
    return setting.peers.goals[0].episode_id


def test_a_lease_taken_back_for_something_urgent_stops_the_robot(setting):
    episode_id = held(setting)
    task = setting.peers.goals[0].scenario.task
    urgent = 'pick' if task == 'push' else 'push'

    assert setting.console.call('steer_scenario', SteerScenario.Request(
        command=SteerScenario.Request.PREEMPT, task=urgent, priority=5, author='ada',
        reason='visitors')).accepted
    until(lambda: setting.peers.cancelled == [episode_id])
    setting.peers.act.set()

    until(lambda: any(goal.scenario.task == urgent for goal in setting.peers.goals))
    record = setting.peers.closed[episode_id]
    assert (record.outcome, record.stop_reason.value) == (Outcome.ABORTED, 'operator')
    assert 'took assignment' in record.notes
    assert not setting.peers.said(RobotStatus.FAULT)


def test_a_drained_robot_stops_at_the_deadline_and_says_that_it_is_paused(setting):
    episode_id = held(setting)
    request = SteerRobot.Request(
        command=SteerRobot.Request.DRAIN, robot='arm1', author='ada', reason='new gripper',
        deadline=conversions.duration_to_msg(0.5))

    assert setting.console.call('steer_robot', request).accepted

    until(lambda: setting.peers.cancelled == [episode_id])
    until(lambda: any('new gripper' in said for said in setting.peers.said(RobotStatus.PAUSED)))
    assert setting.peers.closed[episode_id].outcome is Outcome.ABORTED


def test_a_scheduler_that_starts_again_finds_the_robot_still_at_work(setting):
    episode_id = held(setting)
    first, = setting.processes[:1]
    first.process.kill()
    first.process.wait()
    setting.start_scheduler()
    until(lambda: [a.assignment_id for a in setting.state.assignments] == [
        setting.peers.open.assignment_id])

    setting.peers.act.set()

    until(lambda: setting.state.episodes >= 1)
    assert setting.peers.closed[episode_id].outcome is Outcome.SUCCESS
    assert not setting.peers.cancelled
    assert setting.state.revoked == 0


def test_an_agent_that_was_killed_closes_what_it_left_open_and_goes_on(setting):
    episode_id = held(setting)
    agent = setting.processes[-1]
    assert setting.peers.open.episode_id == episode_id
    agent.stop(signal.SIGKILL)
    setting.peers.act.set()

    setting.start_agent()

    until(lambda: setting.state.episodes >= 1)
    stale = setting.peers.closed[episode_id]
    assert (stale.outcome, stale.notes) == (Outcome.ABORTED, 'its agent died while it recorded')
    assert not setting.peers.said(RobotStatus.FAULT)
    ids = [record.assignment_id for record in setting.records()]
    assert len(ids) == len(set(ids))


def test_a_real_recorder_is_freed_of_a_killed_agents_episode(ros, tmp_path):
    """And the bag is there, closed, with the reason."""
    rig, recorder = Rig('arm1'), Process(
        'recorder', namespace='arm1', log=tmp_path / 'recorder.log',
        data_directory=tmp_path / 'data', disk_reserve_bytes=0)
    setting = Setting(tmp_path, robot=rig)
    setting.processes.append(recorder)
    try:
        rig.act.clear()
        setting.start_scheduler()
        agent = setting.start_agent()
        until(lambda: rig.goals)
        agent.stop(signal.SIGKILL)
        rig.act.set()

        setting.start_agent()

        until(lambda: setting.state.episodes >= 1)
        records = {record.episode_id: record for record in map(
            read_record, find_episodes(tmp_path / 'data'))}
        stale = records[rig.goals[0].episode_id]
        assert (stale.outcome, stale.notes) == (
            Outcome.ABORTED, 'its agent died while it recorded')
        assert any(record.outcome is Outcome.SUCCESS for record in records.values())
    finally:
        setting.close()


@pytest.mark.parametrize(('episode_id', 'assignment_id'), [
    ('20260102T030405-arm1-0a1b2c', ''),  # a free episode: the recorder names those so
    ('ada-shows-how', '20260102T030405-1'),
    ('20260102T030405-arm2-0a1b2c', '20260102T030405-1'),
])
def test_an_operators_episode_is_left_alone_and_waited_for(setting, episode_id, assignment_id):
    setting.peers.begin(episode_id, assignment_id)
    setting.start_scheduler()
    setting.start_agent()

    until(lambda: any(episode_id in said for said in setting.peers.said(RobotStatus.IDLE)))
    assert setting.peers.open.episode_id == episode_id
    assert not setting.peers.set_ups and not setting.state.assignments
    setting.peers.end()

    until(lambda: setting.state.episodes >= 1)
    assert episode_id not in setting.peers.closed


@pytest.mark.parametrize('number', [
    signal.SIGTERM,
    pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])  # until DDS misses it
def test_an_action_server_that_vanishes_ends_the_attempt_as_aborted(ros, tmp_path, number):
    setting = Setting(tmp_path, collect='nobodys')  # the process below alone acts
    rig = subprocess.Popen([sys.executable, str(Path(__file__).parent / 'fleet_peers.py'), 'arm1'],
                           env=os.environ.copy(), stdout=subprocess.PIPE, text=True)
    try:
        setting.start_scheduler()
        setting.start_agent(retry_s=0.5)
        assert rig.stdout.readline() == 'acting\n'
        episode_id = setting.peers.open.episode_id
        rig.send_signal(number)
        rig.wait(timeout=60)
        until(lambda: episode_id in setting.peers.closed)
    finally:
        rig.kill()
        rig.communicate()
        setting.close()

    assert setting.peers.closed[episode_id].outcome is Outcome.ABORTED
    # 'does not answer' where the goal's acceptance was lost with the server
    assert re.search('collect_episode (is lost|does not answer)',
                     setting.peers.closed[episode_id].notes)


def test_a_goal_that_is_accepted_too_late_does_not_move_the_robot(setting):
    setting.peers.accept.clear()
    setting.peers.act.clear()
    setting.start_scheduler()
    setting.start_agent(answer_s=0.5)
    until(lambda: any('does not answer' in said for said in setting.peers.said(RobotStatus.FAULT)))

    setting.peers.accept.set()

    until(lambda: setting.peers.goals)
    late = setting.peers.goals[0].episode_id
    until(lambda: late in setting.peers.cancelled)
    assert setting.peers.closed[late].outcome is Outcome.ABORTED


@pytest.mark.parametrize(('strange', 'words'), [
    ({'outcome': 200}, 'found outcome 200'),
    ({'outcome': 0, 'succeeds': False}, 'no outcome'),
])
def test_an_attempt_without_an_outcome_is_aborted(setting, strange, words):
    for name, value in strange.items():
        setattr(setting.peers, name, value)
    setting.start_scheduler()
    setting.start_agent()

    until(lambda: any(words in said for said in setting.peers.said(RobotStatus.FAULT)))
    assert {record.outcome for record in setting.records()} == {Outcome.ABORTED}


def test_a_robot_that_talks_nonsense_gets_only_what_fits_into_the_record(setting):
    setting.peers.environment = '../../etc'
    setting.peers.tags = {'scene.drawer': 'open', '': 'nothing', 'long': 'x' * 10_000,
                          'k' * 5000: 'y', **{f'tag{k:03}': 'z' for k in range(200)}}
    setting.start_scheduler()
    setting.start_agent()

    until(lambda: setting.state.episodes >= 2)

    tags = setting.records()[0].tags
    assert tags['scene.drawer'] == 'open' and tags['long'] == 'x' * 1000
    assert len(tags) < 64 and '' not in tags and all(len(key) <= 1000 for key in tags)
    assert {status.environment for status in setting.peers.statuses} == {''}


def test_a_recorder_that_closes_the_episode_by_itself_stops_the_robot(setting):
    episode_id = held(setting)

    setting.peers.open = None

    until(lambda: setting.peers.cancelled == [episode_id])
    until(lambda: any('closed the episode' in said
                      for said in setting.peers.said(RobotStatus.FAULT)))


def test_the_robots_actions_may_have_any_name(ros, tmp_path):
    setting = Setting(tmp_path, set_up='cell/prepare', collect='rig/demonstrate')
    runner = Rig('arm1', set_up='unused', collect='lerobot/run')
    setting.spinner.add(runner)
    try:
        setting.peers.ensemble = 'e1'
        setting.start_scheduler(policy_share=0.5)
        setting.start_agent(set_up_action='cell/prepare', collect_action='rig/demonstrate',
                            policy_action='lerobot/run')

        until(lambda: runner.goals and setting.peers.goals)

        assert {goal.collector for goal in setting.peers.goals} == {'scripted'}
        assert {goal.collector for goal in runner.goals} == {'policy'}
    finally:
        setting.close()


def test_a_proxys_policy_collects_for_a_task_that_has_nobody_else(ros, tmp_path):
    setting = Setting(tmp_path, space=PROXY)
    try:
        setting.peers.ensemble = 'e1'
        setting.start_scheduler(rule='round_robin')
        setting.start_agent()

        goal = until(lambda: next(
            (g for g in setting.peers.goals if g.scenario.task == 'slide'), None))
        record = until(lambda: setting.peers.closed.get(goal.episode_id))

        assert (goal.collector, goal.policy_task) == ('policy', 'push')
        assert (record.scenario.task, record.proxy_task) == ('slide', 'push')
        assert record.is_demonstration
        set_up = [request.scenario.task for request in setting.peers.set_ups]
        conditioned = [scenario.task for scenario in setting.peers.scenarios]
        assert 'slide' in set_up and set(conditioned) == {'push'}
    finally:
        setting.close()


HELD_UP = """
import sys, time, rclpy
from active_collection.nodes.agent.agent import AgentNode
rclpy.init(args=['--ros-args', '-r', '__ns:=/arm1', '-p', 'heartbeat_s:=0.1'])
node = AgentNode()
node.create_timer(0.05, lambda: time.sleep(3.0))
rclpy.spin(node)
"""


def test_heartbeats_go_on_while_callbacks_are_held_up(setting):
    """A recorder's flood of messages, a slow answer: none of it may cost the lease."""
    agent = subprocess.Popen([sys.executable, '-c', HELD_UP], cwd='/', env=os.environ.copy())
    try:
        until(lambda: len(setting.peers.statuses) > 60)
    finally:
        agent.kill()
        agent.wait()
    stamps = [conversions.time_to_ns(s.header.stamp) / 1e9 for s in setting.peers.statuses]
    gaps = [after - before for before, after in pairwise(stamps)]
    assert max(gaps) < 1.5, max(gaps)


@pytest.mark.parametrize(('parameter', 'value', 'words'), [
    ('collect_action', 'collect episode', 'collect_action'),
    ('on_high_uncertainty', 'hand_over', 'teleoperation among them'),
    ('confirm', 'sometimes', 'confirm'),
])
def test_a_parameter_that_makes_no_sense_ends_the_start_with_one_line(
        setting, parameter, value, words):
    process = setting.start_agent(**{parameter: value})

    assert process.process.wait(timeout=60) == 2
    line, = setting.log('agent').strip().splitlines()
    assert words in line
