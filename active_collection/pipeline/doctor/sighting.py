# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What was seen of a robot: facts alone, as they pass from the process that looks to this one."""
from __future__ import annotations

import math
from enum import Enum
from typing import Any

from active_collection.config import Model
from active_collection.episode import TopicStatistics
from active_collection.recording.qos import Qos


class Endpoint(Model):
    """
    A publisher or a subscription of a topic.

    `node`: full name; empty where discovery does not tell.
    """

    node: str
    type: str
    qos: Qos


class TopicSeen(Model):
    """A topic of the graph, without what the doctor itself publishes and subscribes to."""

    name: str
    publishers: tuple[Endpoint, ...] = ()
    subscriptions: tuple[Endpoint, ...] = ()


class NodeSeen(Model):
    """
    A node that was looked for.

    `name`: full name. `count`: how many have this name. `parameters`: with dotted names; None
    where it did not answer. `lifecycle`: its state; empty where it is no managed node.
    """

    name: str
    count: int = 0
    parameters: dict[str, Any] | None = None
    lifecycle: str = ''


class Heard(Model):
    """
    What came of a topic while it was listened to.

    `lost`: messages that its publishers sent and that did not come. `size`: serialized bytes.
    `largest_gap_s`: longest time between two messages. `silence_s`: since the last one.
    `skew_s`: median of receipt minus header.stamp. `delay_s`: shortest time from sending to
    receipt, each by its own clock. None: not known. `unstamped`: messages whose header has no
    stamp.
    """

    topic: str
    type: str
    received: int = 0
    lost: int = 0
    size: int = 0
    rate: float = 0.0
    largest_gap_s: float = 0.0
    silence_s: float = 0.0
    skew_s: float | None = None
    delay_s: float | None = None
    unstamped: int = 0

    def statistics(self, expected_rate: float = 0.0) -> TopicStatistics:
        """
        Return it as the recorder keeps it.

        :param expected_rate: that it should keep (Hz); 0: not known
        """
        return TopicStatistics(
            topic=self.topic, type=self.type, received=self.received, lost=self.lost,
            rate=self.rate, expected_rate=expected_rate, largest_gap=self.largest_gap_s,
            clock_skew=math.nan if self.skew_s is None else self.skew_s)


class Level(Enum):
    """How well a node says that it does; the values are those of DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


class Diagnostic(Model):
    """The newest status of a name on /diagnostics."""

    name: str
    level: Level
    message: str = ''


class ObservationsSeen(Model):
    """
    What an ensemble's specification gave on the live topics.

    `ensemble`: its directory. `problem`: why it could not be tried; empty where it was.
    `missing`: topics that nobody publishes. `silent`: others of which nothing came. `unusable`:
    why messages could not be read, each once. `made`, `dropped`: observations, and why the last
    one was dropped. `unrecorded`: topics of observation and action that the recorder leaves out.
    """

    ensemble: str
    problem: str = ''
    latched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    made: int = 0
    dropped: int = 0
    dropped_problem: str = ''
    unrecorded: tuple[str, ...] = ()


class SchedulerSeen(Model):
    """What the scheduler told last."""

    state: str
    message: str = ''
    ensemble_id: str = ''


class Told(Model):
    """
    What a node of the robot told of itself, if anything.

    `recorder`: its state, and one line for a person. `agent`: the same of the agent.
    """

    recorder: tuple[str, str] | None = None
    agent: tuple[str, str] | None = None
    scheduler: SchedulerSeen | None = None


class Sighting(Model):
    """
    Everything that was seen of a robot.

    `robot`: its namespace, '/arm_1'. `middleware`: as rclpy names it. `namespaces`: of all nodes
    in the graph. `nodes`: those that were looked for, by the name of their executable. `topics`:
    all of the graph. `actions`: full name to type, of those with a server. `listened_s`: how long
    topics were listened to. `required`: full names of the topics without which no episode starts;
    `unmatched`: those of them that are not there; `listed`: those that the recorder is told by
    name. `rates`: full name to expected rate (Hz). `problems`: topic to why it is not recorded as
    it should be. `settings_problem`: why the recorder's parameters cannot be used.
    """

    robot: str
    middleware: str = ''
    namespaces: tuple[str, ...] = ()
    nodes: dict[str, NodeSeen] = {}
    topics: tuple[TopicSeen, ...] = ()
    actions: dict[str, str] = {}
    listened_s: float = 0.0
    heard: tuple[Heard, ...] = ()
    required: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    rates: dict[str, float] = {}
    problems: dict[str, str] = {}
    settings_problem: str = ''
    diagnostics: tuple[Diagnostic, ...] = ()
    told: Told = Told()
    observations: ObservationsSeen | None = None

    @property
    def rate(self) -> float:
        """Return how much the topics that are recorded bring (bytes/s)."""
        return sum(each.size for each in self.heard) / self.listened_s if self.listened_s else 0.0

    def topic(self, name: str) -> TopicSeen:
        """Return a topic by its full name; one without publishers where there is none."""
        return next((each for each in self.topics if each.name == name), TopicSeen(name=name))

    def node(self, name: str) -> NodeSeen:
        """Return a node by the name of its executable: 'recorder'."""
        return self.nodes.get(name) or NodeSeen(name=f'{self.robot}/{name}')
