# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulated robot as a process of its own, over real DDS."""
from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from active_collection.bags.fields import FieldPath
from active_collection.bags.fields import stamp_ns

pytest.importorskip('rclpy')
if importlib.util.find_spec('metaworld') is None:
    pytest.skip('Meta-World is not installed', allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parent))
from action_msgs.msg import GoalStatus
from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.msg import Episode
from active_collection.msg import Scenario as ScenarioMsg
from active_collection.msg import UncertaintyEstimate
from geometry_msgs.msg import PoseArray
from geometry_msgs.msg import PoseStamped
from parameter_peers import Parameters
from rclpy.action import ActionClient
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState
from spinner import Spinner

from active_collection.nodes import qos
from active_collection.nodes.conversions import duration_to_msg
from active_collection.nodes.conversions import scenario_to_msg
from active_collection.scenario import Scenario

LIMIT_S = 60.0
PUSH = Scenario.of('push', 'tabletop', {
    'object_x': 0.05, 'object_y': 0.65, 'goal_x': -0.05, 'goal_y': 0.85})
TOPICS = {
    'joint_states': JointState, 'end_effector_pose': PoseStamped, 'gripper_state': JointState,
    'object_poses': PoseArray, 'goal_pose': PoseStamped, 'action': JointState,
    'camera/image_raw': Image, 'camera/camera_info': CameraInfo}
CAMERA = ('camera/image_raw', 'camera/camera_info')


def wait_until(condition, what, limit_s=LIMIT_S):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f'not within {limit_s} s: {what}'
        time.sleep(0.01)


