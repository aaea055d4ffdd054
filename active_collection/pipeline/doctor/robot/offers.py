# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether publishers offer what the subscriptions of the robot's nodes request."""
from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.sighting import Sighting
from active_collection.pipeline.doctor.sighting import TopicSeen
from active_collection.pipeline.doctor.subjects import Robot
from active_collection.recording.qos import unmet

#: Published once, for those who join later too.
ALWAYS_LATCHED = ('/tf_static',)


class Offers:
    """Each publisher's offer beside each subscription's request, of every topic of the robot."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each pair between which nothing passes, or one for all."""
        sighting = subject.sighting
        topics = [topic for topic in sighting.topics if _concerns(topic, sighting)]
        findings = [finding for topic in topics for finding in _unmet(topic)]
        findings += list(_not_latched(sighting))
        pairs = sum(len(t.publishers) * len(t.subscriptions) for t in topics)
        if not pairs and not findings:
            return [skipped('no topic of the robot has a publisher and a subscription')]
        return findings or [ok(f'{pairs} pairs of publisher and subscription fit each other')]


def _concerns(topic: TopicSeen, sighting: Sighting) -> bool:
    """Tell whether a topic is the robot's, or one of the robot's nodes has to do with it."""
    below = f'{sighting.robot.rstrip("/")}/'
    return topic.name.startswith(below) or any(
        each.node.startswith(below) for each in (*topic.publishers, *topic.subscriptions))


def _unmet(topic: TopicSeen) -> Iterator[Finding]:
    for publisher in topic.publishers:
        for subscription in topic.subscriptions:
            policy = unmet(publisher.qos, subscription.qos)
            if policy:
                offered, requested = _values(policy, publisher.qos, subscription.qos)
                yield wrong(
                    f'{topic.name}: {publisher.node} offers {policy} {offered}, '
                    f'{subscription.node} requests {requested}: nothing passes',
                    expected=f'{policy} {requested} of the publisher, or {offered} of the '
                    'subscription', remedy=f'ros2 topic info -v {topic.name}; of the recorder: '
                    'qos_overrides')


def _values(policy: str, offered: object, requested: object) -> tuple[str, str]:
    name = {'deadline': 'deadline_ns', 'liveliness lease': 'liveliness_lease_ns'}.get(
        policy, policy)
    return str(getattr(offered, name)), str(getattr(requested, name))


def _not_latched(sighting: Sighting) -> Iterator[Finding]:
    """Find topics that a node that starts later has to get, and will not."""
    latched = sighting.observations.latched if sighting.observations is not None else ()
    for name in (*latched, *ALWAYS_LATCHED):
        for publisher in sighting.topic(name).publishers:
            if publisher.qos.durability == 'volatile':
                yield wrong(
                    f'{name}: {publisher.node} offers durability volatile: who starts later '
                    'never gets it', expected='transient_local', remedy='give its publisher '
                    'QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)')
