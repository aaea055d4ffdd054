# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Real nodes around scheduler and agent: a robot's two actions and a recorder's services.

Run as a program, the two actions as a process of their own, which says when an attempt begins and
never ends one.
"""
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import rclpy
from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import Scenario
from active_collection.msg import SchedulerState
from active_collection.srv import FinishEpisode
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RepeatEpisode
from active_collection.srv import RequestAssignment
from active_collection.srv import StartEpisode
from active_collection.srv import SteerRobot
from active_collection.srv import SteerScenario
from active_collection.srv import TellRobot
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import KeyValue
from rclpy.action import ActionServer
from rclpy.action import CancelResponse
from rclpy.action import GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.episode import UncertaintySummary
from active_collection.errors import SchedulingError
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.scheduling.ledger.ledger import LedgerReader

SPACE = """
format: 1
tasks:
  push:
    collectors: [scripted, policy]
    factors: {x: {low: -0.5, high: 0.5, unit: m}, mug: {values: [red, blue]}}
  pick: {collectors: [scripted, policy]}
environments:
  cell: {capacity: 9}
"""


def until(condition, seconds=60.0, what='condition'):
    """Return the condition's first true value, or fail after a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f'{what} not met within {seconds} s')


def finished(ledger):
    """Return every episode that a ledger counts, in order; none while it is being made."""
    with suppress(SchedulingError), LedgerReader(ledger) as reader:
        return [entry.event for entry in reader.entries(kinds=('finished',))]
    return []


class Process:
    """An installed node as a process of its own."""

    def __init__(self, name, *, namespace='', log=None, **parameters):
        command = [sys.executable,
                   str(Path(get_package_prefix('active_collection'))
                       / 'lib' / 'active_collection' / name), '--ros-args']
        if namespace:
            command += ['-r', f'__ns:=/{namespace}']
        for key, value in parameters.items():
            command += ['-p', f'{key}:={value}']
        self._log = log.open('ab') if log else subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, env=os.environ.copy())

    def stop(self, number=signal.SIGTERM, seconds=60.0):
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Rig(Node):
    """
    One robot's actions, which a test can make slow, failing or strange.

    :param robot: its namespace
    :param collect: name of the action that acts episodes out
    """

    def __init__(self, robot, *, set_up='set_up_scenario', collect='collect_episode'):
        super().__init__(type(self).__name__.lower(), namespace=f'/{robot}')
        self.ready = True
        self.environment = 'cell'
        self.outcome = Episode.SUCCESS
        self.tags = {}
        self.succeeds = True
        self.act = threading.Event()
        self.act.set()
        self.over = threading.Event()
        self.accept = threading.Event()
        self.accept.set()
        self.set_ups, self.goals, self.cancelled = [], [], []
        self.refuses = self.refuses_attempts = False
        self.acting = lambda: None
        group = ReentrantCallbackGroup()
        self.setting_up = ActionServer(
            self, SetUpScenario, set_up, self._on_set_up, callback_group=group,
            goal_callback=self._on_set_up_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT)
        self.collecting = ActionServer(
            self, CollectEpisode, collect, self._on_collect, callback_group=group,
            goal_callback=self._on_goal, cancel_callback=lambda _: CancelResponse.ACCEPT)

    def hold_next(self):
        """Let the attempt that is held end, hold the next one, and return its goal."""
        before = len(self.goals)
        self.acting = self.act.clear
        self.act.set()
        until(lambda: len(self.goals) > before)
        return self.goals[-1]

    def let_go(self):
        """End whatever is or will be held, so that the executor's threads can end."""
        self.over.set()
        self.accept.set()
        self.act.set()

    def destroy_node(self):
        # rclpy leaves a node's actions alive: they would go on being there, and answer nobody.
        self.setting_up.destroy()
        self.collecting.destroy()
        super().destroy_node()

    def _on_goal(self, _):
        self.accept.wait(20)
        return GoalResponse.REJECT if self.refuses_attempts else GoalResponse.ACCEPT

    def _on_set_up_goal(self, _):
        return GoalResponse.REJECT if self.refuses else GoalResponse.ACCEPT

    def _on_set_up(self, handle):
        self.set_ups.append(handle.request)
        handle.succeed()
        return SetUpScenario.Result(
            ready=self.ready, message='' if self.ready else 'drawer blocked',
            environment=self.environment)

    def _on_collect(self, handle):
        self.goals.append(handle.request)
        self.acting()
        while not self.act.wait(0.02):
            if self.over.is_set() or not self.context.ok():
                return CollectEpisode.Result()
            if handle.is_cancel_requested:
                handle.canceled()
                self.cancelled.append(handle.request.episode_id)
                return CollectEpisode.Result(outcome=Episode.ABORTED)
        handle.succeed() if self.succeeds else handle.abort()
        return CollectEpisode.Result(outcome=self.outcome, steps=1, tags=[
            KeyValue(key=key, value=value) for key, value in self.tags.items()])


