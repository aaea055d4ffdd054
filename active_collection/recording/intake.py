# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The receiving side of a recorder: what comes in, and whether an episode takes it."""
from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from active_collection.episode import EpisodeRecord
from active_collection.episode import Source
from active_collection.recording.kept_parts import KeptParts
from active_collection.recording.kept_parts import Passed
from active_collection.recording.latched import LatchedMessages
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.open_episode import OpenEpisode
from active_collection.recording.pre_roll import PreRoll
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.statistics import Arrivals


class Inlet(Protocol):
    """What subscriptions feed: an intake, or whatever else takes in what would be recorded."""

    @property
    def episode(self) -> object | None:
        """Return the episode that takes what comes in, if one is open."""

    def add_topic(self, topic: Topic) -> None:
        """Take in a topic from here on, or state anew what its publishers offer."""

    def forget(self, topics: Collection[str]) -> bool:
        """Take in these topics no more, and tell whether that was done."""

    def keep_latched(self, topic: str, publishers: Collection[bytes]) -> None:
        """Forget latched messages of publishers that are gone from a topic that has others."""

    def receive(self, message: Message) -> None:
        """Take a message of a topic that was added."""

    def count_lost(self, topic: str, count: int) -> None:
        """Count messages that the middleware reports as lost, where no sequence numbers do."""


class Intake:
    """
    Knows every topic, its latched messages and the last seconds, and feeds the open episode.

    `receive`, `count_lost` and `add_topic` belong to the receiving side, which never waits for a
    disk. `admit` and `shut` open and close the door behind which an episode is.

    :param now: the clock of the messages' times of receipt (ns)
    :param expected_rates: fully qualified topic name to the rate that it should keep (Hz); those
        of other topics are learned
    :param always: topics that are kept whole where only parts of an episode are
    """

    def __init__(self, settings: RecorderSettings, *, now: Callable[[], int],
                 expected_rates: Mapping[str, float], always: Collection[str]) -> None:
        self._now = now
        self._expected_rates = expected_rates
        self._always = frozenset(always)
        self._door = threading.Lock()
        self._topics: dict[str, Topic] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._latched = LatchedMessages(
            depth=settings.latched_depth, max_bytes=settings.latched_bytes)
        self._pre_roll = PreRoll(
            duration_s=settings.pre_roll_s, max_bytes=settings.pre_roll_bytes)
        self._open: OpenEpisode | None = None
        self._parts: KeptParts | None = None
        self._high = False

    @property
    def episode(self) -> OpenEpisode | None:
        """Return the episode that takes what comes in, if one is open."""
        return self._open

    def add_topic(self, topic: Topic) -> None:
        """Record a topic from here on, or state anew what its publishers offer."""
        with self._door:
            self._topics[topic.name] = topic
            arrivals = self._arrivals.setdefault(
                topic.name, Arrivals(self._expected_rates.get(topic.name, 0.0)))
            if self._open is not None:
                self._open.add_topic(topic, arrivals)

    def forget(self, topics: Collection[str]) -> bool:
        """
        Record these topics no more, and tell whether that was done.

        While an episode is open, nothing is: it keeps the topics that it has.
        """
        with self._door:
            if self._open is not None:
                return False
            for topic in topics:
                self._topics.pop(topic, None)
                self._arrivals.pop(topic, None)
                self._latched.forget(topic)
                self._pre_roll.forget(topic)
        return True

    def change(self, settings: RecorderSettings, expected_rates: Mapping[str, float]) -> None:
        """Take what a changed setting says of the time before an episode, and of rates."""
        with self._door:
            self._pre_roll.change(
                duration_s=settings.pre_roll_s, max_bytes=settings.pre_roll_bytes)
            self._expected_rates = expected_rates
            for name, arrivals in self._arrivals.items():
                arrivals.expect(expected_rates.get(name, 0.0))

    def keep_latched(self, topic: str, publishers: Collection[bytes]) -> None:
        """Forget latched messages of publishers that are gone from a topic that has others."""
        with self._door:
            self._latched.keep_only(topic, publishers)

    def receive(self, message: Message) -> None:
        """Take a message of a topic that was added."""
        arrivals = self._arrivals.get(message.topic)
        if arrivals is None:
            return
        lost_before = arrivals.missing_before(message.publisher, message.sequence)
        if lost_before is None:
            return
        message = message._replace(receive_ns=arrivals.ordered(message.receive_ns, self._now))
        with self._door:
            if message.topic not in self._topics:
                return
            if self._topics[message.topic].is_latched:
                self._latched.remember(message)
            if self._open is None:
                self._pre_roll.add(message, lost_before=lost_before)
            elif self._parts is None or self._is_always_kept(message.topic):
                self._open.receive(message, lost_before=lost_before)
            else:
                self._record(self._open, self._parts.take(message, lost_before))

    def mark_uncertain(self, *, high: bool) -> None:
        """Take note that the policy's uncertainty has become high, or is so no longer."""
        with self._door:
            self._high = high
            if self._open is not None and self._parts is not None:
                self._record(self._open, self._parts.mark(high=high, now_ns=self._now()))

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
                episode.add_topic(topic, self._arrivals[topic.name])
            began_ns = episode.record.started_ns
            self._parts = self._parts_of(episode)
            pre_roll = self._pre_roll.take(began_ns)
            if self._parts is not None:
                pre_roll = []
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
            parts, self._parts = self._parts, None
            if episode is not None and parts is not None:
                tags = {**episode.record.tags, **parts.tags()}
                episode.record = replace(episode.record, tags=tags)
        return episode

    def _parts_of(self, episode: OpenEpisode) -> KeptParts | None:
        """Return what chooses the parts that are kept; None where all of the episode is."""
        settings, record = episode.settings, episode.record
        if settings.policy_parts == 'all' or record.source is not Source.POLICY:
            return None
        return KeptParts(
            before_s=settings.uncertain_before_s, after_s=settings.uncertain_after_s,
            max_bytes=settings.pre_roll_bytes, high=self._high)

    def _is_always_kept(self, topic: str) -> bool:
        return topic in self._always or self._topics[topic].is_latched

    def _record(self, episode: OpenEpisode, passed: Passed) -> None:
        if passed.after_hole:
            episode.interrupt(but=[name for name in self._topics if self._is_always_kept(name)])
        for message, lost_before in passed.messages:
            episode.receive(message, lost_before=lost_before)