@contextmanager
def running(namespace, environment=None, **parameters):
    """Start a simulated robot; it does not outlive the block."""
    given = [part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')]
    process = subprocess.Popen(
        [sys.executable, '-m', 'active_collection.nodes.simulated_robot.simulated_robot',
         '--ros-args', '-r', f'__ns:=/{namespace}', *given],
        stderr=subprocess.PIPE, text=True, cwd='/', env={**os.environ, **(environment or {})})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    _, text = process.communicate(timeout=LIMIT_S)
    return process.returncode, text


@pytest.fixture(scope='module')
def node(ros):
    """Give a node of the test, spinning."""
    node = ros.create_node('bench', namespace='robot_1')
    with Spinner(node, threads=1):
        yield node


@pytest.fixture(scope='module')
def bench(node):
    """Give a running robot_1: the clients of its actions, and what it publishes."""
    heard = defaultdict(list)
    for name, kind in TOPICS.items():
        node.create_subscription(
            kind, name, heard[name].append, qos.SENSOR if name in CAMERA else qos.STATE)
    with running('robot_1', rate_hz=0.0, camera_every=10, camera_size=64, idle_rate_hz=20.0,
                 policy_timeout_s=5.0) as process:
        yield clients(node, 'robot_1', heard)
        status, text = stop(process, signal.SIGINT)
    assert status == 0 and 'Traceback' not in text, text


def clients(node, namespace, heard=None):
    # In the executor's thread: an action client is waited on before it is whole.
    set_up, collect = (
        result_of(node.executor.create_task(ActionClient, node, kind, f'/{namespace}/{name}'))
        for kind, name in ((SetUpScenario, 'set_up_scenario'),
                           (CollectEpisode, 'collect_episode')))
    assert set_up.wait_for_server(timeout_sec=LIMIT_S)
    assert collect.wait_for_server(timeout_sec=LIMIT_S)
    return SimpleNamespace(node=node, heard=heard, set_up=set_up, collect=collect)


def result_of(future, limit_s=LIMIT_S):
    wait_until(future.done, 'answer of the action server', limit_s)
    return future.result()


def asked(bench, call, *arguments):
    """Return the answer to what is asked in the executor's thread; see `Calls` for the reason."""
    return result_of(result_of(bench.node.executor.create_task(call, *arguments)))


def done_with(node, destroy, endpoint):
    """Destroy something in the executor's thread, which would else wait on what is gone."""
    result_of(node.executor.create_task(destroy, endpoint))


def ended(bench, goal):
    return asked(bench, goal.get_result_async)


def set_up(bench, scenario):
    goal = asked(bench, bench.set_up.send_goal_async,
                 SetUpScenario.Goal(scenario=scenario_to_msg(scenario), reset_required=True))
    assert goal.accepted
    return ended(bench, goal).result


def begin(bench, scenario=PUSH, collector='scripted', time_limit=0.0, policy_task=''):
    goal = asked(bench, bench.collect.send_goal_async, CollectEpisode.Goal(
        episode_id='e1', scenario=scenario_to_msg(scenario), collector=collector,
        policy_task=policy_task, time_limit=duration_to_msg(time_limit)))
    assert goal.accepted
    return goal


def forget(bench):
    for messages in bench.heard.values():
        messages.clear()


def test_idle_robot_is_heard_before_the_first_scenario(bench):
    idle = set(TOPICS) - {*CAMERA, 'action'}
    wait_until(lambda: all(bench.heard[name] for name in idle), 'each state topic')


def test_scripted_episode_succeeds_and_every_step_is_heard_with_one_stamp(bench):
    assert set_up(bench, PUSH).ready
    wait_until(lambda: bench.heard['object_poses'] and FieldPath.parse(
        'object_poses.poses[0].position').numbers(bench.heard['object_poses'][-1])[:2]
        == pytest.approx([0.05, 0.65], abs=1e-3), 'puck where the scenario says')
    forget(bench)

    answer = ended(bench, begin(bench))

    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert (answer.result.outcome, answer.result.message) == (
        Episode.SUCCESS, f'done after {answer.result.steps} steps')
    wait_until(lambda: len(bench.heard['action']) == answer.result.steps, 'an action a step')
    stamps = {name: [stamp_ns(m) for m in bench.heard[name]] for name in TOPICS}
    acted = stamps['action']
    assert acted == sorted(set(acted))
    for name in set(TOPICS) - {*CAMERA, 'action'}:
        wait_until(lambda name=name: set(acted) <= {stamp_ns(m) for m in bench.heard[name]}, name)
    poses = {stamp_ns(m): m for m in bench.heard['end_effector_pose']}
    path = FieldPath.parse('end_effector_pose.pose.position')
    hand = np.array([path.numbers(poses[stamp]) for stamp in acted])
    assert np.abs(np.diff(hand, axis=0)).max() < 0.03
    assert np.ptp(hand, axis=0).max() > 0.1
    commands = np.array([m.position for m in bench.heard['action']])
    assert commands.shape[1] == 4 and np.abs(commands).max() <= 1.0


def test_what_is_set_while_it_runs_counts_from_the_next_episode_on(bench):
    parameters = Parameters(bench.node, 'simulated_robot')
    assert parameters.set_together({'max_steps': 3, 'idle_rate_hz': 0}) == ''
    assert 'is read when the node starts' in parameters.set('camera_size', 32)
    assert set_up(bench, PUSH).ready

    answer = ended(bench, begin(bench))

    assert (answer.result.outcome, answer.result.steps) == (Episode.FAILURE, 3)
    assert parameters.set_together({'max_steps': 300, 'idle_rate_hz': 20.0}) == ''
    forget(bench)
    wait_until(lambda: bench.heard['joint_states'], 'an idle robot that is heard again')


def test_camera_shows_the_scene(bench):
    if not bench.node.count_publishers('camera/image_raw'):
        pytest.skip('no OpenGL library here')
    forget(bench)
    wait_until(lambda: bench.heard['camera/image_raw'] and bench.heard['camera/camera_info'],
               'a picture')
    image, info = bench.heard['camera/image_raw'][-1], bench.heard['camera/camera_info'][-1]
    assert (image.height, image.width, image.encoding, image.step) == (64, 64, 'rgb8', 192)
    assert np.array(image.data).reshape(64, 64, 3).std() > 20
    assert (info.height, info.width) == (64, 64)
    assert info.k[0] > 0
    assert image.header.frame_id == info.header.frame_id == 'camera'


def test_second_goal_is_refused_while_one_runs_and_a_cancelled_one_stops(bench):
    assert set_up(bench, PUSH).ready
    goal = begin(bench, collector='policy')
    other = asked(bench, bench.set_up.send_goal_async,
                  SetUpScenario.Goal(scenario=scenario_to_msg(PUSH)))
    assert not other.accepted
    asked(bench, goal.cancel_goal_async)
    answer = ended(bench, goal)
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert (answer.result.outcome, answer.result.message) == (Episode.ABORTED, 'cancelled')


def test_policy_without_an_answer_is_aborted(bench):
    assert set_up(bench, PUSH).ready
    answer = ended(bench, begin(bench, collector='policy'))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.outcome == Episode.ABORTED
    assert 'no answer within 5 s' in answer.result.message


def test_policy_acts_on_the_answer_to_its_own_observation(bench):
    """Each observation is answered with another action; the robot takes that and no other."""
    answers = bench.node.create_publisher(UncertaintyEstimate, 'uncertainty/estimate', qos.STATE)
    given = {}

    def answer(message):
        action = [0.0, 0.0, float(np.sin(len(given))), 2.0]
        given[stamp_ns(message)] = action
        answers.publish(UncertaintyEstimate(header=message.header, action_mean=action))

    subscription = bench.node.create_subscription(PoseStamped, 'goal_pose', answer, qos.STATE)
    wait_until(answers.get_subscription_count, 'the robot listens')
    assert set_up(bench, PUSH).ready
    forget(bench)

    goal = begin(bench, collector='policy')
    wait_until(lambda: len(bench.heard['action']) > 10, 'ten control steps')
    asked(bench, goal.cancel_goal_async)
    result = ended(bench, goal).result

    wait_until(lambda: len(bench.heard['action']) == result.steps, 'an action a step')
    for message in bench.heard['action']:
        expected = np.clip(given[stamp_ns(message)], -1, 1)
        assert np.array(message.position) == pytest.approx(expected, abs=1e-6)
    done_with(bench.node, bench.node.destroy_subscription, subscription)
    done_with(bench.node, bench.node.destroy_publisher, answers)


def test_policy_that_answers_with_chunks_is_asked_again_after_chunk_steps(node):
    """Of each chunk of five actions three are done; their numbers say which answer they are of."""
    heard = defaultdict(list)
    for name in ('action', 'goal_pose'):
        node.create_subscription(
            TOPICS[name], f'/robot_6/{name}', heard[name].append, qos.STATE)
    answers = node.create_publisher(
        UncertaintyEstimate, '/robot_6/uncertainty/estimate', qos.STATE)
    given = {}

    def answer(message):
        number = len(given)
        given[stamp_ns(message)] = number
        answers.publish(UncertaintyEstimate(header=message.header, horizon=5, action_mean=[
            value for row in range(5) for value in (number / 1000, row / 1000, 0.0, 0.0)]))

    subscription = node.create_subscription(PoseStamped, '/robot_6/goal_pose', answer, qos.STATE)
    with running('robot_6', rate_hz=50.0, camera='false', idle_rate_hz=0.0, chunk_steps=3,
                 max_steps=12) as process:
        robot = clients(node, 'robot_6')
        wait_until(answers.get_subscription_count, 'the robot listens')
        assert set_up(robot, PUSH).ready
        result = ended(robot, begin(robot, collector='policy')).result
        assert result.steps == 12
        wait_until(lambda: len(heard['action']) == 12, 'twelve actions')
        stop(process)
    done_with(node, node.destroy_subscription, subscription)

    acted = [(given[stamp_ns(m)], round(m.position[0] * 1000), round(m.position[1] * 1000))
             for m in heard['action']]
    assert acted == [(first + k, first + k - k % 3, k % 3)
                     for first in [acted[0][0]] for k in range(12)]


def test_policy_acts_only_once_it_is_conditioned_on_the_right_task(node):
    scenario = node.create_publisher(ScenarioMsg, '/robot_5/scenario', qos.LATCHED)

    with running('robot_5', rate_hz=0.0, camera='false', policy_timeout_s=0.5) as process:
        robot = clients(node, 'robot_5')
        wait_until(scenario.get_subscription_count, 'the robot hears the scenario')
        for conditioned_on, policy_task, why in (
                ('push', 'pusj', "did you mean 'push'"),
                ('push', 'reach', "scenario: found task 'push', expected 'reach'"),
                ('reach', '', "scenario: found task 'reach', expected 'push'"),
                ('reach', 'reach', 'no answer within')):
            scenario.publish(ScenarioMsg(task=conditioned_on))
            assert set_up(robot, PUSH).ready
            result = ended(
                robot, begin(robot, collector='policy', policy_task=policy_task)).result
            assert result.outcome == Episode.ABORTED
            assert why in result.message
        stop(process)
    done_with(node, node.destroy_publisher, scenario)


def test_scenario_that_cannot_be_set_up_says_why(bench):
    refused = set_up(bench, Scenario.of('push', 'tabletop', {**PUSH.values, 'goal_y': 2.0}))
    assert not refused.ready
    assert 'configuration.goal_y: found 2.0, expected 0.825 to 0.9 m' in refused.message


@pytest.mark.parametrize(('scenario', 'collector', 'why'), [
    (PUSH, 'teleoperation', "collector: found 'teleoperation'"),
    (Scenario.of('reach', 'tabletop', {}), 'scripted', 'expected reach @ tabletop'),
])
def test_episode_that_does_not_fit_the_set_up_is_aborted(bench, scenario, collector, why):
    assert set_up(bench, PUSH).ready
    answer = ended(bench, begin(bench, scenario=scenario, collector=collector))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert why in answer.result.message


def test_scene_must_be_set_up_for_each_episode(bench):
    assert set_up(bench, PUSH).ready
    assert ended(bench, begin(bench)).result.outcome == Episode.SUCCESS
    again = ended(bench, begin(bench)).result
    assert (again.outcome, again.steps) == (Episode.ABORTED, 0)


def test_time_limit_ends_an_episode_as_failure(bench):
    assert set_up(bench, PUSH).ready
    answer = ended(bench, begin(bench, time_limit=0.001))
    assert answer.result.outcome == Episode.FAILURE
    assert answer.result.message == 'not done within 0.001 s'


def test_unknown_parameter_ends_the_start_with_one_line():
    with running('robot_9', rate_hz=0.0, rate=50) as process:
        _, text = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert "found 'rate'" in text and 'rate_hz' in text and len(text.splitlines()) == 1


def test_sigterm_in_the_middle_of_an_episode_ends_it_and_the_process_cleanly(node):
    with running('robot_8', rate_hz=20.0, camera='false') as process:
        robot = clients(node, 'robot_8')
        assert set_up(robot, PUSH).ready
        begin(robot)
        status, text = stop(process)
    assert (status, text) == (0, '')


def test_robot_without_opengl_says_so_in_one_line_and_works(node):
    with running('robot_7', {'MUJOCO_GL': 'disable'}, rate_hz=0.0) as process:
        robot = clients(node, 'robot_7')
        assert set_up(robot, PUSH).ready
        assert ended(robot, begin(robot)).result.outcome == Episode.SUCCESS
        status, text = stop(process)
    assert status == 0
    assert len(text.splitlines()) == 1 and "no camera: MUJOCO_GL is 'disable'" in text
