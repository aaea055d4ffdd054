# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot as its collection loop sees it, over ROS: its peers, its actions, its operator."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rclpy.action import ActionClient
from rclpy.node import Node

from active_collection.action import CollectEpisode
from active_collection.action import SetUpScenario
from active_collection.collecting.agent_settings import AgentSettings
from active_collection.collecting.collection_robot import Activity
from active_collection.collecting.collection_robot import Attempt
from active_collection.collecting.collection_robot import HelpNeededError
from active_collection.collecting.collection_robot import NoWork
from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.collection_robot import RefusedError
from active_collection.collecting.collection_robot import SetUp
from active_collection.collecting.collection_robot import UnavailableError
from active_collection.collecting.collection_robot import Work
from active_collection.collecting.policy_doubt import PolicyDoubt
from active_collection.episode import HELP_GIVEN
from active_collection.episode import JUDGED_BY
from active_collection.episode import Outcome
from active_collection.msg import HighUncertainty
from active_collection.msg import Scenario as ScenarioMsg
from active_collection.names import is_safe_name
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.agent.acting import ActorTopic
from active_collection.nodes.agent.agent_messages import attempt_from_end
from active_collection.nodes.agent.agent_recorder import AgentRecorder
from active_collection.nodes.agent.agent_scheduler import AgentScheduler
from active_collection.nodes.agent.operator_desk import JUDGEMENTS
from active_collection.nodes.agent.operator_desk import WORDS
from active_collection.nodes.agent.operator_desk import OperatorDesk
from active_collection.nodes.agent.robot_status import StatusTopic
from active_collection.nodes.calls import Calls

NEVER_S = 1e9
OUTCOMES = {'success': Outcome.SUCCESS, 'failure': Outcome.FAILURE, 'discard': Outcome.DISCARDED}


class _JudgedError(Exception):
    """The operator ended the attempt: the word that they said."""


