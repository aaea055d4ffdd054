# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The receiving side of a recorder: what comes in, and whether an episode takes it."""
from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Collection
from dataclasses import replace

from active_collection.episode import EpisodeRecord
from active_collection.recording.latched import LatchedMessages
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.open_episode import OpenEpisode
from active_collection.recording.pre_roll import PreRoll
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.statistics import Arrivals


class Intake:
    """
    Knows every topic, its latched messages and the last seconds, and feeds the open episode.

    `receive`, `count_lost` and `add_topic` belong to the receiving side, which never waits for a
    disk. `admit` and `shut` open and close the door behind which an episode is.

    :param now: the clock of the messages' times of receipt (ns)
    """

    def __init__(self, settings: RecorderSettings, *, now: Callable[[], int]) -> None:
        self._now = now
        self._door = threading.Lock()
        self._topics: dict[str, Topic] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._latched = LatchedMessages(
            depth=settings.latched_depth, max_bytes=settings.latched_bytes)
        self._pre_roll = PreRoll(
            duration_s=settings.pre_roll_s, max_bytes=settings.pre_roll_bytes)
        self._open: OpenEpisode | None = None

    @property
    def episode(self) -> OpenEpisode | None:
        """Return the episode that takes what comes in, if one is open."""
        return self._open

    def add_topic(self, topic: Topic) -> None:
        """Record a topic from here on, or state anew what its publishers offer."""
        with self._door:
            self._topics[topic.name] = topic
            self._arrivals.setdefault(topic.name, Arrivals())
            if self._open is not None:
                self._open.add_topic(topic)

    def keep_latched(self, topic: str, publishers: Collection[bytes]) -> None:
        """Forget latched messages of publishers that are gone from a topic that has others."""
        with self._door:
            self._latched.keep_only(topic, publishers)

    def receive(self, message: Message) -> None:
        """Take a message of a topic that was added."""
        arrivals = self._arrivals[message.topic]
        lost_before = arrivals.missing_before(message.publisher, message.sequence)
        if lost_before is None:
            return
        message = message._replace(receive_ns=arrivals.ordered(message.receive_ns, self._now))
        with self._door:
            if self._topics[message.topic].is_latched:
                self._latched.remember(message)
            if self._open is not None:
                self._open.receive(message, lost_before=lost_before)
            else:
                self._pre_roll.add(message, lost_before=lost_before)

    def count_lost(self, topic: str, count: int) -> None:
        """Count messages that the middleware reports as lost, where no sequence numbers do."""
        with self._door:
            if self._open is not None:
                self._open.count_lost(topic, count)

    def admit(self, episode: OpenEpisode) -> EpisodeRecord:
        """
        Let messages into an episode, beginning with the latched ones and the last seconds.

        :return: its record, which begins with the first of them
        """
        with self._door:
            for topic in self._topics.values():
                episode.add_topic(topic)
            began_ns = episode.record.started_ns
            pre_roll = self._pre_roll.take(began_ns)
            if pre_roll:
                began_ns = pre_roll[0][0].receive_ns
                episode.record = replace(episode.record, started_ns=began_ns)
            again = {(m.topic, m.publisher, m.sequence) for m, _ in pre_roll}
            for message in self._latched.messages():
                if (message.topic, message.publisher, message.sequence) not in again:
                    episode.receive(message._replace(receive_ns=began_ns), lost_before=0)
            for message, lost_before in pre_roll:
                episode.receive(message, lost_before=lost_before)
            self._open = episode
        return episode.record

    def shut(self) -> OpenEpisode | None:
        """Let nothing more into the open episode, and return it."""
        with self._door:
            episode, self._open = self._open, None
        return episode
