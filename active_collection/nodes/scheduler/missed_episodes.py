# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Fetches from recorders the episodes that no topic has brought: what was away missed them."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from rclpy.client import Client
from rclpy.node import Node

from active_collection.msg import Episode
from active_collection.names import namespace_of
from active_collection.nodes.rclpy_internals import sent
from active_collection.nodes.rclpy_internals import taken_response
from active_collection.nodes.topics.aside import Aside
from active_collection.srv import ListEpisodes

#: A recorder is asked at least as often as that (s), and again after so long where it is not there
#: or not ready; an answer that takes longer is given up.
PERIOD_S, RETRY_S, TIMEOUT_S = 30.0, 2.0, 5.0
#: Recorders that are asked at the same time, and episodes of an answer: to count so many takes
#: about 10 ms, for which those who ask for assignments may have to wait.
AT_ONCE = 4
PAGE_EPISODES = 20
#: Episodes of a robot of which the last revision is remembered: as many as its topic keeps.
REMEMBERED = 100


@dataclass
class _Recorder:
    """
    What is known of one recorder.

    :param due: when it is to be asked (monotonic s)
    :param asked: number of the request that is under way; None where none is
    :param revisions: episode id to the last revision that its topic brought, newest last
    :param open_id: the episode that it records as far as its topic tells; empty where none
    :param has_gap: whether its topic has shown a gap since it was asked
    :param patience_s: how long it is left alone that is not there (s); each time longer, for to
        look takes long in a large fleet
    """

    client: Client
    due: float
    store_id: str = ''
    after: int = 0
    asked: int | None = None
    given_up_at: float = 0.0
    revisions: dict[str, int] = field(default_factory=dict)
    open_id: str = ''
    has_gap: bool = False
    patience_s: float = RETRY_S


class MissedEpisodes:
    """
    Asks recorders for the episodes that were closed or amended since it asked last.

    It asks when a recorder appears, when its topic has a gap, and now and then. How far it has got
    it does not keep for longer than it lives: whoever counts must know what was counted.

    :param on_episodes: called with a robot's name and a page of its episodes, of which some may
        have been counted
    :param now: monotonic time (s)
    """

    def __init__(self, node: Node, *, on_episodes: Callable[[str, list[Episode]], None],
                 now: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._on_episodes = on_episodes
        self._now = now
        self._group = Aside()
        self._recorders: dict[str, _Recorder] = {}

    def ask(self, robot: str) -> None:
        """Ask a robot's recorder as soon as may be; what was asked before may be lost."""
        recorder = self._recorders.get(robot)
        if recorder is None:
            client = self._node.create_client(
                ListEpisodes, f'{namespace_of(robot).rstrip("/")}/recorder/list_episodes',
                callback_group=self._group)
            self._recorders[robot] = recorder = _Recorder(client, 0.0)
        recorder.due, recorder.asked, recorder.patience_s = self._now(), None, RETRY_S

    def forget(self, robot: str) -> None:
        """Ask a robot's recorder no more: it is gone."""
        recorder = self._recorders.pop(robot, None)
        if recorder is not None:
            self._node.destroy_client(recorder.client)

    def heard(self, robot: str, message: Episode) -> None:
        """Ask where a message of a robot's topic shows that others before it are missing."""
        recorder = self._recorders.get(robot)
        if recorder is None:
            return
        before = recorder.revisions.pop(message.episode_id, 0)
        is_gap = message.revision > before + 1
        if message.state == Episode.RECORDING:
            is_gap = is_gap or recorder.open_id not in {'', message.episode_id}
            recorder.open_id = message.episode_id
        elif message.episode_id == recorder.open_id:
            recorder.open_id = ''
        recorder.revisions[message.episode_id] = message.revision
        if len(recorder.revisions) > REMEMBERED:
            recorder.revisions.pop(next(iter(recorder.revisions)))
        if is_gap:
            recorder.has_gap, recorder.due = True, self._now()

    def step(self) -> None:
        """Take one answer with episodes at most, and ask those that are due; it never waits."""
        now, under_way = self._now(), 0
        for robot, recorder in list(self._recorders.items()):
            if recorder.asked is None:
                continue
            answer = taken_response(recorder.client, ListEpisodes, recorder.asked)
            if answer is not None:
                # The others have their turn before it.
                self._recorders[robot] = self._recorders.pop(robot)
                if self._take(robot, recorder, answer):
                    break
                continue
            if now >= recorder.given_up_at:
                recorder.asked, recorder.due = None, now
            else:
                under_way += 1
        for recorder in self._recorders.values():
            if under_way >= AT_ONCE:
                return
            if recorder.asked is None and now >= recorder.due:
                under_way += self._send(recorder)

    def _send(self, recorder: _Recorder) -> bool:
        """Ask a recorder, and tell whether it is there."""
        now = self._now()
        recorder.due = now + recorder.patience_s
        if not recorder.client.service_is_ready():
            recorder.patience_s = min(2 * recorder.patience_s, PERIOD_S)
            return False
        recorder.has_gap, recorder.patience_s = False, RETRY_S
        recorder.asked = sent(recorder.client, ListEpisodes.Request(
            store_id=recorder.store_id, after=recorder.after, limit=PAGE_EPISODES))
        recorder.given_up_at = now + TIMEOUT_S
        return True

    def _take(self, robot: str, recorder: _Recorder, answer: ListEpisodes.Response) -> bool:
        """Take an answer, and tell whether there were episodes in it."""
        now = self._now()
        recorder.asked = None
        if answer.code != ListEpisodes.Response.OK:
            recorder.due = now + RETRY_S
            return False
        recorder.store_id, recorder.after = answer.store_id, answer.next
        recorder.due = now if answer.has_more or recorder.has_gap else now + PERIOD_S
        if answer.episodes:
            self._on_episodes(robot, list(answer.episodes))
        return bool(answer.episodes)
