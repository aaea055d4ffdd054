# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What surrounds an uncertainty node in a test, and how one is started."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from active_collection.msg import RecorderStatus
from active_collection.msg import Scenario
from active_collection.msg import UncertaintyEstimate
from active_collection.srv import LoadEnsemble
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState
from spinner import Spinner

from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_msg

DEADLINE_S = 60.0
SPEC = """
format: 1
reference: hand
tolerance_s: 1.0
wait_s: 10.0
observation:
  - {name: hand, field: 'hand.pose.position'}
  - {name: joints, field: 'joints.position[b, a]'}
  - {name: task, field: 'scenario.task', latched: true, one_of: [push, pull]}
action: {field: 'action.position', low: [-1, -1], high: [1, 1]}
"""


class Robot(Node):
    """What surrounds an uncertainty node: sensors, an agent, a recorder, a reader."""

    def __init__(self, namespace):
        super().__init__('robot', namespace=namespace)
        self.hand = self.create_publisher(PoseStamped, 'hand', qos.STATE)
        self.joints = self.create_publisher(JointState, 'joints', qos.SENSOR)
        self.cameras = [self.create_publisher(Image, f'{camera}/image', qos.SENSOR)
                        for camera in ('front', 'wrist')]
        self.scenario = self.create_publisher(Scenario, 'scenario', qos.LATCHED)
        self.recorder = self.create_publisher(RecorderStatus, 'recorder/status', qos.LATCHED)
        self.loading = self.create_client(LoadEnsemble, 'uncertainty/load_ensemble')
        self.estimates, self.reports, self.shown = [], [], []
        self.processes = []
        self.create_subscription(
            UncertaintyEstimate, 'uncertainty/estimate', self.estimates.append, qos.STATE)
        self.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)

    def _on_diagnostics(self, array):
        self.reports += [s for s in array.status if s.name.startswith(self.get_namespace())]

    def report_with(self, text):
        return next((s for s in reversed(self.reports) if text in s.message), None)

    def show(self, step, position, joints):
        """Publish one observation, joints in another order than the specification has."""
        stamp = time_to_msg(10**9 + step * 20_000_000)
        state = stamped(JointState(name=['a', 'b'], position=[joints[1], joints[0]],
                                    velocity=[0.0, 0.0], effort=[0.0, 0.0]), stamp)
        self.joints.publish(state)
        pose = stamped(PoseStamped(), stamp)
        pose.header.frame_id = 'base_link'
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = position
        self.hand.publish(pose)
        self.shown += [('joints', state), ('hand', pose)]

    def show_pictures(self, step):
        """Publish a picture of each camera."""
        random = np.random.default_rng(step)
        for camera, publisher in zip(('front', 'wrist'), self.cameras, strict=True):
            pixels = random.integers(0, 255, (48, 64, 3), np.uint8)
            picture = stamped(
                Image(height=48, width=64, encoding='bgr8', step=192, data=pixels.tobytes()),
                time_to_msg(10**9 + step * 20_000_000))
            publisher.publish(picture)
            self.shown.append((f'{camera}/image', picture))

    def is_heard(self):
        return self.hand.get_subscription_count() and self.joints.get_subscription_count()

    def load(self, path):
        assert self.loading.wait_for_service(DEADLINE_S)
        done = threading.Event()
        future = self.loading.call_async(LoadEnsemble.Request(path=str(path)))
        future.add_done_callback(lambda _: done.set())
        assert done.wait(DEADLINE_S)
        return future.result()


def stamped(message, stamp):
    message.header.stamp = stamp
    return message


def wait_for(condition, what, *, seconds=DEADLINE_S):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f'waited in vain for {what}'
        time.sleep(0.01)


def steps(count):
    random = np.random.default_rng(1)
    return random.random((count, 3)), random.random((count, 2))


@contextmanager
def spinning_robot(name):
    """Give a spinning robot in a namespace made of a name."""
    node = Robot(f'/u{abs(hash(name)) % 10**8}')
    # Closed before the processes are killed: Fast DDS sometimes crashes where it takes down a
    # participant that is about to find others gone.
    with Spinner(node, threads=1):
        node.scenario.publish(Scenario(task='pull', environment='table'))
        yield node
    for process in node.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def starter(robot):
    """Return what starts uncertainty nodes; whatever still runs at the robot's end is ended."""
    def start_node(**parameters):
        executable = Path(get_package_prefix('active_collection'),
                          'lib', 'active_collection', 'uncertainty')
        values = {'reload_period_s': 0.1, 'diagnostics_period_s': 0.2, **parameters}
        command = [sys.executable, str(executable), '--ros-args',
                   '-r', f'__ns:={robot.get_namespace()}']
        for name, value in values.items():
            command += ['-p', f'{name}:={value}']
        robot.processes.append(subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ))
        return robot.processes[-1]

    return start_node