class AgentRobot:
    """
    Clients and actions for the collection loop, which runs in a thread of its own.

    :param node: whose executor spins in another thread
    :param settings: returns those in force
    :param name: the robot's name
    :param calls: made in that thread
    :param status: tells what the robot is doing
    :param desk: hears the person at the robot
    :param refrain: returns why the robot is to ask for no more work; empty where it may
    """

    def __init__(self, node: Node, settings: Callable[[], AgentSettings], *, name: str,
                 calls: Calls, status: StatusTopic, desk: OperatorDesk,
                 refrain: Callable[[], str] = lambda: '') -> None:
        self._node = node
        self._settings = settings
        self._calls = calls
        self._status = status
        self._desk = desk
        self._refrain = refrain
        self._scheduler = AgentScheduler(node, settings, calls=calls, name=name)
        self._recorder = AgentRecorder(node, settings, calls=calls, name=name)
        self._doubt = PolicyDoubt()
        self._when_unsure = settings().on_high_uncertainty
        self._set_up = ActionClient(node, SetUpScenario, settings().set_up_action)
        self._act = {name: ActionClient(node, CollectEpisode, name)
                     for name in {settings().collect_action, self._action_of('policy')}}
        self._scenario = node.create_publisher(ScenarioMsg, 'scenario', qos.LATCHED)
        self._actor = ActorTopic(node)
        node.create_subscription(
            HighUncertainty, 'uncertainty/high_uncertainty', self._on_high_uncertainty, qos.STATE)

    def _on_high_uncertainty(self, event: HighUncertainty) -> None:
        """Take in whether the policy knows what to do."""
        activity = self._status.activity
        if event.state == HighUncertainty.BEGIN:
            self._doubt.begin(activity, event.episode_id,
                              f'{event.measure} {event.value:.4g} above {event.threshold:.4g}')
        else:
            self._doubt.end(activity, event.episode_id)

    def look(self) -> None:
        """Say where something is amiss that lasts."""
        self._scheduler.look()

    def await_resume(self) -> None:
        """Wait while an operator has paused this robot; the end of the process ends it here."""
        self._calls.check_stop()
        if self._desk.is_paused:
            self.tell(Activity(Phase.PAUSED, 'paused at the robot'))
            self._desk.await_resume(self._calls.check_stop)

    def await_peers(self) -> None:
        """Wait for the recorder and the robot's own actions to be discovered."""
        reason = self._refrain()
        if reason:
            raise UnavailableError(reason)
        self._recorder.await_there()
        namespace = self._node.get_namespace()
        self._calls.await_servers(
            {f'action {name} in {namespace}': client.server_is_ready for name, client in
             {self._settings().set_up_action: self._set_up, **self._act}.items()},
            timeout_s=self._settings().answer_s,
            remedy="start the robot's own action servers, or name them in the agent's "
                   'parameters set_up_action, collect_action and policy_action')

    def free_recorder(self) -> str:
        """Close an episode of this robot that nobody acts out any more."""
        return self._recorder.free()

    def request(self) -> Work | NoWork:
        """Ask the scheduler for work."""
        return self._scheduler.request(self._status.environment)

    def set_up(self, work: Work) -> SetUp:
        """Have the robot's own action server bring the scene to the start."""
        scenario = conversions.scenario_to_msg(work.scenario)
        # What the policy is conditioned on: the proxy task, where its policy acts.
        self._scenario.publish(conversions.scenario_to_msg(
            replace(work.scenario, task=work.policy_task or work.scenario.task)))
        try:
            result = self._calls.action(
                self._set_up, SetUpScenario.Goal(
                    scenario=scenario, reset_required=work.reset_required),
                name=self._settings().set_up_action, accept_s=self._settings().answer_s,
                limit_s=self._settings().set_up_s,
                feedback=lambda said: self._status.note(said.message),
                check=self._scheduler.check).result
        except RefusedError as error:
            return SetUp(ready=False, message=str(error))
        if is_safe_name(result.environment):
            self._status.environment = result.environment
        return SetUp(result.ready, result.message)

    def must_confirm(self, work: Work) -> bool:
        """Tell whether the parameter `confirm` asks for a "ready"."""
        return self._settings().confirm in {'always', work.collector}

    def await_ready(self) -> SetUp:
        """Wait until somebody calls agent/ready, or agent/discard."""
        seconds = self._settings().ready_s
        word = self._desk.await_word(('ready', 'discard'), seconds=seconds, check=self._check)
        if word == 'discard':
            return SetUp(ready=False, message='the operator says that it cannot be')
        if not word:
            raise UnavailableError(f'nobody said ready within {seconds:g} s')
        return SetUp(ready=True)

    def new_episode_id(self) -> str:
        """Return an id that no episode has."""
        return self._recorder.new_episode_id()

    def start_recording(self, work: Work, episode_id: str) -> None:
        """Have the recorder start an episode."""
        self._when_unsure = self._settings().on_high_uncertainty
        self._recorder.start(work, episode_id, limit_s=self._recording_limit_s(work))

    def collect(self, work: Work, episode_id: str) -> Attempt:
        """Have an action server act out the episode while the recorder records."""
        may_ask = work.collector == 'policy' and self._when_unsure != 'ignore'

        def check() -> None:
            self._check(episode_id)
            if may_ask and (reason := self._doubt.reason(episode_id)):
                raise HelpNeededError(reason)

        return self._acted_out(work, episode_id, work.collector, check)

    @property
    def hands_over(self) -> bool:
        """Tell whether the parameter `on_high_uncertainty` said so when the episode began."""
        return self._when_unsure == 'hand_over'

    def await_help(self, episode_id: str) -> Attempt | None:
        """Wait until somebody calls agent/ready, or judges the episode that is recorded."""
        words, check = ((WORDS, lambda: self._check(episode_id)) if episode_id else
                        (('ready',), self._calls.check_stop))
        word = self._desk.await_word(words, seconds=self._settings().help_s, check=check)
        if word == 'ready':
            return None
        if word:
            return self._judged(word)
        return Attempt(Outcome.FAILURE, f'nobody helped within {self._settings().help_s:g} s')

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
            with self._desk.listening(JUDGEMENTS), self._actor.acting(collector, episode_id):
                end = self._calls.action(
                    self._act[name], CollectEpisode.Goal(
                        episode_id=episode_id,
                        scenario=conversions.scenario_to_msg(work.scenario), collector=collector,
                        policy_task=work.policy_task,
                        time_limit=conversions.duration_to_msg(work.time_limit_s)),
                    name=name, accept_s=self._settings().answer_s,
                    limit_s=self._limit_s(work) or NEVER_S, check=listen,
                    feedback=lambda said: self._status.note(said.message))
        except _JudgedError as judged:
            return self._judged(str(judged))
        return attempt_from_end(name, end)

    def finish_recording(self, episode_id: str, attempt: Attempt) -> None:
        """Have the recorder close the episode with its outcome, or judge it where it is closed."""
        self._recorder.finish(episode_id, attempt)

    def judge(self, work: Work, attempt: Attempt) -> Attempt | None:
        """Wait for the operator's word where a person acted; nobody else is there to judge."""
        is_attended = work.collector == 'teleoperation' or HELP_GIVEN in attempt.tags
        if not is_attended or not self._settings().judgement_s:
            return None
        word = self._desk.await_word(JUDGEMENTS, seconds=self._settings().judgement_s,
                                     check=self._calls.check_stop)
        return self._judged(word) if word else None

    def release(self, work: Work, reason: str, *, retry: bool, set_up_failed: bool) -> None:
        """Hand the lease back."""
        self._scheduler.release(work, reason, retry=retry, set_up_failed=set_up_failed)

    def tell(self, activity: Activity) -> None:
        """Tell at once, and in every heartbeat, what the robot is doing, and log what is new."""
        self._status.tell(activity)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._calls.wait(seconds)

    def _action_of(self, collector: str) -> str:
        """Return the action that a collector acts through."""
        autonomous = self._settings().policy_action if collector == 'policy' else ''
        return autonomous or self._settings().collect_action

    def _judged(self, word: str) -> Attempt:
        return Attempt(OUTCOMES[word], 'judged by the operator', 'operator',
                       {JUDGED_BY: self._settings().operator_name or 'operator'})

    def _limit_s(self, work: Work) -> float:
        """Return the longest that an attempt may take in all (s); 0 for no limit."""
        return work.time_limit_s + self._settings().grace_s if work.time_limit_s else 0.0

    def _recording_limit_s(self, work: Work) -> float:
        """Return the longest that its recording may take (s): a person may go on with it."""
        limit_s = self._limit_s(work)
        if limit_s and work.collector == 'policy' and self.hands_over:
            return 2 * limit_s + self._settings().help_s
        return limit_s

    def _check(self, episode_id: str = '') -> None:
        """Pass while the robot may go on: no stop, the lease and the recorder are there."""
        self._calls.check_stop()
        self._scheduler.check()
        if episode_id:
            self._recorder.check(episode_id)
