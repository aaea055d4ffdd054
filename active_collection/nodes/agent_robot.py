# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot as its collection loop sees it, over ROS: its peers, its actions, its operator."""
from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node

from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.episode import HELP_GIVEN
from active_collection.episode import JUDGED_BY
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.msg import Scenario as ScenarioMsg
from active_collection.names import is_safe_name
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.agent_messages import attempt_from_end
from active_collection.nodes.agent_messages import work_from_msg
from active_collection.nodes.agent_recorder import AgentRecorder
from active_collection.nodes.calls import LOOK_S
from active_collection.nodes.calls import Calls
from active_collection.nodes.operator_desk import JUDGEMENTS
from active_collection.nodes.operator_desk import WORDS
from active_collection.nodes.operator_desk import OperatorDesk
from active_collection.scheduling.agent_settings import AgentSettings
from active_collection.scheduling.collection_robot import Activity
from active_collection.scheduling.collection_robot import Attempt
from active_collection.scheduling.collection_robot import HelpNeededError
from active_collection.scheduling.collection_robot import NoWork
from active_collection.scheduling.collection_robot import Phase
from active_collection.scheduling.collection_robot import SetUp
from active_collection.scheduling.collection_robot import UnavailableError
from active_collection.scheduling.collection_robot import Work
from active_collection.scheduling.lease_watch import LeaseWatch
from active_collection.srv import ReleaseAssignment
from active_collection.srv import RequestAssignment

NEVER_S = 1e9
OUTCOMES = {'success': Outcome.SUCCESS, 'failure': Outcome.FAILURE, 'discard': Outcome.DISCARDED}


class _JudgedError(Exception):
    """The operator ended the attempt: the word that they said."""


