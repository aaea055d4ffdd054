# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot's recorder as its agent uses it: start, finish, and make free again after a crash."""
from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from rclpy.node import Node

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.collecting.collection_robot import Attempt
from active_collection.collecting.collection_robot import UnavailableError
from active_collection.collecting.collection_robot import Work
from active_collection.episode import POLICY_TASK
from active_collection.episode import Outcome
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.agent.agent_messages import tags_to_msg
from active_collection.nodes.calls import Calls
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode

#: Characters of the robot's name that an episode's id has.
NAME_LENGTH = 40
#: A status this much older than the start of an episode may still tell of the time before (s).
STATUS_DELAY_S = 2.0


class AgentRecorder:
    """
    Clients of the recorder's services, and what it tells of itself.

    :param settings: returns those in force
    :param calls: made in the loop's thread
    :param name: the robot's name
    """

    def __init__(self, node: Node, settings: Callable[[], AgentSettings], *, calls: Calls,
                 name: str) -> None:
        self._node = node
        self._settings = settings
        self._calls = calls
        self._name = name
        self._seen_s = time.monotonic()
        self._recording_since_s = 0.0
        self._status: RecorderStatus | None = None
        self._started: Episode | None = None
        #: The last episode that it has told to be closed, and the last that was seen to its end.
        self._told_closed = ''
        self._finished = ''
        recorder = settings().recorder
        node.create_subscription(
            RecorderStatus, f'{recorder}/status', self._on_status, qos.LATCHED)
        node.create_subscription(Episode, 'episodes', self._on_episode, qos.EPISODES)
        self._start = node.create_client(StartEpisode, f'{recorder}/start_episode')
        self._finish = node.create_client(FinishEpisode, f'{recorder}/finish_episode')

    def await_there(self) -> None:
        """
        Return once its services are there and it told what it does.

        :raises UnavailableError: naming what is missing
        """
        self._calls.await_servers(
            {**{client.srv_name: client.service_is_ready
                for client in (self._start, self._finish)},
             f'{self._settings().recorder}/status': lambda: self._status is not None},
            timeout_s=self._settings().answer_s,
            remedy=f'start a recorder in {self._node.get_namespace()}, or name it in the '
                   "agent's parameter recorder")

    def new_episode_id(self) -> str:
        """Return an id made of the time, the robot and chance."""
        moment = time.strftime('%Y%m%dT%H%M%S', time.gmtime())
        return f'{moment}-{self._name[:NAME_LENGTH]}-{secrets.token_hex(3)}'

    def free(self) -> str:
        """
        Close as aborted what an agent of this robot started and nobody acts out any more.

        To be called between episodes. Told by its id, which is as `new_episode_id` makes them,
        and by its assignment: no other has both.

        :returns: the assignment of the episode that was closed; empty where none was open
        :raises UnavailableError: where it records for somebody else, or does not close it
        """
        episode_id = self._open_id
        if episode_id in {'', self._finished}:
            return ''
        self._calls.await_servers(
            {f'the record of {episode_id}, which the recorder records': lambda: (
                self._record(episode_id) is not None or self._open_id != episode_id)},
            timeout_s=self._settings().answer_s)
        record = self._record(episode_id)
        if record is None:  # it was closed meanwhile
            return ''
        if not self._is_own(record):
            raise UnavailableError(
                f'the recorder records {episode_id}, which is not of this agent')
        self._node.get_logger().warning(f'{episode_id}: closed, its agent died while it recorded')
        self.finish(episode_id, Attempt(Outcome.ABORTED, 'its agent died while it recorded'))
        return str(record.assignment_id)

    def _is_own(self, record: Episode) -> bool:
        pattern = rf'\d{{8}}T\d{{6}}-{re.escape(self._name[:NAME_LENGTH])}-[0-9a-f]{{6}}'
        return bool(record.assignment_id and re.fullmatch(pattern, record.episode_id))

    def start(self, work: Work, episode_id: str, *, limit_s: float) -> None:
        """Start an episode under an id of our own, so that asking twice starts one."""
        tags = {POLICY_TASK: work.policy_task} if work.policy_task else {}
        answer = self._calls.service(self._start, StartEpisode.Request(
            episode_id=episode_id, scenario=conversions.scenario_to_msg(work.scenario),
            assignment_id=work.assignment_id, source=work.collector,
            operator_name=self._settings().operator_name, tags=tags_to_msg(tags),
            allow_missing_topics=self._settings().allow_missing_topics,
            time_limit=conversions.duration_to_msg(limit_s)),
            timeout_s=2 * self._settings().answer_s, heeds_stop=False)
        if answer.code != answer.ACCEPTED:
            missing = f': {", ".join(answer.missing_topics)}' if answer.missing_topics else ''
            raise UnavailableError(f'the recorder refuses: {answer.message}{missing}')
        self._seen_s = self._recording_since_s = time.monotonic()

    def finish(self, episode_id: str, attempt: Attempt) -> None:
        """
        Close an episode with its outcome, or judge it where it is closed.

        A recorder that is ended at the same moment closes and reports the episode by itself.
        """
        try:
            answer = self._calls.service(self._finish, FinishEpisode.Request(
                episode_id=episode_id, outcome=conversions.OUTCOME_TO_MSG[attempt.outcome],
                stop_reason=attempt.stop_reason, notes=attempt.message,
                tags=tags_to_msg(attempt.tags)),
                timeout_s=self._patience_s(episode_id), heeds_stop=False)
        except UnavailableError as error:
            if self._told_closed != episode_id:
                raise
            self._finished = episode_id
            self._node.get_logger().warning(
                f'{episode_id}: closed by the recorder; {attempt.outcome.value} is not in its '
                f'record: {error}')
            return
        if answer.code == answer.UNKNOWN_EPISODE:
            raise UnavailableError(f'the recorder does not know {episode_id}')
        if answer.code == answer.INVALID:
            raise UnavailableError(f'the recorder refuses: {answer.message}')
        self._finished = episode_id
        if answer.code != answer.ACCEPTED:
            self._node.get_logger().error(f'{episode_id}: {answer.message}')

    def _patience_s(self, episode_id: str) -> float:
        """Return how long an answer may take (s): little when the process is to end."""
        if not self._calls.is_stopping:
            return 2 * self._settings().answer_s
        return 0.5 if self._told_closed == episode_id else 2.5

    def check(self, episode_id: str) -> None:
        """
        Pass while the recorder records an episode.

        :raises UnavailableError: where it is lost, or has closed the episode by itself
        """
        if time.monotonic() - self._seen_s > self._settings().recorder_silence_s:
            raise UnavailableError('the recorder is lost')
        status = self._status
        if (status is not None and status.episode_id != episode_id
                and self._seen_s - self._recording_since_s > STATUS_DELAY_S):
            raise UnavailableError('the recorder closed the episode: '
                                   f'{status.message or "it does not say why"}')

    @property
    def _open_id(self) -> str:
        """Return the id of the episode that it records, empty where it records none."""
        return str(self._status.episode_id) if self._status is not None else ''

    def _record(self, episode_id: str) -> Episode | None:
        """Return what was told at the start of the episode that is open, if it was heard."""
        record = self._started
        is_it = record is not None and record.episode_id == episode_id == self._open_id
        return record if is_it else None

    def _on_status(self, status: RecorderStatus) -> None:
        self._status = status
        self._seen_s = time.monotonic()

    def _on_episode(self, episode: Episode) -> None:
        """Take in what is told of an episode: of its start and of its end."""
        if episode.state == Episode.RECORDING:
            self._started = episode
        elif episode.state == Episode.CLOSED:
            self._told_closed = str(episode.episode_id)