class Peers(Rig):
    """
    One robot's actions and its recorder, which a test can make silent.

    :param robot: its namespace
    :param actions: how the two actions are named, as in `Rig`
    """

    def __init__(self, robot, **actions):
        super().__init__(robot, **actions)
        self.robot = robot
        self.ensemble = ''
        self.beats = True
        self.publishes = True
        self.statuses, self.scenarios = [], []
        self.open = None
        self.closed = {}
        group = ReentrantCallbackGroup()
        self.create_service(StartEpisode, 'recorder/start_episode', self._on_start,
                            callback_group=group)
        self.create_service(FinishEpisode, 'recorder/finish_episode', self._on_finish,
                            callback_group=group)
        self.episodes = self.create_publisher(Episode, 'episodes', qos.EPISODES)
        self.status = self.create_publisher(RecorderStatus, 'recorder/status', qos.LATCHED)
        self.create_timer(0.2, self._beat, callback_group=group)
        self.create_subscription(
            RobotStatus, 'robot_status', self.statuses.append, qos.HEARTBEAT,
            callback_group=group)
        self.create_subscription(
            Scenario, 'scenario', self.scenarios.append, qos.LATCHED, callback_group=group)

    def said(self, state):
        """Return the messages of the heartbeats with a state."""
        return [status.message for status in self.statuses if status.state == state]

    def begin(self, episode_id, assignment_id=''):
        """Record an episode that somebody other than the agent has started."""
        self.open = EpisodeRecord(
            episode_id, conversions.scenario_from_msg(Scenario(task='push', environment='cell')),
            self.robot, Source.TELEOPERATION, self.get_clock().now().nanoseconds,
            assignment_id=assignment_id)
        self.episodes.publish(conversions.episode_to_msg(self.open, state=Episode.RECORDING))

    def end(self):
        """Close it."""
        self.open = None

    def _on_start(self, request, response):
        if self.open is not None and self.open.episode_id != request.episode_id:
            response.code = response.BUSY
            response.message = f'found {self.open.episode_id} open'
            response.episode_id = self.open.episode_id
            return response
        now = self.get_clock().now().nanoseconds
        self.open = EpisodeRecord(
            request.episode_id, conversions.scenario_from_msg(request.scenario), self.robot,
            Source(request.source), now, assignment_id=request.assignment_id,
            operator=request.operator_name,
            tags={tag.key: tag.value for tag in request.tags})
        self.episodes.publish(conversions.episode_to_msg(self.open, state=Episode.RECORDING))
        response.episode_id = request.episode_id
        return response

    def _on_finish(self, request, response):
        record = self.closed.get(request.episode_id) or self.open
        if record is None or record.episode_id != request.episode_id:
            response.code = response.UNKNOWN_EPISODE
            return response
        record = record.amended(
            outcome=Outcome(conversions.OUTCOME_FROM_MSG[request.outcome]),
            finished_ns=self.get_clock().now().nanoseconds, notes=request.notes,
            stop_reason=StopReason(request.stop_reason),
            tags={**record.tags, **{tag.key: tag.value for tag in request.tags}},
            uncertainty=UncertaintySummary(
                ensemble_id=self.ensemble, steps=1 if self.ensemble else 0, epistemic_mean=0.1))
        self.open = None
        self.closed[record.episode_id] = record
        response.episode = conversions.episode_to_msg(record, state=Episode.CLOSED)
        if self.publishes:
            self.episodes.publish(response.episode)
        return response

    def _beat(self):
        if self.beats:
            self.status.publish(RecorderStatus(
                state=RecorderStatus.RECORDING if self.open else RecorderStatus.IDLE,
                episode_id=self.open.episode_id if self.open else ''))


class Console(Node):
    """Asks a scheduler, and watches what it tells."""

    def __init__(self):
        super().__init__('console')
        self.state = None
        self.create_subscription(SchedulerState, '/scheduler/state', self._on_state, qos.LATCHED)
        self._by_name = {
            name: self.create_client(kind, f'/scheduler/{name}')
            for kind, name in ((RequestAssignment, 'request_assignment'),
                               (ReleaseAssignment, 'release_assignment'),
                               (SteerScenario, 'steer_scenario'),
                               (SteerRobot, 'steer_robot'), (RepeatEpisode, 'repeat_episode'),
                               (Trigger, 'pause'), (Trigger, 'resume'), (Trigger, 'drain'))}

    def _on_state(self, state):
        self.state = state

    def call(self, name, request=None, seconds=60.0):
        return self._call(self._by_name[name], name, request, seconds)

    def tell(self, robot, word, seconds=60.0):
        """Say a word to a robot's agent: 'ready', 'pause', ..."""
        name = f'/{robot}/agent/{word}'
        if name not in self._by_name:
            self._by_name[name] = self.create_client(Trigger, name)
        return self._call(self._by_name[name], name, None, seconds)

    def tell_about(self, status, word, seconds=60.0):
        """Say a word to a robot's agent about what a status of the robot showed."""
        name = f'/{status.robot}/agent/tell'
        if name not in self._by_name:
            self._by_name[name] = self.create_client(TellRobot, name)
        return self._call(self._by_name[name], name, TellRobot.Request(
            word=word, assignment_id=status.assignment_id, episode_id=status.episode_id), seconds)

    @staticmethod
    def _call(client, name, request, seconds):
        assert client.wait_for_service(timeout_sec=seconds), name
        future = client.call_async(request or Trigger.Request())
        until(future.done, seconds, f'answer of {name}')
        return future.result()

    def ask(self, robot='arm1', collectors=('scripted', 'policy'), seconds=60.0):
        return self.call('request_assignment', RequestAssignment.Request(
            robot=robot, collectors=list(collectors)), seconds)


if __name__ == '__main__':
    rclpy.init()
    rig = Rig(sys.argv[1])
    rig.act.clear()
    rig.acting = lambda: print('acting', flush=True)
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(rig)
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    executor.shutdown()
    rig.destroy_node()
    rclpy.try_shutdown()
