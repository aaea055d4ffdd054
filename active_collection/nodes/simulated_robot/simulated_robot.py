# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A simulated robot as a node: says what it senses, sets scenarios up, acts out episodes."""
from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.action import ActionServer
from rclpy.action import CancelResponse
from rclpy.action import GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock import ClockType

from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.nodes import qos
from active_collection.nodes.conversions import OUTCOME_TO_MSG
from active_collection.nodes.conversions import duration_to_s
from active_collection.nodes.conversions import scenario_from_msg
from active_collection.nodes.parameters import ParameterNode
from active_collection.nodes.run import run
from active_collection.nodes.simulated_robot.policy_answers import PolicyAnswers
from active_collection.nodes.simulated_robot.simulated_messages import ROS_TYPES
from active_collection.nodes.simulated_robot.simulated_messages import to_ros
from active_collection.registry import unknown
from active_collection.scenario import Scenario
from active_collection.simulation import messages
from active_collection.simulation.action_plan import ActionPlan
from active_collection.simulation.observation import Array
from active_collection.simulation.observation import Observation
from active_collection.simulation.robot import SimulatedRobot
from active_collection.simulation.rollout import roll_out
from active_collection.simulation.settings import SimulatedRobotSettings
from active_collection.simulation.tasks import TASKS

#: Control steps from one feedback to the next.
FEEDBACK_EVERY = 10


