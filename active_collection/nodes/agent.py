# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `agent`: runs the collection loop of one robot against its real peers."""
from __future__ import annotations

import secrets
import threading
import time
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node

from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import Scenario as ScenarioMsg
from active_collection.names import check_name
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.assignments import work_from_msg
from active_collection.nodes.calls import Calls
from active_collection.nodes.parameters import declare
from active_collection.nodes.run import run
from active_collection.scheduling.agent_settings import AgentSettings
from active_collection.scheduling.collection_loop import Activity
from active_collection.scheduling.collection_loop import Attempt
from active_collection.scheduling.collection_loop import CollectionLoop
from active_collection.scheduling.collection_loop import NoWork
from active_collection.scheduling.collection_loop import Phase
from active_collection.scheduling.collection_loop import SetUp
from active_collection.scheduling.collection_loop import UnavailableError
from active_collection.scheduling.collection_loop import Work
from active_collection.srv import FinishEpisode
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RequestAssignment
from active_collection.srv import StartEpisode

STATES = {
    Phase.IDLE: RobotStatus.IDLE,
    Phase.REQUESTING: RobotStatus.REQUESTING,
    Phase.SETTING_UP: RobotStatus.SETTING_UP,
    Phase.COLLECTING: RobotStatus.COLLECTING,
    Phase.REPORTING: RobotStatus.REPORTING,
    Phase.FAULT: RobotStatus.FAULT,
}
NEVER_S = 1e9
#: How long the loop gets to put things in order when the process is to end (s).
STOP_S = 6.0
#: A status this much older than the start of an episode may still tell of the time before (s).
STATUS_DELAY_S = 2.0


