# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service: what publishers offer, what suits them all, and how a bag writes it down."""
from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from active_collection.errors import ConfigError

#: What the middleware uses for "for ever" (ns).
INFINITE_NS = 2**63 - 1
RELIABLE = 'reliable'
BEST_EFFORT = 'best_effort'
TRANSIENT_LOCAL = 'transient_local'
VOLATILE = 'volatile'
AUTOMATIC = 'automatic'
MANUAL_BY_TOPIC = 'manual_by_topic'

#: Large messages that may wait at least, whatever they take.
LEAST_DEPTH = 4

#: How releases before Jazzy wrote the policies, the only way in which they read them.
NUMBERED = {
    'history': ('system_default', 'keep_last', 'keep_all', 'unknown'),
    'reliability': ('system_default', RELIABLE, BEST_EFFORT, 'unknown'),
    'durability': ('system_default', TRANSIENT_LOCAL, VOLATILE, 'unknown'),
    'liveliness': ('system_default', 'automatic', 'manual_by_node', 'manual_by_topic', 'unknown'),
}


@dataclass(frozen=True, slots=True)
class Qos:
    """
    A profile, in rosbag2's words.

    :param depth: messages kept; 0 where discovery does not tell
    :param deadline_ns: INFINITE_NS where there is none (ns); likewise lifespan and lease
    """

    reliability: str = RELIABLE
    durability: str = VOLATILE
    history: str = 'keep_last'
    depth: int = 10
    deadline_ns: int = INFINITE_NS
    lifespan_ns: int = INFINITE_NS
    liveliness: str = 'automatic'
    liveliness_lease_ns: int = INFINITE_NS

    @property
    def is_latched(self) -> bool:
        """Tell whether it keeps messages for readers that come later."""
        return self.durability == TRANSIENT_LOCAL

    def to_dict(self, *, numbered: bool = False) -> dict[str, Any]:
        """Return it as rosbag2 has it; with numbers of its policies, as before Jazzy."""
        def policy(name: str) -> str | int:
            word = getattr(self, name)
            return NUMBERED[name].index(word) if numbered else word

        return {
            'history': policy('history'),
            'depth': self.depth,
            'reliability': policy('reliability'),
            'durability': policy('durability'),
            'deadline': _time(self.deadline_ns),
            'lifespan': _time(self.lifespan_ns),
            'liveliness': policy('liveliness'),
            'liveliness_lease_duration': _time(self.liveliness_lease_ns),
            'avoid_ros_namespace_conventions': False,
        }


def to_yaml(profiles: Iterable[Qos], *, numbered: bool = False) -> str:
    """Return the profiles as an MCAP channel's metadata has them; empty for none."""
    listed = [profile.to_dict(numbered=numbered) for profile in profiles]
    return yaml.safe_dump(listed, sort_keys=False) if listed else ''


def from_yaml(text: str) -> tuple[Qos, ...]:
    """
    Return the profiles that a channel's metadata has, of any ROS 2 release.

    :raises yaml.YAMLError, KeyError, TypeError, IndexError: where it is something else
    """
    return tuple(
        Qos(reliability=_named('reliability', p), durability=_named('durability', p),
            history=_named('history', p), depth=int(p['depth']),
            deadline_ns=_nanoseconds(p['deadline']), lifespan_ns=_nanoseconds(p['lifespan']),
            liveliness=_named('liveliness', p),
            liveliness_lease_ns=_nanoseconds(p['liveliness_lease_duration']))
        for p in yaml.safe_load(text) or ())


def read_overrides(path: Path) -> dict[str, Qos]:
    """
    Read a file of requests, as `ros2 bag record --qos-profile-overrides-path` takes it.

    :return: topic name to request
    :raises ConfigError: where it cannot be read or a profile is not valid
    """
    try:
        profiles = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(path, found=str(error), expected='a readable YAML file') from error
    if not isinstance(profiles, dict):
        raise ConfigError(path, found=type(profiles).__name__, expected='topics with profiles')
    return {str(topic): _override(profile, f'{path}: {topic}')
            for topic, profile in profiles.items()}


