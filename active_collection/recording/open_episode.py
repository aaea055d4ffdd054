# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The one episode that a recorder has open."""
from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord
from active_collection.episode import Source
from active_collection.episode import TopicStatistics
from active_collection.episode import UncertaintySummary
from active_collection.errors import BagError
from active_collection.recording.clock_jumps import ClockJumps
from active_collection.recording.episode_writer import EpisodeWriter
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import BagSummary
from active_collection.recording.metadata import replace_record
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.statistics import Arrivals
from active_collection.recording.statistics import TopicCounter
from active_collection.recording.store import OpenDirectory
from active_collection.scenario import Scenario


@dataclass(frozen=True)
class StartRequest:
    """
    What an episode is to be.

    :param episode_id: empty: the recorder makes one
    :param missing_topics: required topics that no publisher serves
    :param allow_missing_topics: record all the same
    :param time_limit_s: the recorder closes it after this (s); 0: its own limit
    """

    scenario: Scenario
    source: Source
    episode_id: str = ''
    assignment_id: str = ''
    operator: str = ''
    notes: str = ''
    tags: Mapping[str, str] = field(default_factory=dict)
    missing_topics: tuple[str, ...] = ()
    allow_missing_topics: bool = False
    time_limit_s: float = 0.0


class OpenEpisode:
    """
    An episode being recorded.

    :param record: as it was at the start
    :param settings: what it was started with
    :param directory: its locked directory
    :param started: monotonic time (s)
    :param limit_s: longest duration (s)
    :param clock: told of the time now and then
    """

    def __init__(self, record: EpisodeRecord, *, settings: RecorderSettings,
                 directory: OpenDirectory, writer: EpisodeWriter, started: float, limit_s: float,
                 clock: ClockJumps) -> None:
        self.record = record
        self.settings = settings
        self.directory = directory
        self.writer = writer
        self.started = started
        self.limit_s = limit_s
        self.clock = clock
        self.uncertainty = UncertaintySummary()
        self._counters: dict[str, TopicCounter] = {}
        self._arrivals: dict[str, Arrivals] = {}

    def look_at_clock(self, ros_ns: int, monotonic: float) -> None:
        """
        See whether ROS time was set (ns, monotonic s); then the disk has it, for a salvage.

        A disk that refuses is no reason to record no further.
        """
        if self.clock.look(ros_ns, monotonic):
            with suppress(OSError, BagError):
                replace_record(self.directory.path,
                               replace(self.record, clock_jumps=self.clock.jumps))

    def add_topic(self, topic: Topic, arrivals: Arrivals) -> None:
        """Record a topic from here on, or state anew what its publishers offer."""
        counter = self._counters.setdefault(topic.name, TopicCounter(
            topic.name, topic.definition.type, has_stamps=topic.definition.begins_with_header))
        counter.latched |= topic.is_latched
        counter.has_stamps |= topic.definition.begins_with_header
        self._arrivals[topic.name] = arrivals
        self.writer.add_topic(topic)

    def receive(self, message: Message, *, lost_before: int) -> None:
        """
        Take a message of a topic that was added.

        :param lost_before: messages of its publisher that are missing in front of it
        """
        counter = self._counters[message.topic]
        queued = self.writer.put(message)
        if not queued and self.writer.closed and self.writer.error is None:
            return
        counter.lost += lost_before
        counter.count(message, queued=queued)

    def interrupt(self, but: Collection[str]) -> None:
        """Make no gap of a time in which messages were not to be kept, on all topics but these."""
        for name, counter in self._counters.items():
            if name not in but:
                counter.interrupt()

    def count_lost(self, topic: str, count: int) -> None:
        """Count messages that the middleware reports as lost."""
        if topic in self._counters:
            self._counters[topic].lost += count

    def delays_s(self) -> dict[str, float]:
        """Return topic to the shortest time from sending to receipt, each by its own clock (s)."""
        return {name: counter.least_delay_ns / 1e9 for name, counter in self._counters.items()
                if counter.least_delay_ns is not None}

    def silences_s(self, now_ns: int) -> dict[str, float]:
        """
        Return topic to the time since its last message (s), of topics that had some.

        :param now_ns: ROS time (ns)
        """
        return {name: max(0, now_ns - counter.last_ns) / 1e9
                for name, counter in self._counters.items() if counter.last_ns}

    def statistics(self, *, closed: bool = False) -> tuple[TopicStatistics, ...]:
        """
        Return the counts of every topic.

        :param closed: whether the bag is closed, so that what was not written never will be
        """
        written = self.writer.written()
        result = []
        for name, counter in sorted(self._counters.items()):
            messages, size = written.get(name, (0, 0))
            if closed:
                counter.dropped = max(counter.dropped, counter.received - messages)
            rate = self._arrivals[name].expected_rate(latched=counter.latched)
            result.append(counter.statistics(written=messages, size=size, expected_rate=rate))
        return tuple(result)

    def finish(self, record: EpisodeRecord, timeout_s: float) -> BagSummary:
        """
        Close the bag and say what it holds.

        :param record: how the episode ended, if all is written: the bag's last file carries it
        :param timeout_s: longest wait (s)
        :raises RecordingError: where that takes longer or the bag cannot be closed
        """
        return self.writer.finish(timeout_s, lambda summary: {
            CUSTOM_DATA_KEY: {'json': self.counted(record, summary).to_json()}})

    def counted(self, record: EpisodeRecord, summary: BagSummary | None) -> EpisodeRecord:
        """
        Return a record with what was counted.

        :param summary: of the bag; None where it could not be closed
        """
        tags = summary.tags() if summary is not None else {}
        return replace(record, topics=self.statistics(closed=True), uncertainty=self.uncertainty,
                       tags={**record.tags, **tags})
