# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The robot's side: sets scenarios up, acts episodes out, and says what it senses and does."""
import math
import random
import signal
import threading
import time

import rclpy
from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.msg import Episode
from diagnostic_msgs.msg import KeyValue
from point_interfaces.msg import PointCommand
from point_interfaces.msg import PointState
from rclpy.action import ActionServer
from rclpy.action import CancelResponse
from rclpy.action import GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from point_robot.point import REACH_M
from point_robot.point import Point
from point_robot.point import demonstrated

#: The only task that it can do, and the only one who acts here.
TASK, COLLECTOR = 'reach', 'scripted'
#: Control steps from one feedback to the next.
FEEDBACK_EVERY = 10
#: How long the answer to a goal may take to be sent before the process ends [s].
LAST_WORD_S = 0.2


class Attempt:
    """An episode while it is acted out, and how it ended."""

    def __init__(self, limit_s: float) -> None:
        self.started_s = time.monotonic()
        self.limit_s = limit_s
        self.steps = 0
        self.outcome = Episode.UNKNOWN
        self.message = ''
        self.ended = threading.Event()

    @property
    def elapsed_s(self) -> float:
        """Return how long it has taken so far."""
        return time.monotonic() - self.started_s

    def end(self, outcome: int, message: str) -> None:
        """End it; the first to do so says how."""
        if not self.ended.is_set():
            self.outcome, self.message = outcome, message
            self.ended.set()


class PointRobot(Node):
    """
    A control loop, which alone moves the point, and the two actions that the agent calls.

    Everything is relative to the robot's namespace.
    """

    def __init__(self) -> None:
        super().__init__('point_robot')
        rate_hz = float(self.declare_parameter('rate_hz', 20.0).value)
        self._noise = random.Random(int(self.declare_parameter('seed', 0).value))
        self._period_s = 1.0 / rate_hz
        self._point = Point()
        self._attempt: Attempt | None = None
        self._busy = threading.Lock()
        # Each message counts for who learns from them: reliable, and a second's worth may wait.
        self._state = self.create_publisher(PointState, 'point_state', QoSProfile(depth=100))
        self._command = self.create_publisher(PointCommand, 'point_command', QoSProfile(depth=100))
        self.create_timer(self._period_s, self._step)
        group = ReentrantCallbackGroup()  # a goal waits for the control loop, and for its cancel
        self._servers = [
            ActionServer(self, kind, name, execute, callback_group=group,
                         goal_callback=self._on_goal,
                         cancel_callback=lambda _: CancelResponse.ACCEPT)
            for kind, name, execute in (
                (SetUpScenario, 'set_up_scenario', self._on_set_up),
                (CollectEpisode, 'collect_episode', self._on_collect))]

    def close(self) -> None:
        """End a running attempt, and take no goal any more."""
        attempt = self._attempt
        if attempt is not None:
            attempt.end(Episode.ABORTED, 'the driver is shutting down')
        self._busy.acquire(timeout=2.0)

    def _step(self) -> None:
        """Say what is sensed; in an attempt, act too."""
        point, attempt = self._point, self._attempt
        state = PointState(x=point.x, y=point.y, goal_x=point.goal_x, goal_y=point.goal_y)
        state.header.stamp = self.get_clock().now().to_msg()
        state.header.frame_id = 'base_link'
        self._state.publish(state)
        if attempt is None or attempt.ended.is_set():
            return
        velocity = demonstrated(point, self._noise)
        self._command.publish(PointCommand(header=state.header, velocity=velocity))
        point.move(velocity, self._period_s)
        attempt.steps += 1
        if point.is_there:
            attempt.end(Episode.SUCCESS, f'there after {attempt.steps} steps')
        elif attempt.limit_s and attempt.elapsed_s >= attempt.limit_s:
            attempt.end(Episode.FAILURE, f'{point.distance_m:.3f} m off after the time limit')

    def _on_goal(self, _):
        """Take one goal at a time; it is held until it has ended."""
        return GoalResponse.ACCEPT if self._busy.acquire(blocking=False) else GoalResponse.REJECT

    def _on_set_up(self, goal):
        """Put the point where it starts, and its goal where the scenario says."""
        try:
            scenario = goal.request.scenario
            place = {factor.name: factor.value for factor in scenario.configuration}
            result = SetUpScenario.Result(environment=scenario.environment)
            if scenario.task != TASK or set(place) != {'goal_x', 'goal_y'}:
                result.message = f'task {scenario.task} with {sorted(place)}: not one of mine'
            elif math.hypot(place['goal_x'], place['goal_y']) > REACH_M:
                result.message = f'goal out of reach: more than {REACH_M:g} m away'
            if result.message:
                goal.abort()
                return result
            self._point = Point(**place)
            result.ready = True
            goal.succeed()
            return result
        finally:
            self._busy.release()

    def _on_collect(self, goal):
        """Let the control loop act, until it says how it went, or until it is cancelled."""
        try:
            limit = goal.request.time_limit
            attempt = Attempt(limit.sec + limit.nanosec / 1e9)
            if goal.request.collector != COLLECTOR:
                attempt.end(Episode.ABORTED, f'collector {goal.request.collector}: not here')
            self._attempt = attempt
            told = 0
            while not attempt.ended.wait(self._period_s):
                if goal.is_cancel_requested:
                    attempt.end(Episode.ABORTED, 'cancelled')
                elif attempt.steps >= told + FEEDBACK_EVERY:
                    told = attempt.steps
                    goal.publish_feedback(CollectEpisode.Feedback(
                        steps=told, elapsed=attempt.elapsed_s,
                        message=f'{self._point.distance_m:.2f} m to go'))
            if goal.is_cancel_requested:
                goal.canceled()
            elif attempt.outcome == Episode.ABORTED:
                goal.abort()
            else:
                goal.succeed()
            # Tags are kept in the episode's record.
            left = KeyValue(key='distance_m', value=f'{self._point.distance_m:.4f}')
            return CollectEpisode.Result(outcome=attempt.outcome, message=attempt.message,
                                         steps=attempt.steps, tags=[left])
        finally:
            self._attempt = None
            self._busy.release()


def main() -> None:
    """Run the driver until SIGINT or SIGTERM; a running attempt ends as aborted."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = PointRobot()
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(node)
    ending = Future()
    spinner = threading.Thread(target=executor.spin_until_future_complete, args=[ending])
    spinner.start()
    stop.wait()
    node.close()
    time.sleep(LAST_WORD_S)
    ending.set_result(None)
    spinner.join()
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()