class _Ended(Exception):
    """An episode ends before the task is done."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class SimulatedRobotNode(ParameterNode[SimulatedRobotSettings]):
    """
    The robot of one namespace.

    MuJoCo and OpenGL are used in one thread only; the executor's threads hand it their work.
    """

    def __init__(self) -> None:
        super().__init__('simulated_robot', automatically_declare_parameters_from_overrides=True)
        settings = self.declare_settings(SimulatedRobotSettings)
        self._simulation = ThreadPoolExecutor(max_workers=1, thread_name_prefix='simulation')
        self._closing = threading.Event()
        self._busy = threading.Lock()
        self._set_up: Scenario | None = None
        self._last_stamp_ns = 0
        size = settings.camera_size if settings.camera else 0
        self._robot: SimulatedRobot = self._simulation.submit(
            SimulatedRobot, camera_size=size).result()
        self._simulation.submit(self._start).result()
        kinds = {**messages.STATE_TOPICS, messages.ACTION_TOPIC: messages.JointState}
        if size and self._robot.camera_problem:
            self.get_logger().warning(f'no camera: {self._robot.camera_problem}')
        elif size:
            kinds.update(messages.CAMERA_TOPICS)
        self._outgoing = {
            name: self.create_publisher(
                ROS_TYPES[kind], name,
                qos.SENSOR if name in messages.CAMERA_TOPICS else qos.STATE)
            for name, kind in kinds.items()}
        group = ReentrantCallbackGroup()
        self._policy = PolicyAnswers(
            self, group=group, timeout_s=lambda: self.settings.policy_timeout_s)
        self._servers = [
            ActionServer(self, kind, name, execute, callback_group=group,
                         goal_callback=self._on_goal,
                         cancel_callback=lambda _: CancelResponse.ACCEPT)
            for kind, name, execute in (
                (SetUpScenario, 'set_up_scenario', self._on_set_up),
                (CollectEpisode, 'collect_episode', self._on_collect))]
        self._idle = self.create_timer(
            _period_s(settings), self._on_idle, callback_group=group,
            clock=Clock(clock_type=ClockType.STEADY_TIME))
        if not settings.idle_rate_hz:
            self._idle.cancel()

    def take_settings(self, settings: SimulatedRobotSettings, names: Collection[str]) -> None:
        """Take how often the robot is shown; all else is read at the start of an episode."""
        if 'idle_rate_hz' in names:
            self._idle.timer_period_ns = round(_period_s(settings) * 1e9)
            if settings.idle_rate_hz:
                self._idle.reset()
            else:
                self._idle.cancel()

    def close(self) -> None:
        """Stop a running episode and free the camera."""
        self._closing.set()
        self._simulation.submit(self._robot.close).result()

    def _on_goal(self, _: Any) -> GoalResponse:
        """Take one goal at a time; it is held until it has ended."""
        if self._closing.is_set() or not self._busy.acquire(blocking=False):
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_set_up(self, goal: ServerGoalHandle) -> Any:
        result = SetUpScenario.Result()
        try:
            scenario = scenario_from_msg(goal.request.scenario)
            goal.publish_feedback(SetUpScenario.Feedback(message=f'placing {scenario}'))
            self._simulation.submit(self._place, scenario).result()
            result.ready = True
            result.environment = scenario.environment
            goal.succeed()
        except ActiveCollectionError as error:
            result.message = str(error)
            goal.abort()
        finally:
            self._busy.release()
        return result

    def _on_collect(self, goal: ServerGoalHandle) -> Any:
        try:
            result = self._simulation.submit(self._collect, goal).result()
            if goal.is_cancel_requested:
                goal.canceled()
            elif result.outcome == OUTCOME_TO_MSG[Outcome.ABORTED]:
                goal.abort()
            else:
                goal.succeed()
        finally:
            self._busy.release()
        return result

    def _on_idle(self) -> None:
        if not self._closing.is_set() and not self._busy.locked():
            self._simulation.submit(self._show)

    # From here on: in the simulation's thread.

    def _start(self) -> None:
        """Have a scene before the first scenario comes, and find out whether it can be drawn."""
        self._robot.set_up(self._robot.middle('reach'))
        self._robot.frame()

    def _place(self, scenario: Scenario) -> None:
        self._set_up = None
        self._robot.set_up(scenario)
        self._set_up = scenario
        self._show()

    def _show(self) -> None:
        """Publish what the robot senses while it does nothing."""
        if not self._closing.is_set() and self._robot.is_set_up:
            stamp_ns = self._stamp()
            self._publish(messages.state_messages(self._robot.observe(), stamp_ns))
            self._publish_picture(stamp_ns)

    def _collect(self, goal: ServerGoalHandle) -> Any:
        settings = self.settings
        episode = _Episode(goal, settings.rate_hz, self._closing)
        plan = ActionPlan(steps=settings.chunk_steps)
        choose: dict[str, Callable[[int], Array]] = {
            'scripted': lambda _: self._robot.expert_action(),
            'policy': lambda stamp_ns: plan.next(
                lambda: self._policy.chunk(stamp_ns, episode.check))}

        def act(observation: Observation) -> Array:
            episode.check()
            stamp_ns = self._stamp()
            self._publish(messages.state_messages(observation, stamp_ns))
            if episode.steps % settings.camera_every == 0:
                self._publish_picture(stamp_ns)
            action = choose[goal.request.collector](stamp_ns)
            self._publish({messages.ACTION_TOPIC: messages.action_message(action, stamp_ns)})
            episode.next_step()
            return action

        try:
            self._check_goal(goal, list(choose), episode)
            self._set_up = None
            rolled = roll_out(self._robot, act, max_steps=settings.max_steps,
                              hold_steps=settings.hold_steps)
            outcome = Outcome.SUCCESS if rolled.success else Outcome.FAILURE
            message = f'{"done" if rolled.success else "not done"} after {rolled.steps} steps'
        except _Ended as ended:
            outcome, message = ended.outcome, str(ended)
        except ActiveCollectionError as error:
            outcome, message = Outcome.ABORTED, str(error)
        return CollectEpisode.Result(
            outcome=OUTCOME_TO_MSG[outcome], message=message, steps=episode.steps)

    def _check_goal(self, goal: ServerGoalHandle, collectors: list[str],
                    episode: _Episode) -> None:
        if goal.request.collector not in collectors:
            raise _Ended(Outcome.ABORTED, f'collector: found {goal.request.collector!r}, '
                         f'expected {" or ".join(collectors)}')
        wanted = scenario_from_msg(goal.request.scenario)
        if wanted != self._set_up:
            raise _Ended(Outcome.ABORTED, f'scenario: found {self._set_up or "none"} set up, '
                         f'expected {wanted}')
        if goal.request.collector == 'policy':
            task = goal.request.policy_task or wanted.task
            if task not in TASKS:
                raise unknown('policy_task', task, list(TASKS))
            self._policy.await_task(task, episode.check)

    def _stamp(self) -> int:
        """Return the ROS time (ns), later than every stamp before: a stamp names one step."""
        self._last_stamp_ns = max(self.get_clock().now().nanoseconds, self._last_stamp_ns + 1)
        return self._last_stamp_ns

    def _publish(self, outgoing: dict[str, messages.Message]) -> None:
        for name, message in outgoing.items():
            self._outgoing[name].publish(to_ros(message))

    def _publish_picture(self, stamp_ns: int) -> None:
        picture = self._robot.frame()
        if picture is not None:
            self._publish(messages.camera_messages(*picture, stamp_ns))


def _period_s(settings: SimulatedRobotSettings) -> float:
    """Return the time between two idle messages (s); that of a timer that stands still is 1."""
    return 1.0 / settings.idle_rate_hz if settings.idle_rate_hz else 1.0


class _Episode:
    """The progress of one episode: its pace, its limits, its feedback."""

    def __init__(self, goal: ServerGoalHandle, rate_hz: float, closing: threading.Event) -> None:
        self.steps = 0
        self._goal = goal
        self._closing = closing
        self._limit_s = duration_to_s(goal.request.time_limit)
        self._period_s = 1.0 / rate_hz if rate_hz else 0.0
        self._started_s = self._next_s = time.monotonic()

    def check(self) -> None:
        """
        End the episode where it must not go on.

        :raises _Ended: cancelled, shutting down, or over the time limit
        """
        if self._closing.is_set():
            raise _Ended(Outcome.ABORTED, 'the simulated robot is shutting down')
        if self._goal.is_cancel_requested:
            raise _Ended(Outcome.ABORTED, 'cancelled')
        if self._limit_s and time.monotonic() - self._started_s >= self._limit_s:
            raise _Ended(Outcome.FAILURE, f'not done within {self._limit_s:g} s')

    def next_step(self) -> None:
        """Count a step and wait until the next is due; time that was lost is not made up for."""
        self.steps += 1
        now_s = time.monotonic()
        if self.steps % FEEDBACK_EVERY == 0:
            self._goal.publish_feedback(CollectEpisode.Feedback(
                steps=self.steps, elapsed=now_s - self._started_s, message=''))
        self._next_s = max(self._next_s + self._period_s, now_s)
        self._closing.wait(self._next_s - now_s)


def main() -> int:
    """Run the node."""
    return run(SimulatedRobotNode, threads=4)


if __name__ == '__main__':
    sys.exit(main())
