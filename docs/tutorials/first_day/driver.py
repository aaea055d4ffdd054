#!/usr/bin/env python3
# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
A robot to try the package with: a hand above a table, in one file.

What a robot has to do for the agent is below "the two actions"; all else is the robot itself, for
which you have your own.
"""
import signal
import threading
import time

import numpy as np
import rclpy
from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.msg import Episode
from active_collection.msg import UncertaintyEstimate
from geometry_msgs.msg import PointStamped
from rclpy.action import ActionServer
from rclpy.action import CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState

SPEED = 0.03  # m a step at full speed
CLOSE = 0.02  # m: that near is there
COLOURS = {'red': (220, 40, 40), 'green': (40, 180, 60), 'blue': (40, 80, 220)}


class Table:
    """The robot's world: a hand, a block that it can grip, and a target (m)."""

    def __init__(self):
        self.hand, self.block, self.target = np.zeros(2), np.zeros(2), np.zeros(2)
        self.colour, self.grip = 'red', -1.0

    def step(self, action):
        """Move by an action of (x, y, grip), each from -1 to 1."""
        x, y, self.grip = np.clip(action, -1, 1)
        holds = self.grip > 0 and np.linalg.norm(self.block - self.hand) < CLOSE
        self.hand = np.clip(self.hand + SPEED * np.array([x, y]), -0.5, 0.5)
        if holds:
            self.block = self.hand.copy()

    def demonstrate(self, task):
        """Return what a person with a joystick would do now."""
        near = np.linalg.norm(self.block - self.hand) < CLOSE
        goes_to = self.target if task == 'reach' or (near and self.grip > 0) else self.block
        towards = np.clip((goes_to - self.hand) / SPEED, -1, 1)
        return np.array([*towards, 1.0 if task == 'bring' and near else -1.0])

    def is_done(self, task):
        """Tell whether the hand, or the block, is at the target."""
        return np.linalg.norm((self.hand if task == 'reach' else self.block) - self.target) < CLOSE

    def picture(self):
        """Return what a camera above the table sees, (64, 64, 3) uint8."""
        pixels = np.full((64, 64, 3), 200, np.uint8)
        for place, size, colour in ((self.target, 5, (250, 220, 60)),
                                    (self.block, 3, COLOURS[self.colour]),
                                    (self.hand, 1, (20, 20, 20))):
            x, y = np.round(32 + 60 * place).astype(int)
            pixels[max(0, y - size):y + size + 1, max(0, x - size):x + size + 1] = colour
        return pixels


class Driver(Node):
    """The robot of a namespace."""

    def __init__(self):
        super().__init__('driver')
        self.rate_hz = self.declare_parameter('rate_hz', 20.0).value
        self.table = Table()
        self.estimates = {}
        self.estimated = threading.Condition()
        self.closing, self.busy = threading.Event(), threading.Lock()
        # What it senses and what it does: recorded, because it is in the robot's namespace.
        self.joints = self.create_publisher(JointState, 'joint_states', 100)
        self.block = self.create_publisher(PointStamped, 'block', 100)
        self.target = self.create_publisher(PointStamped, 'target', 100)
        self.action = self.create_publisher(JointState, 'action', 100)
        self.camera = self.create_publisher(Image, 'camera/image_raw', qos_profile_sensor_data)
        # What its policy says: the mean action of the ensemble, one for each observation.
        group = ReentrantCallbackGroup()
        self.create_subscription(UncertaintyEstimate, 'uncertainty/estimate', self.on_estimate,
                                 100, callback_group=group)
        # The two actions.
        self.servers = [
            ActionServer(self, SetUpScenario, 'set_up_scenario', self.set_up,
                         callback_group=group),
            ActionServer(self, CollectEpisode, 'collect_episode', self.collect,
                         callback_group=group, cancel_callback=lambda _: CancelResponse.ACCEPT)]

    # The two actions.

    def set_up(self, goal):
        """Bring the robot and the scene to where the scenario begins."""
        scenario = goal.request.scenario
        values = {factor.name: factor for factor in scenario.configuration}
        self.table = Table()
        self.table.target = np.array([values['x'].value, values['y'].value])
        if scenario.task == 'bring':
            self.table.block = np.array([0.3, 0.3])
            self.table.colour = values['block'].label
        self.sense()
        goal.succeed()
        return SetUpScenario.Result(ready=True, environment=scenario.environment)

    def collect(self, goal):
        """Act, by demonstration or by the policy, until it is done or time is up."""
        with self.busy:
            return self.act(goal)

    def act(self, goal):
        """Act out an episode and say how it went."""
        task = goal.request.scenario.task
        limit = goal.request.time_limit
        deadline = time.monotonic() + limit.sec + limit.nanosec / 1e9
        steps = 0
        while time.monotonic() < deadline:
            if goal.is_cancel_requested:
                goal.canceled()
                return CollectEpisode.Result(outcome=Episode.ABORTED, message='cancelled')
            if self.closing.is_set():
                goal.abort()
                return CollectEpisode.Result(outcome=Episode.ABORTED, message='shutting down')
            started = time.monotonic()
            stamp = self.sense()
            if goal.request.collector == 'policy':
                action = self.ask_policy(stamp)
            else:
                action = self.table.demonstrate(task)
            self.action.publish(self.joint_state(stamp, action))
            self.table.step(action)
            steps += 1
            if self.table.is_done(task):
                self.sense()
                goal.succeed()
                return CollectEpisode.Result(
                    outcome=Episode.SUCCESS, message=f'there after {steps} steps', steps=steps)
            time.sleep(max(0.0, started + 1 / self.rate_hz - time.monotonic()))
        goal.succeed()
        return CollectEpisode.Result(
            outcome=Episode.FAILURE, message='not there in time', steps=steps)

    # The robot itself.

    def sense(self):
        """Publish the state of the robot; return the stamp that names it."""
        stamp = self.get_clock().now().to_msg()
        self.joints.publish(self.joint_state(stamp, [*self.table.hand, self.table.grip]))
        for publisher, place in ((self.block, self.table.block), (self.target, self.table.target)):
            message = PointStamped()
            message.header.stamp, message.header.frame_id = stamp, 'table'
            message.point.x, message.point.y = map(float, place)
            publisher.publish(message)
        image = Image(height=64, width=64, encoding='rgb8', step=192,
                      data=self.table.picture().tobytes())
        image.header.stamp, image.header.frame_id = stamp, 'camera'
        self.camera.publish(image)
        return stamp

    def joint_state(self, stamp, values):
        """Return a message of the hand's three axes."""
        message = JointState(name=['x', 'y', 'grip'], position=[float(v) for v in values])
        message.header.stamp, message.header.frame_id = stamp, 'table'
        return message

    def on_estimate(self, message):
        """Keep what the policy says of an observation, which its stamp names."""
        with self.estimated:
            self.estimates = {(message.header.stamp.sec, message.header.stamp.nanosec): message}
            self.estimated.notify_all()

    def ask_policy(self, stamp):
        """Wait for the policy's action after an observation."""
        key = (stamp.sec, stamp.nanosec)
        with self.estimated:
            if not self.estimated.wait_for(lambda: key in self.estimates, timeout=2.0):
                return np.zeros(3)  # no answer: stand still
            return np.array(self.estimates[key].action_mean[:3])


def main():
    """Run until Ctrl-C; an episode that runs then is aborted."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    driver = Driver()
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(driver)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: driver.closing.set())
    while not driver.closing.is_set() or driver.busy.locked():  # an episode ends in order
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    driver.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