def adapted(offered: Sequence[Qos], *, depth: int) -> Qos:
    """
    Return the strongest request that every publisher of a topic can serve.

    A request that asks for more than a publisher offers gets nothing from it, so one best_effort
    publisher makes it best_effort, and one volatile publisher makes it volatile.

    :param offered: what its publishers offer; none: a request that any publisher can serve
    :param depth: least number of messages to keep until they are taken
    """
    return Qos(
        reliability=_common(offered, 'reliability', RELIABLE, BEST_EFFORT),
        durability=_common(offered, 'durability', TRANSIENT_LOCAL, VOLATILE),
        depth=max([depth, *(profile.depth for profile in offered)]))


def fitting_depth(size: int, *, depth: int, max_bytes: int) -> int:
    """
    Return how many messages may wait until they are taken.

    A reader that cannot keep up fills its history first. A power of two where they are large, so
    that messages that grow a little change nothing.

    :param size: of a large message (bytes); 0: not known
    :param depth: of small messages
    :param max_bytes: bound on all of them, LEAST_DEPTH messages aside (bytes)
    """
    fitting = max_bytes // max(size, 1)
    if fitting >= depth:
        return depth
    return int(min(depth, max(LEAST_DEPTH, 1 << fitting.bit_length() >> 1)))


def requests(offered: Sequence[Qos], *, depth: int,
             most: int | None = None) -> tuple[Qos, ...]:
    """
    Return the requests that together get everything that a topic's publishers offer.

    One, but two where some publishers latch and some do not: what serves all of them gets no
    latched messages, so those that latch are asked for theirs separately.

    :param most: bound on the depth, whatever publishers keep; None: they may keep more. What
        latches is asked for all that is latched.
    """
    everything = adapted(offered, depth=depth)
    if most is not None and not everything.is_latched:
        everything = replace(everything, depth=min(everything.depth, most))
    latching = [profile for profile in offered if profile.is_latched]
    if not latching or everything.is_latched:
        return (everything,)
    return (everything, adapted(latching, depth=depth))


def unmet(offered: Qos, requested: Qos) -> str:
    """
    Return the policy by which a publisher offers less than a subscription requests; '' for none.

    Where one is not met, nothing passes between the two. A policy that discovery does not tell
    counts as met.
    """
    if (offered.reliability, requested.reliability) == (BEST_EFFORT, RELIABLE):
        return 'reliability'
    if (offered.durability, requested.durability) == (VOLATILE, TRANSIENT_LOCAL):
        return 'durability'
    if offered.deadline_ns > requested.deadline_ns:
        return 'deadline'
    if (offered.liveliness, requested.liveliness) == (AUTOMATIC, MANUAL_BY_TOPIC):
        return 'liveliness'
    if offered.liveliness_lease_ns > requested.liveliness_lease_ns:
        return 'liveliness lease'
    return ''


def _override(profile: object, where: str) -> Qos:
    if not isinstance(profile, dict):
        raise ConfigError(where, found=repr(profile), expected='reliability, durability, depth')
    allowed = {'reliability': (RELIABLE, BEST_EFFORT), 'durability': (VOLATILE, TRANSIENT_LOCAL),
               'history': ('keep_last',)}
    values: dict[str, Any] = {}
    for key, value in profile.items():
        is_depth = key == 'depth' and isinstance(value, int) and value > 0
        if is_depth or value in allowed.get(key, ()):
            values[key] = value
        elif key in allowed:
            raise ConfigError(
                f'{where}: {key}', found=repr(value), expected=f'one of {", ".join(allowed[key])}')
        else:
            raise ConfigError(f'{where}: {key}', found=repr(value), expected='reliability, '
                              'durability, history or depth (an integer above 0)')
    return Qos(**values)


def _common(offered: Sequence[Qos], policy: str, strong: str, weak: str) -> str:
    values = {getattr(profile, policy) for profile in offered}
    return strong if values == {strong} else weak


def _time(nanoseconds: int) -> dict[str, int]:
    return {'sec': nanoseconds // 10**9, 'nsec': nanoseconds % 10**9}


def _named(policy: str, profile: dict[str, Any]) -> str:
    value = profile[policy]
    return value if isinstance(value, str) else NUMBERED[policy][int(value)]


def _nanoseconds(time: dict[str, int]) -> int:
    return int(time['sec']) * 10**9 + int(time['nsec'])