class AgentNode(Node):
    """The collection loop's robot over ROS: clients, heartbeats, and a thread for the loop."""

    def __init__(self) -> None:
        super().__init__('agent', automatically_declare_parameters_from_overrides=True)
        self._settings = declare(self, AgentSettings)
        self._robot = check_name(self.get_namespace().strip('/'), 'namespace (the robot)')
        self._stop = threading.Event()
        self._calls = Calls(self._stop)
        self._activity = Activity(Phase.IDLE)
        self._environment = self._settings.environment
        self._recorder_seen = time.monotonic()
        self._recorder_status: RecorderStatus | None = None
        self._recording_since = 0.0
        self._connect()
        self._thread = threading.Thread(target=self._work, name='collection_loop', daemon=True)
        self._thread.start()

    def _connect(self) -> None:
        scheduler, recorder = self._settings.scheduler.rstrip('/'), self._settings.recorder
        self._request = self.create_client(RequestAssignment, f'{scheduler}/request_assignment')
        self._release = self.create_client(ReleaseAssignment, f'{scheduler}/release_assignment')
        self._start = self.create_client(StartEpisode, f'{recorder}/start_episode')
        self._finish = self.create_client(FinishEpisode, f'{recorder}/finish_episode')
        self._set_up = ActionClient(self, SetUpScenario, 'set_up_scenario')
        self._collect = ActionClient(self, CollectEpisode, 'collect_episode')
        self._status = self.create_publisher(RobotStatus, 'robot_status', qos.HEARTBEAT)
        self._scenario = self.create_publisher(ScenarioMsg, 'scenario', qos.LATCHED)
        self.create_subscription(
            RecorderStatus, f'{recorder}/status', self._on_recorder, qos.LATCHED)
        self.create_timer(self._settings.heartbeat_s, self._beat)

    def close(self) -> None:
        """End the loop: the action is cancelled, the open episode closed as aborted."""
        self._stop.set()
        self._thread.join(timeout=STOP_S)

    def _work(self) -> None:
        try:
            CollectionLoop(self, retry_s=self._settings.retry_s).run()
        except Exception as error:
            self.get_logger().fatal(f'{type(error).__name__}: {error}')
            raise

    def _beat(self) -> None:
        self._publish_status(self._activity)

    def _on_recorder(self, status: RecorderStatus) -> None:
        self._recorder_seen = time.monotonic()
        self._recorder_status = status

    # What the collection loop asks of its robot.

    def request(self) -> Work | NoWork:
        """Ask the scheduler for work."""
        answer = self._calls.service(self._request, RequestAssignment.Request(
            robot=self._robot, environment=self._environment,
            capabilities=list(self._settings.capabilities),
            collectors=list(self._settings.collectors)), timeout_s=self._settings.answer_s)
        if answer.code != answer.GRANTED:
            return NoWork(answer.message, max(
                conversions.duration_to_s(answer.retry_after), self._settings.retry_s))
        try:
            return work_from_msg(answer.assignment)
        except ActiveCollectionError as error:
            raise UnavailableError(f'the scheduler sent no valid scenario: {error}') from error

    def set_up(self, work: Work) -> SetUp:
        """Have the robot's own action server bring the scene to the start."""
        scenario = conversions.scenario_to_msg(work.scenario)
        self._scenario.publish(scenario)
        result = self._calls.action(
            self._set_up, SetUpScenario.Goal(
                scenario=scenario, reset_required=work.reset_required),
            name='set_up_scenario', accept_s=self._settings.answer_s,
            limit_s=self._settings.set_up_s, feedback=self._note)
        if result.environment:
            self._environment = result.environment
        return SetUp(result.ready, result.message)

    def new_episode_id(self) -> str:
        """Return an id made of the time, the robot and chance."""
        moment = time.strftime('%Y%m%dT%H%M%S', time.gmtime())
        return f'{moment}-{self._robot[:40]}-{secrets.token_hex(3)}'

    def start_recording(self, work: Work, episode_id: str) -> None:
        """Start an episode under an id of our own, so that asking twice starts one."""
        answer = self._calls.service(self._start, StartEpisode.Request(
            episode_id=episode_id, scenario=conversions.scenario_to_msg(work.scenario),
            assignment_id=work.assignment_id, source=work.collector,
            operator_name=self._settings.operator_name,
            allow_missing_topics=self._settings.allow_missing_topics,
            time_limit=conversions.duration_to_msg(self._limit_s(work))),
            timeout_s=2 * self._settings.answer_s, heeds_stop=False)
        if answer.code != answer.ACCEPTED:
            missing = f': {", ".join(answer.missing_topics)}' if answer.missing_topics else ''
            raise UnavailableError(f'the recorder refuses: {answer.message}{missing}')
        self._recorder_seen = self._recording_since = time.monotonic()

    def collect(self, work: Work, episode_id: str) -> Attempt:
        """Have the robot's own action server act out the episode while the recorder records."""
        limit_s = self._limit_s(work)
        result = self._calls.action(
            self._collect, CollectEpisode.Goal(
                episode_id=episode_id, scenario=conversions.scenario_to_msg(work.scenario),
                collector=work.collector,
                time_limit=conversions.duration_to_msg(work.time_limit_s)),
            name='collect_episode', accept_s=self._settings.answer_s,
            limit_s=limit_s or NEVER_S, feedback=self._note,
            check=lambda: self._check_recorder(episode_id))
        outcome = conversions.OUTCOME_FROM_MSG.get(result.outcome, Outcome.UNKNOWN)
        if outcome is Outcome.UNKNOWN:
            return Attempt(Outcome.ABORTED, f'collect_episode: no outcome: {result.message}')
        return Attempt(outcome, result.message)

    def finish_recording(self, episode_id: str, attempt: Attempt) -> None:
        """Close the episode with its outcome."""
        answer = self._calls.service(self._finish, FinishEpisode.Request(
            episode_id=episode_id, outcome=conversions.OUTCOME_TO_MSG[attempt.outcome],
            stop_reason=attempt.stop_reason, notes=attempt.message),
            timeout_s=self._patience_s(), heeds_stop=False)
        if answer.code == answer.UNKNOWN_EPISODE:
            raise UnavailableError(f'the recorder does not know {episode_id}')
        if answer.code != answer.ACCEPTED:
            self.get_logger().error(f'{episode_id}: {answer.message}')

    def release(self, work: Work, reason: str, *, retry: bool) -> None:
        """Hand the lease back."""
        self.get_logger().warning(f'{work.assignment_id} handed back: {reason}')
        self._calls.service(self._release, ReleaseAssignment.Request(
            assignment_id=work.assignment_id, robot=self._robot, reason=reason, retry=retry),
            timeout_s=1.0 if self._stop.is_set() else self._settings.answer_s, heeds_stop=False)

    def tell(self, activity: Activity) -> None:
        """Tell at once, and in every heartbeat, what the robot is doing."""
        if activity.phase is Phase.FAULT:
            self.get_logger().error(activity.message)
        self._activity = activity
        self._publish_status(activity)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._calls.wait(seconds)

    def _patience_s(self) -> float:
        """Return how long an answer may take (s): little when the process is to end."""
        return 2.5 if self._stop.is_set() else 2 * self._settings.answer_s

    def _limit_s(self, work: Work) -> float:
        """Return the longest that an attempt may take in all (s); 0 for no limit."""
        return work.time_limit_s + self._settings.grace_s if work.time_limit_s else 0.0

    def _note(self, feedback: Any) -> None:
        """Take an action's words for a person into the heartbeat."""
        if feedback.message:
            self._activity = Activity(
                self._activity.phase, feedback.message, self._activity.assignment_id,
                self._activity.episode_id)

    def _check_recorder(self, episode_id: str) -> None:
        now = time.monotonic()
        if now - self._recorder_seen > self._settings.recorder_silence_s:
            raise UnavailableError('the recorder is lost')
        status = self._recorder_status
        if (status is not None and status.episode_id != episode_id
                and self._recorder_seen - self._recording_since > STATUS_DELAY_S):
            raise UnavailableError('the recorder closed the episode: '
                                   f'{status.message or "it does not say why"}')

    def _publish_status(self, activity: Activity) -> None:
        if not self.context.ok():
            return
        message = RobotStatus(
            robot=self._robot, state=STATES[activity.phase], message=activity.message,
            assignment_id=activity.assignment_id, episode_id=activity.episode_id,
            environment=self._environment)
        message.header.stamp = self.get_clock().now().to_msg()
        self._status.publish(message)


def main() -> int:
    """Run the node and return the exit status."""
    return run(AgentNode)