class AgentRobot:
    """
    Clients and actions for the collection loop, which runs in a thread of its own.

    :param node: whose executor spins in another thread
    :param name: the robot's name
    :param stop: set once the process is to end
    :param publish: publishes what the robot is doing, at once
    """

    def __init__(self, node: Node, settings: AgentSettings, *, name: str, stop: threading.Event,
                 publish: Callable[[Activity, str], None]) -> None:
        self.lease = LeaseWatch()
        self.activity = Activity(Phase.IDLE)
        self.environment = settings.environment
        self._node = node
        self._settings = settings
        self._name = name
        self._stop = stop
        self._publish = publish
        self._calls = Calls(stop, node)
        self.recorder = AgentRecorder(
            node, settings, calls=self._calls, name=name, stop=stop)
        self._desk = OperatorDesk(node, look_s=LOOK_S)
        self._telling = threading.Lock()
        self._unsure = ''
        scheduler = settings.scheduler
        self._request = node.create_client(RequestAssignment, f'{scheduler}/request_assignment')
        self._release = node.create_client(ReleaseAssignment, f'{scheduler}/release_assignment')
        self._set_up = ActionClient(node, SetUpScenario, settings.set_up_action)
        self._act = {name: ActionClient(node, CollectEpisode, name)
                     for name in {settings.collect_action, self._action_of('policy')}}
        self._scenario = node.create_publisher(ScenarioMsg, 'scenario', qos.LATCHED)

    def is_unsure(self, episode_id: str, reason: str) -> None:
        """Take in that the policy does not know what to do; it counts where it acts just now."""
        activity = self.activity
        if activity.phase is Phase.COLLECTING and episode_id in {'', activity.episode_id}:
            self._unsure = reason

    def await_resume(self) -> None:
        """Wait while an operator has paused this robot; the end of the process ends it here."""
        self._calls.check_stop()
        if self._desk.is_paused:
            self.tell(Activity(Phase.PAUSED, 'paused at the robot'))
            self._desk.await_resume(self._calls.check_stop)

    def await_peers(self) -> None:
        """Wait for the recorder and the robot's own actions to be discovered."""
        self.recorder.await_there()
        self._calls.await_servers(
            {name: client.server_is_ready for name, client in
             {self._settings.set_up_action: self._set_up, **self._act}.items()},
            timeout_s=self._settings.answer_s)

    def free_recorder(self) -> str:
        """Close an episode of this robot that nobody acts out any more."""
        return self.recorder.free()

    def request(self) -> Work | NoWork:
        """Ask the scheduler for work."""
        self.lease.follow(None)
        answer = self._calls.service(self._request, RequestAssignment.Request(
            robot=self._name, environment=self.environment,
            capabilities=list(self._settings.capabilities),
            collectors=list(self._settings.collectors)), timeout_s=self._settings.answer_s)
        if answer.code != answer.GRANTED:
            return NoWork(answer.message, max(
                conversions.duration_to_s(answer.retry_after), self._settings.retry_s),
                is_paused=answer.code == answer.PAUSED)
        try:
            work = work_from_msg(answer.assignment)
        except ActiveCollectionError as error:
            raise UnavailableError(f'the scheduler sent no valid scenario: {error}') from error
        self.lease.follow(work)
        return work

    def set_up(self, work: Work) -> SetUp:
        """Have the robot's own action server bring the scene to the start."""
        scenario = conversions.scenario_to_msg(work.scenario)
        # What the policy is conditioned on: the proxy task, where its policy acts.
        self._scenario.publish(conversions.scenario_to_msg(
            replace(work.scenario, task=work.policy_task or work.scenario.task)))
        result = self._calls.action(
            self._set_up, SetUpScenario.Goal(
                scenario=scenario, reset_required=work.reset_required),
            name=self._settings.set_up_action, accept_s=self._settings.answer_s,
            limit_s=self._settings.set_up_s, feedback=self._note, check=self.lease.check).result
        if is_safe_name(result.environment):
            self.environment = result.environment
        return SetUp(result.ready, result.message)

    def must_confirm(self, work: Work) -> bool:
        """Tell whether the parameter `confirm` asks for a "ready"."""
        return self._settings.confirm in {'always', work.collector}

    def await_ready(self) -> SetUp:
        """Wait until somebody calls agent/ready, or agent/discard."""
        word = self._desk.await_word(('ready', 'discard'), seconds=self._settings.ready_s,
                                     check=self._check)
        if word == 'discard':
            return SetUp(ready=False, message='the operator says that it cannot be')
        return SetUp(word == 'ready', f'nobody said ready within {self._settings.ready_s:g} s')

    def new_episode_id(self) -> str:
        """Return an id that no episode has."""
        return self.recorder.new_episode_id()

    def start_recording(self, work: Work, episode_id: str) -> None:
        """Have the recorder start an episode."""
        self.recorder.start(work, episode_id, limit_s=self._recording_limit_s(work))

    def collect(self, work: Work, episode_id: str) -> Attempt:
        """Have an action server act out the episode while the recorder records."""
        self._unsure = ''
        may_ask = work.collector == 'policy' and self._settings.on_high_uncertainty != 'ignore'

        def check() -> None:
            self._check(episode_id)
            if may_ask and self._unsure:
                raise HelpNeededError(self._unsure)

        return self._acted_out(work, episode_id, work.collector, check)

    @property
    def hands_over(self) -> bool:
        """Tell whether the parameter `on_high_uncertainty` says so."""
        return self._settings.on_high_uncertainty == 'hand_over'

    def await_help(self, episode_id: str) -> Attempt | None:
        """Wait until somebody calls agent/ready, or judges the episode that is recorded."""
        words, check = ((WORDS, lambda: self._check(episode_id)) if episode_id else
                        (('ready',), self._calls.check_stop))
        word = self._desk.await_word(words, seconds=self._settings.help_s, check=check)
        if word == 'ready':
            return None
        if word:
            return self._judged(word)
        return Attempt(Outcome.FAILURE, f'nobody helped within {self._settings.help_s:g} s')

    def take_over(self, work: Work, episode_id: str) -> Attempt:
        """Have the person act out the rest through the teleoperation rig."""
        return self._acted_out(
            work, episode_id, 'teleoperation', lambda: self._check(episode_id))

    def _acted_out(self, work: Work, episode_id: str, collector: str,
                   check: Callable[[], None]) -> Attempt:
        """Return how an attempt ended, by its action server or by the operator's word."""
        def listen() -> None:
            if self._desk.said:
                raise _JudgedError(self._desk.said)
            check()

        name = self._action_of(collector)
        try:
            with self._desk.listening(JUDGEMENTS):
                end = self._calls.action(
                    self._act[name], CollectEpisode.Goal(
                        episode_id=episode_id,
                        scenario=conversions.scenario_to_msg(work.scenario), collector=collector,
                        policy_task=work.policy_task,
                        time_limit=conversions.duration_to_msg(work.time_limit_s)),
                    name=name, accept_s=self._settings.answer_s,
                    limit_s=self._limit_s(work) or NEVER_S, feedback=self._note, check=listen)
        except _JudgedError as judged:
            return self._judged(str(judged))
        return attempt_from_end(name, end)

    def finish_recording(self, episode_id: str, attempt: Attempt) -> None:
        """Have the recorder close the episode with its outcome, or judge it where it is closed."""
        self.recorder.finish(episode_id, attempt)

    def judge(self, work: Work, attempt: Attempt) -> Attempt | None:
        """Wait for the operator's word where a person acted; nobody else is there to judge."""
        is_attended = work.collector == 'teleoperation' or HELP_GIVEN in attempt.tags
        if not is_attended or not self._settings.judgement_s:
            return None
        word = self._desk.await_word(JUDGEMENTS, seconds=self._settings.judgement_s,
                                     check=self._calls.check_stop)
        return self._judged(word) if word else None

    def release(self, work: Work, reason: str, *, retry: bool) -> None:
        """Hand the lease back."""
        self._node.get_logger().warning(f'{work.assignment_id} handed back: {reason}')
        self._calls.service(self._release, ReleaseAssignment.Request(
            assignment_id=work.assignment_id, robot=self._name, reason=reason, retry=retry),
            timeout_s=1.0 if self._stop.is_set() else self._settings.answer_s, heeds_stop=False)

    def tell(self, activity: Activity) -> None:
        """Tell at once, and in every heartbeat, what the robot is doing."""
        if activity.phase is Phase.FAULT:
            self._node.get_logger().error(activity.message)
        elif activity.phase in {Phase.NEEDS_HELP, Phase.WAITING_FOR_READY}:
            self._node.get_logger().info(f'{activity.phase.value}: {activity.message}')
        with self._telling:
            self.activity = activity
        self._publish(activity, self.environment)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._calls.wait(seconds)

    def _action_of(self, collector: str) -> str:
        """Return the action that a collector acts through."""
        autonomous = self._settings.policy_action if collector == 'policy' else ''
        return autonomous or self._settings.collect_action

    def _judged(self, word: str) -> Attempt:
        return Attempt(OUTCOMES[word], 'judged by the operator', 'operator',
                       {JUDGED_BY: self._settings.operator_name or 'operator'})

    def _limit_s(self, work: Work) -> float:
        """Return the longest that an attempt may take in all (s); 0 for no limit."""
        return work.time_limit_s + self._settings.grace_s if work.time_limit_s else 0.0

    def _recording_limit_s(self, work: Work) -> float:
        """Return the longest that its recording may take (s): a person may go on with it."""
        limit_s = self._limit_s(work)
        if limit_s and work.collector == 'policy' and self.hands_over:
            return 2 * limit_s + self._settings.help_s
        return limit_s

    def _note(self, feedback: Any) -> None:
        """Take an action's words for a person into the heartbeat, unless they come too late."""
        with self._telling:
            if feedback.message and self.activity.phase in {Phase.SETTING_UP, Phase.COLLECTING}:
                self.activity = replace(self.activity, message=feedback.message)

    def _check(self, episode_id: str = '') -> None:
        """Pass while the robot may go on: no stop, the lease and the recorder are there."""
        self._calls.check_stop()
        self.lease.check()
        if episode_id:
            self.recorder.watch.check(episode_id)
