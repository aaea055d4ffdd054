# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Real nodes around scheduler and agent: a robot's two actions and a recorder's services."""
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.srv import FinishEpisode
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RequestAssignment
from active_collection.srv import StartEpisode
from active_collection.srv import SteerScenario
from ament_index_python.packages import get_package_prefix
from rclpy.action import ActionServer
from rclpy.action import CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.nodes import conversions
from active_collection.nodes import qos

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

    def stop(self, number=signal.SIGTERM, seconds=10.0):
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Spinner:
    """Spins nodes in threads until closed."""

    def __init__(self, *nodes):
        self.nodes = nodes
        self.executor = MultiThreadedExecutor(num_threads=4)
        for node in nodes:
            self.executor.add_node(node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)
        self.thread.start()

    def close(self):
        self.executor.shutdown(timeout_sec=2.0)
        self.thread.join(timeout=2.0)
        for node in self.nodes:
            node.destroy_node()


class Peers(Node):
    """
    One robot's actions and recorder, which a test can make slow, failing or silent.

    :param robot: its namespace
    """

    def __init__(self, robot):
        super().__init__('peers', namespace=f'/{robot}')
        self.robot = robot
        self.ready = True
        self.outcome = Episode.SUCCESS
        self.act = threading.Event()
        self.act.set()
        self.beats = True
        self.publishes = True
        self.set_ups, self.goals, self.statuses, self.cancelled = [], [], [], []
        self.open = None
        self.closed = {}
        group = ReentrantCallbackGroup()
        self._group = group
        ActionServer(self, SetUpScenario, 'set_up_scenario', self._on_set_up,
                     callback_group=group, cancel_callback=lambda _: CancelResponse.ACCEPT)
        ActionServer(self, CollectEpisode, 'collect_episode', self._on_collect,
                     callback_group=group, cancel_callback=lambda _: CancelResponse.ACCEPT)
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

    def _on_set_up(self, handle):
        self.set_ups.append(handle.request)
        handle.succeed()
        return SetUpScenario.Result(
            ready=self.ready, message='' if self.ready else 'drawer blocked', environment='cell')

    def _on_collect(self, handle):
        self.goals.append(handle.request)
        while not self.act.wait(0.02):
            if handle.is_cancel_requested:
                handle.canceled()
                self.cancelled.append(handle.request.episode_id)
                return CollectEpisode.Result(outcome=Episode.ABORTED)
        handle.succeed()
        return CollectEpisode.Result(outcome=self.outcome, steps=1)

    def _on_start(self, request, response):
        now = self.get_clock().now().nanoseconds
        self.open = EpisodeRecord(
            request.episode_id, conversions.scenario_from_msg(request.scenario), self.robot,
            Source(request.source), now, assignment_id=request.assignment_id)
        response.episode_id = request.episode_id
        return response

    def _on_finish(self, request, response):
        if self.open is None or self.open.episode_id != request.episode_id:
            response.code = response.UNKNOWN_EPISODE
            return response
        record = replace(
            self.open, outcome=Outcome(conversions.OUTCOME_FROM_MSG[request.outcome]),
            finished_ns=self.get_clock().now().nanoseconds, revision=1)
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
                               (Trigger, 'pause'), (Trigger, 'resume'), (Trigger, 'drain'))}

    def _on_state(self, state):
        self.state = state

    def call(self, name, request=None, seconds=10.0):
        client = self._by_name[name]
        assert client.wait_for_service(timeout_sec=seconds), name
        future = client.call_async(request or Trigger.Request())
        until(future.done, seconds, f'answer of {name}')
        return future.result()

    def ask(self, robot='arm1', collectors=('scripted', 'policy')):
        return self.call('request_assignment', RequestAssignment.Request(
            robot=robot, collectors=list(collectors)))
