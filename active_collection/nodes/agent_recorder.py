# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot's recorder as its agent uses it: start, finish, and make free again after a crash."""
from __future__ import annotations

import re
import secrets
import threading
import time

from rclpy.node import Node

from active_collection.episode import POLICY_TASK
from active_collection.episode import Outcome
from active_collection.msg import Episode
from active_collection.nodes import conversions
from active_collection.nodes.agent_messages import tags_to_msg
from active_collection.nodes.calls import Calls
from active_collection.nodes.recorder_watch import RecorderWatch
from active_collection.scheduling.agent_settings import AgentSettings
from active_collection.scheduling.collection_robot import Attempt
from active_collection.scheduling.collection_robot import UnavailableError
from active_collection.scheduling.collection_robot import Work
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode

#: Characters of the robot's name that an episode's id has.
NAME_LENGTH = 40


class AgentRecorder:
    """
    Clients of the recorder's services, and what it tells of itself.

    :param calls: made in the loop's thread
    :param name: the robot's name
    :param stop: set once the process is to end
    """

    def __init__(self, node: Node, settings: AgentSettings, *, calls: Calls, name: str,
                 stop: threading.Event) -> None:
        self.watch = RecorderWatch(silence_s=settings.recorder_silence_s)
        self._node = node
        self._settings = settings
        self._calls = calls
        self._name = name
        self._stop = stop
        self._closed = ''
        self._start = node.create_client(StartEpisode, f'{settings.recorder}/start_episode')
        self._finish = node.create_client(FinishEpisode, f'{settings.recorder}/finish_episode')

    def await_there(self) -> None:
        """
        Return once its services are there and it told what it does.

        :raises UnavailableError: naming what is missing
        """
        self._calls.await_servers(
            {**{client.srv_name: client.service_is_ready
                for client in (self._start, self._finish)},
             f'{self._settings.recorder}/status': lambda: self.watch.is_heard},
            timeout_s=self._settings.answer_s)

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
        episode_id = self.watch.open_id
        if episode_id in {'', self._closed}:
            return ''
        self._calls.await_servers(
            {f'the record of {episode_id}, which the recorder records': lambda: (
                self.watch.record(episode_id) is not None or self.watch.open_id != episode_id)},
            timeout_s=self._settings.answer_s)
        record = self.watch.record(episode_id)
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
            operator_name=self._settings.operator_name, tags=tags_to_msg(tags),
            allow_missing_topics=self._settings.allow_missing_topics,
            time_limit=conversions.duration_to_msg(limit_s)),
            timeout_s=2 * self._settings.answer_s, heeds_stop=False)
        if answer.code != answer.ACCEPTED:
            missing = f': {", ".join(answer.missing_topics)}' if answer.missing_topics else ''
            raise UnavailableError(f'the recorder refuses: {answer.message}{missing}')
        self.watch.started()

    def finish(self, episode_id: str, attempt: Attempt) -> None:
        """Close an episode with its outcome, or judge it where it is closed."""
        answer = self._calls.service(self._finish, FinishEpisode.Request(
            episode_id=episode_id, outcome=conversions.OUTCOME_TO_MSG[attempt.outcome],
            stop_reason=attempt.stop_reason, notes=attempt.message,
            tags=tags_to_msg(attempt.tags)),
            timeout_s=self._patience_s(), heeds_stop=False)
        if answer.code == answer.UNKNOWN_EPISODE:
            raise UnavailableError(f'the recorder does not know {episode_id}')
        if answer.code == answer.INVALID:
            raise UnavailableError(f'the recorder refuses: {answer.message}')
        self._closed = episode_id
        if answer.code != answer.ACCEPTED:
            self._node.get_logger().error(f'{episode_id}: {answer.message}')

    def _patience_s(self) -> float:
        """Return how long an answer may take (s): little when the process is to end."""
        return 2.5 if self._stop.is_set() else 2 * self._settings.answer_s
