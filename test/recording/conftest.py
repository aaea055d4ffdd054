# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorder on a real disk, with time that stands still until a test moves it."""
# pytest 6 (Ubuntu 22.04) hides this module from dataclass, which then fails on text annotations.
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import pytest

from active_collection.episode import EpisodeRecord
from active_collection.episode import Source
from active_collection.recording.definitions import Definition
from active_collection.recording.episode_recorder import EpisodeRecorder
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.qos import Qos
from active_collection.recording.recorder_state import Environment
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.settings import RecorderSettings
from active_collection.scenario import Scenario

STRING = Definition('std_msgs/msg/String', 'ros2msg', 'string data\n', f'RIHS01_{"0" * 64}')
SCENARIO = Scenario.of('pick_mug', 'kitchen_b', {'mug': 'red', 'x': 0.25})
START_NS = 1_790_000_000 * 10**9


@dataclass
class Clock:
    """Time that a test moves."""

    ns: int = START_NS
    s: float = 100.0

    def pass_s(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)
        self.s += seconds


@dataclass
class FixedDisk:
    """A disk whose free space a test states."""

    bytes: int = 10**12

    def free(self, path: Path) -> int:
        path.stat()
        return self.bytes


@dataclass
class Bench:
    """A recorder and everything around it."""

    recorder: EpisodeRecorder
    clock: Clock
    disk: FixedDisk
    events: list[EpisodeEvent]
    counts: dict[str, int] = field(default_factory=dict)

    def add_topic(self, name: str, *qos: Qos) -> None:
        self.recorder.intake.add_topic(Topic(name, STRING, qos or (Qos(),)))

    def send(self, topic: str, data: bytes = b'\0\1\0\0\2\0\0\0a\0', *, count: int = 1,
             publisher: bytes = b'p', sequence: int | None = None) -> None:
        for _ in range(count):
            self.counts[topic] = sequence or self.counts.get(topic, 0) + 1
            self.recorder.intake.receive(Message(
                topic, self.clock.ns, self.clock.ns - 1000, self.counts[topic], publisher, data))
            self.clock.pass_s(0.001)

    def start(self, **changes: object) -> EpisodeRecord:
        values = {'scenario': SCENARIO, 'source': Source.SCRIPTED, **changes}
        return self.recorder.start(StartRequest(**values))

    @property
    def last_path(self) -> Path:
        return self.recorder.store.data / self.events[-1].path


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(tmp_path: Path):
    made = []

    def make(**settings: object) -> Bench:
        clock, disk, events = Clock(), FixedDisk(), []
        tokens = itertools.count()
        distro = settings.pop('ros_distro', 'kilted')
        robot = settings.pop('robot', 'robot_1')
        event_topics = settings.pop('event_topics', frozenset())
        recorder = EpisodeRecorder(
            RecorderSettings(**{'data_directory': str(tmp_path / 'data'), **settings}),
            robot=robot, publish=events.append,
            environment=Environment(
                ros_ns=lambda: clock.ns, monotonic=lambda: clock.s,
                token=lambda: f'{next(tokens):06d}', disk=disk, ros_distro=distro,
                versions={'active_collection': '0.1.0'}, event_topics=event_topics))
        made.append(recorder)
        return Bench(recorder, clock, disk, events)

    yield make
    for recorder in made:
        recorder.shut_down()


@pytest.fixture
def bench(make_bench) -> Bench:
    return make_bench()
